# The state of the pool: SIGUSR1, process titles, the scoreboard.

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
	    run:"t/until grep -q event=worker '$log'" \
	    say:. reply:250 say:QUIT reply:221 eof
	told status workers=3 busy=1 sessions=2 messages=1 bytes=3 \
	    replies_4xx=0 replies_5xx=1 died=0
	told worker client=127.0.0.1 phase=DATA bytes=10 mails=1 errors=0
	(($(events worker | wc -l) == 1))
}

@test "SIGUSR1 and ps show the phase auth while the command of --auth runs" {
	# its user can read there, and search what is above
	nobody=("${user[@]}")
	hook check <<-EOT
		kill -USR1 \$(cat $tmp/master)
		exec $PWD/t/until grep -q event=worker $log
	EOT
	serve --listen 127.0.0.1:0 --workers 1 --plain-auth --auth "$tmp/check"
	echo "$master" >"$tmp/master"
	dial "${addr[0]}" reply say:'EHLO c.example' reply \
	    say:"AUTH PLAIN $(printf '\0bob\0x' | base64)" reply:235 \
	    say:QUIT reply:221 eof
	told worker client=127.0.0.1 phase=auth
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

@test "a worker killed in a session is counted, and its scoreboard entry is free again" {
	serve --listen 127.0.0.1:0 --workers 1
	dial "${addr[0]}" reply:220 run:"kill -KILL $(children "$master")" eof
	eventually events worker-died
	kill -USR1 "$master"
	eventually told status workers=1 busy=0 died=1
	lacks event=worker\  "$log"
}

# title PID: what ps shows of it
title() {
	tr '\0' ' ' <"/proc/$1/cmdline" | sed 's/ *$//'
}

# titled PID TITLE: it is this one
titled() {
	[[ $(title "$1") == "$2" ]]
}

@test "ps shows the master, and the state and client of each worker" {
	local worker show
	serve --listen 127.0.0.1:0 --listen "$tmp/sock" --workers 1
	worker=$(children "$master")
	titled "$master" 'smtpd: master'
	eventually titled "$worker" 'smtpd: worker 1 waiting'
	show="tr '\\0' ' ' </proc/$worker/cmdline >>'$tmp/titles'; echo >>'$tmp/titles'"
	dial "${addr[0]}" reply run:"$show" "${data_bob[@]:1:2}" run:"$show" \
	    "${data_bob[@]:3:2}" run:"$show" "${data_bob[@]:5}" run:"$show" \
	    repeat:5100:'x\r\n' settle run:"$show" say:. reply:250 run:"$show" \
	    say:QUIT reply:221 eof
	eventually titled "$worker" 'smtpd: worker 1 waiting'
	dial "$tmp/sock" reply run:"$show" say:QUIT reply:221 eof
	sed -i 's/ *$//' "$tmp/titles"
	given "$tmp/titles" 'smtpd: worker 1 [127.0.0.1] connected' \
	    'smtpd: worker 1 [127.0.0.1] HELO' 'smtpd: worker 1 [127.0.0.1] MAIL' \
	    'smtpd: worker 1 [127.0.0.1] DATA' 'smtpd: worker 1 [127.0.0.1] DATA 14k' \
	    'smtpd: worker 1 [127.0.0.1] HELO' 'smtpd: worker 1 [local] connected'
}

@test "ps names each launcher after its worker" {
	local worker
	serve --listen 127.0.0.1:0 --workers 1 --on-message true
	worker=$(children "$master")
	eventually titled "$worker" 'smtpd: worker 1 waiting'
	titled "$(launcher "$worker")" "smtpd: launcher of $worker"
}

@test "a title fits even with a short command line and an empty environment" {
	mkfifo "$tmp/ready"
	cp smtpd "$tmp/d"
	chmod 711 "$tmp"
	((EUID != 0)) || chown nobody "$tmp"
	(cd "$tmp" && exec env -i ./d -d '*' -n1 -m M "${nobody[@]}" \
	    -l 127.0.0.1:0 --ready-fd 5) 5>"$tmp/ready" 2>>"$log" </dev/null \
	    3>&- 4>&- &
	master=$!
	mapfile -t addr < <(timeout 60 cat "$tmp/ready")
	titled "$master" 'smtpd: master'
	[[ $(title "$(children "$master")") == 'smtpd: worker 1'* ]]
}

@test "hooks get the environment that smtpd was started with" {
	environment=(MARK=here EMPTY=)
	echo 'env >"$tmp/env"' | hook note
	serve --listen 127.0.0.1:0 --workers 1 --user "$(id -un)" \
	    --on-new-connection "$tmp/note"
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	grep -qx MARK=here "$tmp/env"
	grep -qx EMPTY= "$tmp/env"
	(($(grep -c ^SMTP_EVENT= "$tmp/env") == 1))
}

@test "under inetd ps shows the command line" {
	talk reply run:'tr "\\0" " " </proc/$SMTPC_PID/cmdline >"'"$tmp"'/title"' \
	    say:QUIT reply:221 eof
	grep -F -- '-H mx.example' "$tmp/title"
}

# board: the master's way to the shared memory
board() {
	local fd
	for fd in /proc/"$master"/fd/*; do
		[[ $(readlink "$fd") != '/memfd:scoreboard'* ]] || echo "$fd"
	done
}

# busy N: N words of the state of a worker that is busy
busy() {
	local i word='\3\0\0\0'
	[[ $(printf '\1\0' | od -An -d) -eq 1 ]] || word='\0\0\0\3'
	# shellcheck disable=SC2059 # they are escapes
	for ((i = 0; i < $1; i++)); do printf "$word"; done
}

@test "a compromised worker can't mislead the master" {
	local at file i old size slots=32
	((EUID == 0)) || skip 'only root may write there'
	elsewhere=$(mktemp -d)
	file=$elsewhere/status
	chmod 777 "$elsewhere"
	serve --listen 127.0.0.1:0 --workers 12 --status "$file"
	at=$(board)
	[[ -w $at ]]
	run ! truncate -s 0 "$at"
	size=$(stat -Lc %s "$at")
	for i in 1 2 3; do
		# at the third time most bytes are 3, and all workers are busy
		if ((i == 3)); then
			head -c $((size - 4 * slots)) /dev/urandom |
			    tr '\010-\377' '\003'
			busy "$slots"
		else
			head -c "$size" /dev/urandom
		fi | dd of="$at" conv=notrunc status=none
		kill -USR1 "$master"
		eventually eval "((\$(events status | wc -l) == $i))"
	done
	eventually grep -q '^# worker' "$file"
	./smtpd --show "$file" >"$tmp/table"
	events worker
	lacks -a $'[^\t -~]' "$log" "$file" "$tmp/table"
	lacks 'event=status.*=-' "$log"
	lacks -vE '^time=[^ ]+ event=[a-z-]+( [a-z_0-9]+=([^" ]+|"([^"\\]|\\.)*"))*$' "$log"
	# it starts and ends workers as before, and another one starts from zero
	mapfile -t old < <(children "$master")
	kill -HUP "$master"
	eventually grep -qx 'smtpd_restarts_total 1' "$file"
	eventually gone "${old[@]}"	# until then they may take a client
	dial -T 60 "${addr[0]}" reply say:QUIT reply:221 eof
	eventually grep -qx 'smtpd_sessions_total 1' "$file"
}

# forge FROM: what a worker that was taken over writes into the scoreboard: all
# slots from that one on are busy with the client whose key is in $tmp/key
forge() {
	local at slots=$((3 * workers + 8)) size i
	at=$(board)
	size=$(stat -Lc %s "$at")
	for ((i = $1; i < slots; i++)); do
		dd if="$tmp/key" of="$at" bs=1 conv=notrunc status=none \
		    seek=$((size - 20 * slots + 16 * i))
		busy 1 | dd of="$at" bs=1 conv=notrunc status=none \
		    seek=$((size - 4 * slots + 4 * i))
	done
}

# the client whose sessions are counted, and what it gets
counted=(send:'PROXY TCP4 192.0.2.1 192.0.2.9 1000 25\r\n')

@test "false scoreboard entries of a worker don't outlive it" {
	local workers=12 at size old
	((EUID == 0)) || skip 'only root may write there'
	serve --listen 127.0.0.1:0 --workers "$workers" --max-per-client 2 \
	    --proxy-from 127.0.0.1
	at=$(board)
	size=$(stat -Lc %s "$at")
	dial "${addr[0]}" "${counted[@]}" reply:220 \
	    run:"cat '$at' >'$tmp/board'" say:QUIT reply:221 eof
	# the only key that is not zero
	tail -c $((20 * (3 * workers + 8))) "$tmp/board" |
	    head -c $((16 * (3 * workers + 8))) | od -An -v -tx1 -w16 |
	    grep -v '^\( 00\)*$' >"$tmp/hex"
	(($(wc -l <"$tmp/hex") == 1))
	# shellcheck disable=SC2059 # they are escapes
	printf "$(sed 's/ /\\x/g' "$tmp/hex")" >"$tmp/key"
	# in slots that nobody has, until the next worker ends
	forge "$workers"
	dial "${addr[0]}" "${counted[@]}" reply:'421 4.7.0 ' eof
	kill -KILL "$(children "$master" | head -n 1)"
	eventually events worker-died
	dial "${addr[0]}" "${counted[@]}" reply:220 say:QUIT reply:221 eof
	# in all, until SIGHUP
	forge 0
	mapfile -t old < <(children "$master")
	kill -HUP "$master"
	eventually gone "${old[@]}"
	dial "${addr[0]}" "${counted[@]}" reply:220 run:"kill -USR1 $master" \
	    run:"t/until grep -q event=status '$log'" say:QUIT reply:221 eof
	told status busy=1
}
