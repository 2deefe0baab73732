# Only CR LF . CR LF ends data (RFC 5321 4.1.1.4, 2.3.8).  Otherwise a message
# could be smuggled in another one (CVE-2023-51764 and similar).

load helpers

# What looks like the end of data and is not, as t/smtpc has it: with bare LF
# only, and with bare CR.
bare_lf=('\n.\n' '\n.\r\n' '\r\n.\n' '\n\n.\n' '\n.\n\n' '\n..\n'
    '\r\n.\n.\r\n' '\n\r\n.\n\r\n')
bare_cr=('\r.\r' '\r\n.\r' '\r\n.\r\r\n' '\r.\r\n' '\r\r\n.\r\r\n'
    '\r\n\r.\r\n' '\r\n.\r.\r\n' '\n.\r' '\r.\n' '\n\r.\r\n')

# All of them as the lines that --lenient-from stores once a CR LF has come: a
# dot after CR LF was stuffed, a dot after a bare LF or CR is a dot.
lenient_lines=('a\n.\nRSET\n' 'a\n.\nRSET\n' 'a\n\nRSET\n' 'a\n\n.\nRSET\n'
    'a\n.\n\nRSET\n' 'a\n..\nRSET\n' 'a\n\n.\nRSET\n' 'a\n\n\n\nRSET\n'
    'a . RSET\n' 'a\n RSET\n' 'a\n \nRSET\n' 'a .\nRSET\n' 'a \n \nRSET\n'
    'a\n .\nRSET\n' 'a\n .\nRSET\n' 'a\n. RSET\n' 'a .\nRSET\n'
    'a\n .\nRSET\n')

# Clients of a server without a lenient network, and of one with it: outside of
# it and inside, by their own address, or by that which a proxy gives, whose own
# is on the other side.
strict_clients=(plain outside outside-proxy outside-xclient)
lenient_clients=(inside inside-proxy inside-xclient)

# what a smuggler puts behind it; none of it may be taken for commands
smuggled='MAIL FROM:<smuggler@c.example>\r\nRCPT TO:<victim@mx.example>\r\nDATA\r\nx'

# transaction ACTION CODE: send data by the action, and hear the code
transaction() {
	actions+=(say:'MAIL FROM:<a@c.example>' reply:250
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354
	    "$1" "reply:$2")
}

# become CLIENT: set options, environment, and first[], how its session begins
become() {
	local address=198.51.100.7 proxy=192.0.2.191
	options=(--max-errors 0 --max-mails 0)
	environment=() first=(reply:220)
	[[ $1 != plain ]] || return 0
	options+=(--lenient-from 192.0.2.0/24)
	[[ $1 != inside* ]] || address=192.0.2.7 proxy=198.51.100.191
	case $1 in
	*-proxy)
		options+=(--proxy-from "$proxy")
		first=(send:"PROXY TCP4 $address 203.0.113.25 9 25\r\n" reply:220)
		address=$proxy ;;
	*-xclient)
		options+=(--xclient-from "$proxy")
		first+=(say:"XCLIENT ADDR=$address" reply:220)
		address=$proxy ;;
	esac
	environment=(TCPREMOTEIP="$address" TCPLOCALIP=203.0.113.25)
}

# dialogue N CLIENT... -- ACTION...: a session of each client, with the actions;
# it ends in step, and N messages are in the Maildir $tmp/CLIENT
dialogue() {
	local n=$1 clients=()
	while shift; [[ $1 != -- ]]; do
		clients+=("$1")
	done
	shift
	for client in "${clients[@]}"; do
		echo "client: $client"
		become "$client"
		dir=$tmp/$client
		talk "${first[@]}" say:'HELO c.example' reply:250 "$@" \
		    say:NOOP reply:250 say:QUIT reply:221 eof
		keeps "$n"
	done
}

# everywhere TEXT CODE: the data split at each of its bytes.  (printf does
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

@test "a bare LF does not end data: after CR LF . CR LF 550 5.6.11, nothing stored (RFC 5321 2.3.8)" {
	local v actions=()
	for v in "${bare_lf[@]}"; do
		transaction "send:a$v$smuggled\r\n.\r\n" '550 5.6.11 '
	done
	dialogue 0 "${strict_clients[@]}" -- "${actions[@]}"
}

@test "a bare CR does not end data: after CR LF . CR LF 550 5.6.11, nothing stored (RFC 5321 2.3.8)" {
	local v actions=()
	for v in "${bare_cr[@]}"; do
		transaction "send:a$v$smuggled\r\n.\r\n" '550 5.6.11 '
	done
	dialogue 0 "${strict_clients[@]}" -- "${actions[@]}"
}

