#!/usr/bin/env bats
# strace shows that content and name of a message are on disk before its 250,
# and what happens if a system call before it fails.

load helpers

# Each call's line shows descriptors with their paths; one that went well ends
# in "= 0".
in_tmp='[0-9]+</[^>]*/tmp/[^>]*>'
wrote="(pwrite64|p?writev?)\($in_tmp|(copy_file_range|splice)\([^,]*, [^,]*, $in_tmp|sendfile\($in_tmp"
synced_file="f(data)?sync\($in_tmp\) += 0"
renamed='rename(at2?)?\(.* += 0'
named='(rename|link)(at2?)?\(.* += 0'
synced_new='f(data)?sync\([0-9]+</[^>]*/new>\) += 0'
said_250='(p?writev?|send(to|msg)?)\([0-9]+<(pipe|socket|UNIX)[^"]*"250 '

# deliver_under_strace [STRACE OPTION...] -- [OPTION...]: a mail from swaks
# through "smtpd --inetd".  ./trace is what smtpd did from the 354 on.
deliver_under_strace() {
	local how=() server status=0
	while [[ $1 != -- ]]; do
		how+=("$1")
		shift
	done
	shift
	server=$(printf '%q ' strace -f -y -s 64 -o whole_trace "${how[@]}" \
		"$smtpd" --inetd --user root --min-free 0 "$@")
	timeout 60 swaks --pipe "$server 2>>log" --from a@c.example \
		--to "${recipients:-b@d.example}" --helo c.example \
		--body "$(yes 'Some text.' | head -n 2000)" \
		--suppress-data >dialogue 2>&1 || status=$?
	sed '1,/"354 /d' whole_trace >trace
	return "$status"
}

# in_order COUNT PATTERN COUNT PATTERN...: in ./trace each pattern has COUNT
# matches ("+": one or more), and all of one stand before all of the next.
in_order() {
	local last=0 lines
	while (($#)); do
		mapfile -t lines < <(grep -En "$2" trace | cut -d: -f1)
		if ((${#lines[@]} == 0 || lines[0] <= last)) ||
			[[ $1 != + && $1 != "${#lines[@]}" ]]; then
			echo "not $1 after line $last, but ${lines[*]:-none}: $2"
			cat -n trace | tail -n 60
			return 1
		fi
		last=${lines[-1]}
		shift 2
	done
}

@test "data, fsync, the name in new/, fsync of new/, and only then 250" {
	mkdir -p Maildir/{tmp,new,cur}
	deliver_under_strace --
	kept 1
	in_order + "$wrote" 1 "$synced_file" 1 "$renamed" 1 "$synced_new" 1 "$said_250"
}

@test "per-user Maildirs: both files are on disk before either has a name in new/" {
	mkdir -p store/{b,c}/{tmp,new,cur}
	recipients=b@d.example,c@d.example
	deliver_under_strace -- --maildir 'store/{mailbox}'
	kept 1 store/b
	kept 1 store/c
	in_order 2 "$synced_file" 2 "$renamed" 1 "$said_250"
	in_order 2 "$synced_new" 1 "$said_250"
	for user in b c; do
		in_order + "${wrote//tmp/$user/tmp}" 1 "${synced_file/tmp/$user/tmp}"
		in_order 1 "rename.*$user/new.* = 0" 1 "${synced_new/new/$user/new}"
	done
}

@test "on btrfs the file is fsynced under its name in new/, in place of new/" {
	local named_file='f(data)?sync\([0-9]+</[^>]*/new/[^>]*>\) += 0'
	grep -qw btrfs /proc/filesystems || modprobe -q btrfs ||
		skip 'this kernel has no btrfs'
	truncate -s 128M image
	mkfs.btrfs -q image
	mkdir Maildir
	mount -o loop image Maildir
	mkdir Maildir/{tmp,new,cur}
	deliver_under_strace -- || failed=yes
	kept 1 || failed=yes
	umount Maildir
	[[ ! ${failed:-} ]]
	in_order + "$wrote" 1 "$synced_file" 1 "$renamed" 1 "$named_file" 1 "$said_250"
	run ! grep -E "$synced_new" trace
}

@test "--hardlink: one file on disk, then its names, and only then 250" {
	mkdir -p store/{b,c}/{tmp,new,cur}
	recipients=b@d.example,c@d.example
	deliver_under_strace -- --maildir 'store/{mailbox}' --hardlink
	kept 1 store/b
	kept 1 store/c
	[[ $(mail store/b) -ef $(mail store/c) ]]
	in_order + "$wrote" 1 "$synced_file" + "$named" 1 "$said_250"
	for user in b c; do
		in_order + "(rename|link).*$user/new.* = 0" \
			1 "${synced_new/new/$user/new}" 1 "$said_250"
	done
}

@test "a new Maildir is fsynced before smtpd accepts mail" {
	mkdir there
	deliver_under_strace -- --maildir there/Maildir
	kept 1 there/Maildir
	mv whole_trace trace
	synced='f(data)?sync\([0-9]+</[^>]*'
	in_order 1 'mkdir(at)?\(.*Maildir", .* = 0' + "$synced/there>\) += 0" 1 '"354 '
	in_order 3 'mkdir(at)?\(.*(tmp|new|cur)", .* = 0' \
		+ "$synced/Maildir>\) += 0" 1 '"354 '
}

# refused_when CALLS N: the mail gets 4xx, and nothing of it is there, when the
# Nth of these system calls fails.  In its place strace makes a call that confined
# workers may make.
refused_when() {
	run ! deliver_under_strace -e "inject=$1:error=EIO:when=$2:syscall=getpid" -- \
		--maildir 'store/{mailbox}'
	grep -q INJECTED trace
	grep -Eq '^<\*\* 45[12] 4\.' dialogue
	kept 0 store/b
	kept 0 store/c
}

@test "whichever fsync or rename fails, the mail gets 4xx and is not stored" {
	mkdir -p store/{b,c}/{tmp,new,cur}
	recipients=b@d.example,c@d.example
	deliver_under_strace -- --maildir 'store/{mailbox}'
	rm store/*/new/*
	for call in fsync,fdatasync rename,renameat,renameat2,link,linkat; do
		calls=$(grep -Ec "^[0-9]+ +(${call//,/|})\(" trace)
		((calls >= 2))
		for ((n = 1; n <= calls; n++)); do
			refused_when "$call" "$n"
		done
	done
}

@test "wherever smtpd is killed, each recipient has the message whole or not at all" {
	mkdir -p store/{b,c}/{tmp,new,cur}
	recipients=b@d.example,c@d.example
	deliver_under_strace -- --maildir 'store/{mailbox}'
	size=$(wc -c <"$(mail store/b)")
	for call in fsync,fdatasync rename,renameat,renameat2,link,linkat; do
		calls=$(grep -Ec "^[0-9]+ +(${call//,/|})\(" trace)
		for ((n = 1; n <= calls; n++)); do
			rm -f store/*/{new,tmp}/*
			run ! deliver_under_strace \
				-e "inject=$call:signal=KILL:when=$n" -- \
				--maildir 'store/{mailbox}'
			grep -q 'killed by SIGKILL' trace
			for file in store/*/new/*; do
				[[ ! -e $file || $(wc -c <"$file") == "$size" ]]
			done
		done
	done
}
