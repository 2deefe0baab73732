# --tls: STARTTLS (RFC 3207) and smtps (RFC 8314), with t/tlsd in place of a
# program that encrypts; t/real has the real ones.

load helpers

tlsd=(--tls 't/tlsd -d 5 3 4')
# up to the encrypted EHLO
encrypted=(reply:220 say:'EHLO c.example' reply:250 say:STARTTLS 'reply:220 2.0.0 '
    hello:mx.example)
to_alice=(say:'MAIL FROM:<joe@c.example>' reply:250
    say:'RCPT TO:<alice@mx.example>' reply:250 say:DATA reply:354
    say:'Subject: x\r\n\r\nbody\r\n.' reply:250)

# with_tls OPTION...: what encrypts, and more options
with_tls() {
	options=("${tlsd[@]}" "$@")
}

# idle_worker: the one worker has no child, and no descriptor it lacked before
idle_worker() {
	[[ -z $(children "$(launcher "$1")") && $(ls "/proc/$1/fd") == "$2" ]]
}

# no_stand_in N: no process is t/tlsd -x N
no_stand_in() {
	local file words
	for file in /proc/[0-9]*/cmdline; do
		{ mapfile -d '' -t words <"$file"; } 2>/dev/null || continue
		[[ ${words[0]-} != t/tlsd || ${words[2]-} != "$1" ]] || return 1
	done
}

# all_said: the command has written four lines to the log
all_said() {
	(($(events tls-said | wc -l) == 4))
}

@test "EHLO offers STARTTLS with --tls only" {
	say 'EHLO c.example' QUIT
	[[ " ${lines[*]} " != *STARTTLS* ]]
	with_tls
	say 'EHLO c.example' QUIT
	[[ " ${lines[*]} " == *' 250-STARTTLS '* ]]
}

@test "without --tls STARTTLS gets 502, and with an argument 501 (RFC 3207 4)" {
	say 'EHLO c.example' STARTTLS QUIT
	[[ ${lines[-2]} == '502 5.5.1 '* ]]
	with_tls
	say 'EHLO c.example' 'STARTTLS now' QUIT
	[[ ${lines[-2]} == '501 5.5.4 '* ]]
}

@test "Received and log say that a message came encrypted (RFC 3848)" {
	with_tls
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 "${to_alice[@]}" \
	    say:QUIT reply:221 eof exit:0
	keeps 1
	[[ $(header Received) == 'from d.example'*$' with ESMTPS (TLSv1.3 MASK)\tid '* ]]
	[[ $(events message) == *' protocol=ESMTPS tls="TLSv1.3 MASK" '* ]]
}

@test "over TCP the handshake works byte by byte, and with commands right after it in one segment" {
	via=-t
	with_tls
	talk "${encrypted[@]}" bytes:'EHLO d.example\r\n' reply:250 \
	    send:'MAIL FROM:<>\r\nRCPT TO:<a@mx.example>\r\nDATA\r\n' \
	    reply:250 reply:250 reply:354 repeat:40000:'a line of it\r\n' \
	    say:'\r\n.\r\nQUIT' reply:250 reply:221 eof exit:0
	keeps 1
	(($(grep -c 'a line of it' "$(message)") == 40000))
}

@test "STARTTLS works over a pair of pipes" {
	via=-p
	with_tls
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 "${to_alice[@]}" \
	    say:QUIT reply:221 eof exit:0
	keeps 1
}

@test "the handshake resets HELO, AUTH and the transaction (RFC 3207 4.2)" {
	with_tls --plain-auth --auth 'cat <&3 >&2; exec'
	talk reply:220 say:'EHLO c.example' reply:250 \
	    say:"AUTH PLAIN $(printf '\0joe\0secret' | base64)" reply:235 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<a@mx.example>' reply:250 say:STARTTLS reply:220 \
	    hello:x say:'RCPT TO:<b@mx.example>' 'reply:503 5.5.1 ' say:DATA \
	    'reply:503 5.5.1 ' say:'MAIL FROM:<>' 'reply:503 5.5.1 ' \
	    say:'EHLO d.example' reply:250 \
	    say:"AUTH PLAIN $(printf '\0joe\0secret' | base64)" reply:235 \
	    "${to_alice[@]}" say:QUIT reply:221 eof
	[[ $(header Received) == 'from d.example'*' with ESMTPSA '* ]]
}

