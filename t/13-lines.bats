# Command lines: only CR LF ends one, control characters are not allowed, and
# an overlong line is one line.

load helpers

@test "a control byte anywhere in a command gets one 500 5.5.2" {
	local c
	for c in '\x01' '\x07' '\x08' '\x0b' '\x0c' '\x1b' '\x7f'; do
		talk reply say:"NO${c}OP" reply:'500 5.5.2 ' say:"NOOP $c" \
		    reply:'500 5.5.2 ' say:"$c" reply:'500 5.5.2 ' \
		    say:NOOP reply:250 say:QUIT reply:221 eof
	done
}

@test "NUL in a command gets one 500 5.5.2 for the whole line" {
	talk reply say:'NOOP\0' reply:'500 5.5.2 ' say:'\0NOOP' \
	    reply:'500 5.5.2 ' say:'QUIT\0\0 QUIT' reply:'500 5.5.2 ' \
	    say:'\0' reply:'500 5.5.2 ' say:NOOP reply:250 say:QUIT reply:221 eof
}

@test "a control byte in a path gets 500 5.5.2, quoted or not" {
	local c
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a\0b@c.example>' \
	    reply:'500 5.5.2 ' say:'MAIL FROM:<"a\x01b"@c.example>' \
	    reply:'500 5.5.2 ' say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<"b\0"@mx.example>' reply:'500 5.5.2 ' \
	    say:'RCPT TO:<"b\\\x1b"@mx.example>' reply:'500 5.5.2 ' \
	    say:'RCPT TO:<"b\\\x7f"@mx.example>' reply:'500 5.5.2 ' \
	    say:'RCPT TO:<b@mx.example> FOO=\x02' reply:'500 5.5.2 ' \
	    say:DATA reply:503 say:QUIT reply:221 eof
}

@test "a TAB in an address gets 500" {
	say 'HELO c.example' $'MAIL FROM:<a\tb@c.example>' \
	    $'MAIL FROM:<"a\tb"@c.example>' 'MAIL FROM:<>' \
	    $'RCPT TO:<b@mx\t.example>' $'RCPT TO:<"\\\t"@mx.example>' QUIT
	[[ $codes == '220 250 50'[01]' 50'[01]' 250 50'[01]' 50'[01]' 221' ]]
}

@test "a verb with 8-bit bytes gets 500" {
	talk reply say:'\xc3\xb8' reply:'500 5.5.' say:'NOOP\xff' reply:'500 5.5.' \
	    say:'\xff\xfe\x80' reply:'500 5.5.' say:QUIT reply:221 eof
}

@test "a bare LF in a command gets one 500 5.5.2 for the whole line" {
	talk reply send:'NOOP\nNOOP\r\n' reply:'500 5.5.2 ' say:'HELO c.example' \
	    reply:250 send:'NOOP x\nRSET\nMAIL FROM:<a@c.example>\nNOOP\r\n' \
	    reply:'500 5.5.2 ' say:'RCPT TO:<b@mx.example>' reply:503 \
	    send:'\nNOOP\r\n' reply:'500 5.5.2 ' send:'\n\r\n' reply:'500 5.5.2 ' \
	    say:QUIT reply:221 eof
}

@test "a bare LF gets its reply without waiting for more input" {
	talk reply send:'NOOP\n' reply:'500 5.5.2 ' send:'QUIT\n' send:'QUIT\r\n' \
	    say:NOOP reply:250 say:QUIT reply:221 eof
	[[ $codes == '220 500 250 221' ]]
}

@test "a bare CR in a command gets one 500 5.5.2 for the whole line" {
	talk reply send:'NOOP\rNOOP\r\n' reply:'500 5.5.2 ' \
	    send:'NOOP\r\r\n' reply:'500 5.5.2 ' send:'\r\r\n' \
	    reply:'500 5.5.2 ' send:'NOOP\rRSET\rQUIT\r\n' reply:'500 5.5.2 ' \
	    say:NOOP reply:250 say:QUIT reply:221 eof
	[[ $codes == '220 500 500 500 500 250 221' ]]
}

@test "a bare CR and a bare LF in one line still get one 500" {
	talk reply send:'NOOP\r\r\nNOOP\n\rNOOP\r\nNOOP\r\n' say:QUIT eof
	[[ $codes == '220 500 500 250 221' ]]
}

@test "a line split between CR and LF is one line" {
	talk reply split:5:'NOOP\r\n' reply:250 split:1:'\r\n' reply:500 \
	    split:5:'NOOP\r\r\n' reply:500 split:6:'NOOP\r\r\n' reply:500 \
	    say:NOOP reply:250 say:QUIT reply:221 eof
	[[ $codes == '220 250 500 500 500 250 221' ]]
}

