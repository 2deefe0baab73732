# SIGTERM and SIGINT: the port is closed at once, idle clients get 421, and
# messages in progress are completed.

load helpers

workers() {
	children "$master" | sort -n
}

# ended STATUS: the master exits with it
ended() {
	local got=0
	eventually gone "$master" || return
	wait "$master" || got=$?
	master=''
	echo "status $got"
	[[ $got == "$1" ]]
}

@test "SIGTERM ends an idle daemon and its workers with status 0" {
	local pids
	serve --listen 127.0.0.1:0 --workers 3
	mapfile -t pids < <(workers)
	kill -TERM "$master"
	ended 0
	gone "${pids[@]}"
}

@test "SIGINT ends an idle daemon and its workers with status 0" {
	local pids
	serve --listen 127.0.0.1:0 --workers 3
	mapfile -t pids < <(workers)
	# a job in the background ignores SIGINT, unless its handler is set
	kill -INT "$master"
	ended 0
	gone "${pids[@]}"
}

@test "on SIGTERM idle clients get 421 4.3.2, in every phase before DATA (RFC 5321 3.8)" {
	local n
	for n in 1 3 5 7; do
		serve --listen 127.0.0.1:0 --workers 2
		dial "${addr[0]}" "${data_bob[@]:0:n}" run:"kill -TERM $master" \
		    reply:'421 4.3.2 ' eof
		ended 0
	done
	keeps 0
}

@test "eight transactions in DATA get their 250 after SIGTERM" {
	local i pids=()
	serve --listen 127.0.0.1:0 --workers 10
	for i in {1..8}; do
		t/smtpc -c "${addr[0]}" -- "${data_bob[@]}" send:"$i\r\n" settle \
		    run:"touch $tmp/in.$i; t/until test -e $tmp/go" \
		    send:'.\r\n' reply:'250 2.0.0 ' reply:'421 4.3.2 ' eof \
		    >"$tmp/said.$i" 3>&- &
		pids+=($!)
	done
	all_in() {
		set -- "$tmp"/in.*
		(($# == 8))
	}
	eventually all_in
	kill -TERM "$master"
	eventually events draining
	touch "$tmp/go"
	wait "${pids[@]}"
	for i in "${pids[@]}"; do
		wait "$i"
	done
	ended 0
	keeps 8
	events stopped | grep -F ' killed=0'
}

@test "on SIGTERM a client in the middle of a command gets 421 4.3.2, too" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" reply send:'HELO c.exam' settle \
	    run:"kill -TERM $master" reply:'421 4.3.2 ' eof
	ended 0
}

@test "a transaction in DATA gets its 250 and then 421" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" "${data_bob[@]}" send:'Subject: x\r\n\r\nfirst\r\n' settle \
	    run:"kill -TERM $master" send:'second\r\n' settle \
	    send:'third\r\n.\r\n' reply:'250 2.' reply:'421 4.3.2 ' eof
	ended 0
	keeps 1
	printf 'Subject: x\n\nfirst\nsecond\nthird\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "SIGTERM closes the port at once" {
	serve --listen 127.0.0.1:0 --workers 2
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n' settle \
	    run:"kill -TERM $master" run:"i=0; while t/smtpc -T 5 -c ${addr[0]} -- eof \
		>/dev/null 2>&1; do i=\$((i + 1)); test \$i -lt 200 || exit 1; done" \
	    send:'.\r\n' reply:250 reply:421 eof
	ended 0
	keeps 1
}

@test "the port can be bound again while the old server drains" {
	local port old
	serve --listen 127.0.0.1:0 --workers 1
	port=${addr[0]}
	old=$master
	dial "$port" "${data_bob[@]}" send:'x\r\n' settle run:"kill -TERM $old" \
	    run:"i=0; until ./smtpd -m '$dir' ${nobody[*]} -l '$port' --ready-fd 9 9>'$tmp/up' \
		-n 1 2>'$tmp/err' </dev/null >/dev/null & pid=\$!; \
		t/until eval \"! kill -0 \$pid 2>/dev/null || test -s '$tmp/up'\"; \
		test -s '$tmp/up'; do i=\$((i + 1)); test \$i -lt 100 || exit 1; done; \
		kill \$pid; wait \$pid" \
	    send:'.\r\n' reply:250 reply:421 eof
	ended 0
	keeps 1
}

