# SIGHUP: the program that is on disk replaces the running one if its checks
# succeed, and no client is refused, cut or lost.

load helpers
unset BATS_NO_PARALLELIZE_WITHIN_FILE

setup_file() {
	# a directory that any user can search, for programs to restart as
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/* 2>/dev/null || true
}

# serve_copy OPTION...: serve with a copy of the program, $bin, that can be
# replaced
serve_copy() {
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	mkdir -m "${bin_mode:-755}" "$tmp/bin"
	bin=$tmp/bin/smtpd
	cp smtpd "$bin"
	mkfifo "$tmp/ready"
	"${environment[@]+env}" "${environment[@]}" "$bin" -m "$dir" \
	    -H mx.example "${nobody[@]}" --ready-fd 5 "$@" \
	    5>"$tmp/ready" 2>>"$log" >"$tmp/stdout" </dev/null 3>&- 4>&- &
	master=$!
	mapfile -t addr < <(timeout 60 cat "$tmp/ready")
	rm "$tmp/ready"
	((${#addr[@]} > 0))
}

# replace: the program on disk becomes another one, that of standard input
replace() {
	cat >"$bin.new"
	chmod "${1:-755}" "$bin.new"
	mv "$bin.new" "$bin"
}

send_one() {
	dial "$1" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
}

# logged N EVENT: there are N lines about the event
logged() {
	(($(events "$2" | wc -l) == $1))
}

# only N PID...: the master has N children, and these are not among them
only() {
	local n=$1 pid
	shift
	(($(children "$master" | wc -l) == n)) || return
	for pid; do
		! children "$master" | grep -qx "$pid" || return 1
	done
}

# hang_up [N]: SIGHUP to the master, and the N-th new pool takes over
hang_up() {
	local old
	mapfile -t old < <(children "$master")
	kill -HUP "$master"
	eventually logged "${1:-1}" restarting
	eventually only "${#old[@]}" "${old[@]}"
}

# refuses_restart: SIGHUP is answered by a line that says why it is not done
refuses_restart() {
	local before
	before=$(events restart-failed | wc -l)
	kill -HUP "$master"
	eventually logged $((before + 1)) restart-failed
	logged 0 restarting
	send_one "${addr[0]}"
}

@test "SIGHUP starts new workers with the same master pid and address" {
	local old
	serve --workers 3 --listen 127.0.0.1:0
	mapfile -t old < <(children "$master")
	kill -HUP "$master"
	eventually only 3 "${old[@]}"
	gone "${old[@]}"
	send_one "${addr[0]}"
	send_one "${addr[0]}"
	keeps 2
	logged 1 restarting
	logged 2 listening
	logged 0 worker-died
	end_daemon
	logged 1 draining
	events stopped | grep -F ' killed=0'
}

@test "SIGHUP keeps arguments and directory, and does not write to --ready-fd again" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	serve --workers 1 --listen 127.0.0.1:0 --ready-fd 5
	tr '\0' '\n' </proc/"$master"/cmdline >"$tmp/before"
	hang_up 1
	hang_up 2
	tr '\0' '\n' </proc/"$master"/cmdline >"$tmp/after"
	[[ -s $tmp/before ]]
	[[ /proc/$master/cwd -ef . ]]
	send_one "${addr[0]}"
}

@test "SIGHUP keeps several listeners open, TCP and Unix sockets" {
	local a
	serve --workers 2 --listen 127.0.0.1:0 --listen "$tmp/sock" \
	    --listen submission@127.0.0.1:0 --auth /bin/false --plain-auth
	hang_up 1
	hang_up 2
	for a in "${addr[0]}" "${addr[1]}" "${addr[0]}"; do
		send_one "$a"
	done
	dial "${addr[2]}" reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:'530 5.7.0 ' say:QUIT eof
	keeps 3
	[[ -S $tmp/sock ]]
}

@test "SIGHUP keeps the sockets from systemd and their kinds" {
	environment=(t/manager sockets "tcp,submission" "unix=$tmp/sock" run)
	serve --workers 2 --auth /bin/false --plain-auth
	hang_up 1
	hang_up 2
	send_one "${addr[1]}"
	dial "${addr[0]}" reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:'530 5.7.0 ' say:QUIT eof
	end_daemon
	[[ -S $tmp/sock ]]
}

@test "an old worker serves its session to the end, beside the new pool" {
	local old
	serve --workers 1 --listen 127.0.0.1:0
	old=$(children "$master")
	dial "${addr[0]}" "${data_bob[@]:0:5}" run:"kill -HUP $master" \
	    run:"t/until t/smtpc -T 5 -c ${addr[0]} -- reply:220 say:QUIT eof \
		>/dev/null" \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\r\n.\r\n' reply:250 say:NOOP reply:250 \
	    run:"kill -0 $old" say:QUIT reply:221 eof
	eventually only 1 "$old"
	keeps 1
	logged 1 restarting
	logged 0 worker-died
}

@test "at --drain-timeout the session of an old worker gets 421 4.3.2" {
	local old
	serve --workers 1 --listen 127.0.0.1:0 --drain-timeout 1
	old=$(children "$master")
	dial "${addr[0]}" "${data_bob[@]:0:5}" run:"kill -HUP $master" \
	    reply:'421 4.3.2 ' eof
	eventually only 1 "$old"
	send_one "${addr[0]}"
	logged 0 worker-died
}

@test "an old worker that does not end is killed" {
	local old
	serve --workers 1 --listen 127.0.0.1:0 --drain-timeout 1
	old=$(children "$master")
	kill -STOP "$old"
	kill -HUP "$master"
	eventually logged 1 restarting
	send_one "${addr[0]}"
	eventually only 1 "$old"
	events worker-died | grep -F " pid=$old signal=9 "
}

@test "a worker that is taken over is retired, although it denies that new ones accept" {
	local old
	environment=(LD_PRELOAD="$PWD/t/escape.so" ESCAPE=scribble
	    ESCAPE_LOG="$tmp/escape")
	: >"$tmp/escape"
	chmod 666 "$tmp/escape"
	serve --workers 2 --listen 127.0.0.1:0 --drain-timeout 1
	mapfile -t old < <(children "$master")
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' \
	    run:"kill -HUP $master" eof
	eventually only 2 "${old[@]}"
	logged 1 worker-stopping
	events worker-died | grep -F ' signal=9 '
}

@test "SIGTERM drains the workers of all generations" {
	local restarted="t/until eval 'test \$(grep -c =restarting $log)"
	serve --workers 1 --listen 127.0.0.1:0
	dial "${addr[0]}" "${data_bob[@]}" send:'one\r\n' settle \
	    run:"kill -HUP $master; $restarted = 1'" \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 run:'touch $tmp/second' reply:421 eof >$tmp/said &
		t/until test -e $tmp/second" \
	    run:"kill -HUP $master; $restarted = 2'" \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 run:'touch $tmp/third' reply:421 eof >$tmp/said.3 &
		t/until test -e $tmp/third" \
	    run:"kill -TERM $master" send:'two\r\n.\r\n' reply:250 \
	    reply:'421 4.3.2 ' eof
	eventually gone "$master"
	wait "$master"
	master=''
	eventually grep -q '^421 4.3.2' "$tmp/said"
	eventually grep -q '^421 4.3.2' "$tmp/said.3"
	keeps 1
	events stopped | grep -F ' killed=0'
}

@test "SIGTERM ends old workers that are stopped by SIGSTOP, too" {
	local pids
	serve --workers 2 --listen 127.0.0.1:0
	hang_up 1
	mapfile -t pids < <(children "$master")
	kill -TERM "$master"
	eventually gone "$master" "${pids[@]}"
	wait "$master"
	master=''
}

@test "old and new workers end when the master is killed after a restart" {
	local restarted="t/until eval 'test \$(grep -c =restarting $log)"
	serve --workers 1 --listen 127.0.0.1:0
	dial "${addr[0]}" reply run:"kill -HUP $master; $restarted = 1'" \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT eof >/dev/null" \
	    run:"kill -KILL $master" reply:'421 4.3.2 ' eof
	eventually gone "$master"
	wait "$master" || true
	master=''
	refused() {
		! t/smtpc -T 5 -c "${addr[0]}" -- reply:220 2>/dev/null
	}
	eventually refused
}

@test "SIGHUP runs the program that is on disk now" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	serve_copy --workers 1 --listen 127.0.0.1:0
	[[ /proc/$master/exe -ef $bin ]]
	replace <smtpd
	[[ ! /proc/$master/exe -ef $bin ]]
	hang_up 1
	[[ /proc/$master/exe -ef $bin ]]
	rm "$bin"
	replace <smtpd
	hang_up 2
	[[ /proc/$master/exe -ef $bin ]]
	send_one "${addr[0]}"
}

@test "if the new program's checks fail, the old one goes on, and the log says why" {
	serve_copy --workers 1 --listen 127.0.0.1:0
	replace <<-'EOF'
		#!/bin/sh
		echo 'smtpd: no such option here' >&2
		exit 64
	EOF
	refuses_restart
	events restart-failed | grep -F " status=64"
	grep -x 'smtpd: no such option here' "$log"
	# and another try is made of the next one
	replace <smtpd
	hang_up 1
	send_one "${addr[0]}"
}

@test "if --user can't reach the program, the start, --explain and SIGHUP say so" {
	local said=" program=$tmp/bin/smtpd error=\"Permission denied\" uid="
	((EUID == 0)) || skip 'only root can start what its user could not'
	bin_mode=700 serve_copy --workers 1 --listen 127.0.0.1:0
	events warning |
	    grep -F " text=\"SIGHUP could not restart $bin: Permission denied for uid $(id -u nobody); install it in "
	refuses_restart
	events restart-failed | grep -F "$said" | grep -F ' hint="install it in '
	run -0 "$bin" --explain -m "$dir" "${nobody[@]}" --listen 127.0.0.1:0
	[[ $output == *"warning: SIGHUP could not restart $bin: Permission denied for uid $(id -u nobody); install it in "* ]]
	chmod 711 "$tmp/bin"
	run -0 "$bin" --explain -m "$dir" "${nobody[@]}" --listen 127.0.0.1:0
	[[ $output != *SIGHUP* ]]
	hang_up 1
	(($(events warning | grep -c SIGHUP) == 1))
}

@test "if the program is missing or can't be executed, the old one goes on" {
	serve_copy --workers 1 --listen 127.0.0.1:0
	rm "$bin"
	refuses_restart
	events restart-failed | grep -F 'No such file'
	replace 644 <smtpd
	refuses_restart
	events restart-failed | grep -F 'Permission denied'
	head -c 64 smtpd | replace
	refuses_restart
	events exec-failed | grep -F 'Exec format error'
	keeps 3
}

@test "if the new program crashes, or is another program, the old one goes on" {
	serve_copy --workers 1 --listen 127.0.0.1:0
	replace <<-'EOF'
		#!/bin/sh
		kill -SEGV $$
	EOF
	refuses_restart
	events restart-failed | grep -F ' signal=11'
	replace <<-'EOF'
		#!/bin/sh
		exit 0
	EOF
	refuses_restart
	events restart-failed | grep -F 'the program is not smtpd'
	keeps 2
}

@test "a check that hangs delays nothing, and another SIGHUP starts no second check" {
	serve_copy --workers 1 --listen 127.0.0.1:0
	replace <<-EOF
		#!/bin/sh
		echo "\$\$" >>$tmp/bin/checks
		exec sleep 100
	EOF
	chmod 777 "$tmp/bin"
	kill -HUP "$master"
	eventually test -s "$tmp/bin/checks"
	kill -HUP "$master"
	send_one "${addr[0]}"
	kill -HUP "$master"
	send_one "${addr[0]}"
	(($(wc -l <"$tmp/bin/checks") == 1))
	# it has an alarm set, which comes in 30 seconds
	kill -ALRM "$(<"$tmp/bin/checks")"
	eventually logged 1 restart-failed
	events restart-failed | grep -F ' signal=14'
	# and it goes with the master
	kill -HUP "$master"
	two() {
		(($(wc -l <"$tmp/bin/checks") == 2))
	}
	eventually two
	end_daemon
	eventually gone "$(tail -n 1 "$tmp/bin/checks")"
	keeps 2
}

@test "a worker that dies during a restart leaves no zombie" {
	local old
	serve_copy --workers 1 --listen 127.0.0.1:0
	old=$(children "$master")
	cp "$bin" "$bin.real"
	# in the master's place, it waits for the death, and reaps nobody as a shell may
	cat >"$tmp/killer.c" <<-EOF
		#define _GNU_SOURCE
		#include <signal.h>
		#include <sys/wait.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			siginfo_t info;
			if (argc > 0 && getpid() == $master) {
				kill($old, SIGKILL);
				waitid(P_PID, $old, &info, WEXITED | WNOWAIT);
			}
			execv("$bin.real", argv);
			return 71;
		}
	EOF
	"${CC:-cc}" -o "$tmp/killer" "$tmp/killer.c"
	replace <"$tmp/killer"
	kill -HUP "$master"
	eventually logged 1 worker-died
	events worker-died | grep -F " pid=$old signal=9 "
	buried() {
		[[ ! -e /proc/$old ]]
	}
	eventually buried
	send_one "${addr[0]}"
}

@test "SIGHUP finds errors that a start would find: a Maildir that is gone" {
	serve --workers 1 --listen 127.0.0.1:0
	mv "$dir" "$tmp/elsewhere"
	: >"$dir"
	kill -HUP "$master"
	eventually logged 1 restart-failed
	events restart-failed | grep -F ' status=73'
	grep "^smtpd: maildir $dir: " "$log"
	rm "$dir"
	mv "$tmp/elsewhere" "$dir"
	hang_up 1
	send_one "${addr[0]}"
	keeps 1
}

@test "a Maildir below a directory that the user can't search is kept open" {
	((EUID == 0)) || skip 'only root can drop privileges'
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	mkdir -m 700 "$tmp/home"
	dir=$tmp/home/Maildir
	serve --workers 1 --listen 127.0.0.1:0
	hang_up 1
	hang_up 2
	send_one "${addr[0]}"
	keeps 1
}

@test "ten restarts leave no descriptor, no child, and no variable" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local i
	serve --workers 2 --listen 127.0.0.1:0
	hang_up 1
	fds() {
		find /proc/"$master"/fd -mindepth 1 | wc -l
	}
	local before
	before=$(fds)
	for i in {2..10}; do
		hang_up "$i"
	done
	(($(fds) == before))
	only 2
	send_one "${addr[0]}"
}

@test "hooks get no variable or descriptor of a restart" {
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	chmod 777 "$tmp"
	hook look <<-'EOF'
		env >$tmp/seen
		ls /proc/self/fd | wc -l >$tmp/fds
	EOF
	serve --workers 1 --listen 127.0.0.1:0 --on-hello "$tmp/look"
	hang_up 1
	dial "${addr[0]}" reply say:'HELO c.example' reply:250 say:QUIT reply:221 eof
	[[ -s $tmp/seen ]]
	lacks -E '^SMTPD_' "$tmp/seen"
	(($(<"$tmp/fds") <= 4))
}

@test "the manager gets RELOADING=1, and READY=1 again whether the restart failed or not" {
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	manage "$tmp/notify"
	serve_copy --workers 1 --listen 127.0.0.1:0
	hang_up 1
	ready() {
		(($(grep -c READY=1 "$told") == $1))
	}
	eventually ready 2
	replace </dev/null
	kill -HUP "$master"
	eventually ready 3
	grep -v -E ' (STATUS|WATCHDOG)=' "$told" | cut -d' ' -f1,2 >"$tmp/order"
	given "$tmp/order" "$master READY=1" "$master RELOADING=1" \
	    "$master READY=1" "$master RELOADING=1"
	grep -E "^$master RELOADING=1 MONOTONIC_USEC=[1-9][0-9]*$" "$told"
	grep -E "^$master READY=1 STATUS=Restart failed" "$told"
}

@test "STATUS= says that a restart failed until the next restart" {
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	manage "$tmp/notify"
	serve_copy --workers 1 --listen 127.0.0.1:0
	replace <<-'EOF'
		#!/bin/sh
		exit 64
	EOF
	refuses_restart
	eventually grep -Fx "$master STATUS=0 of 1 workers busy; 1 sessions, 1 messages; last restart failed: status 64" "$told"
	replace <smtpd
	: >"$told"
	hang_up 1
	eventually grep -E "^$master STATUS=.*[0-9] messages$" "$told"
	lacks 'restart failed' "$told"
}

# drippers N NAME: N clients that are in DATA, and stay there, sending slowly
drippers() {
	local i
	for ((i = 0; i < $1; i++)); do
		t/smtpc -T 300 -c "${addr[0]}" -- "${data_bob[@]}" \
		    run:"touch '$tmp/$2.$i'" drip:200:x eof \
		    >"$tmp/said.$2.$i" 3>&- 4>&- &
		stray "$!"
	done
	for ((i = 0; i < $1; i++)); do
		eventually test -e "$tmp/$2.$i"
	done
}

@test "after many SIGHUPs under full load the newest generation has a full pool" {
	local n
	serve --workers 4 --listen 127.0.0.1:0 --drain-timeout 0 --min-rate 0
	drippers 4 0
	for n in 1 2 3 4 5 6; do
		kill -HUP "$master"
		eventually logged "$n" restarting
		drippers 4 "$n"
	done
	# the oldest made room, and the log says so
	(($(children "$master" | wc -l) <= 20))
	events worker-stopping |
	    grep -E ' worker=[1-4] pid=[0-9]+ client=127.0.0.1 reason="room for a restart"$'
	# and no more of them than it takes
	logged 8 worker-stopping
}

@test "idle old workers are ended before those with a session" {
	local n
	serve --workers 4 --listen 127.0.0.1:0 --drain-timeout 0 --min-rate 0
	drippers 4 0
	for n in {1..12}; do
		kill -HUP "$master"
		eventually logged "$n" restarting
	done
	send_one "${addr[0]}"
	logged 0 worker-stopping
	eventually only 8
}

@test "no restart ends sessions while there are at most --workers of them" {
	local n
	serve --workers 12 --listen 127.0.0.1:0 --drain-timeout 0 --min-rate 0
	drippers 10 0		# with more of them there is pressure
	for n in 1 2 3 4; do
		kill -HUP "$master"
		eventually logged "$n" restarting
	done
	send_one "${addr[0]}"
	logged 0 worker-stopping
}

@test "a session that ends at --drain-timeout is logged with the reason" {
	serve --workers 1 --listen 127.0.0.1:0 --drain-timeout 1
	dial "${addr[0]}" "${data_bob[@]:0:5}" run:"kill -HUP $master" \
	    reply:'421 4.3.2 ' eof
	events worker-stopping |
	    grep -E ' worker=1 pid=[0-9]+ client=127.0.0.1 reason=--drain-timeout$'
}

@test "if no worker can be forked and all old workers are busy, the oldest are ended" {
	shim fork:1+:EAGAIN
	disarm
	serve_copy --workers 2 --listen 127.0.0.1:0 --drain-timeout 0 --min-rate 0
	cp "$bin" "$bin.real"
	replace <<-EOF
		#!/bin/sh
		printf 1 1<>"$tmp/armed"
		exec "$bin.real" "\$@"
	EOF
	: >"$tmp/failed"
	chmod 666 "$tmp/armed" "$tmp/failed"
	drippers 2 0
	kill -HUP "$master"
	eventually logged 2 worker-stopping
	events worker-stopping | grep -F ' reason="room for a new worker"'
	disarm
	eventually only 2
	send_one "${addr[0]}"
}

@test "if no worker can be forked, old workers go on until one can be" {
	shim fork:1+:EAGAIN
	disarm
	serve_copy --workers 3 --listen 127.0.0.1:0
	cp "$bin" "$bin.real"
	replace <<-EOF
		#!/bin/sh
		printf 1 1<>"$tmp/armed"
		exec "$bin.real" "\$@"
	EOF
	: >"$tmp/failed"
	chmod 666 "$tmp/armed" "$tmp/failed"
	kill -HUP "$master"
	eventually failed fork
	send_one "${addr[0]}"
	disarm
	eventually only 3
	logged 1 restarting
	all_new() {
		(($(children "$master" | wc -l) == 3)) || return
		local pid
		for pid in $(children "$master"); do
			[[ /proc/$pid/exe -ef $bin.real ]] || return
		done
	}
	((EUID != 0)) || eventually all_new
	send_one "${addr[0]}"
	keeps 2
}

@test "SMTPD_STATE that smtpd did not set is rejected: 64" {
	local n
	for n in 0 2 77 x 9; do
		run -64 env SMTPD_STATE="$n" timeout 60 ./smtpd -m "$dir" \
		    "${nobody[@]}" --listen 127.0.0.1:0 9</dev/null </dev/null
		[[ $output == 'smtpd: SMTPD_STATE is for '* ]]
	done
	[[ ! -e $dir ]]
}

@test "SMTPD_STATE that is incomplete or of another process is rejected: 64" {
	local ok=$'smtpd 1\nmaster @\nlistener 3 smtp lent\n' text
	t/manager state "${ok}end"$'\n' ./smtpd -m "$dir" "${nobody[@]}" \
	    2>>"$log" </dev/null 3>&- 4>&- &
	master=$!
	eventually logged 1 listening
	end_daemon
	for text in "$ok" "${ok/master @?/}end" "${ok/@/1}end" \
	    "${ok/smtpd 1/smtpd 0}end" "${ok/listener 3/listener 77}end" \
	    "${ok/listener 3/listener 0}end" "${ok/smtp lent/pop3 lent}end" \
	    "${ok/listener*/}end" "${ok}worker 1 1 1 1 0 1"$'\nend' \
	    "${ok}worker @ 1 1 1 0 1"$'\nend' "${ok}pop3 3"$'\nend' \
	    "${ok}scoreboard 77"$'\nend'; do
		run -64 timeout 60 t/manager state "$text"$'\n' ./smtpd -m "$dir" \
		    "${nobody[@]}" </dev/null
		[[ $output == 'smtpd: SMTPD_STATE is for '* ]]
	done
}

