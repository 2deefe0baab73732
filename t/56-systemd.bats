# Under systemd, which t/manager plays: sockets in LISTEN_FDS, notifications to
# the service manager, the journal, and the state directory.

load helpers

send_one() {
	dial "$1" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
}

# refused STATUS WORD... -- OPTION...: with these sockets the server does not
# start, and says why in one line
refused() {
	local want=$1 words=()
	shift
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	status=0
	timeout 60 t/manager sockets "${words[@]}" run ./smtpd -m "$dir" \
	    "${nobody[@]}" "${@:2}" </dev/null >"$tmp/out" 2>"$tmp/err" ||
	    status=$?
	sed 's/^/E: /' "$tmp/err"
	[[ $status == "$want" && ! -s $tmp/out ]] || return
	[[ $(wc -l <"$tmp/err") == 1 && $(<"$tmp/err") == 'smtpd: '?* ]]
}

@test "sockets of LISTEN_FDS are served, and there is no port 25 by default" {
	environment=(t/manager sockets tcp "unix=$tmp/sock" run)
	serve --workers 2
	((${#addr[@]} == 2))
	[[ ${addr[0]} == 127.0.0.1:* && ${addr[1]} == "$tmp/sock" ]]
	local a
	for a in "${addr[@]}" "${addr[@]}"; do
		send_one "$a"
	done
	keeps 4
}

@test "a single socket of LISTEN_FDS is served" {
	environment=(t/manager sockets tcp run)
	serve --workers 1
	send_one "${addr[0]}"
	send_one "${addr[0]}"
	keeps 2
}

@test "a descriptor's name is its kind; without a known name the kind is smtp" {
	environment=(t/manager sockets "tcp,submission" "tcp,smtpd.socket" run)
	serve --workers 2 --auth /bin/false --plain-auth
	dial "${addr[0]}" reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:'530 5.7.0 ' say:QUIT eof
	send_one "${addr[1]}"
	end_daemon
	environment=(t/manager sockets tcp "tcp,submission" run)
	serve --workers 2 --auth /bin/false --plain-auth
	send_one "${addr[0]}"
	keeps 2
}

@test "a socket of the kind smtps is enough for --require-tls without STARTTLS" {
	environment=(t/manager sockets "tcp,smtps" run)
	serve --workers 1 --tls true --require-tls --disable STARTTLS
	kill -HUP "$master"
	eventually eval '(($(events listening | wc -l) == 2))'
	lacks restart-failed "$log"
}

@test "a kind that lacks what it needs is a usage error: 64" {
	refused 64 tcp,submission --
	[[ ! -e $dir ]]
}

@test "--listen adds listeners to those of LISTEN_FDS" {
	environment=(t/manager sockets tcp run)
	serve --workers 2 --listen 127.0.0.1:0
	((${#addr[@]} == 2))
	send_one "${addr[0]}"
	send_one "${addr[1]}"
	keeps 2
}

@test "LISTEN_FDS=0 passes no socket" {
	environment=(LISTEN_PID=1 LISTEN_FDS=0 bash -c "LISTEN_PID=\$\$ exec \"\$@\"" bash)
	serve --listen 127.0.0.1:0 --workers 1
	((${#addr[@]} == 1))
	send_one "${addr[0]}"
	keeps 1
}

@test "LISTEN_FDS for another process is ignored" {
	environment=(MANAGER_PID=1 t/manager sockets tcp run)
	serve --workers 1 --listen "$tmp/sock"
	((${#addr[@]} == 1))
	[[ ${addr[0]} == "$tmp/sock" ]]
	send_one "${addr[0]}"
}

@test "LISTEN_FDS that is not a number, or counts closed descriptors: 64" {
	local n
	for n in x -1 1x '' 99 99999999999999999999; do
		run -64 timeout 60 bash -c \
		    'LISTEN_PID=$$ LISTEN_FDS=$1 exec ./smtpd -m "${@:2}"' \
		    bash "$n" "$dir" "${nobody[@]}" --listen "$tmp/sock" </dev/null
		[[ $output == 'smtpd: LISTEN_FDS '* ]]
	done
	[[ ! -e $dir ]]
}

@test "a descriptor that is not a listening stream socket: 69" {
	refused 69 tcp file --
	grep -F 'descriptor 4: not a socket' "$tmp/err"
	refused 69 udp --
	refused 69 tcp udp --
	[[ ! -e $dir ]]
}

@test "--ready-fd that is a descriptor of LISTEN_FDS: 64" {
	refused 64 tcp tcp -- --ready-fd 4
}

@test "--inetd and listeners of LISTEN_FDS exclude each other: 64" {
	refused 64 tcp -- --inetd
}

@test "a socket from systemd stays open when smtpd stops" {
	environment=(t/manager sockets "unix=$tmp/sock" run)
	serve --workers 1
	end_daemon
	[[ -S $tmp/sock ]]
}

@test "one connection (Accept=yes) is one session, as under inetd" {
	local cmd
	command_line
	cmd=("${cmd[@]/-i/--strict}")	# something harmless in its place
	[[ "${cmd[*]}" != *' -i '* ]]
	t/smtpc -t -e "$log" t/manager sockets stdin run "${cmd[@]}" -- \
	    "${data_bob[@]}" say:x say:. reply:250 say:QUIT reply:221 eof \
	    exit:0 >"$tmp/replies"
	keeps 1
	events message | grep -F ' client=127.0.0.1 '
}

@test "one connection with --inetd is one session, and the descriptor's name is its kind" {
	local cmd
	options=(--auth /bin/false --plain-auth)
	command_line
	t/smtpc -t -e "$log" t/manager sockets "stdin,submission" run "${cmd[@]}" \
	    -- reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:'530 5.7.0 ' say:QUIT reply:221 \
	    eof exit:0
}

@test "a connection and --listen exclude each other: 64" {
	t/smtpc -t -e "$log" t/manager sockets stdin run ./smtpd -m "$dir" \
	    "${user[@]}" -l 127.0.0.1:0 -- eof exit:64
	grep '^smtpd: --listen: ' "$log"
}

# shellcheck disable=SC2016 # for the hook
@test "hooks get no variables or descriptors of the service manager" {
	hook look <<-'EOF'
		env >$tmp/seen
		ls /proc/self/fd | wc -l >$tmp/fds
	EOF
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	chmod 777 "$tmp"
	manage "$tmp/notify"
	environment+=(WATCHDOG_USEC=10000000 t/manager sockets "tcp,smtp" run)
	serve --workers 1 --on-hello "$tmp/look"
	dial "${addr[0]}" reply say:'HELO c.example' reply:250 say:QUIT reply:221 eof
	[[ -s $tmp/seen ]]
	lacks -E '^(LISTEN_|NOTIFY_|WATCHDOG_)' "$tmp/seen"
	(($(<"$tmp/fds") <= 4))
}

@test "the manager gets READY=1 when the pool accepts, and STOPPING=1, from the main pid" {
	manage "$tmp/notify"
	serve --workers 2 --listen 127.0.0.1:0
	eventually grep -q READY=1 "$told"
	grep -E "^$master READY=1 MAINPID=$master( |\$)" "$told"
	lacks STOPPING "$told"
	kill -TERM "$master"
	eventually grep -qx "$master STOPPING=1" "$told"
	eventually gone "$master"
	[[ $(cut -d' ' -f1 "$told" | sort -u) == "$master" ]]
}

@test "NOTIFY_SOCKET may be an abstract address" {
	manage "@smtpd-test-$BASHPID-$RANDOM"
	serve --workers 1 --listen 127.0.0.1:0
	eventually grep -q "^$master READY=1 " "$told"
}

@test "STATUS= has the number of busy workers and the totals, when they change" {
	manage "$tmp/notify"
	serve --workers 2 --listen 127.0.0.1:0
	eventually grep -Fqx "$master STATUS=0 of 2 workers busy; 0 sessions, 0 messages" "$told"
	send_one "${addr[0]}"
	eventually grep -Fqx "$master STATUS=0 of 2 workers busy; 1 sessions, 1 messages" "$told"
	dial "${addr[0]}" reply run:"t/until grep -q \
		'STATUS=1 of 2 workers busy; 2 sessions, 1 messages' $told" \
	    say:QUIT reply:221 eof
	[[ -z $(grep STATUS= "$told" | sort | uniq -d) ]]
}

# signs N: so many signs of life came
signs() {
	(($(grep -cx "$master WATCHDOG=1" "$told") >= $1))
}

@test "WATCHDOG=1 is sent at half of WATCHDOG_USEC, with a full pool, too" {
	manage "$tmp/notify"
	environment+=(WATCHDOG_USEC=400000)
	local start=${EPOCHREALTIME/[.,]/}
	serve --workers 1 --listen 127.0.0.1:0
	dial "${addr[0]}" reply \
	    run:"t/until eval 'test \$(grep -c WATCHDOG=1 $told) -ge 5'" \
	    say:QUIT reply:221 eof
	# and not more often
	((${EPOCHREALTIME/[.,]/} - start > 5 * 150000))
}

@test "half of WATCHDOG_USEC need not be a whole number of seconds" {
	manage "$tmp/notify"
	environment+=(WATCHDOG_USEC=2400000)
	local start=${EPOCHREALTIME/[.,]/}
	serve --workers 1 --listen 127.0.0.1:0
	eventually signs 5
	# 4.8 seconds; on whole ones it would be 8
	((${EPOCHREALTIME/[.,]/} - start < 7500000))
}

@test "WATCHDOG=1 is not sent if WATCHDOG_PID is another process, or without WATCHDOG_USEC" {
	manage "$tmp/notify"
	local watched
	for watched in WATCHDOG_PID=1 WATCHDOG_USEC=0 WATCHDOG_USEC=x \
	    WATCHDOG_USEC=-4000000; do
		environment=(NOTIFY_SOCKET="$tmp/notify" WATCHDOG_USEC=100000 "$watched")
		serve --workers 1 --listen 127.0.0.1:0
		eventually grep -q "^$master STATUS=" "$told"
		send_one "${addr[0]}"
		eventually grep -q "^$master STATUS=.* 1 messages" "$told"
		end_daemon
	done
	lacks WATCHDOG= "$told"
}

@test "a pool without workers sends neither READY=1 nor WATCHDOG=1" {
	manage "$tmp/notify"
	environment+=(WATCHDOG_USEC=200000)
	env "${environment[@]}" LD_PRELOAD="$PWD/t/fail.so" FAIL=fork:1+:EAGAIN \
	    FAIL_LOG="$tmp/failed" ./smtpd -m "$dir" "${nobody[@]}" \
	    --workers 1 --listen 127.0.0.1:0 2>>"$log" </dev/null 3>&- 4>&- &
	master=$!
	eventually grep -q "^$master STATUS=" "$told"
	two() {
		(($(grep -c ^fork "$tmp/failed") >= 2))
	}
	eventually two
	lacks -E '(READY|WATCHDOG)=' "$told"
	[[ -z $(events listening) ]]
}

@test "a start that fails never sends READY=1" {
	manage "$tmp/notify"
	run -69 env "${environment[@]}" timeout 60 ./smtpd -m "$dir" \
	    "${nobody[@]}" --listen 203.0.113.254:0
	[[ ! -s $told ]]
}

@test "NOTIFY_SOCKET may be in a directory that --user can't search" {
	((EUID == 0)) || skip 'only root can drop privileges'
	mkdir -m 0700 "$tmp/private"
	manage "$tmp/private/notify"
	serve --workers 1 --listen 127.0.0.1:0
	eventually grep -q "^$master READY=1 " "$told"
}

@test "a NOTIFY_SOCKET that can't be used is a warning, and mail is accepted" {
	local where
	for where in "$tmp/none/notify" relative / @ "/$(printf '%0120d' 0)" \
	    vsock:2:1234; do
		environment=(NOTIFY_SOCKET="$where")
		: >"$log"
		serve --workers 1 --listen 127.0.0.1:0
		events notify-failed | grep -F " what=$where "
		send_one "${addr[0]}"
		end_daemon
	done
	keeps 6
}

@test "a manager that is gone is one warning, and smtpd goes on" {
	manage "$tmp/notify"
	serve --workers 1 --listen 127.0.0.1:0
	eventually grep -q READY=1 "$told"
	kill "$manager"
	eventually gone "$manager"
	send_one "${addr[0]}"
	end_daemon
	(($(events notify-failed | wc -l) == 1))
	keeps 1
}

@test "log lines for the journal begin with their priority and have no time" {
	environment=(t/manager journal "$tmp/journal" t/manager sockets tcp run)
	serve --workers 1 --listen 127.0.0.1:0
	send_one "${addr[0]}"
	kill -KILL "$(children "$master")"
	eventually grep '^<3>event=worker-died ' "$tmp/journal"
	grep '^<6>event=listening address=' "$tmp/journal"
	grep '^<6>event=message client=127\.0\.0\.1 ' "$tmp/journal"
	grep '^<4>event=warning text=' "$tmp/journal"
	lacks -v '^<[346]>event=[a-z-]* ' "$tmp/journal"
	[[ ! -s $log ]]
}

@test "start-up errors for the journal begin with their priority" {
	run -73 timeout 60 t/manager journal "$tmp/journal" ./smtpd \
	    -m "$tmp/no/such" "${nobody[@]}" --listen 127.0.0.1:0
	eventually grep '^<3>smtpd: maildir ' "$tmp/journal"
}

@test "relative paths are below the first directory of STATE_DIRECTORY" {
	mkdir -p "$tmp/state"
	chmod 711 "$tmp"
	((EUID != 0)) || chown nobody "$tmp/state"
	dir=mail
	environment=(STATE_DIRECTORY="$tmp/state:/nowhere")
	serve --workers 1 --listen 127.0.0.1:0
	send_one "${addr[0]}"
	keeps 1 "$tmp/state/mail"
	end_daemon
	dir=$tmp/absolute
	serve --workers 1 --listen 127.0.0.1:0
	send_one "${addr[0]}"
	keeps 1 "$tmp/absolute"
}

@test "a relative --spool is below STATE_DIRECTORY, too" {
	mkdir -p "$tmp/state/spool"
	chmod 711 "$tmp" "$tmp/state"
	dir=none
	environment=(STATE_DIRECTORY="$tmp/state")
	options=(--deliver true --spool spool)
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 250 221" ]]
	options=(--deliver true --spool nowhere)
	command_line
	run -73 timeout 60 "${cmd[@]}" </dev/null
	[[ $output == *"$tmp/state/nowhere"* ]]
}