@test "at --drain-timeout an unfinished transaction gets 421, and nothing is stored" {
	serve --listen 127.0.0.1:0 --workers 1 --drain-timeout 1s
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n' settle \
	    run:"kill -TERM $master" eof
	ended 0
	keeps 0
	[[ $codes == '220 250 250 250 354' || $codes == '220 250 250 250 354 421' ]]
}

@test "SIGHUP during a drain has no effect" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n' settle \
	    run:"kill -TERM $master; t/until grep -q event=draining '$log'" \
	    run:"kill -HUP $master" send:'.\r\n' reply:250 reply:421 eof
	ended 0
	keeps 1
	[[ -z $(events restarting) ]]
}

@test "a second SIGTERM, a second later, ends all sessions at once" {
	local pids
	serve --listen 127.0.0.1:0 --workers 2
	mapfile -t pids < <(workers)
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n' settle \
	    run:"kill -TERM $master" send:'y\r\n' settle \
	    run:"t/until grep -q draining $log" \
	    run:"t/until eval '! kill -TERM $master' 2>/dev/null" eof
	eventually gone "$master" "${pids[@]}"
	wait "$master" || true
	master=''
	[[ $codes == '220 250 250 250 354' || $codes == '220 250 250 250 354 421' ]]
	[[ $(kept) == 0 ]]
	events stopped | grep -E ' killed=1$'
}

@test "SIGTERM sent several times at once (timeout sends it twice) starts one drain" {
	serve --listen 127.0.0.1:0 --workers 2
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n' settle \
	    run:"i=0; while test \$((i += 1)) -lt 500; do kill -TERM $master; done" \
	    send:'y\r\n' settle send:'.\r\n' reply:'250 2.' reply:'421 4.3.2 ' eof
	ended 0
	keeps 1
	events stopped | grep -E ' killed=0$'
}

@test "a worker that gets SIGTERM, too (systemd sends it to all), drains once" {
	serve --listen 127.0.0.1:0 --workers 2
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n' settle \
	    run:"kill -TERM $master $(workers | paste -sd ' '); true" send:'y\r\n' settle \
	    run:"kill -TERM $(workers | paste -sd ' ') 2>/dev/null; true" \
	    send:'.\r\n' reply:250 reply:421 eof
	ended 0
	keeps 1
}

@test "a single worker that gets SIGTERM ends and is replaced" {
	local victim
	serve --listen 127.0.0.1:0 --workers 1
	victim=$(workers)
	kill -TERM "$victim"
	eventually gone "$victim"
	dial "${addr[0]}" "${data_bob[@]}" say:x say:. reply:250 say:QUIT \
	    reply:221 eof
	keeps 1
}

@test "a session under inetd drains as well" {
	for via in -s -p; do
		talk "${data_bob[@]:0:7}" run:'kill -TERM $SMTPC_PID' \
		    reply:'421 4.3.2 ' eof exit:0
		talk "${data_bob[@]}" send:'x\r\n' settle \
		    run:'kill -TERM $SMTPC_PID' send:'y\r\n.\r\n' reply:250 \
		    reply:'421 4.3.2 ' eof exit:0
	done
	keeps 2
}

@test "a client that reads no replies does not delay a drain" {
	# short ones: more replies than a socket holds, before there are too many
	options=(-w 0 -r 0 --session-timeout 0 --max-recipients 0)
	for via in -s -p; do
		talk "${data_bob[@]:0:7}" choke:'RCPT TO:<a@b>\r\n' \
		    run:'kill -TERM $SMTPC_PID' \
		    deaf:'RCPT TO:<a@b>\r\n' close exit:0
	done
	keeps 0
}

@test "SIGPIPE does not end the master" {
	serve --listen 127.0.0.1:0 --workers 1
	kill -PIPE "$master"
	dial "${addr[0]}" reply say:NOOP reply:250 say:QUIT reply:221 eof
}
