# CHUNKING and BINARYMIME (RFC 3030): a message in chunks of any size, whose
# bytes are content and never commands, even if the message is rejected.

load helpers

# up to the first chunk, in one group; what is said to it
begin='EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\n'
binary='EHLO c.example\r\nMAIL FROM:<a@c.example> BODY=BINARYMIME\r\nRCPT TO:<b@mx.example>\r\n'
begun='220 250 250 250'
# the same for talk, each reply awaited
to_b=(reply say:'EHLO c.example' reply:250 say:'MAIL FROM:<a@c.example>'
    reply:250 say:'RCPT TO:<b@mx.example>' reply:250)

# raw TEXT...: send these bytes all at once
raw() {
	local IFS=
	printf '%b' "$*" >"$tmp/dialogue"
	feed "$tmp/dialogue"
}

@test "EHLO offers CHUNKING and BINARYMIME, HELO does not (RFC 3030 2, 3)" {
	say 'EHLO c.example' QUIT
	grep -qx '250[ -]CHUNKING' "$tmp/replies"
	grep -qx '250[ -]BINARYMIME' "$tmp/replies"
}

@test "each chunk gets 250, and the last one gets the reply for the message (RFC 3030 2)" {
	raw "$begin" 'BDAT 12\r\nSubject: a\r\n' 'BDAT 4\r\n\r\nxy' \
	    'bdat\t3  last\r\nz\r\n' 'QUIT\r\n'
	[[ $codes == "$begun 250 250 250 221" ]]
	[[ ${lines[-4]} == '250 2.0.0 12 bytes received' ]]
	[[ ${lines[-2]} == '250 2.0.0 Ok: stored as '* ]]
	printf 'Subject: a\n\nxyz\n' >"$tmp/want"
	stored "$tmp/want"
	keeps 1
}

@test "a message may be one chunk, end with an empty chunk, or be empty (RFC 3030 2)" {
	raw "$begin" 'BDAT 5 LAST\r\nA: b\n' 'QUIT\r\n'
	[[ $codes == "$begun 550 221" ]]
	raw "$begin" 'BDAT 6 LAST\r\nA: b\r\n' "${begin#*n}" \
	    'BDAT 6\r\nC: d\r\nBDAT 0 LAST\r\n' "${begin#*n}" \
	    'BDAT 0\r\nBDAT 0 LAST\r\n' 'QUIT\r\n'
	[[ $codes == "$begun 250 250 250 250 250 250 250 250 250 221" ]]
	keeps 3
}

@test "dots, CR LF . CR LF and commands within a chunk are content (RFC 3030 2)" {
	local text='A: b\r\n\r\n.\r\n..\r\n.\r\nQUIT\r\nBDAT 1 LAST\r\n.x'
	local size
	size=$(printf '%b' "$text" | wc -c)
	raw "$begin" "BDAT $size LAST\r\n$text" 'QUIT\r\n'
	[[ $codes == "$begun 250 221" ]]
	printf '%b' "${text//\\r/}" >"$tmp/want"
	stored "$tmp/want"
}

