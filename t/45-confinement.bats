# A worker is under seccomp and Landlock, whatever is configured: it can open
# only the Maildir, and execute nothing.  It asks its launcher for commands, and
# that starts only those that are configured.  t/escape.so plays an attacker who
# has taken over the worker.

load helpers
unset BATS_NO_PARALLELIZE_WITHIN_FILE

# confinable: this build is meant to be confined, on a kernel that can
confinable() {
	if grep -qE '__(asan|gcov)_' smtpd; then
		skip 'built with what needs more calls'
	fi
	case $(uname -m) in
	x86_64|aarch64|i?86|armv[78]*|ppc64le|s390x) ;;
	*) skip "not confined on $(uname -m)" ;;
	esac
}

# landlocked: and Landlock is part of it
landlocked() {
	confinable
	: >"$tmp/probe"
	env LD_PRELOAD="$PWD/t/escape.so" ESCAPE_LOG="$tmp/probe" ./smtpd --version
	local version
	version=$(sed -n 's/^landlock //p' "$tmp/probe")
	[[ $version ]]
	((version >= 2)) || skip 'this kernel has no Landlock of use'
}

# escape ATTEMPT [PATH]: what a server does at its first fsync of a file
escape() {
	environment=(LD_PRELOAD="$PWD/t/escape.so" ESCAPE="$1"
	    ESCAPE_PATH="${2-}" ESCAPE_LOG="$tmp/escape")
	: >"$tmp/escape"
	[[ -f t/escape.so ]]
}

# mode PID: of seccomp; 2 is a filter
mode() {
	sed -n 's/^Seccomp:[[:space:]]*//p' "/proc/$1/status"
}

