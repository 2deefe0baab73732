#!/usr/bin/env bats
# Disks that are full, over quota, read-only or gone.  Each is a file system of
# the test's own, mounted in a mount namespace that ends with the daemon.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

# start_on MOUNT [OPTION...]: run the daemon where the shell command MOUNT has
# mounted something on ./disk.  $disk is the way to it from here.
start_on() {
	mkdir disk
	within=(unshare --mount sh -ec "$1"'; exec "$@"' sh)
	shift
	start --min-free 0 "$@"
	disk=/proc/$pid/root$PWD/disk
}

# on_disk COMMAND...: run it where the daemon's file systems are.
on_disk() {
	nsenter --mount --root --wd --target "$pid" "$@"
}

# send_100k: a mail of 100 kB; what was said is in ./dialogue.
send_100k() {
	send --body "$(yes 'Some text.' | head -c 100000)" >dialogue 2>&1
}

is_refused() {
	run ! send_100k
	grep -Eq "^<(\*\*|~\*) $1" dialogue
}

# fill: send mails until one is refused; all that were not are kept.
fill() {
	local n=0
	while send_100k; do
		((++n < 30))
	done
	((n > 0))
	cat dialogue
	grep -Eq '^<\*\* 45[12] 4\.' dialogue
	kept "$n" "$disk/Maildir"
}

# fills_and_recovers: once it is full, and has room again, twice.
fills_and_recovers() {
	fill
	rm "$disk"/Maildir/new/*
	fill
	rm "$disk"/Maildir/new/*
	send_100k
	kept 1 "$disk/Maildir"
}

@test "a full disk yields 452 and stores nothing; with space again mail is accepted" {
	start_on 'mount -t tmpfs -o size=1m tmpfs disk' --maildir disk/Maildir
	fills_and_recovers
	grep -q 'reply="452 4\.3\.1 ' log
}

@test "a disk without inodes yields 452; with inodes again mail is accepted" {
	start_on 'mount -t tmpfs -o nr_inodes=10 tmpfs disk' --maildir disk/Maildir
	fills_and_recovers
	grep -q 'reply="452 4\.3\.1 ' log
}

@test "a user over quota yields 4xx; below the quota mail is accepted again" {
	grep -qw btrfs /proc/filesystems || modprobe -q btrfs ||
		skip 'this kernel has no btrfs'
	truncate -s 128M image
	mkfs.btrfs -q image
	start_on 'mount -o loop image disk; btrfs quota enable disk
		btrfs qgroup limit 1M 0/5 disk; mkdir disk/Maildir' \
		--maildir disk/Maildir
	fills_and_recovers
}

@test "per-user mail on a full disk is stored for all recipients or for none" {
	make_maildirs store/{b,c}
	start_on 'mount -t tmpfs -o size=1m tmpfs disk; cp -a store/. disk' \
		--maildir 'disk/{mailbox}'
	n=0
	while send --to b@d.example,c@d.example \
		--body "$(yes 'Some text.' | head -c 100000)"; do
		((++n < 30))
	done
	((n > 0))
	kept "$n" "$disk/b"
	kept "$n" "$disk/c"
}

@test "a read-only disk yields 451; when it is writable mail is accepted again" {
	start_on 'mount -t tmpfs tmpfs disk' --maildir disk/Maildir
	on_disk mount -o remount,ro disk
	is_refused '451 4\.3\.'
	on_disk mount -o remount,rw disk
	send_100k
	kept 1 "$disk/Maildir"
}

@test "less than --min-free on the disk gets 452 at MAIL" {
	start_on 'mount -t tmpfs -o size=15m tmpfs disk' \
		--maildir disk/Maildir --min-free 16M
	is_refused '452 4\.3\.1 '
	# shellcheck disable=SC2314 # not the last command
	! grep -q '^ -> DATA' dialogue
	on_disk mount -o remount,size=20m disk
	send_100k
	kept 1 "$disk/Maildir"
}

@test "recipients get 451, not 550, after the file system of the Maildirs was unmounted" {
	make_maildirs store/b
	start_on 'mount -t tmpfs tmpfs disk; cp -a store/b disk' \
		--maildir 'disk/{mailbox}'
	is_unknown() {
		run ! send --to nobody-here@d.example
		[[ $output == *"<** $1 "* ]]
	}
	is_unknown '550 5.1.1'
	on_disk umount -l disk
	is_unknown '451 4.3.0'
	on_disk mount -t tmpfs tmpfs disk
	is_unknown '451 4.3.0'
}

@test "a Maildir that was removed yields 451; a new one in its place gets mail" {
	make_maildirs Maildir
	start
	send
	rm -r Maildir
	is_refused '451 4\.3\.'
	make_maildirs Maildir
	# each worker is confined to the old one, and says so once
	await 60 send
	kept 1
}
