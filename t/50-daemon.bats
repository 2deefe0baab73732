# The daemon: a master and its fixed pool of workers, each of which serves one
# session at a time.  A dead worker is replaced, and all end together.

load helpers

# message ADDRESS: deliver one message there
send_one() {
	dial "$1" "${data_bob[@]}" send:'Subject: x\r\n\r\nx\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof
}

# workers: the pids of the workers, sorted
workers() {
	children "$master" | sort -n
}

# pool N: there are N workers
pool() {
	(($(workers | wc -l) == $1))
}

# pool_without N PID...: there are N workers, and these are not among them
pool_without() {
	local n=$1 pid
	shift
	pool "$n" || return
	for pid; do
		! workers | grep -qx "$pid" || return 1
	done
}

@test "--ready-fd gets the address once the pool accepts connections, and is closed" {
	serve --listen 127.0.0.1:0 --workers 2
	((${#addr[@]} == 1))
	[[ ${addr[0]} =~ ^127\.0\.0\.1:[1-9][0-9]*$ ]]
	send_one "${addr[0]}"
	keeps 1
}

@test "--ready-fd may be standard output, and no connection gets its descriptor" {
	local i
	mkfifo "$tmp/ready"
	./smtpd -m "$dir" -H mx.example "${nobody[@]}" --ready-fd 1 -v \
	    --listen 127.0.0.1:0 --workers 1 2>>"$log" >"$tmp/ready" \
	    </dev/null 3>&- 4>&- &
	master=$!
	mapfile -t addr < <(timeout 60 cat "$tmp/ready")
	((${#addr[@]} == 1))
	for i in 1 2 3; do
		dial "${addr[0]}" reply say:FROB reply:500 "${data_bob[@]:1}" \
		    run:"test ! -S /proc/$(workers)/fd/1" \
		    say:x say:. reply:250 say:QUIT reply:221 eof
		[[ $codes == '220 500 250 250 250 354 250 221' ]]
	done
	keeps 3
}

@test "the pool has --workers workers before, during and after sessions" {
	serve --listen 127.0.0.1:0 --workers 3
	pool 3
	local before i
	before=$(workers)
	for i in {1..8}; do
		send_one "${addr[0]}"
	done
	pool 3
	[[ $(workers) == "$before" ]]
	keeps 8
}

@test "the default of --workers is 100" {
	serve --listen 127.0.0.1:0
	pool 100
}

@test "as many sessions are served at once as there are workers" {
	serve --listen 127.0.0.1:0 --workers 4
	dial "${addr[0]}" idle:3 "${data_bob[@]}" say:x say:. reply:250 \
	    say:QUIT reply:221 eof
	keeps 1
}

@test "a client beyond the number of workers waits and is served in turn" {
	hold
	serve --listen 127.0.0.1:0 --workers 1 "${holding[@]}"
	dial "${addr[0]}" reply say:'HELO c.example' \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof >'$tmp/second' &" \
	    run:"touch '$tmp/go'" reply:250 say:NOOP reply:250 \
	    say:QUIT reply:221 eof
	eventually grep -q ^221 "$tmp/second"
}

@test "a killed worker is replaced, and the signal is logged" {
	serve --listen 127.0.0.1:0 --workers 2
	local victim
	victim=$(workers | head -n 1)
	kill -KILL "$victim"
	eventually pool_without 2 "$victim"
	eventually events worker-died
	events worker-died | grep -E "(^|[ =])$victim( |\$)"
	events worker-died | grep -E 'KILL|[Kk]illed|signal=9'
	send_one "${addr[0]}"
	keeps 1
}

@test "a killed worker is replaced even if SIGCHLD was ignored at the start, and SIGTERM ends all" {
	local victim pids
	# shellcheck disable=SC2016 # for that shell; dash would not ignore it
	environment=(bash -c 'trap "" CHLD; exec "$@"' bash)
	"${environment[@]}" grep '^SigIgn:.*1....$' /proc/self/status
	serve --listen 127.0.0.1:0 --workers 2
	victim=$(workers | head -n 1)
	kill -KILL "$victim"
	eventually pool_without 2 "$victim"
	send_one "${addr[0]}"
	keeps 1
	mapfile -t pids < <(workers)
	kill -TERM "$master"
	eventually gone "$master" "${pids[@]}"
	wait "$master"
	master=''
}

# bats test_tags=native
@test "a worker killed in a session ends only that session" {
	serve --listen 127.0.0.1:0 --workers 3
	dial "${addr[0]}" idle:1 "${data_bob[@]}" send:'half of\r\n' settle \
	    run:"kill -SEGV $(workers | paste -sd ' ')" eof
	eventually events worker-died
	eventually pool 3
	# new/ has nothing; what a killed worker left in tmp/ is no mail
	[[ $(kept) == 0 ]]
	send_one "${addr[0]}"
	[[ $(kept) == 1 ]]
}

@test "workers that die soon after their start are replaced more and more slowly" {
	five() {
		(($(events worker-died | wc -l) >= 5))
	}
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL=accept:1+:kill)
	local start=${EPOCHREALTIME/[.,]/}
	serve --listen 127.0.0.1:0 --workers 1
	eventually five
	# five deaths at once would take milliseconds
	echo "$(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms"
	((${EPOCHREALTIME/[.,]/} - start > 1000000))
	events worker-died | grep -E 'KILL|[Kk]illed|signal=9'
	kill -0 "$master"
}

@test "a worker that died soon after its start once is replaced soon" {
	local victim
	serve --listen 127.0.0.1:0 --workers 1
	victim=$(workers)
	kill -KILL "$victim"
	eventually pool_without 1 "$victim"
	send_one "${addr[0]}"
	keeps 1
}

@test "a fork that fails stops nothing else" {
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL=fork:3+:EAGAIN
	    FAIL_LOG="$tmp/failed")
	serve --listen 127.0.0.1:0 --workers 2
	kill -KILL "$(workers | head -n 1)"
	eventually failed fork
	eventually grep -q 'Resource temporarily unavailable' "$log"
	send_one "${addr[0]}"
	pool 1
	keeps 1
}

@test "an accept that fails ends no worker" {
	local error
	for error in ECONNABORTED EMFILE ENFILE ENOMEM EINTR; do
		environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL="accept:1:$error"
		    FAIL_LOG="$tmp/failed")
		rm -rf "$dir" "$tmp/failed"
		serve --listen 127.0.0.1:0 --workers 1
		send_one "${addr[0]}"
		failed accept
		[[ -z $(events worker-died) ]]
		keeps 1
		end_daemon
	done
}

@test "an accept that keeps failing is logged each time, and tried ten times a second" {
	five() {
		(($(events accept-failed | wc -l) >= 5))
	}
	shim accept:1+:EPERM
	serve --listen 127.0.0.1:0 --workers 1
	eventually five
	disarm
	send_one "${addr[0]}"
	events accept-failed | grep -F 'Operation not permitted'
	(($(grep -c '^accept' "$tmp/failed") == $(events accept-failed | wc -l)))
	# the lines of each second of the log
	events accept-failed | grep -o '^time=[^.]*' | uniq -c >"$tmp/seconds"
	cat "$tmp/seconds"
	awk '$1 > 11 { exit 1 }' "$tmp/seconds"
	[[ -z $(events worker-died) ]]
	keeps 1
}

@test "workers end when the master is killed" {
	serve --listen 127.0.0.1:0 --workers 3
	local pids
	mapfile -t pids < <(workers)
	((${#pids[@]} == 3))
	stray "${pids[@]}"
	kill -KILL "$master"
	eventually gone "${pids[@]}"
	wait "$master" || true
	master=''
	run ! t/smtpc -T 5 -c "${addr[0]}" -- reply
}

@test "workers in a session end when the master is killed, and nothing partial is left" {
	serve --listen 127.0.0.1:0 --workers 2
	local pids
	mapfile -t pids < <(workers)
	((${#pids[@]} == 2))
	stray "${pids[@]}"
	dial "${addr[0]}" idle:1 "${data_bob[@]:0:7}" run:"kill -KILL $master" \
	    eof
	eventually gone "${pids[@]}"
	wait "$master" || true
	master=''
	keeps 0
}

@test "--recycle-after replaces a worker after so many sessions, without logging a death" {
	serve --listen 127.0.0.1:0 --workers 1 --recycle-after 2
	local first second
	first=$(workers)
	send_one "${addr[0]}"
	send_one "${addr[0]}"
	eventually pool_without 1 "$first"
	second=$(workers)
	send_one "${addr[0]}"
	[[ $(workers) == "$second" ]]
	send_one "${addr[0]}"
	eventually pool_without 1 "$first" "$second"
	[[ -z $(events worker-died) ]]
	keeps 4
}

@test "with --recycle-after 1 every session is served" {
	serve --listen 127.0.0.1:0 --workers 2 --recycle-after 1
	local i
	for i in {1..20}; do
		send_one "${addr[0]}"
	done
	keeps 20
	[[ -z $(events worker-died) ]]
}

@test "descriptors and children of a worker do not grow with its sessions" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	serve --listen 127.0.0.1:0 --workers 1
	local pid fds i
	pid=$(workers)
	send_one "${addr[0]}"
	fds=$(find /proc/"$pid"/fd -mindepth 1 | wc -l)
	((fds > 3))
	for i in {1..10}; do
		send_one "${addr[0]}"
		dial "${addr[0]}" "${data_bob[@]}" send:'x\n.\n' reset
		dial "${addr[0]}" reply say:FROB reply:500 close
	done
	dial "${addr[0]}" reply say:NOOP reply:250 \
	    run:"test \$(ls /proc/$pid/fd | wc -l) -le $((fds + 1))" \
	    say:QUIT reply:221 eof
	[[ -z $(children "$pid") ]]
	[[ $(workers) == "$pid" ]]
}

# bats test_tags=memory
@test "a worker's memory does not grow with its sessions" {
	serve --listen 127.0.0.1:0 --workers 1 --recycle-after 0
	local pid before after i
	pid=$(workers)
	rss() {
		sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' /proc/"$pid"/status
	}
	for i in {1..5}; do
		send_one "${addr[0]}"
	done
	before=$(rss)
	for i in {1..60}; do
		send_one "${addr[0]}" >/dev/null
	done
	after=$(rss)
	echo "$before kB before, $after kB after"
	((before > 0 && after - before < 300))
}

# bats test_tags=memory
@test "what a large message took is given back, while its client is silent and later" {
	serve --listen 127.0.0.1:0 --workers 1
	local pid before few='/^RssAnon:/ { n = $2 } END { exit !(n < limit) }'
	pid=$(workers)
	send_one "${addr[0]}"
	before=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
	echo "$before kB before"
	((before > 0))
	dial "${addr[0]}" "${data_bob[@]}" \
	    repeat:30000:"$(printf %076d 0)\\r\\n" send:'.\r\n' reply:250 \
	    run:"t/until awk -v limit=$((before + 100)) '$few' /proc/$pid/status" \
	    say:QUIT reply:221 eof
	eventually awk -v limit=$((before + 60)) "$few" "/proc/$pid/status"
	[[ $(workers) == "$pid" ]]
}

@test "a client delivers beside 200 idle clients in a pool of 256" {
	serve --listen 127.0.0.1:0 --workers 256
	dial "${addr[0]}" idle:200 "${data_bob[@]}" \
	    send:'Subject: x\r\n\r\nbody\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1
	pool 256
}

@test "a client that resets, in any phase, ends no worker" {
	serve --listen 127.0.0.1:0 --workers 1
	local n pid
	pid=$(workers)
	for n in 0 1 3 5 7 9; do
		dial "${addr[0]}" "${data_bob[@]:0:n}" reset
	done
	dial "${addr[0]}" "${data_bob[@]}" send:'text\r\n.' settle reset
	send_one "${addr[0]}"
	keeps 1
	[[ $(workers) == "$pid" ]]
	[[ -z $(events worker-died) ]]
}

@test "mail of many clients at once is neither lost nor duplicated" {
	serve --listen 127.0.0.1:0 --workers 8
	local i pids=()
	for i in {1..40}; do
		t/smtpc -c "${addr[0]}" -- "${data_bob[@]}" \
		    send:"Subject: $i\r\n\r\n$i\r\n.\r\n" reply:250 say:QUIT \
		    reply:221 eof >/dev/null 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	keeps 40
	[[ $(cat "$dir"/new/* | grep '^Subject: ' | sort -u | wc -l) == 40 ]]
}

@test "as root the workers run as --user, and so does the master" {
	((EUID == 0)) || skip 'only root can drop privileges'
	serve --listen 127.0.0.1:0 --workers 1
	local pid nobody uid
	nobody=$(id -u nobody)
	for pid in "$master" $(workers); do
		uid=$(grep -E '^(Uid|Gid|Groups):' /proc/"$pid"/status)
		echo "$uid"
		[[ $uid == "Uid:	$nobody	$nobody	$nobody	$nobody"$'\n'* ]]
		lacks -E '(Groups|Gid):.*[^0-9]0([^0-9]|$)' <<<"$uid"
	done
	send_one "${addr[0]}"
	[[ $(stat -c %u "$(message)") == "$nobody" ]]
}

@test "a relative Maildir is below the current directory" {
	local here=$PWD
	dir=Maildir
	mkdir "$tmp/here"
	((EUID != 0)) || chown nobody "$tmp/here"
	cd "$tmp/here"
	mkfifo "$tmp/ready"
	"$here/smtpd" -m Maildir -H mx.example "${nobody[@]}" --ready-fd 5 \
	    --listen 127.0.0.1:0 --workers 1 5>"$tmp/ready" 2>>"$log" \
	    >/dev/null </dev/null 3>&- 4>&- &
	master=$!
	mapfile -t addr < <(timeout 60 cat "$tmp/ready")
	cd "$here"
	send_one "${addr[0]}"
	keeps 1 "$tmp/here/Maildir"
}

@test "the log of a daemon begins with its listeners" {
	serve --listen 127.0.0.1:0 --workers 1
	head -n 1 "$log" | grep -F "${addr[0]}"
}

@test "nothing is written to standard output" {
	serve --listen 127.0.0.1:0 --workers 1
	send_one "${addr[0]}"
	end_daemon
	[[ ! -s $tmp/stdout ]]
}
