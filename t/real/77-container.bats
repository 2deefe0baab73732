#!/usr/bin/env bats
# The images of contrib/container, as "make image" builds them with buildah: in
# a storage of each test's own, from a Debian in t/real/cache, and without a
# network.  As not every machine can run containers, the image's files are run
# in namespaces, as its configuration says.

# shellcheck disable=SC2154 # helpers set pid
load helpers

setup_file() {
	make -s -C "$BATS_TEST_DIRNAME/../.." static >&2
}

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	cat >storage.conf <<-EOT
		[storage]
		driver = "vfs"
		graphroot = "$PWD/images"
		runroot = "$PWD/run"
	EOT
	export CONTAINERS_STORAGE_CONF=$PWD/storage.conf BUILDAH_ISOLATION=chroot
	: >log
}

teardown() {
	# its user is another, so it does not end with what waits for it
	[[ ! ${container-} ]] || ! jobs -pr | grep -qx "$outer" ||
		kill -9 "$container"
	end
	rm -rf images
}

# alone COMMAND...: without a network
alone() {
	unshare --net "$@"
}

# configured NAME EXPRESSION: what the image's configuration has
configured() {
	buildah inspect --type image --format "{{.OCIv1.Config.$2}}" "localhost/$1"
}

# open_image NAME: its files are in $image, those of its volume in ./volume
open_image() {
	image=$(buildah mount "$(buildah from --pull-never "localhost/$1")")
	# a new volume has what the image has there
	cp -a "$image/var/mail" volume
	mapfile -t entrypoint < <(buildah inspect --type image "localhost/$1" |
		python3 -c 'import json, sys
print("\n".join(json.load(sys.stdin)["OCIv1"]["config"]["Entrypoint"]))')
}

# run_image [OPTION...]: as process 1, with a network of its own; sets $outer to
# what waits for it, and $container to it, as it is called out here
run_image() {
	unshare --net --mount --pid --uts --fork --kill-child sh -euc '
		ip link set lo up
		hostname mx.example
		mount --bind volume "$0/var/mail"
		mkdir -p "$0/dev" "$0/proc"
		: >"$0/dev/null"
		mount --bind /dev/null "$0/dev/null"
		mount -t proc proc "$0/proc"
		exec setpriv --no-new-privs chroot --userspec=2525:2525 "$0" "$@"
		' "$image" "${entrypoint[@]}" "$@" >log 2>&1 </dev/null 3>&- 4>&- &
	outer=$!
	others+=("$outer")
	await 60 logged event=listening log
	container=$(pgrep -P "$outer")
	# it is process 1 there, and not the one of this machine
	[[ $(sed -n 's/^NSpid:\t//p' "/proc/$container/status") == "$container"$'\t1' ]]
}

# signal NAME: from outside, to the process that run_image has checked
signal() {
	((container > 1))
	kill -"$1" "$container"
}

# ended STATUS: the container ends within a minute, with this status
ended() {
	local status=0
	gone "$outer" 60
	wait "$outer" || status=$?
	[[ $status == "$1" ]]
}

# client RECIPIENT [OPTION...]: a mail
client() {
	nsenter --net --target "$container" timeout 60 swaks --server 127.0.0.1 \
		--port 2525 --helo c.example --from a@c.example --to "$@"
}

@test "make image: smtpd's image has only smtpd, run by an unprivileged user" {
	alone make -s -C "$root" image IMAGE_PACKAGES=
	open_image smtpd
	(cd "$image" && find . -type f -size +0) | sort >files
	diff - files <<-'EOT'
		./etc/group
		./etc/passwd
		./usr/local/sbin/smtpd
	EOT
	cmp "$root/smtpd-static" "$image/usr/local/sbin/smtpd"
	(($(stat -c %s "$image/usr/local/sbin/smtpd") < 500000))
	[[ $(cd "$image" && find . -uid 2525) == ./var/mail ]]
	[[ $(stat -c '%a %u %g' "$image/var/mail") == '700 2525 2525' ]]
	[[ -z $(find "$image/usr" "$image/etc" '(' -perm /6022 -o ! -uid 0 ')') ]]
	[[ $(configured smtpd User) == 2525:2525 ]]
	[[ $(configured smtpd Volumes) == 'map[/var/mail:{}]' ]]
	[[ $(configured smtpd ExposedPorts) == 'map[2525/tcp:{}]' ]]
	version=$(sed -n 's/^VERSION = //p' "$root/Makefile")
	buildah images --format '{{.Name}}:{{.Tag}}' | sort >names
	diff - names <<-EOT
		localhost/smtpd:$version
		localhost/smtpd:latest
	EOT
	# the same program is the same layer
	layer() {
		buildah inspect --type image --format '{{.OCIv1.RootFS.DiffIDs}}' \
			localhost/smtpd
	}
	first=$(layer)
	(umask 077 && alone make -s -C "$root" image IMAGE_PACKAGES=)
	[[ $first == *sha256:* && $(layer) == "$first" ]]
}

@test "the image's smtpd is process 1: it stores mail, reloads at SIGHUP and drains at SIGTERM" {
	alone make -s -C "$root" image IMAGE_PACKAGES=
	open_image smtpd
	run_image --domain d.example
	[[ $(stat -c '%u %g' "/proc/$container") == '2525 2525' ]]
	client postmaster
	client b@d.example
	run ! client b@e.example
	[[ $output == *'<** 550 5.7.1 '* ]]
	kept 2 volume
	[[ $(stat -c %u volume/new/*) == $'2525\n2525' ]]
	signal HUP
	await 60 logged event=restarting log
	# with the options that it had, and the pid
	listens_again() {
		(($(grep -c event=listening log) == 2))
	}
	await 60 listens_again
	client b@d.example
	kept 3 volume
	# a session that has begun its message ends it
	mkfifo to
	nsenter --net --target "$container" bash -c \
		'exec 9<>/dev/tcp/127.0.0.1/2525; cat <&9 & cat >&9; wait' \
		<to >from 3>&- 4>&- &
	others+=("$!")
	exec 8>to
	printf '%s\r\n' 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
		'RCPT TO:<b@d.example>' DATA >&8
	await 60 logged '^354 ' from
	signal TERM
	await 60 logged event=draining log
	printf '%s\r\n' 'Subject: late' '' . >&8
	await 60 logged '^250 2\.0\.0 ' from
	exec 8>&-
	await 60 logged '^(221|421) ' from
	ended 0
	kept 4 volume
	grep -rqx 'Subject: late' volume/new
	! grep -E 'event=(hook|worker)-|warning' log || false
}

@test "the image with hooks has Debian's packages, and runs a hook, whose orphans are reaped" {
	buildah add "$(buildah from --name base scratch)" \
		"$root/t/real/cache/debian-slim/root.tar" / >/dev/null
	buildah commit --quiet --rm base localhost/debian-slim
	BASE=localhost/debian-slim alone make -s -C "$root" image
	open_image smtpd-hooks
	[[ $(configured smtpd-hooks User) == 2525:2525 ]]
	diff -r "$root/contrib/hooks" "$image/usr/local/libexec/smtpd"
	[[ $(stat -c '%a %u %g' "$image/var/mail") == '700 2525 2525' ]]
	grep -q '^smtpd:x:2525:2525:.*:/var/mail:' "$image/etc/passwd"
	echo b@mx.example >"$image/etc/recipients"
	run_image --on-recipient '/usr/local/libexec/smtpd/recipients /etc/recipients' \
		--on-delivered 'setsid sh -c "cd /var/mail; : >begun; sleep 0.2; : >orphan" &
			until test -e /var/mail/begun; do sleep 0.1; done'
	client b@mx.example
	run ! client c@mx.example
	[[ $output == *'<** 550 5.1.1 '* ]]
	kept 1 volume
	await 60 test -e volume/orphan
	reaped() {
		[[ $(ps --ppid "$container" -o stat=) != *Z* ]]
	}
	await 60 reaped
	signal TERM
	ended 0
}
