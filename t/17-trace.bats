# The trace fields above a message: Return-Path, Delivered-To and Received (RFC
# 5321 4.4).  Input from the client can't change them or add others.

load helpers

received='^from [A-Za-z0-9.:_[-]+\]?( \(.*\))? by mx\.example( \(.*\))? with (E?SMTP) id ([^ ;]+)( for <[^>]*>)?; ([A-Z][a-z][a-z], )?[ 0-9]?[0-9] [A-Z][a-z][a-z] 20[0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9] [-+][0-9]{4}( \([A-Z]+\))?$'

# unfold VALUE: fold its blanks to one
unfold() {
	tr -s '\t ' '  ' <<<"$1"
}

@test "Return-Path comes first, then Delivered-To, then Received (RFC 5321 4.4)" {
	deliver 'Subject: x' '' x
	sed -n 's/^\([A-Za-z-]*\):.*/\1/p;/^$/q' "$(message)" | paste -sd ' ' |
	    grep -qx 'Return-Path Delivered-To Received Subject'
	[[ $(header Return-Path) == '<alice@c.example>' ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "Received says from, by, with, id, for and the date (RFC 5321 4.4)" {
	local r
	deliver 'Subject: x' '' x
	r=$(unfold "$(header Received)")
	echo "$r"
	[[ $r =~ $received ]]
	[[ $r == 'from c.example '* ]]
	[[ ${BASH_REMATCH[3]} == SMTP ]]
	[[ ${BASH_REMATCH[5]} == ' for <bob@mx.example>' ]]
}

@test "Received says ESMTP after EHLO (RFC 3848)" {
	say 'EHLO c.example' "${to_bob[@]:1}" DATA x . QUIT
	[[ $(unfold "$(header Received)") == *' with ESMTP id '* ]]
}

@test "the protocol in Received is that of the last HELO or EHLO (RFC 3848)" {
	say 'EHLO c.example' 'HELO d.example' "${to_bob[@]:1}" DATA x . QUIT
	[[ $(unfold "$(header Received)") == 'from d.example '*' with SMTP id '* ]]
}

@test "the date in Received is the current time (RFC 5321 4.4)" {
	local date before after
	before=$(date +%s)
	deliver x
	after=$(date +%s)
	date=$(date -d "$(header Received | sed 's/.*; //')" +%s)
	((before <= date && date <= after))
}

@test "the id in Received is the same as in the 250 and in the log" {
	local id
	deliver 'Subject: x' '' x
	id=$(unfold "$(header Received)" | sed 's/.* id \([^ ;]*\).*/\1/')
	[[ $id ]]
	[[ ${lines[5]} =~ ^250\ 2\.[0-9]\.0\ .*"$id" ]]
	events message | grep -F " id=$id "
}

@test "each message has its own id, which begins with the session id" {
	say "${to_bob[@]}" DATA x . "${to_bob[@]:1}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 250 250 250 354 250 221" ]]
	local ids sessions
	ids=$(events message | sed 's/.* id=\([^ ]*\).*/\1/')
	sessions=$(events message | sed 's/.* session=\([^ ]*\).*/\1/')
	(($(sort -u <<<"$ids" | wc -l) == 2))
	(($(sort -u <<<"$sessions" | wc -l) == 1))
	[[ $ids == "${sessions%%$'\n'*}."*$'\n'"${sessions%%$'\n'*}."* ]]
}

@test "Received has a "for" clause only for a single recipient (RFC 5321 7.2)" {
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	[[ $(unfold "$(header Received)") != *' for '* ]]
	[[ $(unfold "$(header Received)") =~ $received ]]
}

@test "in a single Maildir each recipient has a Delivered-To, in order" {
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' \
	    'RCPT TO:<"dan d"@mx.example>' DATA x . QUIT
	keeps 1
	[[ $(header Delivered-To) == $'bob@mx.example\neve@mx.example\n"dan d"@mx.example' ]]
}

@test "a recipient given twice gets 250 twice, one copy, one Delivered-To" {
	say "${to_bob[@]}" 'RCPT TO:<bob@mx.example>' 'RCPT TO:<bob@MX.EXAMPLE>' \
	    DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 250 354 250 221" ]]
	keeps 1
	[[ $(header Delivered-To) == bob@mx.example ]]
	[[ $(unfold "$(header Received)") == *' for <bob@mx.example>;'* ]]
}

@test "local parts that differ only in case, quoting or extension are one mailbox" {
	say "${to_bob[@]}" 'RCPT TO:<BOB@mx.example>' \
	    'RCPT TO:<"bob"@mx.example>' 'RCPT TO:<bob+x@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 250 250 354 250 221" ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "a rejected recipient does not appear in the header" {
	options=(--domain mx.example)
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<mallory@else.example>' 'RCPT TO:<bob@mx.example>' \
	    DATA x . QUIT
	[[ $codes == '220 250 250 550 250 354 250 221' ]]
	lacks mallory "$(message)"
	[[ $(unfold "$(header Received)") == *' for <bob@mx.example>;'* ]]
}

@test "the null sender is Return-Path: <> (RFC 5321 4.5.5)" {
	say 'HELO c.example' 'MAIL FROM:<>' 'RCPT TO:<bob@mx.example>' DATA x . QUIT
	[[ $(header Return-Path) == '<>' ]]
}

@test "Received has the client's IPv4 address (RFC 5321 4.4)" {
	via=-t
	talk "${data_bob[@]}" say:. reply:250 say:QUIT eof
	[[ $(unfold "$(header Received)") =~ ^from\ c\.example\ \(.*\[127\.0\.0\.1\]\)\ by ]]
}

@test "Received has the client's IPv6 address as a literal (RFC 5321 4.1.3)" {
	grep -q '^0*1 ' /proc/net/if_inet6 || skip 'this machine has no ::1'
	via=-6
	talk "${data_bob[@]}" say:. reply:250 say:QUIT eof
	[[ $(unfold "$(header Received)") =~ ^from\ c\.example\ \(.*\[IPv6:::1\]\)\ by ]]
}

@test "on a pipe the client's address is TCPREMOTEIP" {
	environment=(TCPREMOTEIP=192.0.2.7)
	deliver x
	[[ $(unfold "$(header Received)") == *'[192.0.2.7]'*' by '* ]]
	events message | grep -F ' client=192.0.2.7 '
}

@test "on a pipe the client's address is REMOTE_HOST if TCPREMOTEIP is not set" {
	environment=(REMOTE_HOST=192.0.2.8)
	deliver x
	events message | grep -F ' client=192.0.2.8 '
}

@test "on a socket the client's address is the peer's, whatever the environment says" {
	via=-t
	environment=(TCPREMOTEIP=192.0.2.7 REMOTE_HOST=192.0.2.8)
	talk "${data_bob[@]}" say:. reply:250 say:QUIT eof
	lacks -F 192.0.2 "$(message)"
	events message | grep -F ' client=127.0.0.1 '
}

@test "an invalid TCPREMOTEIP is ignored" {
	environment=(TCPREMOTEIP=$'x\r\nX-Injected: 1')
	deliver x
	lacks -i injected "$(message)"
	lacks '^X-Injected' "$log"
}

@test "only safe bytes of an invalid HELO name get into the header" {
	say 'HELO a(b)c;d"e<f>g@h by evil with x_1-2.3:4[5]' "${to_bob[@]:1}" \
	    DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	local r
	r=$(unfold "$(header Received)")
	echo "$r"
	[[ $r == 'from abcdefghbyevilwithx_1-2.3:4[5] '* || $r == 'from abcdefgh '* ]]
	(($(grep -o ' by ' <<<"$r" | wc -l) == 1))
}

@test "a HELO name without safe bytes still gives a valid Received" {
	say 'HELO ()' "${to_bob[@]:1}" DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(unfold "$(header Received)") =~ ^from\ [^\ ]+\ .*by\ mx\.example\  ]]
}

