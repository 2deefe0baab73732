# The commands: the phase of each, its argument, and that the session goes on
# after an error.

load helpers

@test "the banner is 220 and begins with the hostname (RFC 5321 4.2, 4.3.1)" {
	say QUIT
	[[ ${lines[0]} == '220 mx.example'* ]]
	[[ ${lines[1]} == '221 2.0.0 '* ]]
	[[ ${#lines[@]} == 2 ]]
}

@test "HELO gets 250 and the hostname (RFC 5321 4.1.1.1)" {
	say 'HELO c.example' QUIT
	[[ ${lines[1]} == '250 mx.example'* ]]
	[[ $codes == '220 250 221' ]]
}

@test "EHLO lists the enabled extensions and no others (RFC 5321 4.1.1.1)" {
	say 'EHLO c.example' QUIT
	[[ ${lines[1]} == '250-mx.example'* ]]
	[[ $codes == '220 250 221' ]]
	printf '%s\n' "${lines[@]:2}" >"$tmp/keywords"
	sed -i 's/^250[ -]//' "$tmp/keywords"
	grep -qx PIPELINING "$tmp/keywords"
	grep -qx 'SIZE 52428800' "$tmp/keywords"
	grep -qx 8BITMIME "$tmp/keywords"
	grep -qx ENHANCEDSTATUSCODES "$tmp/keywords"
	# nothing gives them what they need: a command, or a listener
	lacks -E '^(STARTTLS|AUTH|DSN|REQUIRETLS|XCLIENT|VRFY|ETRN)' \
	    "$tmp/keywords"
}

@test "EHLO announces the limit that --max-size sets (RFC 1870)" {
	options=(--max-size 5M)
	say 'EHLO c.example' QUIT
	printf '%s\n' "${lines[@]}" | grep -Eqx '250[ -]SIZE 5242880'
}

@test "each command of a dialogue gets its code and enhanced code (RFC 5321 D.1, RFC 2034)" {
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<b@mx.example>' \
	    DATA 'Subject: x' '' x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ ${lines[-5]} == '250 2.1.0 '* ]]
	[[ ${lines[-4]} == '250 2.1.5 '* ]]
	[[ ${lines[-3]} == '354 '* ]]
	[[ ${lines[-2]} == '250 2.0.0 '* || ${lines[-2]} == '250 2.6.0 '* ]]
	[[ ${lines[-1]} == '221 2.0.0 '* ]]
	keeps 1
}

@test "verbs are case-insensitive (RFC 5321 2.4)" {
	say 'hElO c.example' 'mail from:<a@c.example>' 'rcPT To:<b@mx.example>' \
	    data x . quit
	[[ $codes == '220 250 250 250 354 250 221' ]]
}

@test "an unknown verb gets 500 5.5.1 and the session goes on (RFC 5321 4.2.4)" {
	say FROBNICATE 'FROBNICATE it' MAILX 'HELO c.example' XYZZY NOOP QUIT
	[[ $codes == '220 500 500 500 250 500 250 221' ]]
	[[ ${lines[1]} == '500 5.5.1 '* ]]
	[[ ${lines[2]} == '500 5.5.1 '* ]]
	[[ ${lines[5]} == '500 5.5.1 '* ]]
}

@test "input from the client is never echoed in replies" {
	say FROBNICATE 'HELO echo.example' 'MAIL FROM:<<frob@nicate>' \
	    'RCPT TO:<frob@nicate' 'VRFY frobnicate' 'MAIL FROM:<a@b> FROB=1' QUIT
	[[ ${#lines[@]} == 8 ]]
	lacks -i -e frob -e nicate "$tmp/replies"
}

@test "LHLO on an SMTP listener gets 500 5.5.1 (RFC 2033 4.1)" {
	say 'LHLO c.example' 'HELO c.example' QUIT
	[[ $codes == '220 500 250 221' ]]
	[[ ${lines[1]} == '500 5.5.1 '* ]]
}

@test "an empty line gets 500 5.5.2" {
	say '' 'HELO c.example' '' QUIT
	[[ $codes == '220 500 250 500 221' ]]
	[[ ${lines[1]} == '500 5.5.2 '* ]]
	[[ ${lines[3]} == '500 5.5.2 '* ]]
}

@test "MAIL, RCPT and DATA before HELO get 503 5.5.1 (RFC 5321 4.1.4)" {
	say 'MAIL FROM:<a@c.example>' 'RCPT TO:<b@mx.example>' DATA \
	    'HELO c.example' QUIT
	[[ $codes == '220 503 503 503 250 221' ]]
	[[ ${lines[1]} == '503 5.5.1 '* ]]
	[[ ${lines[2]} == '503 5.5.1 '* ]]
	[[ ${lines[3]} == '503 5.5.1 '* ]]
}

@test "NOOP, RSET, HELP, VRFY and EXPN are allowed before HELO (RFC 5321 4.1.4)" {
	say NOOP RSET HELP 'VRFY bob' 'EXPN list' QUIT
	[[ $codes == '220 250 250 214 252 502 221' ]]
}

@test "QUIT is allowed in every phase and ends the session (RFC 5321 4.1.1.10)" {
	say QUIT NOOP
	[[ $codes == '220 221' ]]
	say "${to_bob[@]:0:1}" QUIT NOOP
	[[ $codes == '220 250 221' ]]
	say "${to_bob[@]:0:2}" QUIT NOOP
	[[ $codes == '220 250 250 221' ]]
	say "${to_bob[@]}" QUIT NOOP
	[[ $codes == "$to_bob_codes 221" ]]
	keeps 0
}

@test "NOOP gets 250, HELP 214 and VRFY 252 (RFC 5321 3.5, 4.1.1.8, 4.1.1.9)" {
	say 'HELO c.example' NOOP 'NOOP with an argument' HELP 'HELP MAIL' \
	    'VRFY bob' 'VRFY <bob@mx.example>' QUIT
	[[ $codes == '220 250 250 250 214 214 252 252 221' ]]
	[[ ${lines[2]} == '250 2.0.0 '* ]]
	[[ ${lines[3]} == '250 2.0.0 '* ]]
	[[ ${lines[6]} == '252 2.'* ]]
	[[ ${lines[7]} == '252 2.'* ]]
}

@test "EXPN gets 502 5.5.1 (RFC 5321 3.5)" {
	say 'HELO c.example' 'EXPN list' QUIT
	[[ ${lines[2]} == '502 5.5.1 '* ]]
}

@test "RSET, DATA and QUIT with an argument get 501 5.5.4 (RFC 5321 4.1.1)" {
	say "${to_bob[@]}" 'RSET now' 'DATA now' 'QUIT now' DATA x . QUIT
	[[ $codes == "$to_bob_codes 501 501 501 354 250 221" ]]
	[[ ${lines[4]} == '501 5.5.4 '* ]]
	[[ ${lines[5]} == '501 5.5.4 '* ]]
	[[ ${lines[6]} == '501 5.5.4 '* ]]
	keeps 1
}

@test "trailing white space is not an argument (RFC 5321 4.1.1)" {
	say 'HELO c.example ' 'NOOP ' 'RSET ' 'MAIL FROM:<a@c.example> ' \
	    'RCPT TO:<b@mx.example>  ' 'DATA ' x . 'QUIT '
	[[ $codes == '220 250 250 250 250 250 354 250 221' ]]
}

@test "a TAB is accepted as white space" {
	say $'HELO\tc.example' $'NOOP\tx' $'MAIL\tFROM:<a@c.example>\tSIZE=1' \
	    $'RCPT\tTO:\t<b@mx.example>\t' QUIT
	[[ $codes == '220 250 250 250 250 221' ]]
}

@test "HELO without an argument gets 501 5.5.4 (RFC 5321 4.1.1.1)" {
	say HELO EHLO 'MAIL FROM:<a@c.example>' 'HELO c.example' QUIT
	[[ $codes == '220 501 501 503 250 221' ]]
	[[ ${lines[1]} == '501 5.5.4 '* ]]
	[[ ${lines[2]} == '501 5.5.4 '* ]]
}

@test "HELO with an invalid domain is accepted (RFC 5321 4.1.4)" {
	say 'HELO _weird_host' 'HELO [127.0.0.1' 'HELO my pc' 'EHLO (x)' \
	    'HELO a..b' 'HELO -' 'EHLO 10.0.0.1' QUIT
	[[ $codes == '220 250 250 250 250 250 250 250 221' ]]
}

@test "with --strict, HELO with an invalid domain or address literal gets 501" {
	options=(--strict)
	say 'HELO [127.0.0.1' 'HELO my pc' 'EHLO (x)' 'HELO a..b' 'HELO -' \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 501 501 501 501 501 503 221' ]]
	say 'HELO c.example' 'EHLO [127.0.0.1]' 'EHLO [IPv6:::1]' 'EHLO localhost' \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 250 250 250 250 221' ]]
}

@test "a second HELO or EHLO resets the transaction (RFC 5321 4.1.4)" {
	say "${to_bob[@]}" 'HELO c.example' DATA "${to_bob[@]:1}" \
	    'EHLO c.example' 'RCPT TO:<b@mx.example>' QUIT
	[[ $codes == "$to_bob_codes 250 503 250 250 250 503 221" ]]
}

@test "a rejected HELO changes nothing (RFC 5321 4.1.4)" {
	say "${to_bob[@]}" HELO DATA x . QUIT
	[[ $codes == "$to_bob_codes 501 354 250 221" ]]
}

@test "RSET clears the sender and the recipients, but not the HELO (RFC 5321 4.1.1.5)" {
	say "${to_bob[@]}" RSET DATA 'RCPT TO:<b@mx.example>' RSET \
	    'MAIL FROM:<a@c.example>' RSET 'RCPT TO:<b@mx.example>' QUIT
	[[ $codes == "$to_bob_codes 250 503 503 250 250 250 503 221" ]]
	[[ ${lines[4]} == '250 2.0.0 '* ]]
}

@test "a recipient given before RSET gets no mail (RFC 5321 4.1.1.5)" {
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<mallory@mx.example>' RSET \
	    'MAIL FROM:<a@c.example>' 'RCPT TO:<bob@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 250 354 250 221' ]]
	keeps 1
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "a second MAIL gets 503 5.5.1 and the first stays valid (RFC 5321 4.1.4)" {
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'MAIL FROM:<z@c.example>' \
	    'RCPT TO:<b@mx.example>' 'MAIL FROM:<z@c.example>' DATA x . QUIT
	[[ $codes == '220 250 250 503 250 503 354 250 221' ]]
	[[ ${lines[3]} == '503 5.5.1 '* ]]
	[[ $(header Return-Path) == '<a@c.example>' ]]
}

@test "RCPT before MAIL gets 503 5.5.1 (RFC 5321 4.1.4)" {
	say 'HELO c.example' 'RCPT TO:<b@mx.example>' NOOP QUIT
	[[ $codes == '220 250 503 250 221' ]]
	[[ ${lines[2]} == '503 5.5.1 '* ]]
}

@test "DATA before MAIL or before RCPT gets 503 5.5.1 (RFC 5321 4.1.4)" {
	say 'HELO c.example' DATA 'MAIL FROM:<a@c.example>' DATA \
	    'RCPT TO:<b@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 503 250 503 250 354 250 221' ]]
	[[ ${lines[2]} == '503 5.5.1 '* ]]
	[[ ${lines[4]} == '503 5.5.1 '* ]]
}

@test "DATA gets 554 5.5.1 if every recipient was rejected (RFC 5321 3.3)" {
	options=(--domain mx.example)
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<x@else.example>' \
	    DATA 'RCPT TO:<b@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 550 554 250 354 250 221' ]]
	[[ ${lines[4]} == '554 5.5.1 '* ]]
}

@test "a rejected MAIL does not start a transaction (RFC 5321 3.3)" {
	say 'HELO c.example' 'MAIL FROM:<a@[notanip]>' 'RCPT TO:<b@mx.example>' \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 501 503 250 221' ]]
}

@test "MAIL and RCPT without FROM: and TO: get 501 5.5.4 (RFC 5321 4.1.1.2)" {
	say 'HELO c.example' MAIL 'MAIL <a@c.example>' 'MAIL TO:<a@c.example>' \
	    'MAIL FROM' 'MAIL FROM <a@c.example>' 'MAIL FROM:<a@c.example>' \
	    RCPT 'RCPT <b@mx.example>' 'RCPT FROM:<b@mx.example>' 'RCPT TO' QUIT
	[[ $codes == '220 250 501 501 501 501 501 250 501 501 501 501 221' ]]
	[[ ${lines[2]} == '501 5.5.4 '* ]]
	[[ ${lines[8]} == '501 5.5.4 '* ]]
}

@test "a connection may have many transactions (RFC 5321 4.1.4)" {
	local dialogue=('HELO c.example') i
	for i in {1..20}; do
		dialogue+=("MAIL FROM:<a$i@c.example>" 'RCPT TO:<b@mx.example>'
		    DATA "Subject: $i" '' "$i" .)
	done
	say "${dialogue[@]}" QUIT
	[[ $codes == "220 250 $(printf '250 250 354 250 %.0s' {1..20})221" ]]
	keeps 20
	cat "$dir"/new/* | grep -c '^Subject: ' | grep -qx 20
}

@test "pipelined commands get their replies in order, in one write (RFC 2920 3.2)" {
	via=-p
	talk packet say:'HELO c.example' packet \
	    send:'MAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\nRCPT TO:<<>\r\nRCPT TO:<c@mx.example>\r\nDATA\r\n' \
	    packet \
	    send:'x\r\n.\r\nNOOP\r\nMAIL FROM:<a@c.example>\r\nQUIT\r\n' packet eof
	[[ $codes == '220 250 250 250 501 250 354 250 250 250 221' ]]
}

@test "each reply is sent at once, without waiting for the next command (RFC 5321 4.1.1)" {
	for via in -s -p -t; do
		talk "${data_bob[@]}" say:x say:. reply:250 say:NOOP reply:250 \
		    say:QUIT reply:221 eof exit:0
	done
	keeps 3
}

@test "a command may arrive one byte at a time" {
	for via in -s -p -t; do
		talk reply bytes:'HELO c.example\r\n' reply:250 \
		    bytes:'MAIL FROM:<a@c.example>\r\n' reply:250 \
		    bytes:'RCPT TO:<b@mx.example>\r\n' reply:250 \
		    bytes:'DATA\r\n' reply:354 bytes:'x\r\n.\r\n' reply:250 \
		    bytes:'QUIT\r\n' reply:221 eof
	done
	keeps 3
}

@test "commands after QUIT are not executed (RFC 5321 4.1.1.10)" {
	talk reply send:'QUIT\r\nHELO c.example\r\nMAIL FROM:<a@c.example>\r\n' eof
	[[ $codes == '220 221' ]]
}

@test "the hostname is that of --hostname, by default the system's" {
	run -0 timeout 60 ./smtpd -i -m "$dir" "${user[@]}" <<<$'QUIT\r'
	[[ ${lines[0]} == "220 $(uname -n)"* ]]
	run -0 timeout 60 ./smtpd -i -m "$dir" --hostname other.example \
	    "${user[@]}" <<<$'QUIT\r'
	[[ ${lines[0]} == '220 other.example'* ]]
}
