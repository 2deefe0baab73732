#!/usr/bin/env bats
# The number of sessions that one client may have: with addresses other than
# loopback, in a network namespace of the test's own.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

# start_there OPTION...: a daemon on all addresses of a namespace
start_there() {
	# shellcheck disable=SC2016 # that shell is to expand it
	within=(unshare --net sh -c 'ip link set lo up &&
		for a in 192.0.2.1/24 192.0.2.2/24 2001:db8::1/64 \
		    2001:db8::2/64 2001:db8:0:1::1/64; do
			ip addr add "$a" dev lo nodad; done && exec "$@"' sh)
	start --listen :2525 "$@"
}

# talk ADDRESS TO ACTION...: from that address to another one
talk() {
	nsenter --net --target "$pid" "$root/t/smtpc" -b "$1" -c "$2" -- \
		"${@:3}"
}

refusals() {
	grep -c 'event=refused client=.* reply="421 4.7.0 Too many conn' log
}

@test "a client has at most --max-per-client sessions, and others are served" {
	start_there --workers 8 --max-per-client 2
	talk 192.0.2.1:0 192.0.2.1:2525 reply:220 idle:1 run:"
		'$root/t/smtpc' -b 192.0.2.2:0 -c 192.0.2.1:2525 -- reply:220 \
			say:QUIT reply:221 eof &&
		'$root/t/smtpc' -b 192.0.2.1:0 -c 192.0.2.1:2525 -- \
			'reply:421 4.7.0 ' eof" \
		say:NOOP reply:250 say:QUIT reply:221 eof
	(($(refusals) == 1))
	grep -q 'event=refused client=192\.0\.2\.1 .* command=connect ' log
	# and when they are over, he may come again
	talk 192.0.2.1:0 192.0.2.1:2525 reply:220 say:QUIT reply:221 eof
}

@test "IPv6 clients are counted by their network of 64 bits" {
	start_there --workers 8 --max-per-client 1
	talk '[2001:db8::1]:0' '[2001:db8::1]:2525' reply:220 run:"
		'$root/t/smtpc' -b '[2001:db8::2]:0' -c '[2001:db8::1]:2525' -- \
			'reply:421 4.7.0 ' eof &&
		'$root/t/smtpc' -b '[2001:db8:0:1::1]:0' \
			-c '[2001:db8::1]:2525' -- reply:220 say:QUIT reply:221 eof" \
		say:QUIT reply:221 eof
	(($(refusals) == 1))
}

@test "the default of --max-per-client is half the pool, and 0 means no limit" {
	start_there --workers 8
	talk 192.0.2.1:0 192.0.2.1:2525 reply:220 idle:3 run:"
		'$root/t/smtpc' -b 192.0.2.1:0 -c 192.0.2.1:2525 -- \
			'reply:421 4.7.0 ' eof" say:QUIT reply:221 eof
	stop
	start_there --workers 8 --max-per-client 0
	talk 192.0.2.1:0 192.0.2.1:2525 reply:220 idle:5 say:QUIT reply:221 eof
	(($(refusals) == 1))
}

@test "clients of loopback, Unix sockets and --trust have no limit" {
	start_there --workers 8 --max-per-client 1 --trust 192.0.2.2 \
		--listen "$PWD/sock,mode=0666"
	talk 127.0.0.1:0 127.0.0.1:2525 reply:220 idle:3 say:QUIT reply:221 eof
	talk '[::1]:0' '[::1]:2525' reply:220 idle:3 say:QUIT reply:221 eof
	talk 192.0.2.2:0 192.0.2.1:2525 reply:220 idle:3 say:QUIT reply:221 eof
	"$root/t/smtpc" -c "$PWD/sock" -- reply:220 idle:3 say:QUIT reply:221 eof
	(($(refusals) == 0))
}

@test "one client's sessions leave half of the pool to others" {
	start_there --workers 20
	nsenter --net --target "$pid" "$root/t/smtpc" -T 60 -b 192.0.2.1:0 \
		-c 192.0.2.1:2525 -- 'crowd:100:|' >crowd 3>&- 4>&- &
	others+=($!)
	await 60 grep -q crowded crowd
	talk 192.0.2.2:0 192.0.2.1:2525 reply:220 say:QUIT reply:221 eof
	await 60 eval '(($(refusals) >= 85))'
}