@test "the handshake discards header fields that a hook added at EHLO" {
	with_tls --on-hello 'echo "HEADER=X-Helo: $SMTP_HELO"'
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 "${to_alice[@]}" \
	    say:QUIT reply:221 eof
	[[ $(header X-Helo) == d.example ]]
}

@test "a second STARTTLS is not offered and gets 503 (RFC 3207 4.2)" {
	with_tls
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 say:STARTTLS \
	    'reply:503 5.5.1 ' say:QUIT reply:221 eof
	(($(grep -c STARTTLS "$tmp/replies") == 1))
}

@test "clear text after STARTTLS gets 554 5.7.0 and is never executed" {
	with_tls
	talk reply:220 say:'EHLO c.example' reply:250 \
	    send:'STARTTLS\r\nRSET\r\nNOOP\r\n' 'reply:554 5.7.0 ' eof exit:0
	[[ $(events refused) == *'reply="554 5.7.0 '* ]]
}

@test "STARTTLS may end a pipelined group and come before EHLO" {
	with_tls
	talk reply:220 send:'NOOP\r\nRSET\r\nSTARTTLS\r\n' reply:250 reply:250 \
	    reply:220 hello:x say:'EHLO d.example' reply:250 say:QUIT \
	    reply:221 eof
}

@test "AUTH is offered once the connection is encrypted" {
	with_tls --auth true
	talk reply:220 say:'EHLO c.example' reply:250 say:'AUTH PLAIN' \
	    'reply:538 5.7.11 ' say:STARTTLS reply:220 hello:x \
	    say:'EHLO c.example' reply:250 say:QUIT reply:221 eof
	[[ $(sed '/^250 /q' "$tmp/replies") != *AUTH* ]]
	grep -x '250-AUTH PLAIN LOGIN' "$tmp/replies"
}

@test "hooks get the values of the handshake, and unknown ones are unset" {
	with_tls --on-hello "env >$tmp/env"
	environment=(SSL_PEER_CERT_SUBJECT=stale SSLCTLFD=99)
	talk "${encrypted[@]}" say:'EHLO d' reply:250 say:QUIT reply:221 eof
	grep -x SSL_PROTOCOL=TLSv1.3 "$tmp/env"
	grep -x SSL_CIPHER=MASK "$tmp/env"
	grep -x SSL_TLS_SNI_SERVERNAME=mx.example "$tmp/env"
	grep -x SMTP_PROTOCOL=ESMTPS "$tmp/env"
	lacks -E '^(SSL_PEER_CERT_SUBJECT|SSL(CTL|READ|WRITE)FD|OTHER)=' "$tmp/env"
}

@test "the log has the result of the handshake, with the certificate's subject" {
	hook helper <<-'EOF'
		printf 'SSL_CIPHER=C\0SSL_PROTOCOL=P\0SSL_PEER_CERT_SUBJECT=CN=x\0\0' >&5
		exec 5>&-
		cat <&3 >&1 3>&- 4>&- &
		exec cat >&4 3>&-
	EOF
	options=(--tls "$tmp/helper" --verbose)
	talk reply:220 say:STARTTLS reply:220 say:'EHLO d' reply:250 \
	    say:QUIT reply:221 eof
	[[ $(events encrypted) == *' protocol=P cipher=C subject="CN=x"' ]]
}

