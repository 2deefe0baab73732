# AUTH (RFC 4954): PLAIN and LOGIN, checked by a checkpassword command.  Only
# that command gets the password.

load helpers

# b64 TEXT: in base64, escapes undone
b64() {
	printf '%b' "$1" | base64 -w 0
}

# filler N: so many bytes
filler() {
	printf "%0$1d" 0 | tr 0 x
}

# with_auth: a checkpassword command that knows one user, and says what it got
with_auth() {
	hook check <<-'EOT'
		tr '\0' '\n' <&3 >"$tmp/credentials"
		echo "$@" >"$tmp/args"
		env >"$tmp/env"
		{ read -r name; read -r password; } <"$tmp/credentials"
		[ "$name" = alice ] && [ "$password" = s3kr3t+pw ] && exec "$@"
		exit 1
	EOT
	options=(--auth "$tmp/check" --plain-auth "$@")
}

# says STATUS [COMMAND]: a checkpassword command that ends so
says() {
	options=(--auth "${2:-true}; exit $1;:" --plain-auth)
}

good=$(b64 '\0alice\0s3kr3t+pw')
wrong=$(b64 '\0alice\0wr0ng+pw')
name=$(b64 alice)
password=$(b64 s3kr3t+pw)
ehlo='EHLO c.example'

@test "PLAIN with an initial response (RFC 4954 4, RFC 4616)" {
	with_auth
	say "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 235 221' ]]
	[[ ${lines[*]} == *'235 2.7.0 '* ]]
	given "$tmp/args" /bin/true
	(($(wc -l <"$tmp/credentials") == 3))
	[[ $(head -n 2 "$tmp/credentials") == $'alice\ns3kr3t+pw' ]]
	now=$(date +%s)
	(($(tail -n 1 "$tmp/credentials") + 60 > now))
}

@test "PLAIN with a continuation" {
	with_auth
	talk reply:220 say:"$ehlo" reply:250 say:'AUTH PLAIN' reply:'334 ' \
	    say:"$good" reply:235 say:QUIT reply:221 eof
	grep -q '^334 $' "$tmp/replies"
}

@test "LOGIN prompts for name and password" {
	with_auth
	talk reply:220 say:"$ehlo" reply:250 say:'AUTH LOGIN' \
	    reply:'334 VXNlcm5hbWU6' say:"$name" reply:'334 UGFzc3dvcmQ6' \
	    say:"$password" reply:'235 2.7.0 ' say:QUIT reply:221 eof
	[[ $(head -n 2 "$tmp/credentials") == $'alice\ns3kr3t+pw' ]]
}

@test "LOGIN accepts the name as an initial response" {
	with_auth
	talk reply:220 say:"$ehlo" reply:250 say:"AUTH LOGIN $name" \
	    reply:'334 UGFzc3dvcmQ6' say:"$password" reply:235 say:QUIT \
	    reply:221 eof
}

@test "a pipelined AUTH and its responses stay in step" {
	with_auth
	say "$ehlo" 'AUTH LOGIN' "$name" "$(b64 wr0ng)" 'AUTH PLAIN' "$wrong" \
	    NOOP "auth login $name" "$password" NOOP QUIT
	[[ $codes == '220 250 334 334 535 334 535 250 334 235 250 221' ]]
}

@test "the mechanism is case-insensitive, and an unknown one gets 504" {
	with_auth
	say "$ehlo" 'AUTH CRAM-MD5' 'AUTH PLAINTEXT' "aUtH pLaIn $good" QUIT
	[[ $codes == '220 250 504 504 235 221' ]]
	[[ ${lines[*]} == *'504 5.5.4 '* ]]
	say "$ehlo" AUTH QUIT
	[[ $codes == '220 250 501 221' ]]
}

@test "PLAIN may have an authorization identity if it is the user's own (RFC 4616 2)" {
	with_auth
	say "$ehlo" "AUTH PLAIN $(b64 'root\0alice\0s3kr3t+pw')" QUIT
	[[ $codes == '220 250 535 221' ]]
	[[ ! -e $tmp/credentials ]]
	say "$ehlo" "AUTH PLAIN $(b64 'alice\0alice\0s3kr3t+pw')" QUIT
	[[ $codes == '220 250 235 221' ]]
	[[ $(head -n 1 "$tmp/credentials") == alice ]]
}

