#!/usr/bin/env bats
# The units of contrib/systemd, checked by systemd-analyze.

# shellcheck disable=SC2154
load helpers

# units DIR FILE...: units of contrib/systemd in DIR, for the program that was
# built; a FILE ending in .conf is a drop-in of smtpd.service
units() {
	local dir=$1 file
	mkdir -p "$dir/smtpd.service.d"
	for file in "${@:2}"; do
		[[ $file != *.conf ]] || file=smtpd.service.d/$file
		sed "s#/usr/local/sbin/smtpd#$smtpd#" \
			"$root/contrib/systemd/$file" \
			>"$dir/${file#inetd/}"
	done
}

# exposure UNIT: its level
exposure() {
	systemd-analyze security --offline=yes "$1" >table || return
	sed -n 's/^.*Overall exposure level for .*: \([0-9.]*\) .*/\1/p' table
}

@test "systemd-analyze verify has no warning about the units" {
	local dir unit
	units pool smtpd.service smtpd.socket smtpd-submission.socket \
		smtpd-submissions.socket
	units dropins smtpd.service smtpd.socket no-network.conf
	units tls smtpd.service smtpd.socket tls.conf
	units bind smtpd-bind.service
	units inetd inetd/smtpd.socket inetd/smtpd@.service
	for dir in pool dropins tls bind inetd; do
		for unit in "$dir"/smtpd*.s*[et]; do
			echo "$unit"
			run -0 systemd-analyze verify --man=no "$PWD/$unit"
			[[ ! $output ]]
		done
	done
}

@test "sysusers.conf creates the user of the units, once, and nothing else" {
	local i file=$root/contrib/systemd/sysusers.conf
	grep -q '^User=smtpd$' "$root/contrib/systemd/smtpd.service"
	mkdir -p there/etc
	for i in 1 2; do
		systemd-sysusers --root="$PWD/there" - <"$file"
	done
	(($(grep -c '' there/etc/passwd) == 1))
	grep -Eq '^smtpd:[!x*]:[0-9]{1,3}:[0-9]{1,3}:SMTP server:/var/lib/smtpd:/usr/sbin/nologin$' \
		there/etc/passwd
	(($(grep -c '^smtpd:' there/etc/group) == 1))
}

@test "no unit or drop-in is missing from these tests" {
	(cd "$root/contrib/systemd" && find . -type f -name '*.*' | sort) >there
	while read -r file; do
		grep -q "[[:blank:]/]${file##*/}\( \|$\)" "$BATS_TEST_FILENAME" || {
			echo "$file"
			return 1
		}
	done <there
	(($(wc -l <there) >= 8))
}

@test "the exposure of smtpd.service is 1.1, and 0.2 without a network" {
	units pool smtpd.service smtpd.socket
	[[ $(exposure "$PWD/pool/smtpd.service") == 1.1 ]]
	units closed smtpd.service smtpd.socket no-network.conf
	[[ $(exposure "$PWD/closed/smtpd.service") == 0.2 ]]
}

@test "the exposure of smtpd@.service is 1.1, and 1.5 where port 25 is bound" {
	units inetd inetd/smtpd.socket inetd/smtpd@.service
	[[ $(exposure "$PWD/inetd/smtpd@.service") == 1.1 ]]
	units bind smtpd-bind.service
	[[ $(exposure "$PWD/bind/smtpd-bind.service") == 1.5 ]]
}

@test "smtpd.service has no capability and can't gain one" {
	grep -qx CapabilityBoundingSet= "$root/contrib/systemd/smtpd.service"
	grep -qx NoNewPrivileges=yes "$root/contrib/systemd/smtpd.service"
	run ! grep -E '^(AmbientCapabilities|User=root)' \
		"$root/contrib/systemd/smtpd.service"
}

# expand SET...: the system calls of some sets
expand() {
	local word
	for word; do
		if [[ $word == @* ]]; then
			# shellcheck disable=SC2046 # words are what is wanted
			expand $(systemd-analyze syscall-filter "$word" |
				sed -n 's/^    \([^ #]*\)$/\1/p')
		else
			echo "$word"
		fi
	done
}

# allowed UNIT: the system calls that its lines let through
allowed() {
	local line
	: >calls
	while IFS= read -r line; do
		# shellcheck disable=SC2086
		if [[ $line == '~'* ]]; then
			expand ${line#'~'} | sort -u >some
			comm -23 calls some >rest
		else
			expand $line | sort -u | cat calls - | sort -u >rest
		fi
		mv rest calls
	done < <(sed -n 's/^SystemCallFilter=//p' "$root/contrib/systemd/$1")
	expand @default | sort -u | cat calls - | sort -u
}

# called TRACE...: the system calls that strace saw
called() {
	sed -nE 's/^([0-9]+ +)?([a-z0-9_]+)\(.*/\2/p' "$@" | sort -u
}

@test "the system call filters of the units allow all that smtpd calls" {
	local unit
	install -d -o nobody mail
	"$root/t/manager" notify "$PWD/notify" told </dev/null 3>&- 4>&- &
	others+=($!)
	await 60 test -S notify
	# as systemd starts it: as the user, with the limits of the units
	within=(env NOTIFY_SOCKET="$PWD/notify" WATCHDOG_USEC=200000
		setpriv --reuid nobody --regid nogroup --clear-groups
		--inh-caps +net_bind_service --ambient-caps +net_bind_service
		prlimit --core=0 --nofile=1024 strace -f -qq -o mail/trace)
	mkfifo ready
	# shellcheck disable=SC2094
	"${within[@]}" "$smtpd" --listen 127.0.0.1:0 --listen "$PWD/mail/sock" \
		--ready-fd 9 --maildir mail/Maildir --workers 3 \
		--on-hello /bin/true --filter cat </dev/null 9>ready 2>>log \
		3>&- 4>&- &
	pid=$!
	read -r -t 60 address <ready
	port=${address##*:}
	send
	await 60 grep -q WATCHDOG=1 told
	kill -HUP "$(pgrep -P "$pid")"
	await 60 grep -q event=restarting log
	send
	kill -TERM "$(pgrep -P "$pid")"
	gone "$pid" 60
	unset pid
	kept 2 mail/Maildir
	# with no command, it confines itself
	printf 'QUIT\r\n' | setpriv --reuid nobody --regid nogroup --clear-groups \
		prlimit --core=0 --nofile=1024 strace -qq -o mail/confined \
		"$smtpd" --inetd --maildir mail/Maildir >>log 2>&1
	called mail/trace mail/confined >called
	(($(wc -l <called) > 50))
	(($(grep -cxE 'seccomp|landlock_(create_ruleset|add_rule|restrict_self)' \
		called) == 4))
	for unit in smtpd-bind.service smtpd.service inetd/smtpd@.service; do
		# a unit that gave no capability need not let it be dropped
		allowed "$unit" >allowed
		comm -23 called allowed | grep -vx capset >forbidden || true
		cat forbidden
		[[ ! -s forbidden ]]
	done
	allowed smtpd-bind.service | grep -x capset
}
