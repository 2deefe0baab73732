#!/usr/bin/env bats
# SIGHUP under load: no mail of smtp-source is refused, cut or lost.

# shellcheck disable=SC2154
load helpers

restarts() {
	(($(grep -c 'event=restarting ' log) == $1))
}

# hang_up N: N restarts, one after the other
hang_up() {
	local i
	for ((i = 1; i <= $1; i++)); do
		kill -HUP "$pid"
		await 60 restarts "$i"
	done
}

# unharmed N: so many mails are kept, and no session was harmed
unharmed() {
	kept "$1"
	grep -E 'event=(lost|worker-died|refused|restart-failed) ' log && return 1
	(($(grep -c event=message log) == $1))
}

@test "fifty restarts under smtp-source, a connection for each mail, lose nothing" {
	start --workers 8
	timeout 200 smtp-source -s 8 -m 3000 -l 2000 -f a@c.example \
		-t b@d.example "127.0.0.1:$port" 3>&- &
	others+=($!)
	hang_up 50
	wait "${others[0]}"
	unharmed 3000
}

@test "fifty restarts under smtp-source, several listeners and lasting connections, lose nothing" {
	start --workers 16 --listen 127.0.0.2:0
	other=$(sed -n 's/.*event=listening address=\(127.0.0.2:[0-9]*\) .*/\1/p' log)
	timeout 200 smtp-source -d -s 4 -m 1500 -l 20000 -f a@c.example \
		-t b@d.example "127.0.0.1:$port" 3>&- &
	others+=($!)
	timeout 200 smtp-source -s 4 -m 1500 -f a@c.example -t b@d.example \
		"$other" 3>&- &
	others+=($!)
	hang_up 50
	wait "${others[0]}"
	wait "${others[1]}"
	unharmed 3000
}

@test "restarts with fewer workers than clients, which wait in the queue, lose nothing" {
	start --workers 2
	timeout 200 smtp-source -s 20 -m 1000 -f a@c.example -t b@d.example \
		"127.0.0.1:$port" 3>&- &
	others+=($!)
	hang_up 20
	wait "${others[0]}"
	unharmed 1000
}

@test "a restart keeps a port below 1024 that the user could not bind" {
	within=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh)
	start --listen 127.0.0.1:25
	hang_up 2
	nsenter --net --target "$pid" swaks --server 127.0.0.1 --port 25 \
		--from a@c.example --to b@d.example --suppress-data
	kept 1
}

@test "a user with the capability binds port 25 and drops the capability" {
	mkdir mail
	chown nobody:nogroup mail
	within=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh
		setpriv --reuid nobody --regid nogroup --clear-groups
		--inh-caps +net_bind_service --ambient-caps +net_bind_service)
	user=nobody:nogroup
	start --listen 127.0.0.1:25 --maildir mail
	grep -Eq '^CapPrm:[[:space:]]*0+$' "/proc/$pid/status"
	grep -Eq '^CapAmb:[[:space:]]*0+$' "/proc/$pid/status"
	nsenter --net --target "$pid" swaks --server 127.0.0.1 --port 25 \
		--from a@c.example --to b@d.example --suppress-data
	kept 1 mail
}
