#!/usr/bin/env bats
# Delivery status notifications, and addresses in UTF-8, with real programs:
# Postfix sends with both, its sendmail returns the reports to smtpd, and Python
# and Dovecot read them.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers
load postfix

# start_both [SENDMAIL-OPTION...]: smtpd for alice, bob and jürgen, whose
# reports go to the Postfix that sends to it.  It runs as root: else postdrop
# wants the configuration named in that of the system.
start_both() {
	make_maildirs store/{alice,bob,jürgen}
	(($#)) || set -- -i -t -f "'<>'"
	chown -R root store
	user=root start --hostname mx.example --maildir 'store/{mailbox}' \
		--domain '*' --dsn "sendmail -C $PWD/postfix/etc $*"
	start_postfix
}

# report MAILDIR: what Python finds in the one report there: the fields of the
# head, and of each part the type and, of the second, the fields
report() {
	local file
	file=$(mail "$1") || return
	python3 - "$file" <<-'EOT'
		import email, email.policy, sys
		with open(sys.argv[1], 'rb') as f:
		    m = email.message_from_binary_file(f, policy=email.policy.default)
		def check(part):
		    assert not part.defects, part.defects
		    for sub in part.iter_parts() if part.is_multipart() else ():
		        check(sub)
		check(m)
		assert m.get_content_type() == 'multipart/report'
		assert m.get_param('report-type') == 'delivery-status'
		print('Return-Path', m['Return-Path'])
		print('To', m['To'].addresses[0].addr_spec)
		print('Auto-Submitted', m['Auto-Submitted'])
		for part in m.iter_parts():
		    print(part.get_content_type())
		text = m.get_payload(1).as_bytes().decode()
		for line in text.split('\n\n', 1)[1].splitlines():
		    if line and not line.startswith('Arrival-Date: '):
		        print(line)
		print(m.get_payload(2).as_bytes().decode().split('\n\n', 1)[1])
	EOT
}

@test "Postfix asks for a DSN, and the report comes back by sendmail -t (RFC 3461)" {
	start_both
	timeout 60 sendmail -C "$postfix/etc" -i -f alice@c.example \
		-N success,failure -V 'QQ 314+1' -R hdrs -- bob+x@d.example \
		<<<$'Subject: hello\nX-First: 1\n\nHello.'
	await 60 queue_is_empty
	kept 1 store/bob
	await 60 kept 1 store/alice
	report store/alice >report
	sed -n '/^message\/delivery/,/^Status/p' report
	grep -qx 'Return-Path <>' report
	grep -qx 'To alice@c.example' report
	grep -qx 'Auto-Submitted auto-replied' report
	sed -n '4,6p' report | diff - <(printf '%s\n' text/plain \
		message/delivery-status text/rfc822-headers)
	grep -qx 'Reporting-MTA: dns; mx.example' report
	grep -qx 'Original-Envelope-Id: QQ 314+1' report
	grep -qx 'Original-Recipient: rfc822;bob+x@d.example' report
	grep -qx 'Final-Recipient: rfc822; bob+x@d.example' report
	grep -qx 'Action: delivered' report
	grep -qx 'Status: 2.0.0' report
	grep -qx 'X-First: 1' report
	run ! grep -qx Hello. report
}

@test "with RET=FULL the whole mail is returned, with lines of a single dot" {
	start_both
	timeout 60 sendmail -C "$postfix/etc" -i -f alice@c.example \
		-N success -R full -- bob@d.example \
		<<<$'Subject: hello\n\nbefore\n.\nGr\xc3\xbc\xc3\x9fe'
	await 60 queue_is_empty
	await 60 kept 1 store/alice
	report store/alice >report
	sed -n '4,6p' report | diff - <(printf '%s\n' text/plain \
		message/delivery-status message/rfc822)
	grep -qx 'Subject: hello' report
	grep -A 1 -qx before "$(mail store/alice)"
	grep -qx . "$(mail store/alice)"
	grep -qx Grüße "$(mail store/alice)"
}

@test "a plain sendmail -t sends the report, too, but not from the null sender" {
	start_both -t
	timeout 60 sendmail -C "$postfix/etc" -i -f alice@c.example \
		-N success -- bob@d.example <<<'X-First: 1'
	await 60 queue_is_empty
	await 60 kept 1 store/alice
	report store/alice >report
	grep -qx 'Return-Path <root@mta.example>' report
	grep -qx 'Final-Recipient: rfc822; bob@d.example' report
}

@test "without -N, or with -N never, Postfix's users get no report" {
	start_both
	submit bob@d.example <<<'Subject: 1'
	timeout 60 sendmail -C "$postfix/etc" -f alice@c.example -N never -- \
		bob@d.example <<<'Subject: 2'
	timeout 60 sendmail -C "$postfix/etc" -f alice@c.example -N failure -- \
		bob@d.example <<<'Subject: 3'
	await 60 queue_is_empty
	await 60 kept 3 store/bob
	kept 0 store/alice
}

@test "Postfix sends to and from addresses in UTF-8, and gets reports (RFC 6531, RFC 6533)" {
	start_both
	timeout 60 sendmail -C "$postfix/etc" -i -f jürgen@bücher.example \
		-N success -- bob@bücher.example jürgen@d.example \
		<<<$'Subject: Gr\xc3\xbc\xc3\x9fe\n\nHello.'
	await 60 queue_is_empty
	await 60 kept 1 store/bob
	grep -q '^	by mx.example with UTF8SMTP id ' "$(mail store/bob)"
	grep -qx 'Subject: Grüße' "$(mail store/bob)"
	# the mail, and a report or two
	await 60 grep -rqx 'To: <jürgen@bücher.example>' store/jürgen/new
	grep -rhx 'Final-Recipient: .*' store/jürgen/new | sort >finals
	diff finals - <<-EOT
		Final-Recipient: utf-8; bob@bücher.example
		Final-Recipient: utf-8; jürgen@d.example
	EOT
	grep -rhx 'Original-Recipient: .*' store/jürgen/new | sort >originals
	diff originals - <<-EOT
		Original-Recipient: utf-8;bob@bücher.example
		Original-Recipient: utf-8;jürgen@d.example
	EOT
	grep -rlx 'To: <jürgen@bücher.example>' store/jürgen/new | head -n 1 >one
	mkdir -p one-report/{new,tmp}
	cp "$(cat one)" one-report/new/
	report one-report >report
	sed -n '4,6p' report | diff - <(printf '%s\n' text/plain \
		message/global-delivery-status message/global-headers)
}

@test "Python's smtplib sends in UTF-8, and Dovecot reads it (RFC 6531)" {
	start
	timeout 60 python3 - "$port" <<-'EOT'
		import smtplib, sys
		from email.message import EmailMessage
		from email.policy import SMTPUTF8
		m = EmailMessage(policy=SMTPUTF8)
		m['From'] = 'jürgen@bücher.example'
		m['To'] = 'pelé@exämple.example'
		m['Subject'] = 'Grüße'
		m.set_content('Schöne Grüße')
		with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'c.example', 60) as s:
		    s.ehlo()
		    assert s.has_extn('smtputf8') and s.has_extn('8bitmime')
		    assert s.send_message(m) == {}
		    try:
		        s.sendmail('jürgen@c.example', 'b@d.example', 'x')
		        sys.exit('UTF-8 was taken without SMTPUTF8')
		    except smtplib.SMTPSenderRefused as e:
		        assert e.smtp_code == 553 and e.smtp_error[:6] == b'5.6.7 ', e
	EOT
	grep -qx 'Return-Path: <jürgen@bücher.example>' "$(mail)"
	grep -qx 'Delivered-To: pelé@exämple.example' "$(mail)"
	in_dovecot fetch 'hdr.from hdr.to hdr.subject body' ALL >fetched
	grep -q 'jürgen@bücher.example' fetched
	grep -q 'pelé@exämple.example' fetched
	grep -q 'subject=Grüße' fetched
	grep -q 'Schöne Grüße' fetched
}

@test "swaks, which does not support SMTPUTF8, gets 553 5.6.7" {
	start
	run -23 send --from jürgen@c.example
	grep -q '553 5\.6\.7 ' <<<"$output"
	run -24 send --to jürgen@d.example
	grep -q '553 5\.6\.7 ' <<<"$output"
	kept 0
}
