# A pool that is full, or nearly so: idle clients are disconnected, one client
# can't occupy it, and a client that speaks before the banner gets none.

load helpers
unset BATS_NO_PARALLELIZE_WITHIN_FILE

# crowd N TEXT: N clients that send TEXT at once and then drip what stands
# behind its bar
crowd() {
	t/smtpc -T 100 -c "${addr[0]}" -- crowd:"$1:$2" >"$tmp/crowd" \
	    3>&- 4>&- &
	crowd=$!
	stray "$crowd"
	eventually grep -q crowded "$tmp/crowd"
}

# disperse: nobody is left of the crowd
disperse() {
	kill "$crowd"
	wait "$crowd" || true
}

# clock SECONDS: a clock that is put forward by run:"$later"
clock() {
	printf 0 >"$tmp/armed"
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_CLOCK="$1"
	    FAIL_WHEN="$tmp/armed")
	later="printf 1 1<>'$tmp/armed'"
	[[ -f t/fail.so ]]
}

# send_one ADDRESS [SECONDS]: deliver one message there
send_one() {
	dial -T "${2:-100}" "$1" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof
}

# refused CODE COMMAND: the log has that refusal
refused() {
	events refused | grep -F " command=$2 reply=\"$1 "
}

@test "200 idle clients on a pool of 32 don't keep an active client out" {
	serve --listen 127.0.0.1:0 --workers 32 -v
	crowd 200 '|'
	send_one "${addr[0]}"
	refused '421 4.3.2' none
	events disconnected | grep -F ' how=pressure '
	keeps 1
}

@test "clients that trickle a command line don't keep an active client out" {
	serve --listen 127.0.0.1:0 --workers 16
	crowd 30 'HELO c.example\r\n|x'
	send_one "${addr[0]}"
	keeps 1
	refused '421 4.3.2' none
}

@test "clients that trickle data, or are idle in it, don't keep an active client out" {
	local drip to='MAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\n'
	serve --listen 127.0.0.1:0 --workers 16
	for drip in x ''; do
		crowd 20 "HELO c.example\\r\\n${to}DATA\\r\\n|$drip"
		send_one "${addr[0]}"
		disperse
	done
	eventually keeps 2	# some were in the data when they left
	refused '421 4.3.2' DATA
}

@test "clients that send commands but no message don't keep an active client out" {
	serve --listen 127.0.0.1:0 --workers 16
	crowd 30 'HELO c.example\r\n|NOOP\r\n'
	send_one "${addr[0]}" 60	# the crowd has 100
	keeps 1
	refused '421 4.3.2' none
}

@test "clients that send data slowly don't keep an active client out" {
	local to='MAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\n'
	serve --listen 127.0.0.1:0 --workers 16 --min-rate 0
	crowd 20 "HELO c.example\\r\\n${to}DATA\\r\\n|x"
	send_one "${addr[0]}" 60	# the crowd has 100
	[[ $(kept) == 1 ]]
	refused '421 4.3.2' DATA
}

@test "a single worker serves a second client if the first is idle" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" reply:220 \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" \
	    eof
	[[ ${lines[*]} == *'421 4.3.2 '* ]]
}

@test "a client that reads no replies is dropped under pressure, too" {
	local deaf
	serve --listen 127.0.0.1:0 --workers 1 --max-recipients 0
	t/smtpc -T 100 -c "${addr[0]}" -- "${data_bob[@]:0:7}" \
	    deaf:'RCPT TO:<bob@mx.example>\r\n' close >"$tmp/deaf" 3>&- 4>&- &
	deaf=$!
	stray "$deaf"
	eventually grep -q '^250 2.1.5' "$tmp/deaf"
	send_one "${addr[0]}"
	wait "$deaf"
	keeps 1
}

@test "a check hook that waits, as for a name server, is ended under pressure" {
	clock 100
	echo 'touch "$tmp/began"; exec sleep 1000' | hook wait
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" \
	    --hook-timeout 0 --on-hello "$tmp/wait"
	dial "${addr[0]}" reply:220 say:'HELO c.example' \
	    run:"t/until test -e '$tmp/began'; $later" \
	    run:"t/smtpc -T 60 -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" \
	    reply:'421 4.3.2 ' eof
	refused '421 4.3.2' HELO
	lacks event=hook-failed "$log"
}

@test "AUTH that waits is ended under pressure, and a hook ends only if a client waits" {
	clock 100
	echo 'touch "$tmp/began"; until [ -e "$tmp/go" ]; do sleep 0.02; done' |
	    hook wait
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" \
	    --hook-timeout 0 --plain-auth --auth "$tmp/wait"
	dial "${addr[0]}" reply:220 say:'EHLO c.example' reply:250 \
	    say:'AUTH PLAIN AGEAYg==' \
	    run:"t/until test -e '$tmp/began'; $later; touch '$tmp/go'" \
	    reply:235 run:"rm '$tmp/go' '$tmp/began'" say:QUIT reply:221 eof
	dial "${addr[0]}" reply:220 say:'EHLO c.example' reply:250 \
	    say:'AUTH PLAIN AGEAYg==' run:"t/until test -e '$tmp/began'" \
	    run:"t/smtpc -T 60 -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" \
	    reply:'421 4.3.2 ' eof
	lacks event=hook-failed "$log"
}

