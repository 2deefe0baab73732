# Under a super-server with a listening socket (wait), which t/manager plays: a
# pool serves it, and exits when it is idle.  One connection (nowait) is what
# most other suites test.

load helpers

# listen SOCKET OPTION...: a super-server with a socket for smtpd -i; addr is
# where it listens
listen() {
	export MANAGER_LOG=$tmp/runs
	: >"$tmp/runs"
	mkfifo "$tmp/address"
	t/manager listen "$1" ./smtpd -m "$dir" -H mx.example "${nobody[@]}" \
	    "${@:2}" >"$tmp/address" </dev/null 3>&- 4>&- &
	super=$!
	stray "$super"
	read -rt 10 addr <"$tmp/address"
}

# server: the pid of the last server that was started
server() {
	sed -n 's/^started //p' "$tmp/runs" | tail -n 1
}

# runs N STATE: so many servers were started, and the last one is that
runs() {
	(($(grep -c '^started ' "$tmp/runs") == $1)) &&
	    [[ $(tail -n 1 "$tmp/runs") == "$2"* ]]
}

# quit: the super-server goes, and then the server
quit() {
	kill "$super"
	eventually gone "$super"
	gone "$(server)" || kill "$(server)"
	eventually gone "$(server)"
}

send_one() {
	dial "$addr" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
}

@test "the pool serves the socket, exits when it is idle, and is started again" {
	listen tcp -i --workers 2
	send_one
	send_one
	dial "$addr" idle:1 "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 say:QUIT \
	    reply:221 eof
	runs 1 started
	(($(children "$(server)" | wc -l) == 2))
	eventually runs 1 'ended 0'
	send_one
	runs 2 started
	keeps 4
	quit
}

@test "the client's address is known, and descriptor 2 is not written to" {
	listen tcp -i --workers 1
	send_one
	grep -F '([127.0.0.1])' "$(message)"
	# nothing but the replies came
	[[ $codes == '220 250 250 250 354 250 221' ]]
	quit
}

@test "--listen KIND@- sets the kind of the socket" {
	listen tcp --listen submission@- --auth /bin/false --plain-auth --workers 1
	dial "$addr" reply say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:'530 5.7.0 ' say:QUIT reply:221 eof
	quit
}

@test "a Unix socket is served, and its path stays" {
	mkdir "$tmp/here"
	listen "unix=$tmp/here/sock" -i --workers 1
	[[ $addr == "$tmp/here/sock" ]]
	send_one
	kill -TERM "$(server)"
	eventually runs 1 'ended 0'
	[[ -S $tmp/here/sock ]]
	send_one
	runs 2 started
	keeps 2
	quit
}

# pending_hangup PID: it is stopped, and SIGHUP waits for it
pending_hangup() {
	local mask
	mask=$(sed -n 's/^ShdPnd:[[:space:]]*//p' /proc/"$1"/status)
	((0x$mask & 1))
}

@test "if a worker can't exit with the idle pool, the pool is filled again" {
	local workers
	listen tcp -i --workers 2
	send_one
	mapfile -t workers < <(children "$(server)")
	kill -STOP "${workers[0]}"
	eventually pending_hangup "${workers[0]}"
	eventually gone "${workers[1]}"
	send_one
	runs 1 started
	kill -CONT "${workers[0]}"
	eventually gone "${workers[0]}"
	send_one
	keeps 3
	runs 1 started
	eventually runs 1 'ended 0'
	quit
}

@test "SIGHUP restarts the pool on the same socket, and it still exits when idle" {
	local old pid
	listen tcp -i --workers 1
	send_one
	pid=$(server)
	old=$(children "$pid")
	kill -HUP "$pid"
	eventually gone "$old"
	run ! gone "$pid"
	send_one
	runs 1 started
	eventually runs 1 'ended 0'
	send_one
	keeps 3
	quit
}

@test "a failed start leaves waiting clients to the next start" {
	listen tcp -i --workers 1 --maildir "$tmp/later/Maildir"
	t/smtpc -T 20 -c "$addr" -- "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof >"$tmp/early" 3>&- &
	eventually grep -qx "ended $((73 * 256))" "$tmp/runs"
	mkdir -m 777 "$tmp/later"
	eventually grep -q ^221 "$tmp/early"
	keeps 1 "$tmp/later/Maildir"
	quit
}
