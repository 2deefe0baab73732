#!/usr/bin/env bats
# The units of contrib/systemd under systemd itself, with no other unit.

# shellcheck disable=SC2154,SC2016
load helpers
load booted

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	: >log
}

teardown() {
	power_off
	tail -n 40 log
}

# boot UNIT FILE...: start systemd with these files of contrib/systemd, and wait
# for the unit.
boot() {
	local file name wanted=$1
	shift
	mkdir -p units/smtpd.service.d
	printf '[Service]\nStandardError=append:/run/log\n' \
		>units/smtpd.service.d/log.conf
	for file; do
		name=${file#inetd/}
		sed -e 's#/usr/local/sbin/smtpd#/run/program#' \
			-e 's#/etc/default/smtpd#/run/default#' \
			"$root/contrib/systemd/$file" >"units/${name/-bind/}"
	done
	cp "$smtpd" units/smtpd
	mkdir -p etc
	cp /etc/{passwd,group,shadow,gshadow} etc
	systemd-sysusers --root="$PWD" - <"$root/contrib/systemd/sysusers.conf"
	power_on "" "$wanted" 'mv /run/units/smtpd /run/program
		mount --bind etc/passwd /etc/passwd
		mount --bind etc/group /etc/group'
}

# shows PROPERTY VALUE: of smtpd.service; VALUE is a pattern
shows() {
	# shellcheck disable=SC2053
	[[ $(inside systemctl show --value -p "$1" smtpd.service) == $2 ]]
}

# keeps N: so many mails are in the state directory
keeps() {
	(($(inside find /var/lib/smtpd/Maildir/new -type f | wc -l) == $1))
}

@test "smtpd.service starts, receives, reloads and stops" {
	local main
	boot smtpd.service smtpd.service smtpd.socket
	send_inside
	keeps 1
	shows StatusText '0 of 100 workers busy; 1 sessions, 1 messages' ||
		await 60 shows StatusText '* 1 sessions, 1 messages'
	main=$(inside systemctl show --value -p MainPID smtpd.service)
	inside systemctl reload smtpd.service
	inside grep -q event=restarting /run/log
	shows MainPID "$main"
	shows ActiveState active
	send_inside
	keeps 2
	# another program in its place: the reload fails, the service goes on
	inside cp /bin/true /run/new
	inside mv /run/new /run/program
	inside systemctl reload smtpd.service
	await 60 shows StatusText '* 2 messages; last restart failed: the program is not smtpd'
	shows MainPID "$main"
	send_inside
	keeps 3
	await 60 shows StatusText '* 3 messages; last restart failed: the program is not smtpd'
	inside systemctl stop smtpd.socket smtpd.service
	shows Result success
	shows ExecMainStatus 0
	shows NRestarts 0
}

@test "the first client on the socket starts the service" {
	boot smtpd.service smtpd.service smtpd.socket
	inside systemctl stop smtpd.service
	shows ActiveState inactive
	send_inside
	shows ActiveState active
	keeps 1
}

# is_alive: it has given a sign of life since the last call
is_alive() {
	local now
	now=$(inside systemctl show --value -p WatchdogTimestampMonotonic smtpd)
	[[ $now != "${alive-}" ]] || return
	alive=$now
}

# failed N: the service was started again so many times
failed() {
	(($(inside systemctl show --value -p NRestarts smtpd.service) >= $1))
}

@test "options are in a file, and a mistake there loses no mail" {
	local client
	mkdir -p units/smtpd.service.d
	printf '[Service]\nRestartSec=100ms\n' >units/smtpd.service.d/soon.conf
	boot smtpd.service smtpd.service smtpd.socket
	cat >units/options <<-'EOT'
		SMTPD_OPTIONS='--domain d.example --status /run/smtpd/status --on-recipient "echo 550 5.1.1 $RECIPIENT; exit 1"'
	EOT
	inside tee /run/default <units/options
	inside systemctl restart smtpd
	run ! send_inside
	[[ $output == *'<** 550 5.1.1 b@d.example'* ]]
	inside test -s /run/smtpd/status
	echo 'SMTPD_OPTIONS=--no-such-option' | inside tee /run/default
	run ! inside systemctl restart smtpd
	# more often than systemd permits by itself
	await 60 failed 7
	[[ $(inside systemctl is-active smtpd.socket) == active ]]
	send_inside >sent 2>&1 3>&- 4>&- &
	client=$!
	failed=$(inside systemctl show --value -p NRestarts smtpd.service)
	await 60 failed $((failed + 2))
	inside rm /run/default
	wait "$client"
	keeps 1
}

@test "Maildirs in /srv/mail can be written, and elsewhere the start warns" {
	mkdir -p units/smtpd.service.d
	boot smtpd.service smtpd.service smtpd.socket
	inside mount -t tmpfs tmpfs /srv
	inside install -d -o smtpd /srv/mail/b /srv/mail/postmaster /srv/else/b
	inside tee /run/default <<<"SMTPD_OPTIONS='--maildir /srv/mail/{mailbox}'"
	inside systemctl restart smtpd
	send_inside
	inside find /srv/mail/b/new -type f | grep .
	inside tee /run/default <<<"SMTPD_OPTIONS='--maildir /srv/else/{mailbox}'"
	inside systemctl restart smtpd
	run ! send_inside
	[[ $output == *'<** 451 4.3.0'* ]]
	inside grep 'event=warning.*ReadWritePaths=/srv/else' /run/log
}

@test "ports 587 and 465 are open once their sockets are enabled, and smtpd restarted" {
	boot smtpd.service smtpd.service smtpd.socket
	for kind in submission submissions; do
		inside tee /run/units/smtpd-$kind.socket \
			<"$root/contrib/systemd/smtpd-$kind.socket"
	done
	echo "SMTPD_OPTIONS='--plain-auth --auth true --tls false'" |
		inside tee /run/default
	inside systemctl daemon-reload
	run ! inside systemctl start smtpd-submission.socket
	inside systemctl --runtime enable smtpd-submission.socket \
		smtpd-submissions.socket
	# systemd searches nothing but /run/units here
	inside cp -a /run/systemd/system/smtpd.service.wants /run/units
	inside systemctl daemon-reload
	inside systemctl restart smtpd
	send_inside
	keeps 1
	inside grep 'event=listening.*address=.*:587 ' /run/log
	inside grep 'event=listening.*address=.*:465 ' /run/log
	run ! send_inside --port 587
	[[ $output == *'<** 530 5.7.0 '* ]]
	inside systemctl restart smtpd
	run ! send_inside --port 587
	[[ $output == *'<** 530 5.7.0 '* ]]
}

@test "the comment of smtpd.socket puts a Unix socket in place of port 25" {
	boot smtpd.service smtpd.service smtpd.socket
	sed -n '/^#	\[Socket\]/,/^# [^	]/ s/^#	//p' \
		"$root/contrib/systemd/smtpd.socket" |
		sed 's/=haproxy$/=daemon/' >unix.conf
	grep -q '^ListenStream=/run/smtpd.sock' unix.conf
	sed -n '/^# and FileDescriptorName/,$ s/^#	//p' \
		"$root/contrib/systemd/smtpd.socket" >steps
	(($(grep -c '^systemctl ' steps) == 3))
	inside mkdir -p /run/units/smtpd.socket.d
	inside tee /run/units/smtpd.socket.d/unix.conf <unix.conf
	inside tee /run/default <<<'SMTPD_OPTIONS="--proxy-from unix"'
	inside systemctl daemon-reload
	inside sh -eux <steps
	[[ $(inside stat -c '%a %G' /run/smtpd.sock) == '660 daemon' ]]
	inside python3 -Ic 'import socket
client = socket.socket(socket.AF_UNIX)
client.connect("/run/smtpd.sock")
client.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n")
assert client.makefile().readline().startswith("220 ")'
	run ! send_inside
}

@test "the watchdog replaces a master that hangs" {
	boot smtpd.service smtpd.service smtpd.socket
	inside sh -c 'mkdir -p /run/units/smtpd.service.d &&
		printf "[Service]\nWatchdogSec=2\n" \
			>/run/units/smtpd.service.d/watchdog.conf'
	inside systemctl daemon-reload
	inside systemctl restart smtpd.service
	for _ in 1 2 3; do
		await 60 is_alive
	done
	shows NRestarts 0
	inside sh -c 'kill -STOP $(systemctl show --value -p MainPID smtpd)'
	await 60 shows NRestarts 1
	await 60 is_active
	send_inside
	keeps 1
}

@test "the service works without a network" {
	boot smtpd.service smtpd.service smtpd.socket smtpd.service.d/no-network.conf
	send_inside
	keeps 1
	grep -q '^PrivateNetwork=yes' units/smtpd.service.d/no-network.conf
	shows PrivateNetwork yes
}

@test "smtpd-bind.service binds port 25 and keeps no capability" {
	boot smtpd.service smtpd-bind.service
	send_inside
	keeps 1
	inside sh -c 'grep -E "^Cap(Prm|Eff|Amb|Inh):.*[1-9a-f]$" \
		"/proc/$(systemctl show --value -p MainPID smtpd)/status"' &&
		return 1
	inside sh -c 'grep -E "^CapPrm:" \
		"/proc/$(systemctl show --value -p MainPID smtpd)/status"'
}

@test "smtpd@.service serves a connection that systemd accepted" {
	boot smtpd.socket inetd/smtpd.socket 'inetd/smtpd@.service'
	send_inside
	keeps 1
}

@test "tls.conf: the key stays root's, and smtpd gets a copy" {
	make -s -C "$root" tls
	mkdir -p units/tls
	cp "$root/contrib/tls/smtpd-tls" units/tls
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout units/tls/privkey.pem -out units/tls/fullchain.pem \
		-subj /CN=mx.example -days 2 2>/dev/null
	chmod 600 units/tls/privkey.pem
	boot smtpd.service smtpd.service smtpd.socket
	sed -e 's#/etc/letsencrypt/live/mx.example.org/#/run/units/tls/#' \
		-e 's#/usr/local/sbin/smtpd#/run/program#' \
		-e 's# smtpd-tls # /run/units/tls/smtpd-tls #' \
		"$root/contrib/systemd/smtpd.service.d/tls.conf" |
		inside tee /run/units/smtpd.service.d/tls.conf
	inside systemctl daemon-reload
	inside systemctl restart smtpd.service
	inside swaks --server 127.0.0.1 --port 25 --from a@c.example \
		--to b@d.example --helo c.example --suppress-data --tls
	keeps 1
}

# with_hooks OPTION...: a drop-in that gives smtpd.service these options
with_hooks() {
	mkdir -p units/smtpd.service.d units/hooks
	cp "$root"/contrib/hooks/{clamav,rspamd} units/hooks
	printf '[Service]\nExecStart=\nExecStart=/run/program --maildir Maildir %s\n' \
		"$*" >units/smtpd.service.d/hooks.conf
}

@test "the hooks for clamd and rspamd work in smtpd.service unchanged" {
	with_hooks "--on-message '/run/units/hooks/clamav -c /run/units/clamd.conf'" \
		"--on-message '/run/units/hooks/rspamd -h 127.0.0.1:11333'"
	mkdir -p units/database
	printf 'Test.Worm:0:*:%s\n' "$(printf WORMWORM | od -An -tx1 |
		tr -d ' \n')" >units/database/local.ndb
	cat >units/clamd.conf <<-'EOT'
		LocalSocket /run/clamd
		LocalSocketMode 666
		DatabaseDirectory /run/units/database
	EOT
	cat >units/rspamd.conf <<-'EOT'
		options {
			tempdir = "/tmp";
			url_tld = "/run/units/tld";
			filters = "regexp";
			dns { nameserver = ["127.0.0.1:1"]; }
		}
		logging { type = "file"; filename = "/run/rspamd.log"; }
		worker "normal" { bind_socket = "127.0.0.1:11333"; count = 1; }
		actions { reject = 15; add_header = 6; greylist = 4; }
	EOT
	echo com >units/tld
	boot smtpd.service smtpd.service smtpd.socket
	run ! send_inside
	[[ $output == *'<** 451 4.3.0 '* ]]
	# in the foreground: its daemon may tell the parent that it is ready
	# before the parent listens, which is then no success
	inside setsid --fork clamd --foreground \
		--config-file=/run/units/clamd.conf </dev/null >>log 2>&1 3>&- 4>&-
	inside rspamd --insecure -c /run/units/rspamd.conf
	await 60 inside test -S /run/clamd
	await 60 inside bash -c ': 2>/dev/null <>/dev/tcp/127.0.0.1/11333'
	send_inside
	keeps 1
	run ! inside swaks --server 127.0.0.1 --from a@c.example \
		--to b@d.example --helo c.example --body 'a WORMWORM for you'
	[[ $output == *'<** 554 5.7.1 It holds Test.Worm'* ]]
	keeps 1
}