@test "no line of the header is over 998 bytes (RFC 5322 2.1.1)" {
	say "HELO $(printf '%01500d' 0)" \
	    "MAIL FROM:<$(printf '%0240d' 0)@c.example>" \
	    "RCPT TO:<$(printf '%0240d' 0)@mx.example>" DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	(($(wc -L <"$(message)") <= 998))
}

@test "a message that begins with a blank does not fold into our header" {
	deliver ' X-Folded: 1' 'more'
	[[ $(header Received) != *Folded* ]]
	printf '\n X-Folded: 1\nmore\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "a message that begins with a tab does not fold into our header" {
	deliver $'\tX-Folded: 1' 'more'
	printf '\n\tX-Folded: 1\nmore\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "a message without a header gets an empty line before it" {
	local first
	for first in 'just text' 'no colon here: but a blank before it' \
	    'From a@c.example Thu Jan  1 00:00:00 1970' ':' ': x' \
	    'Grüße: x' "$(printf '%02000d' 0)"; do
		dir=$tmp/$((++n))
		deliver "$first" 'Subject: no' '' more
		printf '\n%s\nSubject: no\n\nmore\n' "$first" >"$tmp/expected"
		stored "$tmp/expected"
	done
}

@test "no blank line is added to a message with a header or to an empty one" {
	local first
	for first in 'Subject: x' 'X-Y:' 'a:b' 'Subject : x' \
	    "$(printf 'X-%070d:' 0) y" "X: $(printf '%02000d' 0)" ''; do
		dir=$tmp/$((++n))
		deliver "$first" '' more
		printf '%s\n\nmore\n' "$first" >"$tmp/expected"
		stored "$tmp/expected"
	done
}

