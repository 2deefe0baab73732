#!/usr/bin/env bats
# Under real super-servers, with the lines of contrib/inetd, each in a network
# of its own, on port 25.

# shellcheck disable=SC2154,SC2016
load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	cache=$root/t/real/cache
	within=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh)
	mkdir mail
	chown nobody mail
	: >log
}

teardown() {
	local child
	# what a super-server started goes with it
	for child in $(pgrep -P "${super:-0}"); do
		kill "$child" 2>/dev/null || true
	done
	[[ ! ${super-} ]] || kill -9 "$super" 2>/dev/null || true
	end
}

# adapted FILE: a file of contrib/inetd for this machine
adapted() {
	sed -e "s#/usr/local/sbin/smtpd#$smtpd#" -e "s#/srv/mail#$PWD/mail#" \
		-e 's#--user smtpd#--user nobody#' \
		-e "s#/etc/tcp\.smtp#$PWD/rules#" "$root/contrib/inetd/$1"
}

# super COMMAND...: start a super-server, and wait for it to listen
super() {
	"${within[@]}" "$@" </dev/null >>log 2>&1 3>&- 4>&- &
	super=$!
	await 60 inside sh -c 'grep -q ":0019 .* 0A " /proc/net/tcp /proc/net/tcp6'
}

# inside COMMAND...: run it in the network of the super-server
inside() {
	nsenter --net --target "$super" "$@"
}

send_inside() {
	inside timeout 60 swaks --server 127.0.0.1 --port 25 --from a@c.example \
		--to b@d.example --helo c.example --suppress-data "$@"
}

# sessions N: send so many mails, one at a time and side by side
sessions() {
	local i
	for ((i = 0; i < $1; i++)); do
		send_inside >>sent
	done
	inside timeout 60 smtp-source -s 5 -m "$1" -f a@c.example \
		-t b@d.example 127.0.0.1:25
}

idle() {
	[[ -z $(pgrep -P "$super") ]]
}

# pool_of N: one server with so many workers
pool_of() {
	local server
	server=$(pgrep -P "$super") && (($(pgrep -c -P "$server") == $1))
}

