#!/usr/bin/env bats
# smtpd-milter with real milters, compared with Postfix.

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

# postfix_with_milter: a Postfix that receives at $mta_port, asks the
# milter, and delivers into ./postfix/box
postfix_with_milter() {
	local service
	postfix=$PWD/postfix mta_port=$(free_port)
	mkdir -p "$postfix/etc" "$postfix/queue"
	make_maildirs "$postfix/box"
	cat >"$postfix/etc/main.cf" <<-EOT
		$(postfix_settings)
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
		--max-size 100M --max-mails 0 --lenient-from 127.0.0.1
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

@test "over a corpus of messages and changes the result is the same as with Postfix, byte for byte" {
	compare_with_postfix "$root/t/real/milter" "$PWD/milter"
}

@test "the result is the same as with Postfix for a milter that asks for leading spaces" {
	compare_with_postfix "$root/t/real/milter" "$PWD/milter" leadspc
}

@test "libmilter's verdicts at each step become smtpd's replies" {
	milter "$root/t/real/milter" "$PWD/milter"
	start --hostname mx.example --domain d.example --filter "$hook"
	for step in mail rcpt data header eoh body eom; do
		for verdict in reject tempfail discard accept; do
			printf '%s.%s ' "$step" "$verdict"
			swaks --server 127.0.0.1 --port "$port" --to b@d.example \
				--from "$step.$verdict-1@c.example" --helo c.example |
				sed -n 's/^<[-*~]* *//p' | grep -A 9 '^354' | sed -n 2p
		done
	done | cut -d ' ' -f 1-3 >replies
	for step in mail rcpt data header eoh body eom; do
		code=554
		[[ $step != mail && $step != rcpt ]] || code=550
		printf "$step.%s\n" "reject $code 5.7.1" 'tempfail 451 4.7.1' \
			'discard 250 2.0.0' 'accept 250 2.0.0'
	done | diff - replies
	kept 7
	(($(grep -c 'event=discarded' log) == 7))
}

@test "libmilter's replies, of several lines and with percent signs, are those of Postfix" {
	local sender at
	milter "$root/t/real/milter" "$PWD/milter"
	postfix_with_milter
	start --hostname mx.example --domain d.example --filter "$hook"
	for at in "$port" "$mta_port"; do
		for sender in reply-1 multiple-1; do
			swaks --server 127.0.0.1 --port "$at" --to b@d.example \
				--from "$sender@c.example" --helo c.example |
				sed -n 's/^<\*\* *//p'
		done >"said$at"
	done
	cat "said$port"
	(($(wc -l <"said$port") >= 3))
	diff "said$port" "said$mta_port"
}

@test "a milter by libmilter that quarantines or adds a recipient: 451, and the log says why" {
	sed 's/^Milter.set_flags.*/Milter.set_flags(0xff)/' \
		"$root/t/real/milter" >changer
	chmod 755 changer
	milter ./changer "$PWD/milter"
	start --hostname mx.example --domain d.example --filter "$hook"
	for sender in quarantine-1 recipient-1; do
		run swaks --server 127.0.0.1 --port "$port" --to b@d.example \
			--from "$sender@c.example" --helo c.example
		[[ $output == *'<** 451 4.3.0 '* ]]
	done
	kept 0
}

@test "miltertest and smtpd-milter get the same answers from t/milterd" {
	cat >script.lua <<-'EOT'
		function check(what, good)
			if not good then error(what) end
		end
		function step(what, result)
			check(what, result == nil)
			check(what .. " reply", mt.getreply(conn) == SMFIR_CONTINUE)
		end
		conn = mt.connect("unix:" .. address)
		check("connect", conn ~= nil)
		step("conninfo", mt.conninfo(conn, "unknown", "192.0.2.3"))
		step("helo", mt.helo(conn, "c.example"))
		step("mail", mt.mailfrom(conn, "<a@c.example>"))
		step("rcpt", mt.rcptto(conn, "<b@d.example>"))
		step("data", mt.data(conn))
		step("header", mt.header(conn, "Subject", "x"))
		step("eoh", mt.eoh(conn))
		step("body", mt.bodystring(conn, "body\r\n"))
		check("eom", mt.eom(conn) == nil)
		check("accept", mt.getreply(conn) == SMFIR_ACCEPT)
		check("add", mt.eom_check(conn, MT_HDRADD, "X-Added", "one"))
		check("insert", mt.eom_check(conn, MT_HDRINSERT, "X-In", "two"))
		check("change", mt.eom_check(conn, MT_HDRCHANGE, "Subject", "y"))
		check("body", mt.eom_check(conn, MT_BODYCHANGE))
		mt.disconnect(conn)
	EOT
	milter "$root/t/milterd" -a 0x13 "$PWD/milter" told 'E=hX-Added\0one\0' \
		'E=i\0\0\0\x01X-In\0two\0' 'E=m\0\0\0\x01Subject\0y\0' \
		'E=bnew\r\n' E=a
	miltertest -s script.lua -D address="$PWD/milter"
	await 60 grep -q '^Q' told
	sed '/^[OD]/d; s/^C.*192/C 192/' told >theirs
	: >told
	printf 'Subject: x\n\nbody\n' |
		TCPREMOTEIP=192.0.2.3 SMTP_HELO=c.example SENDER=a@c.example \
		SMTP_RECIPIENTS=b@d.example $hook >out
	printf '%s\n' 'X-In: two' 'Subject: y' 'X-Added: one' '' new | diff - out
	await 60 grep -q '^Q' told
	sed '/^[OD]/d; s/^C.*192/C 192/' told | diff theirs -
}

@test "spamass-milter marks spam by spamd, and the message is whole" {
	mkdir rules
	cp /etc/spamassassin/{init,v320}.pre rules/
	printf '%s\n' 'required_score 5' 'body BUY /buy spam/' 'score BUY 20' \
		'use_bayes 0' 'add_header spam Flag _YESNOCAPS_' \
		'add_header all Status _YESNO_' 'score ALL_TRUSTED 0' 'report_safe 0' >rules/local.cf
	spamd --socketpath="$PWD/spamd" --socketmode=666 --local --max-children=1 \
		--min-children=1 --nouser-config --helper-home-dir="$PWD" \
		--username=nobody --syslog=stderr --configpath="$PWD/rules" \
		--siteconfigpath="$PWD/rules" </dev/null 2>spamd.log 3>&- 4>&- &
	servers+=($!)
	await 60 grep -q 'server started' spamd.log
	milter spamass-milter -p "$PWD/milter" -- -U "$PWD/spamd"
	start --hostname mx.example --domain d.example --filter "$hook"
	send --data 'Subject: hello\n\nHello.\n'
	grep -qx 'X-Spam-Status: No' "$(mail)"
	rm Maildir/new/*
	send --data 'Subject: hello\n\nPlease buy spam.\n'
	grep -q '^X-Spam-Flag: YES' "$(mail)"
	grep -qx 'Please buy spam.' "$(mail)"
}

@test "a message that can't be read completely is not accepted, whatever the milter says" {
	milter "$root/t/milterd" "$PWD/milter" told
	printf 'From: <a@c.example>\nSubject: hello\n\nHello.\n' >mail
	for event in filter on-message; do
		SMTP_EVENT=$event fails_torn "$ask_milter" "unix:$socket"
	done
	[[ ! -e told || ! -s told ]]
}
