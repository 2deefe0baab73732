# The server is killed at each step of storing a message: new/ never has a part
# of one, and has each that got 250 (RFC 5321 6.1).

load helpers

# crash FUNCTION: die at the first call of it in the session, then at the
# second, and so on, until there are no more
crash() {
	local k=0 fired=1 n whole
	while ((fired)); do
		((++k < 200))
		rm -rf "$tmp/mail"
		mkdir -p "$tmp"/mail/{bob,eve}/{tmp,new,cur}
		shim "$1:$k:kill"
		disarm
		command_line
		# t/smtpc fails when its server dies of a signal
		t/smtpc -p -e "$log" "${cmd[@]}" -- reply:220 \
		    run:"printf 1 1<>'$tmp/armed'" \
		    send:'HELO c.example\r\nMAIL FROM:<a@c.example>\r\n' \
		    send:'RCPT TO:<bob@mx.example>\r\n' \
		    send:'RCPT TO:<eve@mx.example>\r\nDATA\r\n' \
		    send:'Subject: x\r\n\r\n' repeat:9000:'0123456789\r\n' \
		    send:'the end\r\n.\r\nQUIT\r\n' eof >"$tmp/replies" 2>"$tmp/err" ||
		    grep -qx 'smtpc: the server died of signal 9' "$tmp/err"
		fired=0
		[[ ! -s $tmp/failed ]] || fired=1
		n=$(find "$tmp"/mail/*/new -type f | wc -l)
		whole=$(find "$tmp"/mail/*/new -type f -exec tail -n 1 '{}' ';' |
		    grep -cx 'the end' || true)
		echo "$1 $k: fired $fired, in new/ $n, whole $whole"
		((n == whole)) || return
		if grep -q '^250 .*\.1$' "$tmp/replies"; then
			((n == wanted))
		fi
	done
	((k > 1))
}

@test "killed at any step, a single Maildir has the message whole or not at all" {
	wanted=1 dir=$tmp/mail/bob
	crash open
	crash write
	crash fsync
	crash fsync@dir
	crash rename
	crash write@pipe
}

@test "killed at any step, each Maildir has its copy whole or not at all" {
	wanted=2 dir=$tmp/mail/{mailbox}
	crash open
	crash write
	crash copy
	crash fsync
	crash fsync@dir
	crash rename
}

@test "killed at any step, with --hardlink, the message is whole or not there" {
	wanted=2 dir=$tmp/mail/{mailbox} options=(--hardlink)
	crash write
	crash fsync
	crash fsync@dir
	crash rename
	crash link
}

@test "files left in tmp/ by a killed server are not mail and do no harm" {
	shim fsync:1:kill
	mkdir -p "$dir"/{tmp,new,cur}
	! talk "${data_bob[@]}" send:'x\r\n.\r\n' eof || return 1
	[[ -n $(find "$dir/tmp" -type f) ]]
	[[ $(kept) == 0 ]]
	environment=()
	deliver x
	[[ $(kept) == 1 ]]
}
