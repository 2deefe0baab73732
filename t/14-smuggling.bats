# The end of data is CR LF . CR LF and nothing else (RFC 5321 4.1.1.4, 2.3.8):
# what another server could take for it never is one here, or a second message
# could be smuggled in the first (CVE-2023-51764 and its like).

load helpers

# What looks like the end of data and is not, as t/smtpc has it: with bare LF
# only, and with bare CR.
bare_lf=('\n.\n' '\n.\r\n' '\r\n.\n' '\n\n.\n' '\n.\n\n' '\n..\n'
    '\r\n.\n.\r\n' '\n\r\n.\n\r\n')
bare_cr=('\r.\r' '\r\n.\r' '\r\n.\r\r\n' '\r.\r\n' '\r\r\n.\r\r\n'
    '\r\n\r.\r\n' '\r\n.\r.\r\n' '\n.\r' '\r.\n' '\n\r.\r\n')

# The first of them as the lines that --bare-newline accept keeps: a dot
# behind CR LF is one that was stuffed, a dot behind a bare LF is a dot.
accepted=('a\n.\nRSET\n' 'a\n.\nRSET\n' 'a\n\nRSET\n' 'a\n\n.\nRSET\n'
    'a\n.\n\nRSET\n' 'a\n..\nRSET\n' 'a\n\n.\nRSET\n' 'a\n\n\n\nRSET\n')

# what a smuggler puts behind it; none of it may be taken for commands
smuggled='MAIL FROM:<smuggler@c.example>\r\nRCPT TO:<victim@mx.example>\r\nDATA\r\nx'

# transaction ACTION CODE: send data by the action, and hear the code
transaction() {
	actions+=(say:'MAIL FROM:<a@c.example>' reply:250
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354
	    "$1" "reply:$2")
}

# dialogue ACTION...: a session round them; it ends in step
dialogue() {
	options+=(--max-errors 0 --max-mails 0)
	talk reply:220 say:'HELO c.example' reply:250 "$@" say:NOOP reply:250 \
	    say:QUIT reply:221 eof
}

# everywhere TEXT CODE: the data split at each of its octets.  (printf does
# what a loop would; bats is slow in those.)
everywhere() {
	local n format more
	n=$(printf '%b' "$1" | wc -c)
	printf -v format '%s\\n' 'say:MAIL FROM:<a@c.example>' reply:250 \
	    'say:RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    "split:%d:${1//\\/\\\\}" "reply:$2"
	# shellcheck disable=SC2046,SC2059 # numbers; the format is the point
	mapfile -t more < <(printf "$format" $(seq 0 "$n"))
	actions+=("${more[@]}")
	transaction "bytes:$1" "$2"
}