@test "* cancels: 501 5.7.0, and the session goes on (RFC 4954 4)" {
	with_auth
	say "$ehlo" 'AUTH PLAIN' '*' 'AUTH LOGIN' '*' "AUTH LOGIN $name" '*' \
	    "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 334 501 334 501 334 501 235 221' ]]
	(($(grep -c '^501 5\.7\.0 ' "$tmp/replies") == 3))
}

@test "invalid base64 gets 501 5.5.2, and the command is not run" {
	local bad
	with_auth
	for bad in A AA AAA 'A===' 'AA=A' '!!!!' 'AAAA=' "$good=" "$good x" \
	    '====' 'QUFB-_==' 'A A=' 'AB==' 'AAB='; do
		say "$ehlo" "AUTH PLAIN $bad" 'AUTH LOGIN' "$bad" NOOP QUIT
		[[ $codes == '220 250 501 334 501 250 221' ]]
		(($(grep -c '^501 5\.5\.2 ' "$tmp/replies") == 2))
	done
	[[ ! -e $tmp/args ]]
}

@test "= is an empty response (RFC 4954 4), without user and password" {
	with_auth --max-auth-errors 0
	say "$ehlo" 'AUTH PLAIN =' 'AUTH LOGIN =' "$password" \
	    "AUTH LOGIN $name" = "AUTH LOGIN $name" '' QUIT
	[[ $codes == '220 250 501 334 535 334 535 334 535 221' ]]
	[[ ! -e $tmp/args ]]
}

@test "malformed PLAIN gets 501, and an empty user or password 535" {
	with_auth
	say "$ehlo" "AUTH PLAIN $(b64 alice)" "AUTH PLAIN $(b64 '\0alice')" \
	    "AUTH PLAIN $(b64 '\0alice\0a\0b')" "AUTH PLAIN $(b64 '\0alice\0')" \
	    "AUTH PLAIN $(b64 '\0\0s3kr3t+pw')" QUIT
	[[ $codes == '220 250 501 501 501 535 535 221' ]]
	[[ ! -e $tmp/args ]]
}

@test "a user with control bytes, or over 255 bytes, gets 535 without running the command" {
	with_auth --max-auth-errors 0
	say "$ehlo" "AUTH PLAIN $(b64 '\0alice\n\0s3kr3t+pw')" \
	    "AUTH PLAIN $(b64 '\0a\x7fb\0s3kr3t+pw')" \
	    "AUTH PLAIN $(b64 "\\0$(filler 256)\\0x")" \
	    "AUTH LOGIN $(b64 'a\0b')" "$password" QUIT
	[[ $codes == '220 250 535 535 535 334 501 221' ]]
	[[ ! -e $tmp/args ]]
}

@test "status 1 and 100 get 535 5.7.8, whatever the command wrote" {
	local n
	for n in 1 100; do
		for said in true 'echo oops >&2' 'echo 250 2.0.0 Fine'; do
			says "$n" "$said"
			say "$ehlo" "AUTH PLAIN $wrong" NOOP QUIT
			[[ $codes == '220 250 535 250 221' ]]
			[[ ${lines[*]} == *'535 5.7.8 '* ]]
		done
	done
	[[ -z $(events hook-failed) ]]
}

@test "any other status, and a signal, gets 454 4.7.0 and is logged as a failure" {
	local n
	for n in 2 75 77 99 111 126 127; do
		says "$n"
		say "$ehlo" "AUTH PLAIN $good" NOOP QUIT
		[[ $codes == '220 250 454 250 221' ]]
		[[ ${lines[*]} == *'454 4.7.0 '* ]]
	done
	says 0 'kill -SEGV $$'
	say "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 454 221' ]]
	[[ $(events hook-failed | grep -c ' hook=auth ') == 8 ]]
	# a watcher of the log bans nobody for it
	[[ -z $(events auth-failed) ]]
}