@test "an empty first line is found however the input is split" {
	local k
	for k in 0 1 2 3; do
		dir=$tmp/$k
		talk "${data_bob[@]}" split:"$k:\r\ntext\r\n.\r\n" reply:250 \
		    say:QUIT eof
		printf '\ntext\n' >"$tmp/expected"
		stored "$tmp/expected"
	done
}

# came LINE...: a message of these lines is kept as those in $tmp/expected,
# however it is cut into segments
came() {
	local octets k
	printf -v octets '%s\\r\\n' "$@"
	dir=$tmp/$((++n))
	deliver "$@" || return
	stored "$tmp/expected" || return
	for k in 1 7 11 12 13 16; do
		dir=$tmp/$((++n))
		talk "${data_bob[@]}" split:"$k:$octets.\r\n" reply:250 say:QUIT eof ||
		    return
		stored "$tmp/expected" || return
	done
	dir=$tmp/$((++n))
	talk "${data_bob[@]}" bytes:"$octets.\r\n" reply:250 say:QUIT eof &&
	    stored "$tmp/expected"
}

@test "a Return-Path in the message is removed (RFC 5321 4.4)" {
	printf 'Subject: x\nX: 1\n\nbody\n' >"$tmp/expected"
	came 'Return-Path: <evil@c.example>' 'Subject: x' 'X: 1' '' body
	[[ $(header Return-Path) == '<alice@c.example>' ]]
}

@test "all Return-Path fields are removed: folded, in any case, with blanks before the colon (RFC 5322 4.5)" {
	printf 'Subject: x\n y\nX: 1\n\nbody\n' >"$tmp/expected"
	came 'RETURN-PATH:' ' <evil' $'\t@c.example>' 'Subject: x' ' y' \
	    'return-path : <>' 'X: 1' $'Return-Path \t:\tx' ' Subject: folded' '' body
}

@test "fields with similar names are kept" {
	local lines_sent=('X-Return-Path: 1' 'Return-Path-X: 2' 'Return-Pat: 3'
	    'Return-Paths: 4' 'Return: 5' 'Subject:' ' Return-Path: <folded@c.example>'
	    '' 'Return-Path: <body@c.example>' '' body)
	printf '%s\n' "${lines_sent[@]}" >"$tmp/expected"
	came "${lines_sent[@]}"
}

@test "a field name 128 bytes from its colon is not a field name, in one piece or many" {
	local lines_sent
	printf -v blanks '%117s' ''
	lines_sent=('X: 1' "Return-Path$blanks: <x@c.example>" '' body)
	printf '%s\n' "${lines_sent[@]}" >"$tmp/expected"
	came "${lines_sent[@]}"
	printf 'X: 1\n\nbody\n' >"$tmp/expected"
	came 'X: 1' "Return-Path${blanks#?}: <x@c.example>" '' body
}

