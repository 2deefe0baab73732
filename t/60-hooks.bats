# Running a command: how it is started and ended, what it is given, and that a
# command that misbehaves costs no more than its own result.

load helpers

# args: a hook that leaves its arguments, a line each, and its parent's name
args() {
	hook args <<-'EOT'
		printf '%s\n' "$@" >"$tmp/args.out"
		cat "/proc/$PPID/comm" >"$tmp/parent"
	EOT
}

# hello OPTION...: say HELO to a server with these, and see it accepted
hello() {
	options=("$@")
	say 'HELO c.example' QUIT
	[[ $codes == '220 250 221' ]]
}

# broken OPTION...: HELO gets the reply of a hook that is broken
broken() {
	options=("$@")
	say 'HELO c.example' QUIT
	[[ $codes == '220 451 221' ]]
	[[ ${lines[1]} == '451 4.3.0 '* ]]
	failure=$(events hook-failed)
	[[ $failure == *' client=local session='*' hook=on-hello '* ]]
}

# ended FILE: the process whose id is there has ended
ended() {
	[[ -s $1 ]]
	eventually gone "$(<"$1")"
}

@test "a command without metacharacters is split into words, and run without a shell" {
	args
	hello --on-hello "  $tmp/args one  two	three "
	given "$tmp/args.out" one two three
	given "$tmp/parent" smtpd
}

@test "quotes and backslash join words as in sh(1)" {
	args
	hello --on-hello "$tmp/args 'a  b' \"c \\\" \\\\ \\d 'e'\" f\\ g h'i'\"j\" '\\k' ''"
	given "$tmp/args.out" 'a  b' "c \" \\ \\d 'e'" 'f g' hij '\k' ''
	given "$tmp/parent" smtpd
}

@test "a percent sign, a comma, an equals sign in an argument need no shell" {
	args
	hello --on-hello "$tmp/args a=b %s x,y @:/+-_^"
	given "$tmp/args.out" a=b %s x,y @:/+-_^
	given "$tmp/parent" smtpd
}

@test "a command with a metacharacter is run by /bin/sh -c" {
	args
	hello --on-hello "echo \"\$0\" >$tmp/name; $tmp/args a\ b 'c'"
	given "$tmp/name" sh
	given "$tmp/args.out" 'a b' c
	given "$tmp/parent" sh
}

@test "the shell sees redirections, pipes, expansions, comments and newlines" {
	args
	hello --on-hello "$tmp/args ~ # comment"
	given "$tmp/args.out" "$HOME"
	hello --on-hello "$tmp/args $tmp/arg*"
	[[ $(<"$tmp/args.out") == *"$tmp/args"* ]]
	hello --on-hello "$tmp/args \$((1 + 2))"
	given "$tmp/args.out" 3
	hello --on-hello "$tmp/args \`echo 4\`"
	given "$tmp/args.out" 4
	hello --on-hello "echo x | cat >$tmp/piped"
	given "$tmp/piped" x
	hello --on-hello "true"$'\n'"$tmp/args 5"
	given "$tmp/args.out" 5
}

@test "a command that begins with an assignment is run by the shell" {
	hook show <<-'EOT'
		echo "$GREETING" >"$tmp/shown"
	EOT
	hello --on-hello "GREETING=hello $tmp/show"
	given "$tmp/shown" hello
}

@test "a name without a slash is looked for in PATH" {
	args
	environment=(PATH="$tmp/nowhere:$tmp:$PATH")
	hello --on-hello 'args x'
	given "$tmp/args.out" x
}

