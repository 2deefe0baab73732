# What the pool does, for who looks: the signal that logs it, the process
# titles, the file for monitoring, and the table.

load helpers

# told EVENT WORDS...: a line of the log about it has all the words
told() {
	local word line
	line=$(events "$1" | tail -n 1)
	echo "$line"
	[[ $line ]] || return
	for word in "${@:2}"; do
		[[ " $line " == *" $word "* ]] || return
	done
}

@test "SIGUSR1 logs totals, and a line for each worker that is busy" {
	serve --listen 127.0.0.1:0 --workers 3
	dial "${addr[0]}" "${data_bob[@]}" say:x say:. reply:250 say:FROB \
	    reply:500 say:QUIT reply:221 eof
	dial "${addr[0]}" "${data_bob[@]}" send:'12345678\r\n' settle \
	    run:"kill -USR1 $master" \
	    run:"until grep -q event=worker '$log'; do :; done" \
	    say:. reply:250 say:QUIT reply:221 eof
	told status workers=3 busy=1 sessions=2 messages=1 octets=3 \
	    replies_4yz=0 replies_5yz=1 died=0
	told worker client=127.0.0.1 phase=DATA octets=10 mails=1 errors=0
	(($(events worker | wc -l) == 1))
}

@test "SIGUSR1 to all processes of the server ends none" {
	local pids
	serve --listen 127.0.0.1:0 --workers 2
	mapfile -t pids < <(children "$master")
	kill -USR1 "${pids[@]}" "$master"
	eventually told status workers=2 busy=0
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	[[ $(children "$master" | sort) == "$(printf '%s\n' "${pids[@]}" | sort)" ]]
}

@test "a worker that was killed in a session is counted, and its place is free" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" reply:220 run:"kill -KILL $(children "$master")" eof
	eventually events worker-died
	kill -USR1 "$master"
	eventually told status workers=1 busy=0 died=1
	lacks event=worker\  "$log"
}
