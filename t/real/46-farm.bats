#!/usr/bin/env bats
# Three machines with smtpd behind HAProxy, as in contrib/haproxy, in a network
# of each test's own.  They announce one name, and their processes have the same
# pids.  A client sends until each message is accepted, and each accepted one
# must be there once: see t/real/sender.

load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	cp "$root/contrib/haproxy/haproxy.cfg" .
	cp "$root/contrib/hooks/redis" hook
	inits=()
	network 'ip link add bridge type bridge
		ip address add 192.0.2.1/24 dev bridge
		ip link set bridge up'
}

# machine N OPTION...: it is on the net at 192.0.2.1N, and serves
machine() {
	# shellcheck disable=SC2016 # its shell reads it
	unshare --net --pid --fork --kill-child sh -c '
		n=$1
		shift
		echo ready
		until ip link show eth0; do sleep 0.05; done
		ip address add "192.0.2.1$n/24" dev eth0
		ip link set lo up
		ip link set eth0 up
		exec 9>"ready.$n"
		"$@" --ready-fd 9 &
		echo "$!" >"pid.$n"
		exec 9>&-
		wait' sh "$1" "$smtpd" --listen :25 --user nobody --workers 10 \
		--hostname mx.example.org --domain example.org \
		--proxy-from 192.0.2.1 "${@:2}" </dev/null >"log.$1" 2>&1 3>&- 4>&- &
	others+=("$!")
	machines[$1]=$!
	await 60 logged ready "log.$1"
	inits[$1]=$(cat "/proc/$!/task/$!/children")
	"${network[@]}" ip link add "port$1" type veth peer name eth0 \
		netns "/proc/${inits[$1]// /}/ns/net"
	"${network[@]}" ip link set "port$1" master bridge up
	await 60 test -s "ready.$1"
}

# farm OPTION...: three machines, and HAProxy, which is content with them
farm() {
	local n
	machines=()
	for n in 1 2 3; do
		machine "$n" "$@"
	done
	"${network[@]}" haproxy -db -f haproxy.cfg >haproxy.log 2>&1 3>&- 4>&- &
	others+=("$!")
}

# crash N: as if the plug were pulled
crash() {
	kill -KILL "${machines[$1]}"
}

# drain N: its smtpd is asked to stop
drain() {
	nsenter --pid --net --target "${inits[$1]// /}" \
		kill -TERM "$(cat "pid.$1")"
}

# send_until N COMMAND...: 400 messages by eight connections; the command is
# run when so many were acknowledged
send_until() {
	"${network[@]}" "$root/t/real/sender" 192.0.2.1 400 8 \
		>acknowledged 2>sender.log 3>&- 4>&- &
	local sender=$!
	others+=("$sender")
	await 60 acknowledged "$1"
	"${@:2}"
	gone "$sender" 240
	wait "$sender"
	cat sender.log
	acknowledged 400
}

acknowledged() {
	(($(grep -c '^[0-9]*$' acknowledged) >= $1))
}

# served N...: each of these machines has had its share before that
served() {
	local n
	for n; do
		(($(grep -c event=message "log.$n") > 20))
	done
}

# exactly_once FILE: a line "Message-ID: <N@farm.example>" for each message;
# each number is there once, or, where a reply was lost, once more at most for
# each time that it was sent again.
exactly_once() {
	sed -n 's/^Message-ID: <\([0-9]*\)@farm\.example>\r\?$/\1/p' "$1" |
		sort -n >found
	sort -nu found | diff - <(seq 400) || return
	sort -n found <(sed -n 's/ again$//p' acknowledged) | uniq -c >seen
	echo "sent again: $(grep -c again acknowledged)," \
		"kept twice: $(($(wc -l <found) - 400))"
	# nothing is there more often than it was sent
	sort -n <(seq 400) <(sed -n 's/ again$//p' acknowledged) | uniq -c \
		>sent
	paste -d ' ' <(sort -n found | uniq -c) sent |
		awk '$1 > $3 || $2 != $4 { print; bad = 1 } END { exit bad }'
}

# the Maildirs of three users, on a directory that all three machines have
shared_maildirs() {
	make_maildirs shared/user0 shared/user1 shared/user2
}

in_maildirs() {
	find shared -path '*/new/*' -type f -exec grep -h '^Message-ID: ' {} + \
		>kept
}

# redis: a server that all three machines reach
redis() {
	"${network[@]}" redis-server --bind 192.0.2.1 --port 6379 \
		--protected-mode no --save '' --appendonly yes \
		--appendfsync always --dir "$PWD" \
		>redis.log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 logged 'Ready to accept connections' redis.log
}

in_redis() {
	"${network[@]}" redis-cli --raw -h 192.0.2.1 XRANGE mail - + >kept
}

@test "when a machine crashes under load, acknowledged mail is in the shared Maildirs once" {
	shared_maildirs
	farm --maildir "$PWD/shared/{mailbox}"
	send_until 150 crash 2
	served 1 2 3
	in_maildirs
	exactly_once kept
	await 60 logged 'smtp/mx2 is DOWN' haproxy.log
}

@test "when a machine crashes under load, acknowledged mail is in the Redis stream once" {
	redis
	mkdir spool
	chown nobody spool
	farm --maildir none --spool spool --deliver "$PWD/hook mail -h 192.0.2.1"
	send_until 150 crash 3
	served 1 2 3
	in_redis
	exactly_once kept
}

@test "when a machine drains under load, no message is in doubt and HAProxy takes it out" {
	shared_maildirs
	farm --maildir "$PWD/shared/{mailbox}"
	send_until 150 drain 1
	served 1 2 3
	run ! grep again acknowledged
	in_maildirs
	exactly_once kept
	await 60 logged 'smtp/mx1 is DOWN' haproxy.log
	logged 'event=stopped killed=0' log.1
	# and the checks are no clients
	run ! logged 'event=(refused|proxy-failed) .*client=192\.0\.2\.1 ' log.2
}