@test "a single worker that gets SIGHUP finishes its session, and is replaced" {
	local old
	serve --workers 1 --listen 127.0.0.1:0
	old=$(children "$master")
	dial "${addr[0]}" "${data_bob[@]:0:5}" run:"kill -HUP $old" \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	eventually only 1 "$old"
	logged 0 worker-died
	logged 0 restarting
	keeps 1
}

@test "all clients are served during restarts" {
	local i pids=()
	serve --workers 4 --listen 127.0.0.1:0 --listen "$tmp/sock"
	for i in 1 2 3 4; do
		(for n in {1..15}; do
			t/smtpc -c "${addr[i % 2]}" -- "${data_bob[@]}" \
			    send:"$i.$n\r\n.\r\n" reply:250 say:QUIT reply:221 \
			    eof >/dev/null || exit
		done) 3>&- 4>&- &
		pids+=($!)
	done
	for i in {1..10}; do
		kill -HUP "$master"
		eventually logged "$i" restarting
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	keeps 60
	logged 0 worker-died
	eventually only 4
}

@test "SIGHUP before the pool is ready waits for it, and --ready-fd gets its line" {
	shim fork:1:EAGAIN
	: >"$tmp/failed"
	chmod 666 "$tmp/failed"
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	mkfifo "$tmp/ready"
	cp smtpd "$tmp"
	env "${environment[@]}" "$tmp/smtpd" -m "$dir" -H mx.example "${nobody[@]}" \
	    --workers 1 --listen 127.0.0.1:0 --ready-fd 5 5>"$tmp/ready" \
	    2>>"$log" </dev/null 3>&- 4>&- &
	master=$!
	exec 6<"$tmp/ready"
	eventually failed fork
	kill -HUP "$master"
	read -rt 60 "addr[0]" <&6
	exec 6<&-
	rm "$tmp/ready"
	[[ ${addr[0]} == 127.0.0.1:* ]]
	eventually logged 1 restarting
	send_one "${addr[0]}"
}