@test "openbsd-inetd, nowait: the line of contrib/inetd" {
	adapted inetd.conf >conf
	super "$cache/openbsd-inetd/usr/sbin/inetd" -i "$PWD/conf"
	sessions 5
	kept 10 mail
	grep -q '(\[127\.0\.0\.1\])' mail/new/*
	await 60 idle
}

@test "openbsd-inetd, wait: the line of contrib/inetd; smtpd exits when idle and is started again" {
	adapted inetd.conf | sed -n 's/^#smtp/smtp/p' >conf
	super "$cache/openbsd-inetd/usr/sbin/inetd" -i "$PWD/conf"
	sessions 5
	pool_of 20
	await 60 idle
	sessions 5
	pool_of 20
	kept 20 mail
}

@test "openbsd-inetd, wait: no client is lost while pools exit and start" {
	adapted inetd.conf | sed -n 's/^#smtp/smtp/p' >conf
	super "$cache/openbsd-inetd/usr/sbin/inetd" -i "$PWD/conf"
	local i pool
	for i in {1..40}; do
		send_inside >>sent
		# it stops, now and then, with clients of the next one waiting
		((i % 8)) || { pool=$(pgrep -P "$super") && kill "$pool"; }
	done
	kept 40 mail
}

@test "xinetd, wait = no: the file of contrib/inetd" {
	adapted xinetd.conf >conf
	super "$cache/xinetd/usr/sbin/xinetd" -dontfork -f "$PWD/conf" \
		-pidfile "$PWD/pid"
	sessions 5
	kept 10 mail
	grep -q '(\[127\.0\.0\.1\])' mail/new/*
}

@test "xinetd does not close the port after a burst of connections" {
	adapted xinetd.conf | sed '/instances\|per_source/d' >conf
	super "$cache/xinetd/usr/sbin/xinetd" -dontfork -f "$PWD/conf" \
		-pidfile "$PWD/pid"
	# by default the limit is 50 in a second
	inside python3 -I - <<-'EOT'
		import socket
		clients = []
		for _ in range(200):
		    client = socket.create_connection(("127.0.0.1", 25), 60)
		    client.shutdown(socket.SHUT_WR)
		    clients.append(client)
		for client in clients:
		    assert client.makefile().readline().startswith("220 ")
	EOT
}

@test "xinetd, wait = yes: smtpd exits when idle and is started again" {
	adapted xinetd.conf | sed -e 's/\(wait.*= \)no/\1yes/' \
		-e '/instances\|per_source/d' >conf
	super "$cache/xinetd/usr/sbin/xinetd" -dontfork -f "$PWD/conf" \
		-pidfile "$PWD/pid"
	sessions 5
	pool_of 100
	await 60 idle
	sessions 5
	kept 20 mail
}

@test "tcpserver: the script of contrib/inetd, and the variables of its rules" {
	PATH=$cache/ucspi-tcp-ipv6/usr/bin:$PATH
	adapted tcpserver >run
	cat >rules <<-'RULES'
		127.0.0.1:allow,RELAYCLIENT="",MAXRCPTS="1"
		127.0.0.2:allow,DATABYTES="100"
		127.0.0.3:deny
		:allow
	RULES
	tcprules rules.cdb rules.tmp <rules
	super sh run
	# RELAYCLIENT: any domain; MAXRCPTS: one of two recipients
	send_inside --to b@else.example
	run send_inside --to b@example.org,c@example.org
	[[ $output == *'<** 452 4.5.3 '* ]]
	# DATABYTES
	run ! send_inside --local-interface 127.0.0.2 --to b@example.org
	[[ $output == *' 552 5.3.4 '* ]]
	run ! send_inside --local-interface 127.0.0.2 --to b@else.example
	[[ $output == *'<** 550 5.7.1 '* ]]
	run ! send_inside --local-interface 127.0.0.3
	send_inside --local-interface 127.0.0.4 --to b@example.org
	kept 3 mail
	grep -q 'client=127\.0\.0\.4 ' log
}

activate() {
	super systemd-socket-activate "$@"
}

@test "systemd-socket-activate: two named sockets are served by one pool as two kinds" {
	activate --listen 127.0.0.1:25 --listen 127.0.0.1:587 \
		--fdname=smtp:submission "$smtpd" --user nobody --maildir mail \
		--workers 5 --auth /bin/false --plain-auth
	sessions 5
	run ! send_inside --port 587
	[[ $output == *'<** 530 5.7.0 '* ]]
	kept 10 mail
	(($(pgrep -c -P "$super") == 5))
	grep -q 'event=listening address=127\.0\.0\.1:25 ' log
	grep -q 'event=listening address=127\.0\.0\.1:587 ' log
}

@test "systemd-socket-activate: SIGHUP keeps the sockets and their kinds" {
	activate --listen 127.0.0.1:25 --listen 127.0.0.1:587 \
		--fdname=smtp:submission "$smtpd" --user nobody --maildir mail \
		--workers 5 --auth /bin/false --plain-auth
	send_inside
	kill -HUP "$super"
	await 60 grep -q event=restarting log
	sessions 5
	run ! send_inside --port 587
	[[ $output == *'<** 530 5.7.0 '* ]]
	kept 11 mail
}

@test "systemd-socket-activate --accept --inetd: a process for each connection" {
	activate --accept --inetd --listen 127.0.0.1:25 "$smtpd" --inetd \
		--user nobody --maildir mail
	sessions 5
	kept 10 mail
	grep -q '(\[127\.0\.0\.1\])' mail/new/*
}

@test "systemd-socket-activate --accept: the connection is descriptor 3" {
	activate --accept --listen 127.0.0.1:25 "$smtpd" --user nobody --maildir mail
	sessions 5
	kept 10 mail
	grep -q '(\[127\.0\.0\.1\])' mail/new/*
}
