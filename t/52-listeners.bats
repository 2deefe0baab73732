# Listeners: IPv4, IPv6, Unix sockets, and several of them.

load helpers

send_one() {
	dial "$1" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
}

# ipv6: this machine has ::1
ipv6() {
	grep -q '^0*1 ' /proc/net/if_inet6
}

@test "port 0 is a free port, a different one each time" {
	serve --listen 127.0.0.1:0 --listen 127.0.0.1:0 --workers 2
	((${#addr[@]} == 2))
	[[ ${addr[0]} != "${addr[1]}" ]]
	send_one "${addr[0]}"
	send_one "${addr[1]}"
	keeps 2
}

@test "several listeners are reported in order and all serve" {
	serve --listen "$tmp/sock" -l 127.0.0.1:0 --listen smtp@127.0.0.2:0 --workers 2
	((${#addr[@]} == 3))
	[[ ${addr[0]} == "$tmp/sock" ]]
	[[ ${addr[1]} == 127.0.0.1:* ]]
	[[ ${addr[2]} == 127.0.0.2:* ]]
	local i a
	for i in {1..5}; do
		for a in "${addr[@]}"; do
			send_one "$a"
		done
	done
	keeps 15
}

@test "every worker serves every listener" {
	serve --listen 127.0.0.1:0 --listen 127.0.0.1:0 --workers 4
	dial "${addr[0]}" idle:3 "${data_bob[@]}" say:x say:. reply:250 \
	    say:QUIT reply:221 eof
	dial "${addr[1]}" idle:3 "${data_bob[@]}" say:x say:. reply:250 \
	    say:QUIT reply:221 eof
	keeps 2
}

@test "[::1]:PORT listens on IPv6" {
	ipv6 || skip 'this machine has no ::1'
	serve --listen '[::1]:0' --workers 1
	[[ ${addr[0]} =~ ^\[::1\]:[1-9][0-9]*$ ]]
	send_one "${addr[0]}"
	keeps 1
	events message | grep -F ' client=::1 '
	grep -F '[IPv6:::1]' "$(message)"
}

@test ":PORT listens on all IPv4 and IPv6 addresses" {
	local port a
	serve --listen :0 --workers 2
	((${#addr[@]} >= 1))
	for a in "${addr[@]}"; do
		port=${a##*:}
		if [[ $a == \[* ]]; then
			send_one "[::1]:$port"
		else
			send_one "127.0.0.1:$port"
		fi
	done
	# IPv4 is served whatever was told
	lacks -F 'client=::ffff:' "$log"
	send_one "127.0.0.1:${addr[0]##*:}"
	events message | grep -F ' client=127.0.0.1 '
}

@test "clients of a Unix socket are local" {
	serve --listen "$tmp/sock" --workers 1
	[[ -S $tmp/sock ]]
	send_one "$tmp/sock"
	keeps 1
	events message | grep -F ' client=local '
	lacks -F '([' "$(message)"
}

@test "a Unix socket has the given mode" {
	local mode
	for mode in 0600 0660 0666 0777; do
		serve --listen "$tmp/$mode,mode=$mode" --workers 1
		[[ ${addr[0]} == "$tmp/$mode" ]]
		[[ $(stat -c %a "$tmp/$mode") == "${mode#0}" ]]
		end_daemon
	done
}

@test "a user other than root can give its socket to one of its groups" {
	((EUID == 0)) || skip 'only root becomes another user'
	mkdir -m 777 "$tmp/box"
	chmod 711 "$BATS_RUN_TMPDIR" "${tmp%/*}" "$tmp"
	environment=(setpriv --reuid=nobody --regid=nogroup --groups=daemon)
	nobody=() dir=$tmp/box/Maildir
	serve --listen "$tmp/box/sock,mode=0660,group=daemon" --workers 1
	[[ $(stat -c '%a %G' "$tmp/box/sock") == '660 daemon' ]]
}

@test "a Unix socket has the given group" {
	local group
	group=$(id -gn)
	((EUID != 0)) || group=daemon
	serve --listen "$tmp/sock,mode=0660,group=$group" --workers 1
	[[ $(stat -c '%a %G' "$tmp/sock") == "660 $group" ]]
	send_one "$tmp/sock"
}

@test "a stale socket is replaced" {
	serve --listen "$tmp/sock" --workers 1
	local pids
	mapfile -t pids < <(children "$master")
	stray "${pids[@]}"
	kill -KILL "$master"
	eventually gone "$master" "${pids[@]}"
	wait "$master" || true
	[[ -S $tmp/sock ]]
	serve --listen "$tmp/sock" --workers 1
	send_one "$tmp/sock"
	keeps 1
}

@test "a socket that another server listens on is not replaced" {
	serve --listen "$tmp/sock" --workers 1
	run -69 timeout 60 ./smtpd -m "$dir" "${nobody[@]}" --listen "$tmp/sock"
	send_one "$tmp/sock"
	keeps 1
}

@test "--trust compares the client's address on each listener" {
	serve --listen 127.0.0.1:0 --workers 1 --domain mx.example \
	    --trust 127.0.0.2/31
	dial -b 127.0.0.3:0 "${addr[0]}" "${data_bob[@]:0:5}" \
	    say:'RCPT TO:<bob@else.example>' reply:250 say:QUIT eof
	dial -b 127.0.0.4:0 "${addr[0]}" "${data_bob[@]:0:5}" \
	    say:'RCPT TO:<bob@else.example>' reply:'550 5.7.1 ' say:QUIT eof
	events refused | grep -F 'client=127.0.0.4 '
}

@test "--backlog clients may wait while all workers are busy" {
	hold
	serve --listen 127.0.0.1:0 --workers 1 --backlog 16 "${holding[@]}"
	dial "${addr[0]}" reply:220 say:'HELO c.example' \
	    run:"for i in 1 2 3 4 5 6 7 8; do t/smtpc -c ${addr[0]} -- reply:220 \
		say:QUIT reply:221 eof >>'$tmp/waited' & done" \
	    run:"touch '$tmp/go'" reply:250 say:NOOP reply:250 say:QUIT reply:221 eof
	eight() {
		(($(grep -c ^221 "$tmp/waited") == 8))
	}
	eventually eight
}

# lent SOCKET...: of these, "deafen" shuts down the first, as a worker could
# that is not confined
lent() {
	environment=(MANAGER_DEAFEN="$tmp/deafen" t/manager sockets "$@" run)
}

deafen() {
	touch "$tmp/deafen"
	eventually test ! -e "$tmp/deafen"
}

@test "a listener that was shut down is opened again" {
	lent tcp
	serve --workers 3
	send_one "${addr[0]}"
	deafen
	eventually events listener-reopened
	events listener-reopened | grep -F " address=${addr[0]}"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	lacks worker-died "$log"
}

@test "one of several listeners that was shut down is opened again, and the others go on" {
	local i
	lent tcp "unix=$tmp/sock"
	serve --workers 2
	send_one "${addr[1]}"
	deafen
	eventually events listener-reopened
	for i in 0 1; do
		dial "${addr[i]}" reply:220 say:QUIT reply:221 eof
	done
}

@test "SIGHUP opens a listener again that was shut down unnoticed" {
	lent tcp
	serve --workers 1
	dial "${addr[0]}" "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 \
	    run:"touch $tmp/deafen; t/until test ! -e $tmp/deafen" \
	    run:"kill -HUP $master; t/until grep -q event=restarting $log" \
	    run:"t/smtpc -c ${addr[0]} -- reply:220 say:QUIT reply:221 eof" \
	    say:QUIT reply:221 eof
	events listener-reopened
}

@test "a Unix socket that was shut down can't be opened again: smtpd logs it and stops with 69" {
	local got=0
	lent "unix=$tmp/sock"
	serve --workers 2
	send_one "${addr[0]}"
	deafen
	eventually gone "$master"
	wait "$master" || got=$?
	master=''
	((got == 69))
	events listener-lost | grep -F " address=$tmp/sock"
	keeps 1
}

@test "there is a warning about a loopback port where local clients may send to any domain" {
	serve --listen 127.0.0.1:0 --listen "$tmp/sock" --listen 127.0.0.2:0 \
	    --proxy-from 127.0.0.2 --workers 1
	(($(events warning | grep -c 'local clients may send to any domain') == 1))
	events warning | grep -F -e --domain
}

@test "there is the same warning about a wildcard address, which includes loopback" {
	serve --listen :0 --workers 1
	events warning | grep 'local clients may send to any domain'
}

@test "there is no warning with --domain, or if only authenticated users may send" {
	serve --listen 127.0.0.1:0 --domain mx.example --workers 1
	events warning | lacks 'local clients'
	end_daemon
	serve --listen submission@127.0.0.1:0 --auth true --plain-auth --workers 1
	events warning | lacks 'local clients'
}
