# t/every makes each call that the server makes for a message fail, one after
# the other, and checks that smtpd's promise holds.  Here every N-th call; "make
# failures" tries all (t/README.md).

load helpers
unset BATS_NO_PARALLELIZE_WITHIN_FILE

# every ARGUMENT...: t/every, on a tmpfs where there is one
every() {
	local shm=/dev/shm
	[[ -w $shm ]] || shm=$tmp
	[[ -n ${elsewhere:-} ]] || elsewhere=$(mktemp -d "$shm/every.XXXXXX")
	t/every -d "$elsewhere" "$@"
}

# counted LEAST: none of the promises was broken, at so many points at least
counted() {
	local n
	n=$(sed -n 's/^[a-z]*: \([0-9]*\) .* 0 promises broken$/\1/p' "$tmp/said")
	cat "$tmp/said"
	((n >= $1))
}

# holds LEAST ARGUMENT...: the promises hold
holds() {
	every "${@:2}" >"$tmp/said" || { cat "$tmp/said"; return 1; }
	counted "$1"
}

@test "whichever call fails, for one Maildir, the promise holds (RFC 5321 6.1)" {
	holds 200 failures one
}

@test "whichever call fails, for ten users, the promise holds" {
	holds 200 -s 11 failures ten
}

@test "whichever call fails, for more recipients than files open at once, the promise holds" {
	holds 100 -s 31 failures many
}

@test "whichever call fails, with --hardlink, the promise holds" {
	holds 100 -s 5 failures links
}

@test "whichever call fails, on btrfs, the promise holds" {
	holds 200 -s 17 -f btrfs failures ten
	holds 100 -s 47 -f btrfs failures many
	holds 50 -s 11 -f other failures links
}

@test "whichever call fails, when a folder is created, the promise holds" {
	holds 200 -s 7 failures folder
	holds 50 -s 47 -f btrfs failures folder
}

@test "whichever call fails, with --filter and --deliver, the promise holds" {
	holds 150 -s 9 failures hooks
}

@test "whichever call fails, when only commands get the message, the promise holds" {
	holds 200 failures spool
}

@test "whichever call fails, in chunks, the promise holds (RFC 3030)" {
	holds 200 failures bdat
}

@test "whichever call fails, over LMTP, each reply holds (RFC 2033 4.2)" {
	holds 150 -s 7 failures lmtp
}

@test "whichever call fails, with TLS, the promise holds" {
	holds 100 -s 3 failures tls
}

# bats test_tags=memory
@test "whichever call fails at the start, inetd mode serves or says why not" {
	holds 100 -s 13 failures inetd
}

# lies NAME[@KIND] [OPTION...] WHAT FINDING: calls that do nothing are found out
lies() {
	local rc=0
	every -l "$1" "${@:2:$#-2}" "${scenario:=one}" >"$tmp/said" || rc=$?
	cat "$tmp/said"
	((rc == 1))
	grep -q "^$scenario [^:]*:[^:]*:[^:]*: ${*: -1}\$" "$tmp/said"
}

# bats test_tags=memory
@test "t/every detects a server that breaks the promise" {
	lies rename failures '250, and the message is not there'
	lies unlink failures 'a file is left in tmp/'
	lies close@file failures 'a descriptor is leaked'
	lies free failures 'memory is leaked'
	lies write@file order 'a message is not whole'
	lies rename crashes '250, and the message is not there'
	lies unlink crashes 'an old file in tmp/ was not swept'
	lies fsync@file order 'a name before all is on the disk'
	lies fsync@dir order '250, and not all is on the disk'
	lies fsync@dir -f other order '250, and not all is on the disk'
	scenario=folder
	lies fsync@dir order 'a name in a directory that is not on the disk'
}

# bats test_tags=calls
@test "t/fail.so has every function that smtpd calls and that can fail" {
	command -v nm >/dev/null
	# those that can't, or whose failure is no matter of the machine
	local ends='abort|exit|_exit|execve|alarm|free|freeaddrinfo|strerror|strsignal'
	# of libc alone: no system call, or others that are here
	local libc='f(close|eof|error|flush|gets|read|write|dopen|open.*)|clearerr|(un)?getc|put(c|char|s)|rewind|setvbuf|st[pr].*|mem(r?chr|cmp|cpy|move|set)|.*printf|sscanf|(un)?setenv|getenv|getauxval|open_memstream|(gm|local)time(64)?_r|time|tzset|inet_.*|explicit_bzero|closedir|dirfd|qsort|ato[il]|getc_unlocked|is[a-z]*|to(low|upp)er|[hn]to[hn][sl]|isatty|sysconf'
	# of a start alone, and tried where privileges are (t/59, t/real/70)
	local start='get(e|re)?[ug]id|getresuid|setresuid|setresgid|setuid|initgroups|getpw.*|getgr.*|[gs]etrlimit|prctl|syscall|umask|readlinkat|execv|getcwd|gethostname|get(addr|name)info|gai_strerror'
	# signals, clocks, the log, memory given back: nothing depends on how they end
	local signals='sig.*|setpgid|closelog|kill|raise|nanosleep|clock_gettime|openlog|syslog|getp?pid|munmap|madvise|malloc_trim'
	nm -D --undefined-only smtpd | sed -n 's/@.*//; s/.* U //p' | sed '/^__\(a\|ub\)san_/d; s/^__\(isoc[0-9]*_\)*//; s/_chk$//' |
	    grep -vxE "_.*|stack_.*|libc_.*|errno_.*|ctype_.*|uflow|overflow|environ|std(in|out|err)|($ends|$libc|$start|$signals)(64)?(_time64)?" |
	    sort -u >"$tmp/calls"
	nm -D --defined-only t/fail.so | sed 's/.* //; s/@.*//; s/^__//' | sort -u >"$tmp/known"
	comm -23 "$tmp/calls" "$tmp/known" >"$tmp/unknown"
	cat "$tmp/unknown"
	grep -qx renameat "$tmp/calls"
	[[ ! -s $tmp/unknown ]]
}