@test "without other clients no client is dropped" {
	clock 100
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 run:"$later" \
	    bytes:'NO' say:OP reply:250 say:QUIT reply:221 eof
	dial "${addr[0]}" "${data_bob[@]}" bytes:'x\r\n' \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" \
	    eof
	[[ ${lines[*]} == *'421 4.3.2 '* ]]
}

@test "a client with errors is dropped before one without" {
	serve --listen 127.0.0.1:0 --workers 2
	dial "${addr[0]}" reply:220 say:FROB reply:500 \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 \
	        run:'t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof' \
	        say:NOOP reply:250 say:QUIT reply:221 eof" \
	    reply:'421 4.3.2 ' eof
}

@test "a client that speaks before --greet-delay is over gets 554 5.5.1" {
	options=(--greet-delay 30s)
	for via in -s -t -p; do
		talk send:'EHLO c.example\r\n' reply:'554 5.5.1 ' eof
	done
	refused '554 5.5.1' connect
	(($(events refused | wc -l) == 3))
}

@test "a client that waits for --greet-delay gets the banner" {
	options=(--greet-delay 1s)
	for via in -s -p; do
		talk reply:220 say:'HELO c.example' reply:250 say:QUIT reply:221 eof
	done
	talk shut reply:220 eof
}

@test "input during an --on-new-connection hook counts as sent before the banner" {
	printf 'touch "$tmp/asked"\nuntil [ -e "$tmp/spoke" ]; do sleep 0.02; done\n' | hook dawdle
	options=(--greet-delay 1s --on-new-connection "$tmp/dawdle")
	talk run:"t/until test -e '$tmp/asked'" \
	    send:'EHLO c.example\r\n' run:"touch '$tmp/spoke'" \
	    reply:'554 5.5.1 ' eof
}

@test "without --greet-delay a client may speak first" {
	talk send:'EHLO c.example\r\nQUIT\r\n' reply:220 reply:250 reply:221 eof
}

@test "SIGTERM does not wait for --greet-delay" {
	options=(--greet-delay 1h -v)
	talk run:"t/until grep -q event=connected '$log'" \
	    run:'kill -TERM $SMTPC_PID' eof exit:0
}

@test "a full pool does not wait for --greet-delay" {
	serve --listen 127.0.0.1:0 --workers 1 --greet-delay 1h
	dial "${addr[0]}" \
	    run:"t/smtpc -c ${addr[0]} -- run:'touch $tmp/there' eof >'$tmp/other' &
	        t/until test -e '$tmp/there'" \
	    reply:220 say:QUIT reply:221 eof
}

# proxied ADDRESS ACTION...: a client that a proxy brings from there
proxied() {
	printf '%q ' t/smtpc -T 60 -c "${addr[0]}" -- \
	    send:"PROXY ${2:-TCP4} $1 ${3:-192.0.2.99} 1000 25\\r\\n" "${@:4}"
}

@test "a client over --max-per-client sessions gets 421 4.7.0" {
	local too_many=('reply:421 4.7.0 ' eof) ok=(reply:220 say:QUIT reply:221 eof)
	local net=2001:db8
	serve --listen 127.0.0.1:0 --workers 8 --max-per-client 1 \
	    --proxy-from 127.0.0.1 --trust 192.0.2.7
	dial "${addr[0]}" send:'PROXY TCP4 192.0.2.1 192.0.2.99 1000 25\r\n' \
	    reply:220 \
	    run:"$(proxied 192.0.2.1 TCP4 192.0.2.99 "${too_many[@]}")" \
	    run:"$(proxied 192.0.2.2 TCP4 192.0.2.99 "${ok[@]}")" \
	    say:QUIT reply:221 eof
	refused '421 4.7.0' connect
	events refused | grep -F ' client=192.0.2.1 '
	(($(events refused | wc -l) == 1))
	dial "${addr[0]}" send:"PROXY TCP6 $net::1 $net::99 1000 25\\r\\n" reply:220 \
	    run:"$(proxied $net::2 TCP6 $net::99 "${too_many[@]}")" \
	    run:"$(proxied $net:0:1::1 TCP6 $net::99 "${ok[@]}")" \
	    say:QUIT reply:221 eof
	dial "${addr[0]}" send:'PROXY TCP4 192.0.2.7 192.0.2.99 1000 25\r\n' \
	    reply:220 run:"$(proxied 192.0.2.7 TCP4 192.0.2.99 "${ok[@]}")" \
	    run:"$(proxied 192.0.2.1 TCP4 192.0.2.99 "${ok[@]}")" \
	    say:QUIT reply:221 eof
	(($(events refused | wc -l) == 2))
}

@test "--max-per-client counts the clients given by XCLIENT, not the proxy" {
	local begin=(reply:220 say:'EHLO p.example' reply:250
	    say:'XCLIENT ADDR=192.0.2.1')
	serve --listen 127.0.0.1:0 --workers 8 --max-per-client 1 \
	    --xclient-from 127.0.0.1
	dial "${addr[0]}" "${begin[@]}" reply:220 \
	    run:"$(printf '%q ' t/smtpc -c "${addr[0]}" -- "${begin[@]}" \
	        'reply:421 4.7.0 ' eof)" say:QUIT reply:221 eof
	dial "${addr[0]}" "${begin[@]}" reply:220 say:QUIT reply:221 eof
}