# bodies: a line for each message, its lines but for the header joined by |
bodies() {
	sed -s -e '1,/^$/d' -e :a -e '$!{N;ba' -e '}' -e 's/\n/|/g' "$dir"/new/*
}

@test "no bare LF ends data: read to the true end, 550 5.6.11, nothing kept (RFC 5321 2.3.8)" {
	local v actions=()
	for v in "${bare_lf[@]}"; do
		transaction "send:a$v$smuggled\r\n.\r\n" '550 5.6.11 '
	done
	dialogue "${actions[@]}"
	keeps 0
}

@test "no bare CR ends data: read to the true end, 550 5.6.11, nothing kept (RFC 5321 2.3.8)" {
	local v actions=()
	for v in "${bare_cr[@]}"; do
		transaction "send:a$v$smuggled\r\n.\r\n" '550 5.6.11 '
	done
	dialogue "${actions[@]}"
	keeps 0
}

@test "nor when the data begins so (RFC 5321 4.1.1.4)" {
	local v actions=()
	for v in '.\n' '.\r' '.\r\r\n' '\n.\r\n' '\r.\r\n' '..\n.\n' '\n' '\r'; do
		transaction "send:$v$smuggled\r\n.\r\n" '550 5.6.11 '
	done
	dialogue "${actions[@]}"
	keeps 0
}

@test "nor however the bare LF is split over segments" {
	local v actions=()
	for v in "${bare_lf[@]}"; do
		everywhere "a${v}RSET\r\n.\r\n" '550 5.6.11 '
	done
	dialogue "${actions[@]}"
	keeps 0
}

@test "nor however the bare CR is split over segments" {
	local v actions=()
	for v in "${bare_cr[@]}"; do
		everywhere "a${v}RSET\r\n.\r\n" '550 5.6.11 '
	done
	dialogue "${actions[@]}"
	keeps 0
}

@test "the true end of data is found however it is split (RFC 5321 4.1.1.4)" {
	local actions=() n
	everywhere 'a\r\n.\r\n' 250
	everywhere '.\r\n' 250
	everywhere '\r\n.\r\n' 250
	everywhere 'a\r\n..\r\n.\r\n' 250
	n=$((${#actions[@]} / 8))
	((n > 20))
	dialogue "${actions[@]}"
	keeps "$n"
}

@test "input after the end of data is the next command, wherever it is split" {
	local actions=() k text='x\r\n.\r\nNOOP\r\n'
	for k in {0..12}; do
		transaction "split:$k:$text" 250
		actions+=(reply:250)
	done
	dialogue "${actions[@]}"
	keeps 13
}

@test "a dot in the first line ends data at once: the message is empty" {
	say "${to_bob[@]}" DATA . NOOP QUIT
	[[ $codes == "$to_bob_codes 354 250 250 221" ]]
	keeps 1
	lacks -v -E $'^(Return-Path|Delivered-To|Received):|^[ \t]|^$' \
	    "$(message)"
}

@test "the message above a refused bare LF is gone, and the next one is kept" {
	talk "${data_bob[@]}" send:'a\nb\r\n.\r\n' reply:'550 5.6.11 ' \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    send:'good\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1
	grep -qx good "$(message)"
}

@test "a refusal for a bare LF ends the transaction (RFC 5321 4.1.1.4)" {
	talk "${data_bob[@]}" send:'a\nb\r\n.\r\n' reply:550 say:DATA reply:503 \
	    say:'RCPT TO:<bob@mx.example>' reply:503 say:QUIT reply:221 eof
}

@test "one bare LF or CR anywhere in a long message is one too many" {
	printf '%0100d\r\n' {1..3000} >"$tmp/long"
	talk "${data_bob[@]}" file:"$tmp/long" send:'\n' file:"$tmp/long" \
	    say:. reply:'550 5.6.11 ' "${data_bob[@]:3}" \
	    file:"$tmp/long" send:'\r' file:"$tmp/long" say:. \
	    reply:'550 5.6.11 ' "${data_bob[@]:3}" file:"$tmp/long" \
	    file:"$tmp/long" say:. reply:250 say:QUIT reply:221 eof
	keeps 1
}

@test "with --bare-newline accept a bare LF becomes a line end and ends no data" {
	local i
	options=(--bare-newline accept)
	for i in "${!bare_lf[@]}"; do
		dir=$tmp/$i
		talk "${data_bob[@]}" send:"Subject: x\r\n\r\na${bare_lf[i]}RSET\r\n.\r\n" \
		    reply:250 say:NOOP reply:250 say:QUIT reply:221 eof
		[[ $codes == '220 250 250 250 354 250 250 221' ]]
		printf '%b' "Subject: x\n\n${accepted[i]}" >"$tmp/expected"
		stored "$tmp/expected"
	done
}

@test "with --bare-newline accept it does so however it is split" {
	local v actions=() n
	options=(--bare-newline accept)
	for v in "${bare_lf[@]}"; do
		everywhere "Subject: x\r\n\r\na${v}RSET\r\n.\r\n" 250
	done
	n=$((${#actions[@]} / 8))
	dialogue "${actions[@]}"
	keeps "$n"
	bodies | sort -u >"$tmp/kept"
	printf '%b' "${accepted[@]/%/|}" | tr '\n|' '|\n' | sed 's/|$//' |
	    sort -u >"$tmp/expected"
	cmp "$tmp/kept" "$tmp/expected"
}

@test "with --bare-newline accept a bare CR is refused all the same" {
	local v actions=()
	options=(--bare-newline accept)
	for v in "${bare_cr[@]}"; do
		everywhere "a${v}RSET\r\n.\r\n" '550 5.6.11 '
	done
	dialogue "${actions[@]}"
	keeps 0
}

@test "a leading dot is taken away once, and only at the start of a line (RFC 5321 4.5.2)" {
	deliver 'Subject: dots' '' '..' '...' '..x' '.x' 'x.' ' .' 'a.b' '....'
	printf 'Subject: dots\n\n.\n..\n.x\nx\nx.\n .\na.b\n...\n' \
	    >"$tmp/expected"
	stored "$tmp/expected"
}

@test "dots are unstuffed in the header and in the first line too (RFC 5321 4.5.2)" {
	deliver '..x: 1' '..y: 2' '' ..
	printf '.x: 1\n.y: 2\n\n.\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "dots are unstuffed wherever the segments split" {
	local actions=() n
	everywhere 'X: y\r\n\r\n..a\r\n...\r\n.b\r\n..\r\n.\r\n' 250
	n=$((${#actions[@]} / 8))
	dialogue "${actions[@]}"
	keeps "$n"
	[[ $(bodies | sort | uniq -c) =~ ^\ *$n\ \.a\|\.\.\|b\|\.$ ]]
}