@test "a value that is too long or has control characters is ignored" {
	local long
	long=$(printf '%0300d' 0)
	hook helper <<-EOF
		printf 'SSL_CIPHER=A(B)\0SSL_PROTOCOL=$long\0' >&5
		printf 'SSL_PEER_CERT_SUBJECT=CN=x\nSENDER=y\0' >&5
		printf 'SSL_TLS_SNI_SERVERNAME=mx.example\0\0' >&5
		exec 5>&-
		cat <&3 >&1 3>&- 4>&- &
		exec cat >&4 3>&-
	EOF
	options=(--tls "$tmp/helper" --on-hello "env >$tmp/env")
	talk reply:220 say:STARTTLS reply:220 say:'EHLO d' reply:250 \
	    say:QUIT reply:221 eof
	grep -x SSL_TLS_SNI_SERVERNAME=mx.example "$tmp/env"
	lacks -E '^(SSL_(PROTOCOL|CIPHER|PEER_CERT_SUBJECT)|SENDER)' "$tmp/env"
}

@test "the --tls command gets descriptors 0 to 5 as documented, and no others" {
	hook helper <<-'EOF'
		for fd in 0 1 2 3 4 5 6 7 8 9; do
			[ -e /proc/$$/fd/$fd ] && echo $fd
		done >$tmp/fds
		links=$(readlink /proc/$$/fd/0 /proc/$$/fd/1)
		echo "$links" >$tmp/links
		cut -d ' ' -f 5 /proc/$$/stat >$tmp/group
		echo "$$" >$tmp/pid
		printf '%s\n' "$@" >$tmp/words
		env >$tmp/env
		echo to the log >&2
	EOF
	environment=(NOTIFY_SOCKET=/x CERTFILE=/tmp/cert)
	options=(--tls "$tmp/helper one 'two three'")
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	given "$tmp/fds" 0 1 2 3 4 5
	given "$tmp/words" one 'two three'
	[[ $(uniq "$tmp/links" | wc -l) == 1 ]]
	grep -x "$(<"$tmp/pid")" "$tmp/group"
	grep -x CERTFILE=/tmp/cert "$tmp/env"
	lacks -E '^(NOTIFY_SOCKET|SMTP_.*)=' "$tmp/env"
	[[ $(events tls-said) == *' text="to the log"'* ]]
}

@test "a missing --tls command and one with shell metacharacters are start-up errors" {
	command_line
	run -69 "${cmd[@]}" --tls /nonexistent
	[[ $output == *"--tls '/nonexistent'"* ]]
	run -64 "${cmd[@]}" --tls 't/tlsd 3 4 | cat'
	[[ $output == *'without a shell'* ]]
}

@test "a client that is idle in the handshake is disconnected at --read-timeout, without a reply" {
	with_tls --read-timeout 3
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	[[ $(events tls-failed) == *'error="the handshake timed out"'* ]]
}

@test "single bytes don't prolong the handshake" {
	with_tls --read-timeout 3
	talk reply:220 say:STARTTLS reply:220 drip:50:hello eof exit:0
	[[ $(events tls-failed) == *'error="the handshake timed out"'* ]]
}

@test "a handshake has at most 30 seconds, whatever --read-timeout is" {
	with_tls
	shim ''
	environment+=(FAIL_CLOCK=31)
	disarm
	talk reply:220 say:STARTTLS reply:220 run:"$asleep" \
	    run:"printf 1 1<>$tmp/armed; kill -CHLD \$SMTPC_PID" eof exit:0
	[[ $(events tls-failed) == *'error="the handshake timed out"'* ]]
}

@test "under pressure the time of a handshake counts from its start" {
	with_tls
	shim ''
	environment+=(FAIL_CLOCK=5)
	disarm
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" -v "${options[@]}"
	dial "${addr[0]}" reply:220 say:'EHLO c.example' reply:250 \
	    run:"printf 1 1<>'$tmp/armed'" say:STARTTLS reply:220 \
	    run:"t/smtpc -c ${addr[0]} -- run:'touch $tmp/there' eof >'$tmp/other' &
	        t/until test -e '$tmp/there'" \
	    hello:mx.example say:'EHLO c.example' reply:250 say:QUIT reply:221 eof
	[[ -z $(events tls-failed) ]]
}

@test "a client that is idle in a handshake is disconnected under pressure" {
	with_tls
	serve --listen 127.0.0.1:0 --workers 1 -v "${options[@]}"
	dial "${addr[0]}" reply:220 say:STARTTLS reply:220 \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" eof
	[[ $(events tls-failed) == *'error="disconnected to make room for others"'* ]]
	[[ $(events disconnected) == *' how=pressure '* ]]
}

