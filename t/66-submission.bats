# Submission (RFC 6409): a kind of listener that requires AUTH.

load helpers

# with_users: a submission listener, and a checkpassword that knows joe
with_users() {
	check='test "$(tr "\0" : <&3 | cut -d : -f 1,2)" = joe:secret && exec'
	options=(--listen submission@- --auth "$check" --plain-auth)
}

@test "on a submission listener MAIL before AUTH gets 530 5.7.0 (RFC 6409 4.3)" {
	with_users
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>' QUIT
	[[ ${lines[-2]} == '530 5.7.0 '* ]]
}

@test "on a submission listener an authenticated client may send to any domain" {
	with_users
	options+=(--domain mx.example)
	say 'EHLO c.example' "AUTH PLAIN $(printf '\0joe\0secret' | base64)" \
	    'MAIL FROM:<a@c.example>' 'RCPT TO:<eve@elsewhere.example>' \
	    DATA x . QUIT
	[[ $codes == *'235 250 250 354 250 221' ]]
	[[ $(header Received) == *' with ESMTPA '* ]]
}

@test "MAIL after a failed AUTH gets 530" {
	with_users
	say 'EHLO c.example' "AUTH PLAIN $(printf '\0joe\0wrong' | base64)" \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == *'535 530 221' ]]
}

@test "hooks get the kind of the listener" {
	with_users
	options+=(--on-hello "echo \$SMTP_LISTENER >$tmp/kind")
	say 'EHLO c.example' QUIT
	[[ $(<"$tmp/kind") == submission ]]
}

@test "one pool serves smtp and submission with their own rules" {
	with_users
	options=(--auth "$check" --plain-auth)
	serve --listen 127.0.0.1:0 --listen submission@127.0.0.1:0 --workers 2 \
	    "${options[@]}"
	dial "${addr[0]}" reply:220 say:'EHLO c' reply:250 \
	    say:'MAIL FROM:<>' reply:250 say:QUIT reply:221 eof
	dial "${addr[1]}" reply:220 say:'EHLO c' reply:250 \
	    say:'MAIL FROM:<>' reply:530 say:QUIT reply:221 eof
}

@test "a submission listener without --auth, or without --plain-auth and --tls, is a usage error" {
	with_users
	command_line
	run -64 "${cmd[@]/--plain-auth/--strict}"
	[[ $output == *'submission needs --auth'* ]]
}
