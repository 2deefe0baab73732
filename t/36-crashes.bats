# t/every kills the server before and after each of its calls.  Messages that
# got 250 are there, none is there in part, and files left in tmp/ are removed
# when they are old (maildir(5)).  The order of the calls ensures the same for a
# power cut.

load helpers

# every LEAST ARGUMENT...: no promise is broken, at so many points at least
every() {
	local shm=/dev/shm n
	[[ -w $shm ]] || shm=$tmp
	elsewhere=$(mktemp -d "$shm/every.XXXXXX")
	t/every -d "$elsewhere" "${@:2}" >"$tmp/said" || {
		cat "$tmp/said"
		return 1
	}
	cat "$tmp/said"
	n=$(awk '{ n += $2 } END { print n + 0 }' "$tmp/said")
	((n >= $1))
	lacks -v ' 0 promises broken$' "$tmp/said"
}

@test "killed before or after any call, a single Maildir has the message whole or not at all" {
	every 60 crashes one bdat inetd
}

@test "killed before or after any call, each Maildir has its copy whole or not at all" {
	every 50 -s 23 crashes ten many
}

@test "killed before or after any call, the same holds with --hardlink, LMTP and TLS" {
	every 60 -s 5 crashes links lmtp tls
}

@test "killed before or after any call, the same holds with --filter and --deliver" {
	every 30 -s 7 crashes hooks spool
}

@test "killed before or after any call, the same holds when a folder is created" {
	every 30 -s 5 crashes folder
}

@test "content, fsync, name, fsync of new/, and only then 250 (RFC 5321 6.1)" {
	every 500 order
}

@test "on btrfs a file is fsynced under its new name, instead of new/" {
	every 500 -f btrfs order
}

@test "on an unknown file system the renamed file and then new/ are fsynced" {
	every 500 -f other order
}

@test "killed before or after any call on btrfs, each Maildir has its copy whole or not at all" {
	every 35 -s 23 -f btrfs crashes one ten links
}