@test "garbage in a handshake closes the connection, and the command's message is logged" {
	with_tls
	talk reply:220 say:STARTTLS reply:220 send:'GET / HTTP/1.1\n' \
	    run:true close exit:0
	[[ $(events tls-failed) == *'error="the handshake failed"'* ]]
	[[ $(events tls-said) == *'that is no hello'* ]]
}

# broken LINES: a command that breaks off a handshake in its own way
broken() {
	hook helper
	options=(--tls "$tmp/helper")
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	[[ $(events tls-failed) == *"error=\"$1\""* ]]
}

@test "an incomplete result on descriptor 5 is a failed handshake" {
	broken 'the handshake failed' <<<"printf 'SSL_PROTOCOL=TLSv1.3\0SSL_CI' >&5"
}

@test "an endless result on descriptor 5 is a failed handshake" {
	broken 'the result is too long' <<<'exec yes >&5'
}

@test "no result on descriptor 5 is a failed handshake, whatever the status" {
	broken 'the handshake failed' <<<'exit 0'
}

@test "a command that decrypts and writes no result on descriptor 5 is named in the log" {
	local error='the --tls command wrote nothing on descriptor 5'
	hook ends <<<'exec head -n 1 >&4'
	hook waits <<<'head -n 1 >&4; exec tail -f /dev/null'
	options=(--tls "$tmp/ends")
	talk reply:220 say:STARTTLS reply:220 say:'EHLO c.example' eof exit:0
	options=(--tls "$tmp/waits" --read-timeout 1s)
	talk reply:220 say:STARTTLS reply:220 say:'EHLO c.example' eof exit:0
	(($(events tls-failed | grep -c " error=\"$error\"") == 2))
}

@test "the command has default signals and none blocked, in inetd mode and in the pool" {
	hook helper <<-'EOF'
		exec grep -E '^Sig(Ign|Blk)' /proc/self/status >&2
	EOF
	options=(--tls "$tmp/helper")
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	dir=$tmp/pool
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" \
	    --tls "$tmp/helper"
	dial "${addr[0]}" reply:220 say:STARTTLS reply:220 eof
	eventually all_said
	# but for those that libc keeps for itself
	lacks -vE 'Sig(Ign|Blk):\\x09[0-9a-f]{8}[08]0{7}"$' <(events tls-said)
}

@test "a --tls command that hangs and ignores SIGTERM is killed" {
	with_tls
	hook helper <<-'EOF'
		trap '' TERM
		exec 5>&-
		while :; do sleep 60; done
	EOF
	options=(--tls "$tmp/helper")
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	[[ $(events tls-failed) == *'error="the handshake failed"'* ]]
	[[ -z $(running "$tmp/helper") ]]
}

@test "smtpd waits without polling for a --tls command that closed its standard error" {
	shim ''
	environment+=(FAIL_TRACE="$tmp/trace")
	mkfifo "$tmp/go"
	hook helper <<-EOF
		trap '' TERM
		exec 2>&- 5>&-
		: >$tmp/closed
		read -r go <$tmp/go
	EOF
	options=(--tls "$tmp/helper")
	talk reply:220 say:STARTTLS reply:220 run:"t/until test -e $tmp/closed" \
	    run:"$asleep" run:": >$tmp/go" eof exit:0
	[[ $(events tls-failed) == *'error="the handshake failed"'* ]]
	grep -q "^read " "$tmp/trace"
	(($(grep -c "^read " "$tmp/trace") < 40))
}

@test "the log of a --tls command that floods it is limited" {
	hook helper <<<'exec yes flood >&2'
	options=(--tls "$tmp/helper" --read-timeout 3)
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	(($(events tls-said | wc -l) == 100))
}