@test "a command that exceeds --hook-timeout yields 454" {
	says 0 'sleep 60'
	options+=(--hook-timeout 1)
	say "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 454 221' ]]
	[[ $(events hook-failed) == *' error="timed out"' ]]
}

@test "the status of a command that does not read descriptor 3 counts, too" {
	says 0
	say "$ehlo" "AUTH PLAIN $(b64 "\\0alice\\0$(filler 2900)")" QUIT
	[[ $codes == '220 250 235 221' ]]
}

@test "a command that is missing is an error at start-up, status 69" {
	run -69 ./smtpd -i -m "$dir" "${user[@]}" --auth "$tmp/missing" </dev/null
	[[ ${#lines[@]} == 1 && $output == "smtpd: --auth '$tmp/missing': "* ]]
}

@test "a second AUTH, one in a transaction and one before HELO get 503 5.5.1" {
	with_auth
	say "AUTH PLAIN $good" "$ehlo" 'MAIL FROM:<a@c.example>' \
	    "AUTH PLAIN $good" RSET "AUTH PLAIN $good" "AUTH PLAIN $good" \
	    "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $codes == '220 503 250 250 503 250 235 503 250 503 221' ]]
	(($(grep -c '^503 5\.5\.1 ' "$tmp/replies") == 4))
}

@test "AUTH works after HELO, for devices that never send EHLO" {
	with_auth
	say 'HELO c.example' "AUTH PLAIN $good" "AUTH PLAIN $good" \
	    'MAIL FROM:<a@c.example>' 'RCPT TO:<bob@mx.example>' DATA . QUIT
	[[ $codes == '220 250 235 503 250 250 354 250 221' ]]
	[[ $(header Received) == *' with ESMTPA id '* ]]
	say 'HELO c.example' "AUTH PLAIN $(b64 '\0alice\0no')" QUIT
	[[ $codes == '220 250 535 221' ]]
}

@test "AUTH after HELO needs encryption, too, and with --strict needs EHLO" {
	with_auth
	options+=(--strict)
	say 'HELO c.example' "AUTH PLAIN $good" "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 503 250 235 221' ]]
	options=("${options[@]:0:2}")
	say 'HELO c.example' "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 538 221' ]]
}

@test "with --plain-auth AUTH is offered until it has succeeded" {
	with_auth
	say "$ehlo" "AUTH PLAIN $good" "$ehlo" QUIT
	(($(grep -c '^250[ -]AUTH ' "$tmp/replies") == 1))
	grep -q '^250-AUTH PLAIN LOGIN$' "$tmp/replies"
}

@test "without --plain-auth AUTH in clear is not offered and gets 538 5.7.11" {
	with_auth
	options=("${options[@]:0:2}")
	say "$ehlo" "AUTH PLAIN $good" 'AUTH LOGIN' QUIT
	[[ $codes == '220 250 538 538 221' ]]
	(($(grep -c '^538 5\.7\.11 ' "$tmp/replies") == 2))
	lacks '^250[ -]AUTH' "$tmp/replies"
	[[ ! -e $tmp/args ]]
}

@test "without --auth AUTH is not offered and gets 502" {
	options=(--plain-auth)
	say "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $codes == '220 250 502 221' ]]
	lacks '^250[ -]AUTH' "$tmp/replies"
}

@test "with --require-auth MAIL gets 530 5.7.0 before AUTH, and 250 after it" {
	with_auth --require-auth
	say "$ehlo" 'MAIL FROM:<a@c.example>' "AUTH PLAIN $wrong" \
	    'MAIL FROM:<a@c.example>' "AUTH PLAIN $good" \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 530 535 530 235 250 221' ]]
	(($(grep -c '^530 5\.7\.0 ' "$tmp/replies") == 2))
}

@test "an authenticated client may send to any domain, another may not" {
	with_auth --domain mx.example
	say "$ehlo" 'MAIL FROM:<a@c.example>' 'RCPT TO:<x@other.example>' RSET \
	    "AUTH PLAIN $wrong" 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<x@other.example>' RSET "AUTH PLAIN $good" \
	    'MAIL FROM:<a@c.example>' 'RCPT TO:<x@other.example>' DATA x . QUIT
	[[ $codes == '220 250 250 550 250 535 250 550 250 235 250 250 354 250 221' ]]
	keeps 1
}

@test "Received says ESMTPA (RFC 3848), and hooks and the log have the user" {
	with_auth --on-new-mail "echo \"\$SMTP_USER \$SMTP_AUTH \$SMTP_PROTOCOL\" >$tmp/who"
	say "$ehlo" "AUTH LOGIN $name" "$password" 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 334 235 250 250 354 250 221' ]]
	[[ $(header Received) == *' with ESMTPA id '* ]]
	given "$tmp/who" 'alice LOGIN ESMTPA'
	[[ $(events message) == *' protocol=ESMTPA '* ]]
}

@test "EHLO after AUTH keeps the authentication" {
	with_auth
	say "$ehlo" "AUTH PLAIN $good" "$ehlo" "${to_bob[@]:1}" DATA x . QUIT
	[[ $codes == '220 250 235 250 250 250 354 250 221' ]]
	[[ $(header Received) == *' with ESMTPA id '* ]]
}

@test "AUTH= of MAIL is accepted if its xtext is valid (RFC 4954 5)" {
	local bad
	with_auth
	say "$ehlo" 'MAIL FROM:<a@c.example> AUTH=<>' RSET \
	    'MAIL FROM:<a@c.example> SIZE=1 auth=e+3dmc2@c.example' RSET QUIT
	[[ $codes == '220 250 250 250 250 250 221' ]]
	for bad in AUTH AUTH= AUTH=+ AUTH=a+3 AUTH=+zz AUTH=+3g AUTH=a=b \
	    AUTH=a+0Db AUTH=+0A AUTH=+00 'AUTH=<> AUTH=<>'; do
		say "$ehlo" "MAIL FROM:<a@c.example> $bad" QUIT
		[[ $codes == '220 250 501 221' && ${lines[*]} == *'501 5.5.4 '* ]]
	done
	options=()
	say "$ehlo" 'MAIL FROM:<a@c.example> AUTH=<>' QUIT
	[[ $codes == '220 250 555 221' ]]
}

@test "AUTH and its responses may have lines of 12,288 bytes (RFC 4954 4)" {
	local long
	says 0
	# 12,275 bytes, and CR LF
	long="AUTH PLAIN $(b64 "\\0alice\\0$(filler 9190)")"
	((${#long} == 12275))
	say "$ehlo" "$long           " QUIT	# and 11 spaces
	[[ $codes == '220 250 535 221' ]]
	say "$ehlo" "$long            " NOOP QUIT
	[[ $codes == '220 250 500 250 221' && ${lines[*]} == *'500 5.5.2 '* ]]
	long=$(b64 "\\0alice\\0$(filler 9206)")
	((${#long} == 12284))
	say "$ehlo" 'AUTH PLAIN' "$long" QUIT
	[[ $codes == '220 250 334 535 221' ]]
	say "$ehlo" 'AUTH PLAIN' "${long}AAAA" NOOP QUIT
	[[ $codes == '220 250 334 500 250 221' ]]
}

@test "a response with NUL, or without CR, gets 500, and the session stays in step" {
	with_auth
	talk reply:220 say:"$ehlo" reply:250 say:'AUTH PLAIN' reply:334 \
	    send:'AAAA\0AAA\r\n' reply:500 say:'AUTH PLAIN' reply:334 \
	    send:'AAAA\nAAAA\r\n' reply:500 say:NOOP reply:250 \
	    say:QUIT reply:221 eof
}

@test "a client that leaves or is idle within AUTH is disconnected" {
	with_auth
	talk reply:220 say:"$ehlo" reply:250 say:'AUTH LOGIN' reply:334 close exit:0
	options+=(--read-timeout 1)
	talk reply:220 say:"$ehlo" reply:250 say:'AUTH LOGIN' reply:334 \
	    reply:'421 4.4.2 ' eof
}

# delays: of each reply but 334 to AUTH in the transcript, in ms; a line each
delays() {
	awk '/ C AUTH/ { at = $1 } / S (535|421|235)/ && at {
		print int(($1 - at) * 1000); at = 0 }' "$tmp"/said/*
}

@test "the third failed login ends the session, and other errors of AUTH don't count" {
	with_auth
	say "$ehlo" "AUTH PLAIN $wrong" 'AUTH PLAIN !' 'AUTH CRAM-MD5' \
	    'AUTH LOGIN' '*' "AUTH LOGIN $name" "$(b64 wr0ng)" \
	    "AUTH PLAIN $wrong" NOOP
	[[ $codes == '220 250 535 501 504 334 501 334 535 421' ]]
	[[ ${lines[-1]} == '421 4.7.0 '* ]]
	(($(events auth-failed | wc -l) == 3))
	options+=(--max-auth-errors 1)
	say "$ehlo" "AUTH PLAIN $wrong" NOOP
	[[ $codes == '220 250 421' ]]
}

@test "failed logins count across STARTTLS, and include users rejected without running the command" {
	with_auth
	options+=(--tls 't/tlsd -d 5 3 4' --max-auth-errors 2)
	talk reply:220 say:"$ehlo" reply:250 say:"AUTH PLAIN $(b64 '\0\0x')" \
	    reply:535 say:STARTTLS reply:220 hello:mx.example say:"$ehlo" \
	    reply:250 say:"AUTH PLAIN $wrong" reply:421 eof
}

@test "the reply to a failed login is delayed, longer each time" {
	local d
	with_auth --transcript "$tmp/said"
	talk reply:220 say:"$ehlo" reply:250 say:"AUTH PLAIN $wrong" reply:535 \
	    say:"AUTH PLAIN $wrong" reply:535 say:"AUTH PLAIN $good" reply:235 \
	    say:QUIT reply:221 eof
	mapfile -t d < <(delays)
	echo "after ${d[*]} ms"
	((${#d[@]} == 3 && d[0] >= 990 && d[1] >= 1990 && d[2] < d[1]))
}

@test "the delay of a failed login ends when other clients need the worker" {
	local d
	mkdir "$tmp/said"
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" \
	    --auth 'exit 1 && :' --plain-auth --max-auth-errors 0 \
	    --max-per-client 0 --transcript "$tmp/said"
	dial "${addr[0]}" reply:220 say:"$ehlo" reply:250 \
	    say:"AUTH PLAIN $wrong" reply:535 say:"AUTH PLAIN $wrong" reply:535 \
	    say:"AUTH PLAIN $wrong" reply:535 say:"AUTH PLAIN $wrong" \
	    run:"t/until sh -c '[ \$(grep -c =auth-failed $log) = 4 ]'" \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" \
	    reply:535 reply:'421 4.3.2 ' eof
	mapfile -t d < <(delays)
	echo "after ${d[*]} ms"
	((d[2] >= 3990 && d[3] < 7990))
}

@test "a client that leaves, or SIGTERM, ends the delay of a failed login" {
	with_auth
	via=-s
	talk reply:220 say:"$ehlo" reply:250 say:"AUTH PLAIN $wrong" \
	    run:"t/until grep -q auth-failed $log" close exit:0
	: >"$log"
	talk reply:220 say:"$ehlo" reply:250 say:"AUTH PLAIN $wrong" \
	    run:"t/until grep -q auth-failed $log" \
	    run:'kill -TERM "$SMTPC_PID"' reply reply:'421 4.3.2 ' eof
}

@test "failed logins count as errors" {
	with_auth --max-errors 3
	say "$ehlo" "AUTH PLAIN $wrong" 'AUTH PLAIN !' "AUTH PLAIN $wrong" NOOP
	[[ $codes == '220 250 535 501 421' ]]
	[[ $(events auth-failed | wc -l) == 2 ]]
}

@test "a failed login is logged with event and client first" {
	local line
	with_auth
	environment=(TCPREMOTEIP=192.0.2.7)
	say "$ehlo" "AUTH PLAIN $wrong" "AUTH PLAIN $good" QUIT
	line=$(events auth-failed)
	[[ $line =~ ^time=[^\ ]+\ event=auth-failed\ client=192.0.2.7\ session=[^\ ]+\ mechanism=PLAIN\ user=alice\ reply=\"535\ 5.7.8\ [^\"]*\"$ ]]
}

@test "a user name can't forge a log line or a key" {
	with_auth
	options+=(--auth 'exit 1 && :')
	say "$ehlo" "AUTH PLAIN $(b64 '\0a event=auth-failed client=192.0.2.1\0x')" \
	    "AUTH PLAIN $(b64 '\0a\nevent=auth-failed client=192.0.2.1\0x')" \
	    "AUTH PLAIN $(b64 '\0a" b\0x')" QUIT
	(($(events auth-failed | wc -l) == 3))
	lacks 'client=192.0.2.1 ' "$log"
	[[ $(events auth-failed | grep -c 'client=local session=') == 3 ]]
}

# hides: the password is in none of these, as it is or in base64
hides() {
	lacks -aF -e s3kr3t -e wr0ng -e "$password" -e "$good" -e "$wrong" \
	    -e "$(b64 wr0ng+pw)" "$@"
}

@test "the password is not in the environment of hooks or smtpd, nor in a file" {
	local event
	hook spy <<-'EOT'
		env >>"$tmp/spied"
		cat "/proc/$PPID/environ" "/proc/$PPID/cmdline" >>"$tmp/spied" \
		    2>/dev/null || true
		cat >>"$tmp/spied"
	EOT
	with_auth
	for event in hello new-mail recipient data message delivered disconnect; do
		options+=("--on-$event" "$tmp/spy")
	done
	say "$ehlo" "AUTH PLAIN $wrong" 'AUTH LOGIN' "$name" "$password" \
	    "${to_bob[@]:1}" DATA x . QUIT
	[[ $codes == '220 250 535 334 334 235 250 250 354 250 221' ]]
	grep -q '^SMTP_USER=alice' "$tmp/spied"
	hides "$tmp/spied" "$tmp/env" "$log" "$tmp/replies" "$(message)"
}

@test "the password is not in the log, whatever the error" {
	local auth
	# in turn: accepted, not encrypted, no --auth at all
	for auth in "--auth $tmp/check --plain-auth" "--auth $tmp/check" ''; do
		with_auth
		# shellcheck disable=SC2206 # words
		options=($auth --verbose --max-errors 0)
		say "AUTH PLAIN $good" 'AUTH LOGIN' "$name" "$password" "$ehlo" \
		    "AUTH BOGUS $good" "$password" "AUTH PLAIN $good=" \
		    "AUTH PLAIN ${good:0:-1}" "AUTH PLAIN =" "$good" 'AUTH PLAIN' \
		    "$wrong" "x$password" 'AUTH LOGIN' "$name" "$password!" \
		    "$password" "AUTH LOGIN $name" '*' "$password" \
		    "$password x" "pass:$password" QUIT
		hides "$log" "$tmp/replies"
		[[ $(events refused) ]]
	done
}

@test "if AUTH is misspelt, password and responses are not in log or transcript" {
	local line with
	for with in "--auth $tmp/check --plain-auth" ''; do
		for line in " AUTH PLAIN $good" "AUTHPLAIN $good" "AUTH:PLAIN $good" \
		    "auth-plain:$good" "AUTH=PLAIN $good" $'\tAUTH LOGIN' \
		    "AUHT PLAIN $good" "PLAIN $good" "LOGIN alice s3kr3t+pw" \
		    "a1 LOGIN alice s3kr3t+pw" 'PASS s3kr3t+pw' 'USER alice' \
		    "AUTHENTICATE PLAIN $good" 'AUTH PLAINs3kr3t+pw' \
		    'AUTH LOGINs3kr3t+pw'; do
			: >"$log"
			rm -rf "$tmp/said"
			with_auth
			# shellcheck disable=SC2206 # words
			options=($with --max-errors 0 --transcript "$tmp/said")
			say "$ehlo" "$line" "$name" "$password" QUIT
			[[ $(events refused) ]]
			hides "$log" "$tmp"/said/*
		done
	done
	# a line that can hold none is shown
	say "$ehlo" 'FROB x' QUIT
	[[ $(events refused) == *' line="FROB x"' ]]
}

@test "the password is not in the log of a command that fails" {
	says 3 'cat <&3 >/dev/null; echo failed >&2'
	say "$ehlo" "AUTH PLAIN $good" QUIT
	[[ $(events hook-said) == *' text=failed' ]]
	hides "$log"
}

@test "smtpd is not dumpable and can't be traced, with --auth or without" {
	local with owner
	as=() owner=$EUID
	mkdir -p "$dir"/{tmp,new,cur}
	if ((EUID == 0)); then
		owner=$(id -u nobody)
		chown -R nobody "$dir"
		chmod 755 "$tmp" "$BATS_RUN_TMPDIR" "${tmp%/*}"
		as=(setpriv --reuid nobody --clear-groups)
	fi
	for with in '' '--auth true'; do
		# shellcheck disable=SC2086 # words
		t/smtpc -s -e "$log" "${as[@]}" ./smtpd -i -m "$dir" \
		    -H mx.example $with -- reply:220 \
		    run:"stat -c %u /proc/\$SMTPC_PID/maps >$tmp/owner" \
		    say:QUIT reply:221 eof
		# what can't be dumped belongs to root
		[[ $(<"$tmp/owner") != "$owner" ]]
	done
}

@test "authentication does not last to the worker's next session" {
	with_auth --require-auth
	serve --listen 127.0.0.1:0 --workers 1 "${options[@]/"$tmp/check"/'exit 0 && :'}"
	dial "${addr[0]}" reply:220 say:"$ehlo" reply:250 say:"AUTH PLAIN $good" \
	    reply:235 say:'MAIL FROM:<a@c.example>' reply:250 say:QUIT reply:221 eof
	dial "${addr[0]}" reply:220 say:"$ehlo" reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:'530 5.7.0 ' say:QUIT reply:221 eof
}

@test "whichever allocation fails, AUTH gets 235 or 454 and stays in step" {
	local k seen=
	# the later ones are the command's own
	for k in {1..16}; do
		shim "malloc:$k:ENOMEM"
		disarm
		options=(--auth 'exit 0 && :' --plain-auth)
		talk reply:220 say:"$ehlo" reply:250 \
		    run:"printf 1 1<>'$tmp/armed'" say:"AUTH PLAIN $good" reply \
		    run:"printf 0 1<>'$tmp/armed'" say:NOOP reply:250 \
		    say:QUIT reply:221 eof >/dev/null
		[[ $codes == '220 250 235 250 221' || $codes == '220 250 454 250 221' ]]
		seen+=" $codes"
	done
	[[ $seen == *454* ]]
}

@test "if the login can't be written to the pipe, AUTH gets 454 and no descriptor stays open" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	shim 'write@pipe:1+:EIO'
	disarm
	options=(--auth true --plain-auth)
	talk reply:220 say:"$ehlo" reply:250 \
	    run:"ls /proc/\$SMTPC_PID/fd >$tmp/before; printf 1 1<>'$tmp/armed'" \
	    say:"AUTH PLAIN $good" reply:'454 4.7.0 ' \
	    run:"printf 0 1<>'$tmp/armed'; ls /proc/\$SMTPC_PID/fd >$tmp/after" \
	    say:"AUTH PLAIN $good" reply:235 say:QUIT reply:221 eof
	failed write pipe
	diff "$tmp/before" "$tmp/after"
}

@test "an empty --auth, or one that ends in ; or & or a comment, is a start-up error: 69" {
	local command
	for command in '' ' ' 'true;' 'true &' '# true' 'true # so'; do
		options=(--auth "$command" --plain-auth)
		command_line
		run -69 --separate-stderr timeout 60 "${cmd[@]}"
	done
}

@test "a password too long for a small pipe gets 535" {
	says 0
	say "$ehlo" "AUTH PLAIN $(b64 "\\0alice\\0$(filler 3001)")" QUIT
	[[ $codes == '220 250 535 221' ]]
}
