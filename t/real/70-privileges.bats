#!/usr/bin/env bats
# Started by root: the privileges that are left once the sockets are bound, and
# the owners of files.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

# has PID FIELD VALUE...: what /proc says of a process.
has() {
	local field=$2 process=$1
	shift 2
	[[ $(sed -n "s/^$field:[[:space:]]*//p" "/proc/$process/status" |
		tr -s '[:space:]' ' ') == "$* " ]] || {
		cat "/proc/$process/status"
		return 1
	}
}

# runs_as USER GROUP: master and workers have no other identity, and no
# supplementary group but GROUP.
runs_as() {
	local u g process processes
	u=$(id -u "$1")
	g=$(getent group "$2" | cut -d: -f3)
	mapfile -t processes < <(pgrep -P "$pid")
	((${#processes[@]} == 5))
	for process in "$pid" "${processes[@]}"; do
		has "$process" Uid "$u" "$u" "$u" "$u"
		has "$process" Gid "$g" "$g" "$g" "$g"
		has "$process" Groups "$g" || has "$process" Groups ''
		has "$process" CapEff 0000000000000000
		has "$process" CapPrm 0000000000000000
	done
}

@test "master and workers drop root for good: ids, groups, capabilities" {
	user=mail
	start --workers 5
	runs_as mail mail
	send
	[[ $(stat -c %U:%G "$(mail)") == mail:mail ]]
}

@test "--user USER:GROUP sets the group" {
	user=nobody:mail
	start --workers 5
	runs_as nobody mail
	send
	[[ $(stat -c %U:%G "$(mail)") == nobody:mail ]]
}

@test "a new Maildir belongs to the user only: 0700, mails 0600" {
	umask 000
	start
	send
	for dir in Maildir Maildir/{tmp,new,cur}; do
		[[ $(stat -c '%U %a' "$dir") == 'nobody 700' ]]
	done
	[[ $(stat -c '%U %a' "$(mail)") == 'nobody 600' ]]
}

@test "--umask can let others read" {
	start --umask 027
	send
	for dir in Maildir Maildir/{tmp,new,cur}; do
		[[ $(stat -c '%U %a' "$dir") == 'nobody 750' ]]
	done
	[[ $(stat -c '%U %a' "$(mail)") == 'nobody 640' ]]
}

@test "a Maildir below a directory that only root may search works" {
	mkdir -m 700 home
	for dir in "$PWD/home/Maildir" home/deep/Maildir; do
		mkdir -p home/deep
		start --maildir "$dir"
		send
		kept 1 "$dir"
		stop
	done
}

@test "per-user Maildirs below such a directory work, with 550 and 451 as usual" {
	make_maildirs home/store/b
	chmod 700 home
	start --maildir 'home/store/{mailbox}'
	send
	kept 1 home/store/b
	run ! send --to c@d.example
	[[ $output == *'<** 550 5.1.1 '* ]]
}

@test "a clone in a directory that only root may search can be run there" {
	mkdir -m 700 home
	mkdir home/clone
	cp "$smtpd" home/clone/smtpd
	cd home/clone
	smtpd=./smtpd start
	send
	kept 1
}

@test "recycled workers run without root's rights, too" {
	user=mail
	start --workers 5 --recycle-after 1
	for _ in {1..10}; do
		send
	done
	kept 10
	five_workers() {
		(($(pgrep -c -P "$pid") == 5))
	}
	await 60 five_workers
	runs_as mail mail
}

@test "as root, --user must be given" {
	run -64 timeout 60 "$smtpd" --listen 127.0.0.1:0 </dev/null
	((${#lines[@]} == 1))
	[[ $output == *--user* ]]
	[[ ! -e Maildir ]]
}

@test "a Maildir that the user can't write is a start-up error" {
	mkdir -p Maildir/{tmp,new,cur}
	run ! timeout 60 "$smtpd" --listen 127.0.0.1:0 --user nobody </dev/null
	((status >= 64 && status <= 78))
	((${#lines[@]} == 1))
	[[ $output == *Maildir* ]]
}

@test "a port below 1024 is bound by root and used by the user" {
	within=(unshare --net sh -c 'ip link set lo up; exec "$@"' sh)
	start --listen 127.0.0.1:25
	nsenter --net --target "$pid" swaks --server 127.0.0.1 --port 25 \
		--from a@c.example --to b@d.example --suppress-data
	kept 1
}

@test "a confined worker logs to a restarted syslogd" {
	local worker launcher
	mkdir -m 755 dev
	touch dev/null	# a start needs it
	# syslog N: what /dev/log is there; ./told.N has what it gets
	syslog() {
		"$root/t/manager" notify "$PWD/dev/log" "told.$1" \
			</dev/null >/dev/null 3>&- 4>&- &
		servers+=($!)
		await 60 test -S dev/log
		chmod 666 dev/log
	}
	# refuse: have a line logged
	refuse() {
		"$root/t/smtpc" -c "127.0.0.1:$port" -- reply:220 say:NO \
			reply:500 say:QUIT reply:221 eof
	}
	syslog 1
	within=(unshare --mount sh -ec 'mount --bind dev /dev; exec "$@"' sh)
	start --workers 1 --syslog
	worker=$(pgrep -P "$pid")
	launcher=$(pgrep -P "$worker")
	has "$worker" Seccomp 2
	refuse
	await 60 grep -q "^$launcher .* smtpd\[$worker\]: event=refused" told.1
	kill "${servers[0]}"
	gone "${servers[0]}" 60
	servers=()
	rm dev/log
	refuse
	syslog 2
	refuse
	await 60 grep -q "^$launcher .* smtpd\[$worker\]: event=refused" told.2
}

@test "with --syslog and descriptor 0 closed, the log does not become descriptor 0" {
	mkdir dev
	touch dev/null
	"$root/t/manager" notify "$PWD/dev/log" "$PWD/told" </dev/null \
		>/dev/null 3>&- 4>&- &
	others+=($!)
	timeout 60 sh -c 'until [ -S dev/log ]; do sleep 0.02; done'
	# shellcheck disable=SC2016 # the other shell's
	within=(unshare -m sh -c 'mount --bind /dev/null dev/null &&
		mount --bind dev /dev && exec "$0" "$@" <&-')
	start --syslog
	[[ $(readlink "/proc/$pid/fd/0") == /dev/null ]]
	grep -q 'event=listening' told
	stop
}