@test "no part of a line with a bare LF is executed, however the input is split" {
	local s='MAIL FROM:<a@c.example>\nRCPT TO:<b@mx.example>\nDATA\r\n' k
	local actions=(reply say:'HELO c.example' reply:250)
	for k in {0..53}; do
		actions+=(split:"$k:$s" reply:'500 5.5.2 ')
		actions+=(say:'RCPT TO:<b@mx.example>' reply:503)
	done
	options=(--max-errors 0)
	talk "${actions[@]}" say:QUIT reply:221 eof
}

@test "LF alone ends a command from a client in --lenient-from" {
	lenient
	talk reply send:'HELO c.example\nMAIL FROM:<a@c.example>\n' reply:250 \
	    reply:250 send:'RCPT TO:<b@mx.example>\nNOOP\r\nNOOP\n' reply:250 \
	    reply:250 reply:250 send:'\n' reply:500 send:'DATA\n' reply:354 \
	    send:'x\r\n.\r\n' reply:250 send:'QUIT\n' reply:221 eof
	keeps 1
}

@test "HELO without an argument is accepted from a client in --lenient-from only" {
	lenient
	talk reply send:'HELO\n' reply:250 send:'MAIL FROM:<a@c.example>\n' \
	    reply:250 send:'RCPT TO:<b@mx.example>\nDATA\n' reply:250 \
	    reply:354 send:'x\n.\n' reply:250 send:'EHLO\n' reply:501 \
	    send:'QUIT\n' reply:221 eof
	keeps 1
	[[ $(header Received) == 'from unknown '* ]]
	options+=(--strict)
	talk reply send:'HELO\n' reply:250 send:'HELO -\n' reply:501 \
	    send:'QUIT\n' reply:221 eof
	environment=(TCPREMOTEIP=198.51.100.7)
	talk reply say:HELO reply:501 say:QUIT reply:221 eof
}

@test "a bare CR in a command from a client in --lenient-from gets 500 5.5.2" {
	lenient
	talk reply send:'NOOP\rNOOP\r\n' reply:'500 5.5.2 ' send:'NOOP\r\r\n' \
	    reply:'500 5.5.2 ' send:'NOOP\rQUIT\n' reply:'500 5.5.2 ' \
	    say:NOOP reply:250 say:QUIT reply:221 eof
}

@test "a command line of 2,048 bytes is accepted (RFC 5321 4.5.3.1.4)" {
	talk reply send:'NOOP ' repeat:2041:x send:'\r\n' reply:250 \
	    send:'HELO ' repeat:2041:x send:'\r\n' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 say:QUIT reply:221 eof
}

@test "a command line over 2,048 bytes gets one 500 5.5.2 (RFC 5321 4.5.3.1.9)" {
	local n
	for n in 2044 2045 2500 4096 4097 8192 65536 1000000; do
		talk reply send:'NOOP ' repeat:"$n":x send:'\r\n' \
		    reply:'500 5.5.2 ' say:NOOP reply:250 say:QUIT reply:221 eof
		[[ $codes == '220 500 250 221' ]]
	done
}

@test "nothing in an overlong line is executed" {
	talk reply say:'HELO c.example' reply:250 \
	    repeat:3000:'MAIL FROM:<a@c.example> ' send:'\r\n' reply:500 \
	    say:'RCPT TO:<b@mx.example>' reply:503 say:QUIT reply:221 eof
}

@test "a bare LF or NUL in an overlong line causes no second reply" {
	talk reply send:'NOOP ' repeat:3000:x repeat:3000:'\nNOOP' \
	    repeat:3000:'\0' send:'\r\n' say:QUIT eof
	[[ $codes == '220 500 221' ]]
	talk reply send:'NOOP \n' repeat:9000:x send:'\r\n' say:QUIT eof
	[[ $codes == '220 500 221' ]]
}

@test "a command line over 1 MiB gets 421, and the connection is closed" {
	talk reply send:'NOOP ' repeat:1048576:x eof
	[[ $codes == '220 421' || $codes == '220 500 421' ]]
	talk reply repeat:1100:"$(printf '%01000d' 0)" eof
	[[ $codes == '220 421' || $codes == '220 500 421' ]]
}

@test "an endless line with a bare LF in it gets 421, too" {
	talk reply send:'NOOP\n' reply:'500 5.5.2 ' repeat:1100000:x eof
	[[ $codes == '220 500 421' ]]
}

# bats test_tags=host
@test "the server's memory does not grow with a command line" {
	local before after
	talk reply run:'grep VmHWM /proc/$SMTPC_PID/status | tr -dc 0-9 >'"$tmp/1" \
	    send:'NOOP ' repeat:1000000:x send:'\r\n' reply:500 \
	    run:'grep VmHWM /proc/$SMTPC_PID/status | tr -dc 0-9 >'"$tmp/2" \
	    say:QUIT reply:221 eof
	before=$(<"$tmp/1")
	after=$(<"$tmp/2")
	echo "$before kB before, $after kB after"
	((before > 0 && after > 0 && after - before < 600))
}