@test "a message is stored unchanged wherever the chunks divide it, between CR and LF too" {
	local i n actions=(reply say:'EHLO c.example' reply:250)
	local text='A: b\r\n\r\nx\r\n\r\n.\r\n'
	n=$(printf '%b' "$text" | wc -c)
	for ((i = 0; i <= n; i++)); do
		printf '%b' "$text" | head -c "$i" >"$tmp/head.$i"
		printf '%b' "$text" | tail -c "+$((i + 1))" >"$tmp/tail.$i"
		actions+=(say:'MAIL FROM:<a@c.example>' reply:250
		    say:'RCPT TO:<b@mx.example>' reply:250
		    say:"BDAT $i" file:"$tmp/head.$i" reply:250
		    say:"BDAT $((n - i)) LAST" file:"$tmp/tail.$i" reply:250)
	done
	talk "${actions[@]}" say:QUIT reply:221 eof
	keeps "$((n + 1))"
	[[ $(sed -s '1,/^$/d' "$dir"/new/* | sort | uniq -c | tr -s ' \n' ' ') == \
	    " $((n + 1)) $((n + 1)) . $((n + 1)) x " ]]
}

@test "chunks may arrive one byte at a time" {
	talk "${to_b[@]}" bytes:'BDAT 7\r\nA: b\r\n\r' reply:250 \
	    bytes:'BDAT 4 LAST\r\n\nx\r\n' reply:250 say:QUIT reply:221 eof
	printf 'A: b\n\nx\n' >"$tmp/want"
	stored "$tmp/want"
}

@test "a bare CR or LF gets 550 5.6.11 at the last chunk, nothing stored (RFC 5321 2.3.8)" {
	local text
	for text in 'x\ny\r\n' 'x\ry\r\n' '\r\r\n' 'xxxxy\r' 'xxxxy\n'; do
		raw "$begin" 'BDAT 8\r\nA: b\r\n\r\n' \
		    "BDAT $(printf '%b' "$text" | wc -c)\r\n$text" \
		    'BDAT 0 LAST\r\nNOOP\r\nQUIT\r\n'
		[[ $codes == "$begun 250 250 550 250 221" ]]
		[[ ${lines[-3]} == '550 5.6.11 '* ]]
	done
	raw "$begin" 'BDAT 7\r\nA: b\r\n\r' 'BDAT 3 LAST\r\nx\r\n' 'QUIT\r\n'
	[[ $codes == "$begun 250 550 221" ]]
	keeps 0
}

@test "a client in --lenient-from may have bare LF and CR in chunks" {
	lenient
	raw "$begin" 'BDAT 9 LAST\r\nA: b\n\nx\r\n' 'QUIT\r\n'
	[[ $codes == "$begun 250 221" ]]
	printf 'A: b\n\nx\n' >"$tmp/want"
	stored "$tmp/want"
	rm -r "$dir"
	raw "$begin" 'BDAT 6\r\nA: b\r\n' 'BDAT 6\r\n\r\r\nx\n.' \
	    'BDAT 4 LAST\r\n\r\n\n\r' 'QUIT\r\n'
	[[ $codes == "$begun 250 250 250 221" ]]
	printf 'A: b\n \nx\n.\n\n ' >"$tmp/want"
	stored "$tmp/want"
	[[ $(events message) == *' size=16 '* ]]
}

@test "BODY=BINARYMIME is stored byte for byte (RFC 3030 3)" {
	local i
	for i in {1..64}; do
		printf '%b' "\\0$((i / 8))$((i % 8))\r\n\n\r\0\xff."
	done >"$tmp/body"
	{ printf 'A: b\r\n\r\n'; cat "$tmp/body"; } >"$tmp/want"
	talk reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example> BODY=BINARYMIME' reply:250 \
	    say:'RCPT TO:<b@mx.example>' reply:250 \
	    say:"BDAT $(stat -c %s "$tmp/want") LAST" file:"$tmp/want" \
	    reply:250 say:QUIT reply:221 eof
	stored "$tmp/want"
}

@test "the header of a binary message is recognised, with CR LF line ends" {
	options=(--max-hops 1)
	# two Received, one of which is content
	local text='Received: x\r\nA: b\r\n\r\nReceived: y\r\nReceived: z\r\n'
	raw "$binary" "BDAT $(printf '%b' "$text" | wc -c) LAST\r\n$text" 'QUIT\r\n'
	[[ $codes == "$begun 250 221" ]]
	text='Received: x\r\nReceived: y\r\n\r\nz'
	raw "$binary" "BDAT $(printf '%b' "$text" | wc -c) LAST\r\n$text" 'QUIT\r\n'
	[[ $codes == "$begun 554 221" ]]
	text='Delivered-To: b@mx.example\r\nReceived: from x\r\n\tby mx.example\r\n\twith SMTP id 1\r\n\r\nz'
	raw "$binary" "BDAT $(printf '%b' "$text" | wc -c) LAST\r\n$text" 'QUIT\r\n'
	[[ $codes == "$begun 554 221" ]]
	[[ ${lines[-2]} == '554 5.4.6 '* ]]
	keeps 1
}

@test "a binary message without a header gets an empty line before it" {
	raw "$binary" 'BDAT 3 LAST\r\n\r\nx' 'QUIT\r\n'
	[[ $codes == "$begun 250 221" ]]
	[[ $(tail -c 5 "$(message)" | od -An -c | tr -d ' \n') == '0\n\r\nx' ]]
	rm "$dir"/new/*
	raw "$binary" 'BDAT 3 LAST\r\n\r\rx' 'QUIT\r\n'
	[[ $codes == "$begun 250 221" ]]
	[[ $(tail -c 6 "$(message)" | od -An -c | tr -d ' \n') == '0\n\n\r\rx' ]]
}

@test "W= in the file name of a binary message counts LF without CR" {
	raw "$binary" 'BDAT 14 LAST\r\nA: b\r\n\r\nx\ny\r\nz' 'QUIT\r\n'
	local name size ours
	name=$(message)
	size=$(stat -c %s "$name")
	ours=$(sed '/^A/,$d' "$name" | wc -l)
	[[ $name == *",S=$size,W=$((size + ours + 1))" ]]
}

@test "DATA for BINARYMIME, and DATA or MAIL or RCPT after BDAT, get 503 (RFC 3030 2, 3)" {
	raw "$binary" 'DATA\r\nBDAT 8 LAST\r\nA: b\r\n\r\nQUIT\r\n'
	[[ $codes == "$begun 503 250 221" ]]
	raw "$begin" 'BDAT 8\r\nA: b\r\n\r\nDATA\r\nMAIL FROM:<x@c.example>\r\n' \
	    'RCPT TO:<c@mx.example>\r\nNOOP\r\nVRFY x\r\nBDAT 0 LAST\r\nQUIT\r\n'
	[[ $codes == "$begun 250 503 503 503 250 252 250 221" ]]
	keeps 2
}

@test "BDAT before HELO, MAIL or RCPT gets 503, and its data is discarded (RFC 3030 2)" {
	raw 'BDAT 6\r\nQUIT\r\nEHLO c.example\r\nBDAT 6 LAST\r\nQUIT\r\n' \
	    'MAIL FROM:<a@c.example>\r\nBDAT 6 LAST\r\nQUIT\r\n' \
	    'RCPT TO:<b@mx.example>\r\nQUIT\r\n'
	[[ $codes == '220 503 250 503 250 503 503 221' ]]
}

@test "BDAT gets 554 if all recipients were rejected, and 503 from then on" {
	options=(--domain mx.example)
	raw 'EHLO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@c.example>\r\n' \
	    'BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<a@c.example>\r\n' \
	    'QUIT\r\n'
	[[ $codes == '220 250 250 550 554 503 250 221' ]]
}

@test "a chunk that makes a message exceed --max-size is discarded, then 552 (RFC 1870 6.3)" {
	options=(--max-size 20)
	raw "$begin" 'BDAT 20\r\nA: b\r\n\r\nxxxxxxxxxx\r\nBDAT 6 LAST\r\nQUIT\r\n' \
	    'BDAT 6 LAST\r\nQUIT\r\n' "${begin#*n}" \
	    'BDAT 20 LAST\r\nA: b\r\n\r\nxxxxxxxxxx\r\n' "${begin#*n}" \
	    'BDAT 21 LAST\r\nA: b\r\n\r\nxxxxxxxxxxx\r\nQUIT\r\n'
	[[ $codes == "$begun 250 552 503 250 250 250 250 250 552 221" ]]
	keeps 1
}

@test "a chunk that makes a binary message exceed --max-size gets 552, too" {
	options=(--max-size 20)
	raw "$binary" 'BDAT 10\r\nA: b\r\n\r\n\r\nBDAT 10\r\n\n\n\n\n\n\n\n\n\n\n' \
	    'BDAT 1 LAST\r\nx' 'QUIT\r\n'
	[[ $codes == "$begun 250 250 552 221" ]]
	keeps 0
}

@test "a CR LF that two chunks divide does not get around --max-size" {
	options=(--max-size 20)
	talk "${to_b[@]}" say:'BDAT 20' send:'A: b\r\n\r\nxxxxxxxxxxx\r' reply:250 \
	    say:'BDAT 1' send:'\n' reply:250 say:'BDAT 4000000' \
	    repeat:100000:'0123456789012345678901234567890123456789' settle \
	    run:"test -z \"\$(find '$dir' -type f -size +8k)\"" reply:552 \
	    say:'BDAT 0 LAST' reply:503 say:QUIT reply:221 eof
	keeps 0
}

@test "an invalid chunk size gets 501 5.5.4 and the connection is closed" {
	local size
	for size in '' x -1 +1 0x1 1.0 1x 'LAST' '1 LAST x' '1 2' '1LAST' \
	    18446744073709551616 99999999999999999999 000000000000000000001; do
		raw "$begin" "BDAT $size\r\nNOOP\r\n"
		[[ $codes == "$begun 501" && ${lines[-1]} == '501 5.5.4 '* ]]
	done
	raw "BDAT x\r\nNOOP\r\n"
	[[ $codes == '220 501' ]]
	raw "$begin" "BDAT 1$(printf '%3000s')x\r\nNOOP\r\n"
	[[ $codes == "$begun 501" ]]
	keeps 0
}

@test "a BDAT that is malformed or too long gets 501, and its chunk is not read as commands" {
	local line
	for line in 'BDAT 6\n' 'BDAT 6\rx\r\n' 'BDAT\1 6\r\n' 'BDAT 6\0\r\n' \
	    'bdat\t6\177\r\n' 'BDAT 6 LAST\n' 'BDAT\n' \
	    "BDAT 6 $(printf '%2048s')x\r\n" "BDAT 6 $(printf '%20000s')\r\n" \
	    "BDAT 6 $(printf '%20000s' '' | tr ' ' x)\r\n"; do
		raw "$begin" "${line}RSET\r\nNOOP\r\n"
		[[ $codes == "$begun 501" && ${lines[-1]} == '501 5.5.4 '* ]]
	done
	raw 'BDAT 6\nRSET\r\n'
	[[ $codes == '220 501' ]]
	options+=(--lenient-from 192.0.2.7)
	environment=(TCPREMOTEIP=192.0.2.7)
	raw "$begin" 'BDAT 6 \rLAST\nRSET\r\n'
	[[ $codes == "$begun 501" ]]
	keeps 0
	[[ $(events refused | grep -c 'command=BDAT') == 12 ]]
}

@test "sizes up to 64 bits don't overflow: the data is discarded, and nothing is stored" {
	local size
	for size in 18446744073709551615 18446744073709551613 9223372036854775808 \
	    4294967296; do
		raw "$begin" "BDAT 4\r\nA: bBDAT $size LAST\r\nQUIT\r\n"
		[[ $codes == "$begun 250" ]]
	done
	options+=(--max-size 0)
	raw "$begin" 'BDAT 4\r\nA: bBDAT 18446744073709551613 LAST\r\nQUIT\r\n'
	[[ $codes == "$begun 250" ]]
	keeps 0
}

@test "RSET, EHLO and QUIT between chunks discard the message (RFC 3030 2)" {
	raw "$begin" 'BDAT 4\r\nA: bRSET\r\nBDAT 4 LAST\r\nA: b' "${begin#*n}" \
	    'BDAT 4\r\nA: bEHLO c.example\r\nBDAT 4 LAST\r\nA: b' "${begin#*n}" \
	    'BDAT 4\r\nA: bQUIT\r\n'
	[[ $codes == "$begun 250 250 503 250 250 250 250 503 250 250 250 221" ]]
	keeps 0
}

@test "a connection lost within a chunk or between two discards the message" {
	local end
	for end in 'BDAT 4\r\nA: ' 'BDAT 4\r\nA: b' 'BDAT 4\r\nA: bBDA'; do
		raw "$begin" "$end"
		[[ $codes == "$begun"* ]]
		keeps 0
	done
	[[ $(events lost | grep -c 'from=a@c.example') == 3 ]]
}

@test "a timeout between chunks gets 421 4.4.2 and discards the message" {
	options=(-r 1s)
	talk "${to_b[@]}" say:'BDAT 4' send:'A: b' reply:250 reply:'421 4.4.2 ' eof
	keeps 0
}

@test "--min-rate applies from the first chunk on, between chunks too" {
	printf 0 >"$tmp/armed"
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_CLOCK=100
	    FAIL_WHEN="$tmp/armed")
	talk "${to_b[@]}" say:'BDAT 4' send:'A: b' reply:250 \
	    run:"$asleep && printf 1 1<>'$tmp/armed'" drip:50:'BDAT 1\r\nx' \
	    reply:'421 4.4.2 Data rate is too low' eof
	keeps 0
}

@test "on SIGTERM a message in chunks is completed before the 421" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" "${to_b[@]}" say:'BDAT 4' send:'A: b' \
	    reply:250 run:"kill -TERM $master" \
	    say:'BDAT 2 LAST' send:'\r\n' reply:250 reply:'421 4.3.2 ' eof
	keeps 1
}

@test "pipelined chunks get their replies in one write (RFC 2920 3.2)" {
	talk reply say:'EHLO c.example' reply:250 \
	    send:"${begin#*n}BDAT 4\r\nA: bBDAT 2\r\n\r\nBDAT 0\r\n" packet
	[[ $codes == '220 250 250 250 250 250 250' ]]
}

@test "chunks sent before a rejection was read don't count as errors (RFC 3030 2)" {
	local i actions=()
	options=(--max-size 10)
	for i in {1..60}; do
		actions+=('BDAT 3\r\nxxx')
	done
	raw "$begin" 'BDAT 11\r\nA: b\r\n\r\nxxx' "${actions[@]}" "${begin#*n}" \
	    'BDAT 8 LAST\r\nA: b\r\n\r\n' 'QUIT\r\n'
	[[ $codes == "$begun 552$(printf ' 503%.0s' {1..60}) 250 250 250 221" ]]
	for i in {1..60}; do
		actions+=('BDAT 3\r\nxxx')
	done
	raw 'EHLO c.example\r\n' "${actions[@]}"
	[[ $codes == *' 503 421' ]]
	keeps 1
}

# bats test_tags=memory
@test "a million chunks of one byte are accepted in bounded memory" {
	{
		printf '%b' "$begin"
		printf 'BDAT 6\r\nA: b\r\n'
		yes $'BDAT 1\r\nx' | head -n 2000000 | tr -d '\n' |
		    sed -e 's/\r/\r\n/g'
		printf 'BDAT 2 LAST\r\n\r\nQUIT\r\n'
	} >"$tmp/dialogue"
	local cmd
	command_line
	# shellcheck disable=SC2002 # it is to be a pipe
	cat "$tmp/dialogue" | (
		ulimit -v 65536
		timeout 60 "${cmd[@]}"
	) 2>>"$log" | tail -n 2 >"$tmp/replies"
	[[ $(head -c 4 "$tmp/replies") == '250 ' ]]
	[[ $(stat -c %s "$(message)") -gt 1000000 ]]
}

@test "--on-data runs at the first chunk; its rejection is sent after the data" {
	hook on-data <<'END'
echo "$SMTP_EVENT $SMTP_BODY" >>"$tmp/asked"
[ "$SENDER" != bad@c.example ]
END
	options=(--on-data "$tmp/on-data")
	raw "$binary" 'BDAT 4\r\nA: bBDAT 2 LAST\r\n\r\n' 'QUIT\r\n'
	[[ $codes == "$begun 250 250 221" ]]
	given "$tmp/asked" 'on-data BINARYMIME'
	raw "${begin/a@/bad@}" 'BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nQUIT\r\n'
	[[ $codes == "$begun 554 503 221" ]]
	keeps 1
}

@test "hooks after the last chunk get SMTP_BODY and the size of all chunks" {
	hook on-message <<'END'
echo "$SMTP_BODY $SMTP_SIZE" >"$tmp/asked"
cat >"$tmp/got"
END
	options=(--on-message "$tmp/on-message")
	raw "$binary" 'BDAT 6\r\nA: b\r\nBDAT 5 LAST\r\n\r\n\r\nx' 'QUIT\r\n'
	[[ $codes == "$begun 250 250 221" ]]
	given "$tmp/asked" 'BINARYMIME 11'
	printf 'A: b\r\n\r\n\r\nx' | cmp - <(tail -c 11 "$tmp/got")
}

@test "a disk that fills between chunks defers the message, and the session goes on" {
	shim write:1+:ENOSPC
	disarm
	talk "${to_b[@]}" say:'BDAT 6' send:'A: b\r\n' reply:250 run:"printf 1 1<>'$tmp/armed'" \
	    say:'BDAT 2 LAST' send:'\r\n' reply:'452 4.3.1 ' say:NOOP reply:250 \
	    say:QUIT reply:221 eof
	keeps 0
}