@test "no line is removed from a message without a header" {
	printf '\nDear Bob,\nReturn-Path: <x@c.example>\n\nbody\n' >"$tmp/expected"
	came 'Dear Bob,' 'Return-Path: <x@c.example>' '' body
	printf '\nReturn-Path <x@c.example>\n\nbody\n' >"$tmp/expected"
	came 'Return-Path <x@c.example>' '' body
}

@test "no line is removed after a line that is not a field" {
	printf 'X: 1\nno field\nReturn-Path: <x@c.example>\n\nbody\n' >"$tmp/expected"
	came 'Return-Path: <gone@c.example>' 'X: 1' 'no field' \
	    'Return-Path: <x@c.example>' '' body
}

@test "text that follows a removed Return-Path does not fold into our header" {
	printf '\nDear Bob,\n' >"$tmp/expected"
	came 'Return-Path: <x@c.example>' ' folded' 'Dear Bob,'
	printf '\n' >"$tmp/expected"
	came 'Return-Path: <x@c.example>'
	came 'Return-Path: <x@c.example>' ''
}

@test "Return-Path is removed from the header of a BINARYMIME message, not from its body (RFC 3030)" {
	local octets='Return-Path: <evil@c.example>\r\nX: 1\r\nRETURN-PATH:\r\n x\r\n\r\nReturn-Path: <body@c.example>\r\n\0'
	talk reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<alice@c.example> BODY=BINARYMIME' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 \
	    send:"BDAT $(printf '%b' "$octets" | wc -c) LAST\r\n$octets" reply:250 \
	    say:QUIT eof
	printf 'X: 1\r\n\r\nReturn-Path: <body@c.example>\r\n\0' >"$tmp/expected"
	stored "$tmp/expected"
	[[ $(head -n 1 "$(message)") == 'Return-Path: <alice@c.example>' ]]
}

# bats test_tags=memory
@test "a Return-Path of megabytes is removed in bounded memory" {
	local k
	{
		printf '%s\r\n' "${to_bob[@]}" DATA
		printf 'Return-Path: '
		head -c 3000000 /dev/zero | tr '\0' x
		printf '\r\nX: 1\r\nReturn-Path:\r\n'
		for ((k = 0; k < 100; k++)); do
			printf ' %09000d\r\n' 0
		done
		printf 'Y: 2\r\n\r\nbody\r\n.\r\nQUIT\r\n'
	} >"$tmp/dialogue"
	ulimit -v 60000
	feed "$tmp/dialogue"
	[[ $codes == '220 250 250 250 354 250 221' ]]
	printf 'X: 1\nY: 2\n\nbody\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "each recipient's copy has one Return-Path" {
	users bob eve
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA \
	    'Return-Path: <evil@c.example>' 'X: 1' '' body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	[[ $(header Return-Path "$(message "$base/bob")") == '<alice@c.example>' ]]
	[[ $(header Return-Path "$(message "$base/eve")") == '<alice@c.example>' ]]
}

# fields FILE: the names in its header
fields() {
	sed -n 's/^\([A-Za-z-]*\):.*/\1/p;/^$/q' "$1" | paste -sd ' '
}

# is_measured FILE: its name has its size, and the size with CR LF (maildir)
is_measured() {
	local size lf
	size=$(stat -c %s "$1")
	lf=$(wc -l <"$1")
	[[ $1 == *,S=$size,W=$((size + lf)) ]]
}