@test "a --tls command that dies within a message ends the session, and nothing is stored" {
	options=(--tls 't/tlsd -x 2000 -d 5 3 4')
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 \
	    say:'MAIL FROM:<>' reply:250 say:'RCPT TO:<a@mx.example>' \
	    reply:250 say:DATA reply:354 repeat:1000:'a line\r\n' eof exit:0
	keeps 0
	[[ $(events lost) ]]
}

# shaken LINES: a command that has shaken hands, and then goes on so
shaken() {
	{
		echo 'read -r hello; echo welcome'
		printf '%s\n' 'printf "SSL_PROTOCOL=TLSv1.3\\0\\0" >&5; exec 5>&-'
		cat
	} | hook helper
	options=(--tls "$tmp/helper" "$@")
	talk reply:220 say:STARTTLS reply:220 hello:x eof exit:0
}

@test "a --tls command that crashes is logged with its signal" {
	shaken <<<'kill -SEGV $$'
	events tls-ended | grep -E '^time=[^ ]* event=tls-ended client=local session=[^ ]* signal=11 name="Segmentation fault"$'
}

@test "status 100 and above of a --tls command is logged, and lower ones only with --verbose" {
	shaken <<<'exit 100'
	events tls-ended | grep ' status=100$'
	: >"$log"
	shaken <<<'exit 1'
	[[ -z $(events tls-ended) ]]
	shaken -v <<<'exit 1'
	events tls-ended | grep ' status=1$'
	: >"$log"
	shaken -v <<<'exit 0'
	[[ -z $(events tls-ended) ]]
}

@test "a --tls command that smtpd ended is not logged as crashed" {
	hook helper <<<'exec sleep 60'
	options=(--tls "$tmp/helper" --read-timeout 1 -v)
	talk reply:220 say:STARTTLS reply:220 eof exit:0
	[[ $(events tls-failed) ]]
	[[ -z $(events tls-ended) ]]
}

@test "a TLS client that only closed its sending side is served" {
	with_tls --on-message 'sleep 0.1'
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 \
	    send:'MAIL FROM:<>\r\nRCPT TO:<a@mx.example>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n' \
	    shut reply:250 reply:250 reply:354 reply:250 reply:221 eof exit:0
	keeps 1
}

@test "a check hook ends at once when its TLS client leaves" {
	with_tls --on-new-mail "touch $tmp/asked; exec sleep 60"
	via=-t
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 \
	    say:'MAIL FROM:<>' \
	    run:"t/until test -e $tmp/asked" reset exit:0
}

# bats test_tags=native
@test "many encrypted sessions leave no descriptor or child" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local worker before i
	with_tls
	serve --listen 127.0.0.1:0 --workers 1 "${options[@]}"
	dial "${addr[0]}" "${encrypted[@]}" say:QUIT reply:221 eof
	worker=$(children "$master")
	eventually grep -q ' waiting' "/proc/$worker/cmdline"
	before=$(ls "/proc/$worker/fd")
	for i in {1..5}; do
		dial "${addr[0]}" "${encrypted[@]}" say:QUIT reply:221 eof
		dial "${addr[0]}" reply:220 say:STARTTLS reply:220 \
		    send:'garbage\n' run:true close
		dial "${addr[0]}" "${encrypted[@]}" reset
	done
	eventually idle_worker "$worker" "$before"
	[[ $(children "$master") == "$worker" ]]
}

@test "a connection that is reset between STARTTLS and its reply leaves no descriptor open" {
	local worker fds launcher
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	serve --listen 127.0.0.1:0 --workers 1 "${tlsd[@]}"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	worker=$(children "$master")
	fds=$(ls "/proc/$worker/fd")
	launcher=$(launcher "$worker")
	kill -STOP "$launcher"
	dial "${addr[0]}" reply:220 say:STARTTLS run:"t/until sh -c '
	    [ \$(ls /proc/$worker/fd | wc -l) -gt $(($(wc -l <<<"$fds") + 6)) ]'" reset
	kill -CONT "$launcher"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	eventually idle_worker "$worker" "$fds"
}

