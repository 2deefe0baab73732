#!/usr/bin/env bats
# smtpd-milter with the milters that people use, and beside Postfix.

# shellcheck disable=SC2154 # helpers set pid, port and spool
load helpers
load postfix

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	chmod 711 .
	ask_milter=$root/contrib/milter/smtpd-milter
}

# milter COMMAND...: a milter that listens at ./milter, or at $socket
milter() {
	socket=${socket-$PWD/milter}
	rm -f "$socket"
	"$@" </dev/null >milter.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -S "$socket"
	chmod 777 "$socket"
	hook="$ask_milter unix:$socket"
}

# free_port: one of loopback that nothing listens at
free_port() {
	python3 -c 'import socket
with socket.create_server(("127.0.0.1", 0)) as s:
    print(s.getsockname()[1])'
}

# postfix_with_milter SETTING...: a Postfix that receives at $mta_port, asks the
# milter, and delivers into ./postfix/box
postfix_with_milter() {
	local service
	postfix=$PWD/postfix mta_port=$(free_port)
	mkdir -p "$postfix/etc" "$postfix/queue"
	make_maildirs "$postfix/box"
	cat >"$postfix/etc/main.cf" <<-EOT
		compatibility_level = 3.6
		myhostname = mta.example
		queue_directory = $postfix/queue
		data_directory = $postfix/data
		maillog_file = $postfix/log
		maillog_file_prefixes = $postfix
		inet_interfaces = loopback-only
		inet_protocols = ipv4
		mydestination =
		alias_maps =
		alias_database =
		local_header_rewrite_clients =
		virtual_mailbox_domains = d.example
		virtual_mailbox_base = $postfix
		virtual_mailbox_maps = static:box/
		virtual_uid_maps = static:$(id -u nobody)
		virtual_gid_maps = static:$(id -g nobody)
		virtual_minimum_uid = 1
		virtual_mailbox_limit = 0
		message_size_limit = 0
		smtpd_recipient_restrictions = reject_unauth_destination
		smtpd_milters = unix:$socket
		milter_default_action = tempfail
		milter_protocol = 6
	EOT
	printf '%s\n' "$@" >>"$postfix/etc/main.cf"
	{
		postfix_daemons
		echo "127.0.0.1:$mta_port inet n - n - - smtpd"
		echo 'virtual unix - n n - - virtual'
		for service in flush showq; do
			echo "$service unix n - n - 0 $service"
		done
	} >"$postfix/etc/master.cf"
	timeout 60 postfix -c "$postfix/etc" start 3>&- 4>&-
}

# without_trace MAILDIR TO: of each message the file TO/SENDER without trace
# fields: those that are put on top, and a Received by mta.example or mx.example.
# Postfix removes white space before a colon, with or without a milter.
without_trace() {
	mkdir "$2"
	python3 - "$1" "$2" <<-'EOT'
		import os, re, sys
		for name in os.listdir(sys.argv[1] + "/new"):
		    with open(f"{sys.argv[1]}/new/{name}", "rb") as file:
		        text = file.read()
		    sender = re.match(rb"Return-Path: <(.*)@", text)[1].decode()
		    text = re.sub(rb"\A(?:(?:Return-Path|X-Original-To|Delivered-To):.*\n)+", b"", text)
		    text, n = re.subn(rb"^Received: from [^\n]*\n\tby m(?:ta|x)\.example [^\n]*\n(?:\t.*\n)*",
		                      b"", text, count=1, flags=re.M)
		    assert n == 1, text[:500]
		    text = re.sub(rb"^(X-Multi|Subject)[ \t]+:", rb"\1:", text, flags=re.M)
		    with open(f"{sys.argv[2]}/{sender}", "xb") as file:
		        file.write(text)
	EOT
}

# compare_with_postfix MILTER...
compare_with_postfix() {
	milter "$@"
	postfix_with_milter
	start --hostname mx.example --domain d.example --filter "$hook" \
		--max-size 100M --max-mails 0
	"$root/t/real/corpus" "$port" >count
	"$root/t/real/corpus" "$mta_port" | cmp - count
	await 60 queue_is_empty
	(($(<count) >= 200))
	kept "$(<count)"
	without_trace Maildir ours
	without_trace "$postfix/box" theirs
	(($(count ours) == $(<count)))
	diff -r ours theirs
}

@test "over a corpus of messages and changes the result is that of Postfix, byte for byte" {
	compare_with_postfix "$root/t/real/milter" "$PWD/milter"
}

@test "the same with a milter that wants the space before values" {
	compare_with_postfix "$root/t/real/milter" "$PWD/milter" leadspc
}