@test "each copy has one Return-Path below a field that a filter puts on top" {
	local name
	options=(--filter 'printf "X-Top: 1\nX-Next: a\n b\n"; cat')
	users bob eve
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' '' body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	for name in bob eve; do
		[[ $(fields "$(message "$base/$name")") == \
		    'X-Top X-Next Return-Path Delivered-To Received Subject' ]]
		[[ $(header Delivered-To "$(message "$base/$name")") == "$name@mx.example" ]]
		is_measured "$(message "$base/$name")"
	done
	# and such a copy is known when it comes back
	cp "$(message "$base/bob")" "$tmp/copy"
	rm "$base"/*/new/*
	mapfile -t copy <"$tmp/copy"
	say "${to_bob[@]}" DATA "${copy[@]}" . QUIT
	[[ $codes == "$to_bob_codes 354 554 221" ]]
}

@test "each of several copies has the fields of a single copy, in the same order" {
	options=(--filter 'sed "1s/.*/Return-Path: <srs@mx.example>/; 1i X-Top: 1"')
	users bob eve
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' '' body . \
	    "${to_bob[@]:1}" DATA 'Subject: x' '' body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 250 250 354 250 221" ]]
	fields "$(message "$base/eve")"
	local file
	for file in "$base"/*/new/*; do
		[[ $(fields "$file") == 'X-Top Return-Path Delivered-To Received Subject' ]]
		[[ $(header Return-Path "$file") == '<srs@mx.example>' ]]
		is_measured "$file"
	done
}

@test "a filter may add megabytes of header, or remove all of it, with several copies" {
	options=(--filter 'yes "X-Line: $(printf %0900d 0)" | head -n 3000; cat')
	users bob eve
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' '' body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	is_measured "$(message "$base/eve")"
	sed '/^X-Line/d' "$(message "$base/eve")" >"$tmp/rest"
	[[ $(fields "$tmp/rest") == 'Return-Path Delivered-To Received Subject' ]]
	rm "$base"/*/new/*
	options=(--filter 'sed 1d')
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' '' body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	is_measured "$(message "$base/eve")"
	[[ $(fields "$(message "$base/eve")") == 'Delivered-To Received Subject' ]]
}

@test "a Return-Path that a filter adds is kept" {
	options=(--filter 'cat; exit 0;' --filter 'sed "1s/.*/Return-Path: <srs@mx.example>/"')
	deliver 'Return-Path: <evil@c.example>' 'X: 1' '' body
	[[ $(header Return-Path) == '<srs@mx.example>' ]]
}

# injects DIALOGUE...: nothing of it becomes a header field or a line of the log
injects() {
	say "$@" QUIT
	if [[ -d $dir/new && $(kept) != 0 ]]; then
		lacks -riE '^X?-?Injected' "$dir/new" || return
	fi
	lacks -iE '^X?-?Injected' "$log"
}

@test "input from the client can't add a header field" {
	local evil
	for evil in $'\r' $'\n' $'\x0b' $'\x0c' $'\x85' $'\xc2\x85' $'\xe2\x80\xa8' \
	    '+0D+0A' '%0d%0a' '\r\n' '=0D=0A'; do
		injects "EHLO c.example${evil}X-Injected: 1" \
		    "MAIL FROM:<a${evil}X-Injected@c.example> SMTPUTF8" \
		    "MAIL FROM:<a@c.example> SMTPUTF8" \
		    "RCPT TO:<\"b${evil}Injected: 1\"@mx.example>" \
		    'RCPT TO:<bob@mx.example>' DATA 'Subject: x' '' x .
	done
}

@test "the authenticated user and DSN parameters can't add a header field" {
	local evil
	options=(--plain-auth --auth 'cat <&3 >/dev/null; true' --dsn true)
	for evil in $'\r\n' $'\n' $'\r'; do
		injects "EHLO c.example" \
		    "AUTH PLAIN $(printf '\0bob%sX-Injected: 1\0secret' "$evil" | base64 -w 0)" \
		    "AUTH PLAIN $(printf '\0bob\0secret' | base64 -w 0)" \
		    "MAIL FROM:<a@c.example> ENVID=x+0D+0AX-Injected:+201" \
		    'MAIL FROM:<a@c.example> ENVID=x' \
		    'RCPT TO:<bob@mx.example> ORCPT=rfc822;x+0AX-Injected:+201' \
		    'RCPT TO:<bob@mx.example>' DATA 'Subject: x' '' x .
		[[ $codes == '220 250 535 235 501 250 501 250 354 250 221' ]]
	done
}
