# UCSPI-TLS: in inetd mode a super-server may provide a program that encrypts on
# request, here t/tlsd -u.

load helpers

# stand_by ACTION...: as talk does, with a super-server of that kind
stand_by() {
	local cmd
	command_line
	status=0
	t/smtpc "$via" -e "$log" t/tlsd -u "${cmd[@]}" -- "$@" \
	    >"$tmp/replies" || status=$?
	collect
}

encrypted=(reply:220 say:'EHLO c.example' reply:250 say:STARTTLS reply:220
    hello:mx.example say:'EHLO d.example' reply:250)

@test "STARTTLS is offered and works if SSLCTLFD, SSLREADFD and SSLWRITEFD are set" {
	options=(--on-new-mail "env >$tmp/env")
	stand_by "${encrypted[@]}" say:'MAIL FROM:<>' reply:250 \
	    say:'RCPT TO:<a@mx.example>' reply:250 say:DATA reply:354 \
	    say:'x\r\n.' reply:250 say:QUIT reply:221 eof exit:0
	grep -x 250-STARTTLS "$tmp/replies"
	[[ $(header Received) == 'from d.example'*$' with ESMTPS (TLSv1.3 MASK)\tid '* ]]
	grep -x SSL_TLS_SNI_SERVERNAME=mx.example "$tmp/env"
	lacks -E '^(SSL_PEER_CERT_SUBJECT|SSL(CTL|READ|WRITE)FD|OTHER)=' "$tmp/env"
}

@test "a name without a value unsets the variable" {
	options=(--on-hello "env >$tmp/env")
	environment=(SSL_PEER_CERT_SUBJECT=CN=stale)
	stand_by "${encrypted[@]}" say:QUIT reply:221 eof exit:0
	grep -x SSL_CIPHER=MASK "$tmp/env"
	lacks SSL_PEER_CERT_SUBJECT "$tmp/env"
}

@test "clear text after STARTTLS gets 554 5.7.0" {
	stand_by reply:220 send:'STARTTLS\r\nRSET\r\n' 'reply:554 5.7.0 ' eof \
	    exit:0
}

@test "a handshake that fails or times out ends the session without a reply" {
	stand_by reply:220 say:STARTTLS reply:220 send:'garbage\n' run:true \
	    close exit:0
	[[ $(events tls-failed) == *'error="the handshake failed"'* ]]
	options=(--read-timeout 3)
	stand_by reply:220 say:STARTTLS reply:220 eof exit:0
	[[ $(events tls-failed) == *'error="the handshake timed out"'* ]]
}

@test "smtps and --require-tls work with UCSPI-TLS" {
	options=(--listen smtps@-)
	stand_by hello:x reply:220 say:QUIT reply:221 eof exit:0
	options=(--require-tls)
	environment=(TCPREMOTEIP=192.0.2.7)
	stand_by reply:220 say:'HELO c' reply:530 say:STARTTLS reply:220 hello:x \
	    say:'HELO c' reply:250 say:QUIT reply:221 eof exit:0
}

@test "--tls overrides UCSPI-TLS" {
	options=(--tls "$PWD/t/tlsd -x 1 -d 5 3 4")
	stand_by reply:220 say:STARTTLS reply:220 hello:x say:NOOP eof exit:0
}

@test "STARTTLS is not offered if the descriptors are invalid or not open" {
	local value
	for value in 99 x '' -1 0 99999999999999999999; do
		environment=("SSLCTLFD=$value" SSLREADFD=1 SSLWRITEFD=1)
		say 'EHLO c.example' STARTTLS QUIT
		[[ $codes == '220 250 502 221' ]]
		lacks STARTTLS "$tmp/replies"
	done
}

@test "a daemon ignores the UCSPI-TLS variables" {
	environment=(SSLCTLFD=4 SSLREADFD=4 SSLWRITEFD=4)
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" reply:220 say:STARTTLS reply:502 say:QUIT reply:221 eof
}

@test "SSL_PROTOCOL from a super-server means that the connection is encrypted" {
	options=(--auth true)
	environment=(SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=TLS_AES_128_GCM_SHA256)
	say 'EHLO c.example' 'MAIL FROM:<>' 'RCPT TO:<a@mx.example>' DATA x . QUIT
	grep -x '250-AUTH PLAIN LOGIN' "$tmp/replies"
	[[ $(header Received) == *' with ESMTPS (TLSv1.3 TLS_AES_128_GCM_SHA256)'* ]]
}

@test "an empty SSL_PROTOCOL means that the connection is not encrypted" {
	options=(--auth true)
	environment=(SSL_PROTOCOL= SSL_CIPHER=)
	say 'EHLO c.example' 'MAIL FROM:<>' 'RCPT TO:<a@mx.example>' DATA x . QUIT
	lacks -F 'AUTH' "$tmp/replies"
	[[ $(header Received) == *' with ESMTP id '* ]]
}