@test "a command that is not there is an error at start-up, status 69" {
	local bad
	mkdir "$tmp/directory"
	touch "$tmp/file"
	chmod 644 "$tmp/file"
	for bad in "$tmp/missing -x" "$tmp/directory" "$tmp/file" \
	    no-such-command-anywhere '' ' ' "true 'x" 'true "x'; do
		run -69 ./smtpd -i -m "$dir" "${user[@]}" --on-data true \
		    --on-data "$bad" </dev/null
		echo "$output"
		((${#lines[@]} == 1))
		[[ $output == "smtpd: --on-data '$bad': "* ]]
	done
}

@test "the daemon does not start when a command is not there" {
	run -69 timeout 60 ./smtpd --listen "$tmp/sock" -m "$dir" "${user[@]}" \
	    --on-new-connection "$tmp/missing" </dev/null
	[[ ${#lines[@]} == 1 && $output == *"$tmp/missing"* ]]
}

@test "a command that is removed later gets 451 and a log line, and is tried again each time" {
	hook late </dev/null
	options=(--on-new-mail "$tmp/late")
	talk reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 say:RSET reply:250 \
	    run:"mv $tmp/late $tmp/away" \
	    say:'MAIL FROM:<a@c.example>' reply:'451 4.3.0 ' \
	    run:"mv $tmp/away $tmp/late" \
	    say:'MAIL FROM:<a@c.example>' reply:250 say:QUIT reply:221
	[[ $(events hook-failed) == *" hook=on-new-mail command=$tmp/late error="*'No such file'* ]]
	[[ $(events hook-failed | wc -l) == 1 ]]
}

@test "a script without an interpreter gets 451 and a log line" {
	echo 'exit 0' >"$tmp/bare"
	chmod 755 "$tmp/bare"
	broken --on-hello "$tmp/bare"
	[[ $failure == *'error="Exec format error"' ]]
}

@test "a command runs in the server's directory" {
	hello --on-hello "pwd >$tmp/pwd;"
	given "$tmp/pwd" "$PWD"
}

@test "standard input is empty" {
	hello --on-hello "cat >$tmp/in; readlink /proc/self/fd/0 >$tmp/name"
	[[ -f $tmp/in && ! -s $tmp/in ]]
	given "$tmp/name" /dev/null
}

@test "a command has descriptors 0, 1 and 2 and no others" {
	local sh="(cd /proc/self/fd && echo * >$tmp/fds)"
	# the shell that expands * has the directory open, and nothing else
	hello --on-hello "$sh" 7</etc/passwd 9>"$tmp/other" 200</dev/null
	echo "descriptors: $(<"$tmp/fds")"
	[[ $(<"$tmp/fds") == '0 1 2 3' ]]
}

@test "in the pool a command has neither the listener nor the connection" {
	mkdir "$tmp/out"
	chmod 777 "$tmp/out"
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	serve --listen 127.0.0.1:0 --listen 127.0.0.1:0 --workers 1 \
	    --on-hello "(cd /proc/self/fd && echo * >$tmp/out/fds)" \
	    7</etc/passwd
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 say:QUIT \
	    reply:221 eof
	[[ $(<"$tmp/out/fds") == '0 1 2 3' ]]
}

@test "a command is the leader of its own process group" {
	hello --on-hello "read -r pid name state ppid group rest </proc/\$\$/stat; echo \$pid \$group >$tmp/group"
	read -r pid group <"$tmp/group"
	[[ $pid == "$group" ]]
}

@test "a command has default signals, none blocked" {
	hello --on-hello "exec grep -E '^Sig(Ign|Blk)' /proc/self/status >$tmp/signals"
	# but for those that libc keeps for itself
	[[ $(wc -l <"$tmp/signals") == 2 ]]
	lacks -vE $':\t[0-9a-f]{8}[08]0{7}$' "$tmp/signals"
}

@test "a command gains no privileges by set-user-id, unless --allow-setuid says so" {
	local ours
	ours=$(grep NoNewPrivs /proc/self/status)
	hello --on-hello "grep NoNewPrivs /proc/self/status >$tmp/privileges"
	given "$tmp/privileges" $'NoNewPrivs:\t1'
	hello --on-hello "grep NoNewPrivs /proc/self/status >$tmp/privileges" \
	    --allow-setuid
	given "$tmp/privileges" "$ours"
}

@test "pending replies are sent before a command runs" {
	mkfifo "$tmp/go"
	options=(--on-new-mail "read -r go <$tmp/go")
	talk reply:220 send:'HELO c.example\r\nMAIL FROM:<a@c.example>\r\nQUIT\r\n' \
	    reply:250 run:"echo go >$tmp/go" reply:250 reply:221
}

@test "at --hook-timeout the command and its children get SIGTERM, and the client 451" {
	hook slow <<-'EOT'
		sleep 60 &
		echo $! >"$tmp/child"
		echo $$ >"$tmp/pid"
		trap 'echo "250 2.0.0 Fine"; echo TERM >"$tmp/told"; exit 0' TERM
		wait
		wait
	EOT
	broken --hook-timeout 1 --on-hello "$tmp/slow"
	[[ $failure == *'error="timed out"' ]]
	given "$tmp/told" TERM
	ended "$tmp/pid"
	ended "$tmp/child"
}

@test "two seconds after SIGTERM the command and its children get SIGKILL, even if stopped" {
	hook stubborn <<-'EOT'
		sh -c 'kill -STOP $$' &
		echo $! >"$tmp/child"
		trap '' TERM
		echo $$ >"$tmp/pid"
		exec sleep 60
	EOT
	broken --hook-timeout 1 --on-hello "$tmp/stubborn"
	[[ $failure == *'error="timed out"' ]]
	ended "$tmp/pid"
	ended "$tmp/child"
}

@test "--hook-timeout applies to each command, and 0 means no limit" {
	run -64 ./smtpd -i "${user[@]}" --hook-timeout soon </dev/null
	[[ $output == *hook-timeout* ]]
	hello --hook-timeout 0 --on-hello true
}

@test "excess standard output is read and discarded" {
	hello --on-hello "head -c 20000000 /dev/zero; echo end >$tmp/end"
	given "$tmp/end" end
}

@test "endless output is read until --hook-timeout" {
	hook flood <<-'EOT'
		echo $$ >"$tmp/pid"
		exec yes '250 2.0.0 Yes'
	EOT
	broken --hook-timeout 1 --on-hello "$tmp/flood"
	[[ $failure == *'error="timed out"' ]]
	ended "$tmp/pid"
}

@test "each line of standard error is logged with the session" {
	hello --on-hello "printf 'one\\ntwo \"x\"\\n\\nlast' >&2;"
	events hook-said | sed 's/.* text=/text=/' >"$tmp/said"
	given "$tmp/said" text=one 'text="two \"x\""' 'text=""' text=last
	[[ $(events hook-said | grep -c ' client=local session=') == 4 ]]
}

@test "within a transaction the log line has the id, too" {
	options=(--on-recipient 'echo "$SMTP_ID" >&2;')
	say "${to_bob[@]}" QUIT
	[[ $(events hook-said) =~ \ id=([^ ]+)\ .*text=([^ ]+)$ ]]
	[[ ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]]
}

@test "control bytes on standard error are escaped in the log" {
	hello --on-hello "printf 'a\\r\\033[1mb\\377 event=message\\n' >&2;"
	[[ $(events hook-said) == *'text="a\x0d\x1b[1mb\xff event=message"' ]]
	lacks '[^ -~]' "$log"
}

@test "a worker does not wait for a launcher that can't answer, and gets another one" {
	nobody=("${user[@]}")	# hooks can read there
	shim 'write@sock:1+:EIO'
	disarm
	serve --listen 127.0.0.1:0 --workers 1 --on-hello 'true;'
	dial "${addr[0]}" reply:220 run:"printf 1 1<>'$tmp/armed'" \
	    say:'HELO c.example' eof
	disarm
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 say:QUIT \
	    reply:221 eof
}

@test "the output and standard error of a hook are not in non-blocking mode" {
	hello --on-hello "sed -n 's/^flags://p' /proc/self/fdinfo/1 /proc/self/fdinfo/2 >$tmp/flags;"
	(($(wc -l <"$tmp/flags") == 2))
	lacks '[4-7]...$' "$tmp/flags"	# O_NONBLOCK
}

@test "a hundred lines of standard error are logged, the others discarded" {
	hello --on-hello "yes x | head -n 300000 >&2; echo end >$tmp/end"
	given "$tmp/end" end
	[[ $(events hook-said | wc -l) == 100 ]]
}

@test "a line of standard error is cut at 1,000 bytes" {
	hello --on-hello "head -c 200000 /dev/zero | tr '\\0' x >&2; echo >&2; echo y >&2"
	events hook-said | sed 's/.* text=//' >"$tmp/said"
	(($(wc -l <"$tmp/said") == 2))
	(($(head -n 1 "$tmp/said" | tr -dc x | wc -c) == 1000))
	[[ $(tail -n 1 "$tmp/said") == y ]]
}

@test "a child that keeps standard output open does not delay the session, and is killed" {
	hook leave <<-'EOT'
		sleep 60 &
		echo $! >"$tmp/child"
	EOT
	hello --on-hello "$tmp/leave"
	ended "$tmp/child"
}

@test "a child that left the process group does not delay the session, and lives on" {
	mkfifo "$tmp/up"
	hook leave <<-'EOT'
		setsid sh -c 'echo up >"$0/up"; exec sleep 60' "$tmp" &
		echo $! >"$tmp/child"
		read -r up <"$tmp/up"
	EOT
	hello --on-hello "$tmp/leave"
	[[ -s $tmp/child ]]
	child=$(<"$tmp/child")
	lives=0
	gone "$child" || lives=1
	kill -KILL "$child"
	((lives))
}

@test "a hundred children are killed with their parent" {
	hook swarm <<-'EOT'
		for i in 1 2 3 4 5 6 7 8 9 10; do
			for j in 1 2 3 4 5 6 7 8 9 10; do
				sleep 60 &
				echo $!
			done
		done >"$tmp/children"
		kill -SEGV $$
	EOT
	broken --on-hello "$tmp/swarm"
	[[ $failure == *'error="killed by a signal" signal='* ]]
	mapfile -t pids <"$tmp/children"
	((${#pids[@]} == 100))
	eventually gone "${pids[@]}"
}

# waiting: a hook that waits to be ended, and says that it was
waiting() {
	hook waiting <<-'EOT'
		trap 'echo ended >"$tmp/told"; kill $!; exit 0' TERM
		sleep 60 &
		echo $$ >"$tmp/pid"
		wait
	EOT
	wait_pid="t/until test -s $tmp/pid"
}

@test "a lost connection ends a check command" {
	waiting
	options=(--on-new-mail "$tmp/waiting")
	talk reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' run:"$wait_pid" close exit:0
	ended "$tmp/pid"
	given "$tmp/told" ended
}

@test "a reset of the TCP connection ends a check command" {
	waiting
	via=-t
	options=(--on-new-connection "$tmp/waiting")
	talk run:"$wait_pid" reset exit:0
	ended "$tmp/pid"
	given "$tmp/told" ended
}

# counted PAIR...: these are in the figures that the server logs at SIGUSR1
counted() {
	local pair line
	: >"$log"
	kill -USR1 "$master"
	eventually grep -q ' event=status ' "$log"
	line=$(events status)
	for pair; do
		[[ "$line " == *" $pair "* ]] || return
	done
}

# gone_at EVENT HOW ACTION...: a client that goes, by reset or close, while the
# command of that event runs; what the log has of it stays in $tmp/seen
gone_at() {
	rm -f "$tmp/pid" "$tmp/told" "$tmp/reply"
	: >"$log"
	options=("--$1" "$tmp/waiting" --auth true --plain-auth
	    --on-disconnect "echo \"\$SMTP_REPLY\" >$tmp/reply")
	[[ $1 != auth ]] || options+=("--$1" "$tmp/waiting")
	talk "${@:3}" run:"$wait_pid" "$2" exit:0
	ended "$tmp/pid"
	given "$tmp/told" ended
	[[ -z $(events hook-failed)$(events refused) ]]
	lacks '^4' "$tmp/reply"
}

@test "a client that leaves while a command runs is logged as lost, not as a failed hook" {
	local how start
	waiting
	start=(reply:220 say:'EHLO c.example' reply:250)
	for how in close reset; do	# closing TCP might be half of it only
		[[ $how == close ]] || via=-t
		gone_at on-new-connection "$how"
		gone_at on-hello "$how" reply:220 say:'EHLO c.example'
		gone_at auth "$how" "${start[@]}" say:'AUTH PLAIN AHUAcA=='
		[[ -z $(events lost) ]]
		start+=(say:'MAIL FROM:<alice@c.example>')
		gone_at on-new-mail "$how" "${start[@]}"
		[[ $(events lost) == *' id='*' from=alice@c.example hook=on-new-mail' ]]
		start+=(reply:250 say:'RCPT TO:<bob@mx.example>')
		gone_at on-recipient "$how" "${start[@]}"
		start+=(reply:250)
		gone_at on-data "$how" "${start[@]}" say:DATA
		gone_at on-data "$how" "${start[@]}" send:'BDAT 3\r\nabc'
		(($(events lost | wc -l) == 1))
		gone_at on-message "$how" "${start[@]}" say:DATA reply:354 \
		    send:'x\r\n.\r\n'
		[[ $(events lost) == *' hook=on-message' ]]
		start=("${start[@]:0:3}")
	done
	keeps 0
}

@test "a client that leaves while a command runs is not counted as a hook failure or a reply" {
	waiting
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" \
	    --on-new-mail "$tmp/waiting"
	dial "${addr[0]}" reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' run:"$wait_pid" reset
	ended "$tmp/pid"
	eventually counted busy=0
	counted sessions=1 hook_failures=0 replies_4xx=0
}

@test "a client that only closed its sending side gets its replies (RFC 5321 4.1.1.10)" {
	mkfifo "$tmp/go"
	options=(--on-new-mail "read -r go <$tmp/go")
	for via in -s -t; do
		talk reply:220 \
		    send:'HELO c.example\r\nMAIL FROM:<a@c.example>\r\nQUIT\r\n' \
		    shut reply:250 run:"echo go >$tmp/go" reply:250 reply:221 eof
	done
}

@test "--on-disconnect runs however the session ended, and its result is ignored" {
	options=(--on-disconnect "echo \$SMTP_HELO >>$tmp/bye; echo 550 no; exit 77"
	    --max-errors 1)
	say 'HELO quit.example' QUIT
	[[ $codes == '220 250 221' ]]
	say 'HELO end.example'
	[[ $codes == '220 250' ]]
	say 'HELO error.example' BOGUS
	[[ $codes == '220 250 421' ]]
	talk reply:220 say:'HELO gone.example' reply:250 close exit:0
	given "$tmp/bye" quit.example end.example error.example gone.example
}

@test "--on-disconnect is not ended by the end of the connection" {
	mkfifo "$tmp/go"
	options=(--on-disconnect "read -r go <$tmp/go; echo \$go >$tmp/went")
	talk reply:220 close run:"echo on >$tmp/go" exit:0
	given "$tmp/went" on
}

@test "--on-disconnect runs after a rejection at connect, too" {
	options=(--on-new-connection false --on-disconnect "echo bye >$tmp/bye;")
	talk reply:554 eof exit:0
	given "$tmp/bye" bye
}

@test "on SIGTERM a command before DATA is ended: 421 4.3.2" {
	mkfifo "$tmp/go"
	options=(--on-new-mail "read -r go <$tmp/go; echo 250 2.1.0 Seen")
	talk reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' run:'kill -TERM "$SMTPC_PID"' \
	    reply:'421 4.3.2 ' eof
	[[ -z $(events hook-failed) ]]
	[[ $(events refused) == *' reply="421 4.3.2 '* ]]
}

@test "on SIGTERM the command of --auth is ended, and not logged as failed" {
	waiting
	options=(--auth "$tmp/waiting" --plain-auth)
	talk reply:220 say:'EHLO c.example' reply:250 \
	    say:'AUTH PLAIN AHUAcA==' run:"$wait_pid" \
	    run:'kill -TERM "$SMTPC_PID"' reply:'421 4.3.2 ' eof
	# the parent of the launcher
	options=(--on-hello 'read -r _ _ _ worker _ </proc/$PPID/stat
	    kill -TERM "$worker" $$')
	talk reply:220 say:'HELO c.example' reply:'421 4.3.2 ' eof
	[[ -z $(events hook-failed) ]]
}

@test "output is read whole even if the pipe holds more than usual" {
	cat >"$tmp/wide.c" <<-'EOT'
		#define _GNU_SOURCE
		#include <fcntl.h>
		#include <stdlib.h>
		#include <unistd.h>
		int main(void)
		{
			static char buf[1 << 20];
			ssize_t n, len = 0;
			while ((n = read(0, buf + len, sizeof buf - (size_t)len)) > 0)
				len += n;
			fcntl(1, F_SETPIPE_SZ, 1 << 20);
			_exit(write(1, buf, (size_t)len) != len);
		}
	EOT
	"${CC:-cc}" -o "$tmp/wide" "$tmp/wide.c"
	head -c 700000 /dev/zero | tr '\0' x | fold -w 99 | sed 's/$/\r/' >"$tmp/in"
	echo >>"$tmp/in"
	options=(--filter "$tmp/wide")
	talk "${data_bob[@]}" file:"$tmp/in" send:'.\r\n' reply:250 say:QUIT \
	    reply:221 eof
	(($(grep -c '^x' "$(message)") == $(grep -c '^x' "$tmp/in")))
}

@test "a command that leaves its process group is ended, too" {
	cat >"$tmp/leave.c" <<-'EOT'
		#include <unistd.h>
		int main(void)
		{
			setpgid(0, getpgid(getppid()));
			for (;;)
				pause();
		}
	EOT
	"${CC:-cc}" -o "$tmp/leave" "$tmp/leave.c"
	options=(--hook-timeout 1 --on-hello "$tmp/leave")
	say 'HELO c.example' QUIT
	[[ $codes == '220 451 221' ]]
}

@test "no further command runs after the client has reset the connection" {
	via=-t
	options=(--on-recipient "echo >>$tmp/asked; sleep 20;")
	talk reply:220 say:'HELO c.example' reply:250 say:'MAIL FROM:<>' \
	    reply:250 send:'RCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<a@b>\r\n' \
	    run:"t/until test -s $tmp/asked" \
	    reset exit:0
	(($(wc -l <"$tmp/asked") == 1))
}

@test "after many commands worker and launcher have no more children and descriptors than before" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local worker launcher i fds='' now dialogue=()
	serve --listen 127.0.0.1:0 --workers 1 --on-hello 'true' \
	    --on-hello 'echo a | cat;' --on-hello 'sleep 60 &'
	worker=$(children "$master")
	[[ $worker =~ ^[0-9]+$ ]]
	for ((i = 0; i < 20; i++)); do
		dialogue+=(say:'HELO c.example' reply:250)
	done
	for i in 1 2; do
		dial "${addr[0]}" reply:220 "${dialogue[@]}" say:QUIT reply:221 eof
		launcher=$(launcher "$worker")
		[[ -z $(children "$launcher") ]]
		now=$(find "/proc/$worker/fd" "/proc/$launcher/fd" -mindepth 1 | wc -l)
		[[ -z $fds || $fds == "$now" ]]
		fds=$now
	done
}

@test "each of these options may be repeated" {
	local o args=()
	for o in new-connection hello new-mail recipient data disconnect; do
		args+=("--on-$o" true "--on-$o" "echo $o >>$tmp/ran;")
	done
	options=("${args[@]}")
	deliver 'Subject: x' '' body
	given "$tmp/ran" new-connection hello new-mail recipient data disconnect
}