@test "the drop-ins of smtpd(8) allow what commands may need" {
	with_hooks --on-new-mail /run/units/needy
	cat >units/needy <<-'EOT'
		#!/bin/sh
		{
			python3 -c 'import mmap; mmap.mmap(-1, 4096, prot=7)'
			echo $?
			test -r /proc/meminfo
			echo $?
			ls /home >/dev/null
			echo $?
			touch /var/lib/here/file
			echo $?
			cat /run/shared
			echo $?
		} 2>/dev/null | sed 's/[1-9].*/x/' >/var/lib/smtpd/needs
	EOT
	chmod 755 units/needy
	boot smtpd.service smtpd.service smtpd.socket
	inside install -d -o smtpd /var/lib/here
	inside install -g daemon -m 640 /dev/null /run/shared
	send_inside
	[[ $(inside cat /var/lib/smtpd/needs | paste -sd ' ') == 'x x x x x' ]]
	printf '%s\n' '[Service]' MemoryDenyWriteExecute=no ProcSubset=all \
		ProtectHome=no ReadWritePaths=/var/lib/here \
		SupplementaryGroups=daemon |
		inside tee /run/units/smtpd.service.d/loose.conf
	inside systemctl daemon-reload
	inside systemctl restart smtpd.service
	send_inside
	[[ $(inside cat /var/lib/smtpd/needs | paste -sd ' ') == '0 0 0 0 0' ]]
}