# modes MODE: each worker is in it
modes() {
	local pid pids
	mapfile -t pids < <(children "$master")
	for pid in "${pids[@]}"; do
		[[ $(mode "$pid" 2>/dev/null) == "$1" ]] || return
	done
	((${#pids[@]} > 0))
}

send_one=("${data_bob[@]}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof)

@test "a forbidden call kills the worker, the master logs it, and another worker serves" {
	confinable
	escape socket
	serve --workers 1 --listen 127.0.0.1:0
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' eof
	[[ $codes == '220 250 250 250 354' ]]
	eventually events worker-died
	events worker-died | grep -E ' worker=1 .* signal=31 name="Bad system call" error="a forbidden system call" '
	[[ $(kept) == 0 ]]
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 say:QUIT reply:221 eof
	lacks '^socket' "$tmp/escape"
}

# dies_of SIGNAL ATTEMPT: a worker that was taken over tries this
dies_of() {
	echo "$2"
	rm -rf "$dir"
	escape "$2"
	command_line
	run -1 t/smtpc -p -e "$log" "${cmd[@]}" -- "${data_bob[@]}" \
	    send:'x\r\n.\r\n' eof exit:0
	[[ $output == *"the server died of signal $1"* ]]
}

# every_call: each system call of the table of t/escape.c kills the process
every_call() {
	local call calls
	env LD_PRELOAD="$PWD/t/escape.so" ESCAPE=names ESCAPE_LOG="$tmp/names" \
	    ./smtpd --version
	mapfile -t calls < <(sed -n 's/^name //p' "$tmp/names")
	((${#calls[@]} > 20))
	for call in "${calls[@]}"; do
		dies_of 31 "$call"
		lacks "^$call " "$tmp/escape"
	done
}

@test "each system call that smtpd never makes kills the worker" {
	confinable
	every_call
}

# with_commands: of all kinds; --on-message leaves $tmp/ran
with_commands() {
	echo 'touch "$tmp/ran"' | hook mark
	options=(--on-message "$tmp/mark" --on-recipient true --dsn true
	    --auth true --plain-auth --tls true --resolve)
}

@test "each such call kills the worker with hooks, --auth, --tls and --resolve, too" {
	confinable
	with_commands
	every_call
}

@test "an unconfined program may make such a call, so t/escape.so works" {
	escape socket
	echo x >"$tmp/file"
	env "${environment[@]}" sync "$tmp/file"
	grep -qx 'socket ok' "$tmp/escape"
}

# asks ATTEMPT [REASON]: an attacker asks the launcher for this, and is killed
asks() {
	: >"$log"
	dies_of "${3:-9}" "$1"
	lacks "^$1 ok" "$tmp/escape"
	[[ -z ${2-} ]] || events launcher-refused | grep -F " error=\"$2\""
}

@test "a worker that asks the launcher for anything but its commands is killed and logged" {
	confinable
	with_commands
	asks row 'no such command'
	asks control 'invalid variable'
	asks starts 'too many commands at once'
	asks signals 'too many signals'
	asks stdin 'not the descriptors of the command'
	asks stdout 'not the descriptors of the command'
	asks missing 'a descriptor is missing'
	asks descriptors 'the request is too large'
	asks unknown 'unknown request'
	asks short 'invalid length'
	asks job 'invalid signal'
	asks line 'invalid line'
	asks close '' 31
	[[ $(kept) == 0 ]]
}

@test "a worker can give a command of --tls neither the launcher's socket nor a listener" {
	confinable
	options=(--tls true)
	asks lend-launcher 'not the descriptors of the command'
	rm -r "$dir"
	lent lend-listener
	environment=(ESCAPE_POOL=1 "${environment[@]}")
	: >"$log"
	serve --workers 1 --tls true
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' eof
	events launcher-refused | \
	    grep -F ' error="not the descriptors of the command"'
}

@test "the launcher accepts only documented variables, and SMTP_EVENT from no worker" {
	confinable
	local variable
	echo 'touch "$tmp/ran"' | hook mark
	options=(--on-delivered "$tmp/mark")
	for variable in PATH=/tmp LD_PRELOAD=/tmp/x IFS=/ HOME=/ SMTP_EVENT=mda \
	    SMTP_= SENDER 'SENDER=a
b' "SMTP_HELO=$(printf '%9000s')"; do
		escape start
		environment+=(ESCAPE_VALUE="$variable")
		: >"$log"
		command_line
		run -1 t/smtpc -p -e "$log" "${cmd[@]}" -- "${data_bob[@]}" \
		    send:'x\r\n.\r\n' eof exit:0
		events launcher-refused | grep -F ' error="invalid variable"'
		[[ ! -e $tmp/ran ]]
	done
}

@test "a shell fragment in a value is not executed" {
	confinable
	local fragment="\$(touch $tmp/pwned); touch $tmp/pwned|\`touch $tmp/pwned\`"
	options=(--on-message 'echo "$SMTP_HELO" >>'"$tmp/ran;")
	escape start
	environment+=(ESCAPE_VALUE="SMTP_HELO=$fragment")
	printf '%s\n' "$fragment" >"$tmp/fragment"
	# it would not outlive the session
	talk "${send_one[@]:0:${#send_one[@]}-3}" \
	    run:"t/until grep -qxFf $tmp/fragment $tmp/ran" "${send_one[@]: -3}"
	[[ ! -e $tmp/pwned ]]
}

@test "a request of 1 MiB can't be sent and does no harm" {
	confinable
	with_commands
	escape large
	talk "${send_one[@]}"
	grep -qx 'large Message too long' "$tmp/escape"
	[[ -e $tmp/ran ]]
}

@test "a worker that signals every process can't end another worker's hook" {
	confinable
	hold
	echo 'case $SMTP_HELO in held) touch "$tmp/asked"; exec "$tmp/hold";; esac' | hook ask
	escape signals
	environment+=(ESCAPE_POOL=1)
	serve --workers 2 --listen 127.0.0.1:0 "${holding[@]:0:2}" \
	    --on-hello "$tmp/ask"
	dial "${addr[0]}" reply:220 say:'HELO held' \
	    run:"t/until test -e $tmp/asked; t/smtpc -c ${addr[0]} -- \
		reply:220 say:'HELO c.example' reply:250 say:'MAIL FROM:<>' \
		reply:250 say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA \
		reply:354 send:'x\\r\\n.\\r\\n' eof" \
	    run:"touch $tmp/go" reply:250 say:QUIT reply:221 eof
	events launcher-refused | grep -F ' error="too many signals"'
}

# lent ATTEMPT: its listener is descriptor 3, and a worker tries to close it
lent() {
	escape "$1"
	environment+=(ESCAPE_FD=3 t/manager sockets tcp run)
}

@test "a worker can't shut the listener down for all others" {
	confinable
	lent shutdown
	serve --workers 2
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' eof
	eventually events worker-died
	events worker-died | grep -F ' error="a forbidden system call"'
	lacks '^shutdown' "$tmp/escape"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
}

@test "a worker can't disconnect the listener with --syslog" {
	confinable
	lent disconnect
	serve --workers 2 --syslog
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' eof
	lacks '^disconnect' "$tmp/escape"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
}

@test "with --syslog, socket and connect fail in a worker and do not kill it" {
	local call
	confinable
	for call in socket connect; do
		rm -rf "$dir"
		escape "$call"
		options=(--syslog)
		talk "${send_one[@]}"
		grep -qx "$call Permission denied" "$tmp/escape"
	done
}

# opens RESULT PATH: the result when a confined server opens it
opens() {
	rm -rf "${dir:?}"/*/*
	escape open "$2"
	talk "${send_one[@]}"
	echo "$2: $(<"$tmp/escape")"
	grep -qx "open $1" "$tmp/escape"
}

@test "only files in the Maildir can be opened" {
	landlocked
	mkdir -p "$dir"/{tmp,new,cur}
	echo x >"$tmp/secret"
	opens 'Permission denied' "$tmp/secret"
	opens 'Permission denied' "$tmp/made"
	[[ ! -e $tmp/made ]]
	opens 'Permission denied' /etc/passwd
	opens 'Permission denied' /
	opens 'Permission denied' "$dir/../made"
	opens ok "$dir/tmp/made"
	opens ok "$dir/cur"
}

@test "with hooks, --auth, --tls and --resolve no other file can be opened, such as the TLS key" {
	landlocked
	with_commands
	mkdir -p "$dir"/{tmp,new,cur} "$tmp/other"/{tmp,new,cur}
	echo x >"$tmp/key.pem"
	echo x >"$tmp/other/new/mail"
	opens 'Permission denied' "$tmp/key.pem"
	opens 'Permission denied' "$tmp/other/new/mail"
	opens 'Permission denied' "$tmp/other/tmp/made"
	opens 'Permission denied' /etc/passwd
	opens ok "$dir/cur"
}

@test "with per-user Maildirs only files below their directory can be opened" {
	landlocked
	users bob eve
	opens 'Permission denied' "$tmp/made"
	opens 'Permission denied' /etc/passwd
	opens ok "$base/eve/new/made"
}

@test "a Maildir whose tmp and new are symbolic links to elsewhere gets mail" {
	mkdir -p "$dir" "$tmp/elsewhere"/{tmp,new} "$dir/cur"
	ln -s "$tmp/elsewhere/tmp" "$tmp/elsewhere/new" "$dir"
	talk "${send_one[@]}"
	keeps 1 "$tmp/elsewhere"
}

@test "inetd mode is confined, too" {
	confinable
	talk reply:220 run:'grep -E "^Seccomp:[[:space:]]*2" /proc/$SMTPC_PID/status' \
	    run:'grep -E "^NoNewPrivs:[[:space:]]*1" /proc/$SMTPC_PID/status' \
	    say:QUIT reply:221 eof
}

@test "confined workers serve SMTP, LMTP, BDAT, AUTH, PROXY and many mailboxes" {
	confinable
	users bob eve
	((EUID != 0)) || chown -R nobody "$base"
	serve --workers 2 --listen 127.0.0.1:0 --listen "lmtp@127.0.0.1:0" \
	    --listen "$tmp/socket" --recycle-after 2 -v
	eventually modes 2
	dial "${addr[0]}" reply:220 say:'EHLO c.example' reply:250 \
	    say:'AUTH PLAIN AGEAYg==' reply:502 say:STARTTLS reply:502 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 \
	    say:'RCPT TO:<nobody@mx.example>' reply:550 \
	    say:'BDAT 3' send:'x\r\n' reply:250 say:'BDAT 70000 LAST' \
	    repeat:7000:'12345678\r\n' reply:250 say:QUIT reply:221 eof
	dial "${addr[1]}" reply:220 say:'LHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\r\n.\r\n' reply:250 reply:250 say:QUIT reply:221 eof
	dial "$tmp/socket" "${send_one[@]}"
	dial "${addr[0]}" "${send_one[@]}"
	keeps 4 "$base/bob"
	keeps 2 "$base/eve"
	[[ -z $(events worker-died) ]]
}

@test "confined workers serve --hardlink, a PROXY header and --log json" {
	confinable
	users bob eve
	((EUID != 0)) || chown -R nobody "$base"
	serve --workers 1 --listen 127.0.0.1:0 --hardlink --log json \
	    --proxy-from 127.0.0.1
	modes 2
	dial "${addr[0]}" send:'PROXY TCP4 192.0.2.1 192.0.2.2 1 25\r\n' \
	    reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1 "$base/bob"
	[[ $(stat -c %h "$base"/eve/new/*) == 2 ]]
	lacks worker-died "$log"
}

@test "workers are confined after SIGHUP, too, and a drain ends them" {
	confinable
	serve --workers 2 --listen 127.0.0.1:0
	eventually modes 2
	dial "${addr[0]}" reply:220 run:"kill -HUP $master" \
	    run:"until [ \$(grep -c event=listening '$log') = 2 ]; do sleep 0.02; done" \
	    "${data_bob[@]:1}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	eventually modes 2
	dial "${addr[0]}" "${data_bob[@]}" run:"kill -TERM $master" \
	    send:'x\r\n.\r\n' reply:250 eof
	end_daemon
	keeps 2
	[[ -z $(events worker-died) ]]
	events stopped | grep -F ' killed=0'
}

@test "old files in tmp/ are removed and mail is stored with --syslog" {
	confinable
	local old
	mkdir -p "$dir"/{tmp,new,cur}
	old=$dir/tmp/1000000000.M1P1Q1R1.mx
	touch -d '3 days ago' "$old"
	((EUID != 0)) || chown -R nobody "$dir"
	options=(--syslog)
	talk "${send_one[@]}"
	[[ ! -e $old ]]
	keeps 1
}

@test "a removed Maildir gets 451, and at most once more after it is created again" {
	confinable
	local n=0 i
	serve --workers 1 --listen 127.0.0.1:0
	rm -r "$dir"
	for i in 1 2 3; do
		dial "${addr[0]}" "${data_bob[@]:0:7}" say:DATA reply:4 \
		    say:QUIT reply:221 eof
	done
	mkdir -p "$dir"/{tmp,new,cur}
	((EUID != 0)) || chown -R nobody "$dir"
	until dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof; do
		((++n < 2))
	done
	keeps 1
	[[ -z $(events worker-died) ]]
}

@test "workers are confined with any kind of command" {
	confinable
	local option
	for option in --on-hello=true --filter=cat --mda=true --dsn=true \
	    --on-disconnect=true --auth=true --tls=true --resolve --syslog; do
		serve --workers 1 --listen 127.0.0.1:0 "$option"
		eventually modes 2
		dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
		eventually launcher "$master"	# no child tries --tls any more
		[[ $(mode "$(launcher "$(children "$master")")") == 0 ]]
		end_daemon
	done
}

@test "a launcher has no descriptor but the log, its worker and its socket, and /dev/null" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local pid
	with_commands
	serve --workers 1 --listen 127.0.0.1:0 "${options[@]}" \
	    --status "$tmp/status" --user "$(id -un)"
	eventually launcher "$master"	# no child tries --tls any more
	pid=$(launcher "$(children "$master")")
	find "/proc/$pid/fd" -mindepth 1 -printf '%f %l\n' | sort >"$tmp/fds"
	sed -i 's/socket:.*/socket/' "$tmp/fds"
	given "$tmp/fds" '0 /dev/null' '1 /dev/null' "2 $log" '3 socket' \
	    '4 anon_inode:[pidfd]' '5 /dev/null'
}

# slow_hook: it says that it runs, by $tmp/runs and then by $tmp/again, and ends
# once $tmp/go exists
slow_hook() {
	printf '%s\n' 'mkdir "$tmp/runs" || mkdir "$tmp/again"' \
	    "exec '$PWD/t/until' test -e \"\$tmp/go\"" | hook slow
}

@test "a launcher that dies costs the hook that it runs 451, and the session goes on with another" {
	local worker
	slow_hook
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" \
	    --on-new-mail "$tmp/slow"
	worker=$(children "$master")
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' \
	    run:"t/until test -e $tmp/runs; kill -KILL $(launcher "$worker")" \
	    reply:'451 4.3.0 ' say:'MAIL FROM:<a@c.example>' \
	    run:"t/until test -e $tmp/again; touch $tmp/go" reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1
	events hook-failed | grep -F ' error="the launcher has died"'
	[[ $(events launcher-replaced | wc -l) == 1 ]]
	events launcher-replaced | grep -F " pid=$worker"
	[[ $(children "$master" | head -1) == "$worker" &&
	    $(replaced "$worker") ]]
	lacks worker- "$log"
}

@test "so it does if it dies while a command of --deliver runs" {
	slow_hook
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" \
	    --maildir none --deliver "$tmp/slow"
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' \
	    run:"t/until test -e $tmp/runs; \
		kill -KILL $(launcher "$(children "$master")")" \
	    reply:'451 4.3.0 ' \
	    "${data_bob[@]:3}" send:'x\r\n.\r\n' \
	    run:"t/until test -e $tmp/again; touch $tmp/go" reply:250 \
	    say:QUIT reply:221 eof
	lacks worker- "$log"
}

@test "a launcher that dies while it has nothing to do costs nothing" {
	local worker
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" --on-hello true
	worker=$(children "$master")
	kill -KILL "$(launcher "$worker")"
	eventually replaced "$worker"
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 \
	    run:"kill -KILL $(replaced "$worker"); \
		until [ ! -e /proc/$(replaced "$worker") ]; do :; done" \
	    say:'HELO c.example' reply:250 say:QUIT reply:221 eof
	[[ $(events launcher-replaced | wc -l) == 2 ]]
	lacks hook-failed "$log"
	# it has no spare socket left, and ends before it could need one
	eventually gone "$worker"
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 say:QUIT \
	    reply:221 eof
	lacks worker- "$log"
}

@test "a worker whose launchers die again and again is replaced after its session" {
	local worker
	# kills the launcher, its parent
	echo 'kill -KILL $PPID' | hook deadly
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" \
	    --on-new-mail "$tmp/deadly" --on-hello true
	worker=$(children "$master")
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<>' reply:451 say:'MAIL FROM:<>' reply:451 \
	    say:'HELO c.example' reply:250 say:'MAIL FROM:<>' reply:451 \
	    say:'HELO c.example' reply:451 say:NOOP reply:250 \
	    say:QUIT reply:221 eof
	eventually gone "$worker"
	[[ $(events launcher-replaced | wc -l) == 2 ]]
	events worker-failed | grep -F ' what=launcher '
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 say:QUIT \
	    reply:221 eof
}

# stubborn: a hook that ignores SIGTERM, with its process id in $tmp/hook.pid
stubborn() {
	printf '%s\n' 'trap "" TERM; echo $$ >"$tmp/pid"' \
	    'mv "$tmp/pid" "$tmp/hook.pid"; while :; do sleep 0.05; done' |
	    hook stubborn
}

# outlived EVENT PID...: these are killed while the hook runs, and it ends, too
outlived() {
	local hook
	dial "${addr[0]}" "${data_bob[@]:0:5}" say:'RCPT TO:<bob@mx.example>' \
	    run:"t/until test -e $tmp/hook.pid; kill -KILL $*" eof
	hook=$(<"$tmp/hook.pid")
	rm "$tmp/hook.pid"
	[[ $hook ]]
	stray "$hook"
	eventually gone "$hook"
}

@test "a hook does not outlive its worker, not even one that ignores SIGTERM" {
	local worker
	stubborn
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" \
	    --on-recipient "$tmp/stubborn"
	outlived "$(children "$master")"
	eventually launcher "$(children "$master")"
	# nor with a launcher that the master has started
	worker=$(children "$master")
	kill -KILL "$(launcher "$worker")"
	eventually replaced "$worker"
	outlived "$worker"
}

@test "a hook ends when its launcher is killed" {
	local hook
	printf '%s\n' 'echo $$ >"$tmp/pid"' 'mv "$tmp/pid" "$tmp/hook.pid"' \
	    'while :; do sleep 0.05; done' | hook endless
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" \
	    --on-new-mail "$tmp/endless"
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' run:"t/until test -e $tmp/hook.pid; \
		kill -KILL $(launcher "$(children "$master")")" \
	    reply:'451 4.3.0 ' say:QUIT reply:221 eof
	hook=$(<"$tmp/hook.pid")
	stray "$hook"
	eventually gone "$hook"
}

@test "a launcher dies together with the master: the session ends with what it has" {
	local worker
	slow_hook
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" \
	    --maildir none --deliver "$tmp/slow"
	worker=$(children "$master")
	stray "$worker"
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' \
	    run:"t/until test -e $tmp/runs; \
		kill -KILL $master $(launcher "$worker")" \
	    reply:'451 4.3.0 ' eof
	eventually gone "$worker"
	touch "$tmp/go"
	wait "$master" || true
	master=''
}

@test "a session of inetd without its launcher goes on without commands" {
	slow_hook
	options=(--on-new-mail "$tmp/slow")
	talk reply:220 say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    run:"t/until test -e $tmp/runs; \
		kill -KILL \$(cat /proc/\$SMTPC_PID/task/\$SMTPC_PID/children); \
		touch $tmp/go" reply:'451 4.3.0 ' \
	    say:'MAIL FROM:<a@c.example>' reply:'451 4.3.0 ' say:QUIT reply:221 eof
}

# pool_asks ATTEMPT REASON: one of a pool asks the master for this, and is killed
pool_asks() {
	: >"$log"
	escape "$1"
	environment+=(ESCAPE_POOL=1)
	serve --workers 2 --listen 127.0.0.1:0 --user "$(id -un)" --on-hello true
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' eof
	eventually events worker-died
	lacks "^$1 ok" "$tmp/escape"
	[[ $2 == call ]] || events launcher-refused | grep -F " error=\"$2\""
	[[ $2 != call ]] || events worker-died | grep -F ' signal=31 '
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 say:QUIT \
	    reply:221 eof
	end_daemon
}

@test "whoever asks the master for more than another launcher of its own is killed" {
	confinable
	pool_asks ask-nothing 'not the socket of a launcher'
	pool_asks ask-file 'not the socket of a launcher'
	pool_asks ask-two 'not the socket of a launcher'
	pool_asks ask-many 'too many launchers'
	pool_asks ask-shutdown call
	pool_asks ask-close call
}

@test "a launcher that the master has started refuses, too, and kills its worker" {
	confinable
	local worker
	escape unknown
	environment+=(ESCAPE_POOL=3)
	serve --workers 1 --listen 127.0.0.1:0 --user "$(id -un)" --on-hello true
	worker=$(children "$master")
	kill -KILL "$(launcher "$worker")"
	eventually replaced "$worker"
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' eof
	eventually events worker-died
	events launcher-refused | grep -F " pid=$worker "
	events worker-died | grep -F " pid=$worker signal=9 "
}

@test "launchers end with their workers and with the master, however those end" {
	local workers launchers=() pid
	serve --workers 2 --listen 127.0.0.1:0 --on-hello true
	mapfile -t workers < <(children "$master")
	for pid in "${workers[@]}"; do
		launchers+=("$(launcher "$pid")")
	done
	stray "${launchers[@]}" "${workers[@]}"
	kill -KILL "${workers[0]}"
	eventually gone "${launchers[0]}"
	kill -KILL "$master"
	eventually gone "${workers[@]}" "${launchers[@]}"
	wait "$master" || true
	master=''
}

@test "--explain shows how workers are confined" {
	landlocked
	run -0 ./smtpd --explain -m "$dir" -H mx.example "${user[@]}" \
	    --listen 127.0.0.1:0
	tr -s ' ' <<<"$output" | grep -Fx ' workers by seccomp and Landlock'
}

@test "a Maildir reached by a symbolic link out of the directory gets 451" {
	landlocked
	users bob
	mkdir -p "$tmp/away"/{tmp,new,cur}
	ln -s "$tmp/away" "$base/eve"
	talk "${data_bob[@]:0:5}" say:'RCPT TO:<eve@mx.example>' reply:250 \
	    say:DATA reply:'451 4.3.0 ' say:QUIT reply:221 eof
	talk "${send_one[@]}"
	keeps 1 "$base/bob"
	keeps 0 "$tmp/away"
}