@test "a drain ends an encrypted session with 421, and one in its handshake without a reply" {
	local pid
	with_tls
	serve --listen 127.0.0.1:0 --workers 2 "${options[@]}"
	dial "${addr[0]}" "${encrypted[@]}" say:NOOP reply:250 run:"kill -TERM $master" \
	    'reply:421 4.3.2 ' eof
	eventually gone "$master"
	wait "$master"
	rm -f "$tmp/ready"
	serve --listen 127.0.0.1:0 --workers 1 "${options[@]}"
	dial "${addr[0]}" reply:220 say:STARTTLS reply:220 \
	    run:"kill -TERM $master" eof
	eventually gone "$master"
	wait "$master"
	master=''
	[[ $(events tls-failed) == *'error="the server is shutting down"'* ]]
}

@test "the --tls command ends when its worker is killed" {
	local worker
	options=(--tls "t/tlsd -x 8$$ -d 5 3 4")
	serve --listen 127.0.0.1:0 --workers 1 "${options[@]}"
	# once the start has tried the command
	eventually eval '(($(children "$master" | wc -l) == 1))'
	worker=$(children "$master")
	dial "${addr[0]}" "${encrypted[@]}" say:NOOP reply:250 \
	    run:"kill -KILL $worker" eof
	eventually no_stand_in "8$$"
}

# bats test_tags=native
@test "if the command can't be started, STARTTLS gets 454 4.7.0 and the session goes on (RFC 3207 4)" {
	with_tls
	cp t/tlsd "$tmp/tlsd"
	options=(--tls "$tmp/tlsd -d 5 3 4")
	talk reply:220 run:"mv $tmp/tlsd $tmp/away" say:STARTTLS \
	    'reply:454 4.7.0 ' say:NOOP reply:250 run:"mv $tmp/away $tmp/tlsd" \
	    say:STARTTLS reply:220 hello:x say:QUIT reply:221 eof
	[[ $(events tls-failed) == *'error="No such file or directory"'* ]]
}

# smtps

@test "on an smtps listener the handshake comes before the banner (RFC 8314 3)" {
	with_tls --listen smtps@-
	talk hello:x reply:220 say:'EHLO d.example' reply:250 "${to_alice[@]}" \
	    say:QUIT reply:221 eof exit:0
	[[ $(header Received) == *$' with ESMTPS (TLSv1.3 MASK)\tid '* ]]
	lacks STARTTLS "$tmp/replies"
}

@test "on an smtps listener a rejection by --on-new-connection is encrypted" {
	with_tls --listen smtps@- \
	    --on-new-connection "echo \$SMTP_LISTENER \$SSL_CIPHER >$tmp/seen; echo 554 5.7.1 No"
	talk hello:x 'reply:554 5.7.1 No' eof exit:0
	given "$tmp/seen" 'smtps MASK'
}

@test "on an smtps listener garbage or silence gets no reply in clear text" {
	with_tls --listen smtps@- --read-timeout 1
	talk run:true eof exit:0
	[[ ! -s $tmp/replies ]]
	talk send:'EHLO c.example\n' run:true close exit:0
	[[ $(events tls-failed | wc -l) == 2 ]]
}

@test "one pool serves smtp, smtps and submissions side by side" {
	with_tls --auth true
	serve --listen 127.0.0.1:0 --listen smtps@127.0.0.1:0 \
	    --listen submissions@127.0.0.1:0 --workers 2 "${options[@]}"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	dial "${addr[1]}" hello:x reply:220 say:'EHLO c' reply:250 \
	    say:'MAIL FROM:<>' reply:250 say:QUIT reply:221 eof
	dial "${addr[2]}" hello:x reply:220 say:'EHLO c' reply:250 \
	    say:'MAIL FROM:<>' 'reply:530 5.7.0 ' say:QUIT reply:221 eof
}

@test "on a submission listener AUTH comes after STARTTLS only" {
	with_tls --listen submission@- --auth 'true "$@"'
	talk reply:220 say:'EHLO c' reply:250 say:'AUTH PLAIN' \
	    'reply:538 5.7.11 ' say:'MAIL FROM:<>' 'reply:530 5.7.0 ' \
	    say:STARTTLS reply:220 hello:x say:'EHLO c' reply:250 \
	    say:"AUTH PLAIN $(printf '\0joe\0secret' | base64)" reply:235 \
	    say:'MAIL FROM:<>' reply:250 say:QUIT reply:221 eof
}

