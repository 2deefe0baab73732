# What the tests with systemd itself share: it is started for each of them as
# the first process of namespaces of its own, with a /run, a /var/lib and a
# network of its own.
# shellcheck shell=bash disable=SC2034,SC2154

# power_off: end it, and what it started
power_off() {
	[[ ! ${first-} ]] || kill -KILL "$first" 2>/dev/null || true
	[[ ! ${booted-} ]] || gone "$booted" 60
	[[ ! ${group-} ]] || {
		await 60 empty
		find "$group" -depth -type d -exec rmdir {} +
	}
}

empty() {
	[[ ! -s $group/cgroup.procs ]] && ! grep -q 'populated 1' \
		"$group/cgroup.events"
}

# power_on PATH UNIT COMMANDS: start systemd, which finds the units of ./units
# and of PATH, when these commands were run there, and wait for the unit.
# Mounts are shared, as on a machine that was booted: credentials are one.
power_on() {
	local file unified
	unit=$2
	unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	group=$unified/smtpd-test.$BASHPID
	if [[ ! $unified ]] || ! mkdir "$group" 2>/dev/null; then
		unset group
		skip 'this kernel has no cgroup2 to write to'
	fi
	mkdir -p units
	for file in sysinit basic shutdown sockets; do
		printf '[Unit]\nDefaultDependencies=no\n' >"units/$file.target"
	done
	printf '[Unit]\nRequires=%s\nAfter=%s\n' "$unit" "$unit" \
		>units/test.target
	sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" \
		unshare --cgroup --mount --pid --fork --uts --ipc --net \
		--propagation private sh -euc '
			ip link set lo up
			mount --make-rshared /
			mount -t proc proc /proc
			mount -t tmpfs tmpfs /run
			cp -R units /run
			mount -t tmpfs tmpfs /sys/fs/cgroup
			umount /sys/fs/cgroup
			mount -t cgroup2 cgroup2 /sys/fs/cgroup
			mount -t tmpfs tmpfs /var/lib
			'"$3"'
			mount -t tmpfs tmpfs /tmp
			mount -o remount,bind,ro / || true
			exec env -i PATH="$PATH" container=test \
				SYSTEMD_UNIT_PATH='"/run/units$1"' /lib/systemd/systemd \
				--system --unit=test.target --log-target=console' \
		</dev/null >>log 2>&1 3>&- 4>&- &
	booted=$!
	await 60 is_active
}

# inside COMMAND...: run it in those namespaces
inside() {
	first=$(pgrep -P "$booted") && timeout 60 nsenter --all --target "$first" \
		"$@"
}

is_active() {
	[[ $(inside systemctl is-active "$unit" 2>&1) == active ]]
}

send_inside() {
	inside swaks --server 127.0.0.1 --port 25 --from a@c.example \
		--to b@d.example --helo c.example --suppress-data "$@"
}