@test "a bare LF or CR at the start of data does not end it (RFC 5321 4.1.1.4)" {
	local v actions=()
	for v in '.\n' '.\r' '.\r\r\n' '\n.\r\n' '\r.\r\n' '..\n.\n' '\n' '\r'; do
		transaction "send:$v$smuggled\r\n.\r\n" '550 5.6.11 '
	done
	dialogue 0 "${strict_clients[@]}" -- "${actions[@]}"
}

@test "a bare LF does not end data, however it is split over segments" {
	local v actions=()
	for v in "${bare_lf[@]}"; do
		everywhere "a${v}RSET\r\n.\r\n" '550 5.6.11 '
	done
	dialogue 0 "${strict_clients[@]}" -- "${actions[@]}"
}

@test "a bare CR does not end data, however it is split over segments" {
	local v actions=()
	for v in "${bare_cr[@]}"; do
		everywhere "a${v}RSET\r\n.\r\n" '550 5.6.11 '
	done
	dialogue 0 "${strict_clients[@]}" -- "${actions[@]}"
}

@test "the end of data is found however it is split (RFC 5321 4.1.1.4)" {
	local actions=() n
	everywhere 'a\r\n.\r\n' 250
	everywhere '.\r\n' 250
	everywhere '\r\n.\r\n' 250
	everywhere 'a\r\n..\r\n.\r\n' 250
	n=$((${#actions[@]} / 8))
	((n > 20))
	dialogue "$n" "${strict_clients[@]}" inside -- "${actions[@]}"
}

@test "input after the end of data is the next command, wherever it is split" {
	local actions=() k text='x\r\n.\r\nNOOP\r\n'
	for k in {0..12}; do
		transaction "split:$k:$text" 250
		actions+=(reply:250)
	done
	dialogue 13 plain outside inside -- "${actions[@]}"
}

@test "a dot as the first line ends data: the message is empty" {
	say "${to_bob[@]}" DATA . NOOP QUIT
	[[ $codes == "$to_bob_codes 354 250 250 221" ]]
	keeps 1
	lacks -v -E $'^(Return-Path|Delivered-To|Received):|^[ \t]|^$' \
	    "$(message)"
}

@test "a message with a bare LF is not stored, and the next message is" {
	talk "${data_bob[@]}" send:'a\nb\r\n.\r\n' reply:'550 5.6.11 ' \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    send:'good\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1
	grep -qx good "$(message)"
}

@test "a message rejected for a bare LF ends the transaction (RFC 5321 4.1.1.4)" {
	talk "${data_bob[@]}" send:'a\nb\r\n.\r\n' reply:550 say:DATA reply:503 \
	    say:'RCPT TO:<bob@mx.example>' reply:503 say:QUIT reply:221 eof
}

@test "a single bare LF or CR anywhere in a long message rejects it" {
	printf '%0100d\r\n' {1..3000} >"$tmp/long"
	talk "${data_bob[@]}" file:"$tmp/long" send:'\n' file:"$tmp/long" \
	    say:. reply:'550 5.6.11 ' "${data_bob[@]:3}" \
	    file:"$tmp/long" send:'\r' file:"$tmp/long" say:. \
	    reply:'550 5.6.11 ' "${data_bob[@]:3}" file:"$tmp/long" \
	    file:"$tmp/long" say:. reply:250 say:QUIT reply:221 eof
	keeps 1
}

# expect LINES...: the bodies kept in $dir are exactly these, each at least once
expect() {
	bodies | sort -u >"$tmp/kept"
	printf '%b' "${@/%/|}" | tr '\n|' '|\n' | sed 's/|$//' | sort -u \
	    >"$tmp/expected"
	diff "$tmp/kept" "$tmp/expected"
}

@test "from a lenient client, bare LF is a line end, bare CR a space; after a CR LF neither ends data" {
	local i
	become inside
	for i in "${!lenient_lines[@]}"; do
		local v=("${bare_lf[@]}" "${bare_cr[@]}")
		dir=$tmp/$i
		talk "${data_bob[@]}" send:"Subject: x\r\n\r\na${v[i]}RSET\r\n.\r\n" \
		    reply:250 say:NOOP reply:250 say:QUIT reply:221 eof
		[[ $codes == '220 250 250 250 354 250 250 221' ]]
		printf '%b' "Subject: x\n\n${lenient_lines[i]}" >"$tmp/expected"
		stored "$tmp/expected"
	done
}

@test "bare LF and CR from a lenient client are converted however they are split" {
	local v actions=() client
	for v in "${bare_lf[@]}" "${bare_cr[@]}"; do
		everywhere "Subject: x\r\n\r\na${v}RSET\r\n.\r\n" 250
	done
	dialogue $((${#actions[@]} / 8)) "${lenient_clients[@]}" -- \
	    "${actions[@]}"
	for client in "${lenient_clients[@]}"; do
		dir=$tmp/$client
		expect "${lenient_lines[@]}"
	done
}

@test "LF . LF ends data from a lenient client if there was no CR LF, however it is split" {
	local actions=() client
	everywhere 'A: b\n\nx\n.\n' 250
	everywhere 'A: b\n\n..x\n.y\n...\n.\n' 250
	everywhere 'A: b\n\nx\ry\n\r\r.\r\n\r\n.\r\n' 250
	everywhere 'A: b\n\nx\n.\r\n..y\n.z\r\n.\r\n' 250
	everywhere '.\n' 250
	everywhere '\n.\n' 250
	dialogue $((${#actions[@]} / 8)) "${lenient_clients[@]}" -- \
	    "${actions[@]}"
	for client in "${lenient_clients[@]}"; do
		dir=$tmp/$client
		expect 'x\n' '.x\ny\n..\n' 'x y\n  .\n\n' 'x\n.\n.y\n.z\n'
	done
}

@test "input after LF . LF from a lenient client is the next command" {
	become inside
	talk "${data_bob[@]}" send:'x\n.\nNOOP\nRSET\n' reply:'250 2.0.0 Ok: ' \
	    reply:250 reply:250 send:'QUIT\n' reply:221 eof
	keeps 1
}

@test "the log of a rejected bare LF or CR names --lenient-from" {
	local text
	for text in 'a\nb\r\n.\r\n' 'a\rb\r\n.\r\n'; do
		: >"$log"
		talk "${data_bob[@]}" send:"$text" reply:'550 5.6.11 ' \
		    say:QUIT reply:221 eof
		[[ $(events refused) == *' command=DATA '*'--lenient-from'* ]]
	done
	: >"$log"
	talk reply send:'NOOP\nQUIT\r\n' reply:'500 5.5.2 ' say:QUIT reply:221 eof
	[[ $(events refused) == *'--lenient-from'* ]]
	: >"$log"
	talk reply send:'NOOP\r QUIT\r\n' reply:'500 5.5.2 ' say:QUIT reply:221 eof
	[[ $(events refused) == *'500 5.5.2'* ]]
	lacks -F lenient "$log"
	: >"$log"
	# that line alone
	talk reply send:'NOOP\n\r\n' reply:'500 5.5.2 ' \
	    say:"NOOP $(printf '%013000d' 0)" reply:500 say:QUIT reply:221 eof
	(($(events refused | wc -l) == 2))
	[[ $(events refused | tail -n 1) != *' error='* ]]
}

@test "a timeout after LF . LF or LF . CR LF in data is explained in the log" {
	local text
	for text in 'a\n.\n' '.\n' 'a\r\n.\n' 'a\r\nb\n.\r\n'; do
		: >"$log"
		talk "${data_bob[@]}" send:"$text" shut eof
		[[ $(events lost) == *'LF . LF'*'--lenient-from'* ]]
		: >"$log"
		talk "${data_bob[@]}" bytes:"${text}QUIT\r\n" shut eof
		[[ $(events lost) == *'LF . LF'* ]]
	done
	options=(--read-timeout 1s)
	talk "${data_bob[@]}" send:'a\n.\n' reply:421 eof
	[[ $(events refused) == *'421 4.4.2 '*'LF . LF'* ]]
	for text in 'a\n' 'a\r\n.\r' 'a\n..\n' 'a\n.b\n' 'a.\n'; do
		: >"$log"
		talk "${data_bob[@]}" send:"$text" shut eof
		[[ $(events lost) ]]
		lacks -F 'LF . LF' "$log"
	done
}

@test "one leading dot is removed, only at the start of a line (RFC 5321 4.5.2)" {
	deliver 'Subject: dots' '' '..' '...' '..x' '.x' 'x.' ' .' 'a.b' '....'
	printf 'Subject: dots\n\n.\n..\n.x\nx\nx.\n .\na.b\n...\n' \
	    >"$tmp/expected"
	stored "$tmp/expected"
}

@test "leading dots are removed in the header and in the first line, too (RFC 5321 4.5.2)" {
	deliver '..x: 1' '..y: 2' '' ..
	printf '.x: 1\n.y: 2\n\n.\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "leading dots are removed however the input is split" {
	local actions=() n
	everywhere 'X: y\r\n\r\n..a\r\n...\r\n.b\r\n..\r\n.\r\n' 250
	n=$((${#actions[@]} / 8))
	dialogue "$n" plain -- "${actions[@]}"
	[[ $(bodies | sort | uniq -c) =~ ^\ *$n\ \.a\|\.\.\|b\|\.$ ]]
}