@test "smtps, submissions and --require-tls without --tls are usage errors" {
	local kind
	for kind in smtps submissions; do
		options=(--listen "$kind@-" --auth true)
		command_line
		run -64 "${cmd[@]}"
		[[ $output == *"$kind needs --tls" ]]
	done
	options=(--require-tls)
	command_line
	run -64 "${cmd[@]}"
	[[ $output == *'--tls'* ]]
}

# --require-tls

@test "with --require-tls all but NOOP, EHLO, STARTTLS and QUIT get 530 5.7.0 (RFC 3207 4)" {
	with_tls --require-tls
	via=-t
	talk reply:220 say:'EHLO c.example' reply:250 say:'HELO c.example' \
	    'reply:530 5.7.0 ' say:'MAIL FROM:<>' 'reply:530 5.7.0 ' say:RSET \
	    'reply:530 5.7.0 ' say:'VRFY x' 'reply:530 5.7.0 ' say:HELP \
	    'reply:530 5.7.0 ' say:'AUTH PLAIN' 'reply:530 5.7.0 ' \
	    say:'BDAT 6 LAST\r\nRSET' 'reply:530 5.7.0 ' \
	    say:NOOP reply:250 say:STARTTLS reply:220 hello:x say:'HELO d' \
	    reply:250 "${to_alice[@]}" say:QUIT reply:221 eof
	keeps 1
}

@test "--require-tls does not apply to a Unix socket or a pipe" {
	with_tls --require-tls
	say 'HELO c.example' 'MAIL FROM:<>' QUIT
	[[ $codes == '220 250 250 221' ]]
	environment=(TCPREMOTEIP=192.0.2.7)
	say 'HELO c.example' QUIT
	[[ $codes == '220 530 221' ]]
}

@test "behind a proxy --require-tls applies to clients in clear, not to health checks" {
	local header
	options=(--require-tls --proxy-from 127.0.0.1)
	via=-t
	talk send:'\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a\x20\x00\x00\x00' reply:220 \
	    say:'HELO c' reply:250 say:QUIT reply:221 eof
	for header in UNKNOWN 'TCP4 192.0.2.7 192.0.2.1 4711 25'; do
		talk say:"PROXY $header" reply:220 \
		    say:'HELO c' 'reply:530 5.7.0 ' say:STARTTLS 'reply:502 5.5.1 ' \
		    say:QUIT reply:221 eof
	done
}

# bats test_tags=native
@test "with --tls, --auth and a hook the worker never calls execve, fork, connect or kill" {
	! grep -qE '__(asan|gcov)_' smtpd || skip 'built with what needs more calls'
	command -v strace >/dev/null || skip 'there is no strace'
	local server
	with_tls --auth true --on-recipient true
	environment=(strace -f -qq -o "$tmp/trace")
	talk "${encrypted[@]}" say:'EHLO d.example' reply:250 \
	    say:'AUTH PLAIN AGEAYg==' reply:235 say:'MAIL FROM:<>' reply:250 \
	    say:'RCPT TO:<a@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof exit:0
	server=$(awk '/SECCOMP_SET_MODE_FILTER/ { print $1; exit }' "$tmp/trace")
	sed -n "s/^$server *//p" "$tmp/trace" |
	    sed '1,/SECCOMP_SET_MODE_FILTER/d' >"$tmp/calls"
	grep -q '^sendmsg(' "$tmp/calls"
	grep -q '^fsync(' "$tmp/calls"
	lacks -E '^(execve|execveat|clone|clone3|fork|vfork|connect|socket|kill)\(' "$tmp/calls"
	grep -q '^[0-9]* *execve("[^"]*tlsd"' "$tmp/trace"
	(($(grep -c '^[0-9]* *execve("[^"]*/true"' "$tmp/trace") == 2))
}
