#!/usr/bin/env bats
# The lines of README.md that install smtpd, run in a small Debian from
# t/real/install, which gets systemd and is booted with a network of its own.

# shellcheck disable=SC2154,SC2016
load helpers

teardown() {
	[[ ! ${first-} ]] || kill -KILL "$first" 2>/dev/null || true
	[[ ! ${booted-} ]] || gone "$booted" 60
	[[ ! ${group-} ]] || {
		await 60 empty
		find "$group" -depth -type d -exec rmdir {} +
	}
	tail -n 40 log
	rm -rf debian
}

empty() {
	! grep -q 'populated 1' "$group/cgroup.events"
}

# boot HOSTNAME: start systemd in ./debian, in namespaces of its own
boot() {
	local unified
	unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	group=$unified/smtpd-test.$BASHPID
	mkdir "$group"
	sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" \
		unshare --cgroup --mount --pid --fork --uts --ipc --net \
		--propagation private sh -euc '
			ip link set lo up
			mount --bind debian debian
			cd debian
			mount -t proc proc proc
			mount -t sysfs sysfs sys
			mount -t tmpfs tmpfs run
			mount --rbind /dev dev
			mount -t cgroup2 cgroup2 sys/fs/cgroup
			pivot_root . mnt
			umount -l /mnt
			mount --make-rshared /
			echo '"$1"' >/etc/hostname
			exec env -i PATH="$PATH" container=test /lib/systemd/systemd \
				--system --unit=multi-user.target --log-target=console' \
		</dev/null >>log 2>&1 3>&- 4>&- &
	booted=$!
	await 60 is_up
}

inside() {
	first=$(pgrep -P "$booted") && timeout 60 nsenter --all --target "$first" \
		"$@"
}

is_up() {
	[[ $(inside systemctl is-system-running 2>&1) == running ]]
}

# block N: the lines of the Nth fenced block below "Install"
block() {
	awk -v n="$1" '/^## / { inside = $0 == "## Install" }
		inside && /^```$/ { i++; next }
		inside && i == 2 * n - 1' "$root/README.md"
}

# send ADDRESS: a mail by nothing but bash; prints the replies
send() {
	inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/25 && printf "%s\r\n" \
		"EHLO me" "MAIL FROM:<me@example.org>" "RCPT TO:<$0>" DATA \
		"Subject: hello" "" Hello. . QUIT >&3 && cat <&3' "$1"
}

@test "the lines of the README install smtpd on a fresh Debian, and it receives mail" {
	local line
	mkdir debian
	tar -C debian -xpf "$root/t/real/cache/debian-slim/root.tar"
	cp -L /etc/resolv.conf debian/etc/resolv.conf
	git -c safe.directory='*' -C "$root" archive --prefix smtpd/ HEAD |
		tar -C debian/root -x
	block 1 >lines
	(($(wc -l <lines) == 5))
	[[ $(tail -n 1 lines) == 'systemctl enable --now '* ]]
	{
		echo apt-get update
		echo apt-get install -y --no-install-recommends systemd dbus
		sed '$d' lines
	} >debian/root/install
	unshare --mount sh -euc '
		mount -t proc proc debian/proc
		mount --bind /dev debian/dev
		exec env -i PATH="$PATH" DEBIAN_FRONTEND=noninteractive \
			chroot debian sh -euxc "cd /root/smtpd && . ../install"' \
		</dev/null >>log 2>&1 3>&- 4>&-
	boot mx.example.net
	# nothing runs yet
	run ! inside systemctl is-active smtpd.socket smtpd.service
	line=$(tail -n 1 lines)
	inside sh -euxc "$line"
	send postmaster@mx.example.net | grep '^250 2\.0\.0 Ok'
	inside sh -c 'cat /var/lib/smtpd/Maildir/new/*' | grep -x 'Subject: hello'
	[[ $(inside stat -c %U /var/lib/smtpd/Maildir) == smtpd ]]
	inside journalctl -u smtpd | grep ' event=message .*to=postmaster@mx'
	block 2 >lines
	(($(wc -l <lines) == 3))
	inside sh -euxc "$(<lines)" | grep '^smtpd: .* of 100 workers busy'
	send you@example.org | grep '^250 2\.0\.0 Ok'
	send you@mx.example.net | grep '^550 5\.7\.1 '
	# the pages and the helpers are there
	inside sh -euc 'for name in smtpd.8 smtpd-tls.8 smtpd-milter.8 smtpd-hooks.7
		do test -s /usr/share/man/man${name##*.}/$name.gz; done
		smtpd-tls -c /dev/null 2>&1 | grep -v "shared libraries"'
	inside sh -euc 'dpkg --purge smtpd; test ! -e /etc/default/smtpd
		test -e /var/lib/smtpd/Maildir/new'
	run ! inside systemctl is-active smtpd.socket
}
