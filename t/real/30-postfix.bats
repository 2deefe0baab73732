#!/usr/bin/env bats
# Postfix as the sending mail server: each test has its own, with configuration,
# queue and log in the test's directory, no port, and smtpd as its relayhost.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers
load postfix

@test "Postfix sends a mail, and its body is stored unchanged" {
	write_hard_mail
	start
	start_postfix smtp_line_length_limit=0
	submit b@d.example <hard
	await 60 queue_is_empty
	cmp <(body hard) <(body "$(mail)")
	grep -qx 'X-First: 1' "$(mail)"
}

@test "Postfix sends 40 mails, one of them to 120 recipients" {
	start
	start_postfix
	for n in {1..39}; do
		submit "n$n@d.example" <<<"Subject: $n"
	done
	submit r{1..120}@d.example <<<'Subject: to many'
	await 60 queue_is_empty
	# Postfix sends to 50 recipients at a time.
	kept 42
	grep -rh '^Delivered-To: ' Maildir/new | sort -u >recipients
	(($(wc -l <recipients) == 159))
	grep -rh '^Subject: ' Maildir/new | sort -u >subjects
	(($(wc -l <subjects) == 40))
}

@test "Postfix keeps a mail that got 451 in its queue, and sends it later" {
	make_maildirs store/bob
	start --maildir 'store/{mailbox}'
	chmod 0 store
	start_postfix
	submit bob@d.example <<<'Subject: later'
	await 60 logged 'dsn=4\.[0-9.]+, status=deferred .* said: 451 '
	kept 0 store/bob
	chmod 711 store
	postqueue -c "$postfix/etc" -f
	await 60 queue_is_empty
	kept 1 store/bob
}

@test "Postfix sends a bounce to its own user for a recipient that got 550" {
	make_maildirs store/{alice,bob}
	start --maildir 'store/{mailbox}'
	start_postfix
	submit bob@d.example carol@d.example <<<'Subject: to two'
	await 60 logged 'to=<carol.*dsn=5\.1\.1, status=bounced .* said: 550 '
	await 60 queue_is_empty
	grep -qx 'Subject: to two' "$(mail store/bob)"
	bounce=$(mail store/alice)
	grep -qx 'Return-Path: <>' "$bounce"
	grep -qx 'Final-Recipient: rfc822; carol@d.example' "$bounce"
	[[ ! -e store/carol ]]
}

@test "Postfix doesn't send a message over the announced SIZE (RFC 1870)" {
	start --max-size 100k
	start_postfix notify_classes=
	{
		echo 'Subject: big'
		echo
		yes 'And so on.' | head -c 200000
	} | submit b@d.example
	await 60 logged 'status=bounced .*size'
	await 60 queue_is_empty
	kept 1
	grep -qx 'Return-Path: <>' "$(mail)"
}

@test "Postfix delivers to a server that offers CHUNKING, BINARYMIME and LIMITS" {
	write_hard_mail
	start --mda true --max-mails 2
	start_postfix smtp_line_length_limit=0
	submit b@d.example <hard
	submit b@d.example <hard
	submit b@d.example <hard
	await 60 queue_is_empty
	kept 3
}

@test "Postfix delivers by LMTP to a Unix socket, and only the full mailbox is deferred" {
	make_maildirs store/{bob,carol,dave}
	start --listen "lmtp@$PWD/lmtp,mode=0666" --maildir 'store/{mailbox}' \
		--domain d.example \
		--mda '[ "$LOCAL" != carol ] || [ -e room ] || { echo 452 4.2.2 Mailbox full; exit 1; }'
	start_postfix "default_transport = lmtp:unix:$PWD/lmtp" relayhost=
	submit bob@d.example carol@d.example dave@d.example <<<'Subject: to three'
	await 60 logged 'to=<carol.*dsn=4\.2\.2, status=deferred .* said: 452 4\.2\.2 Mailbox full'
	logged 'to=<bob@d\.example>.*status=sent \(250 '
	logged 'to=<dave@d\.example>.*status=sent \(250 '
	kept 1 store/bob
	kept 0 store/carol
	kept 1 store/dave
	grep -q 'with LMTP id' "$(mail store/bob)"
	touch room
	postqueue -c "$postfix/etc" -f
	await 60 queue_is_empty
	kept 1 store/carol
	kept 1 store/bob
}

@test "Postfix requires TLS and a valid certificate, and sends a mail by smtpd-tls" {
	make -s -C "$root" tls
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout mx.key -out mx.pem -subj /CN=mx.example \
		-addext subjectAltName=DNS:mx.example -days 30 2>/dev/null
	chown nobody mx.key
	write_hard_mail
	start --tls "$root/contrib/tls/smtpd-tls -c mx.pem -k mx.key" \
		--require-tls
	start_postfix smtp_line_length_limit=0 smtp_tls_security_level=secure \
		smtp_tls_secure_cert_match=mx.example "smtp_tls_CAfile=$PWD/mx.pem" \
		smtp_tls_loglevel=1
	submit b@d.example <hard
	await 60 queue_is_empty
	cmp <(body hard) <(body "$(mail)")
	grep -q 'with ESMTPS (TLSv1.3 TLS_' "$(mail)"
	grep -q 'Verified TLS connection established to 127.0.0.1' "$postfix/log"
}

@test "Postfix delivers by LMTP, and only a mailbox on a full disk is deferred, even the first" {
	make_maildirs store/{alice,bob,carol}
	within=(unshare --mount sh -ec 'for name in alice carol; do
		mount -t tmpfs -o size=64k,mode=711 tmpfs "store/$name"
		mkdir "store/$name/tmp" "store/$name/new" "store/$name/cur"
		head -c 48k /dev/zero >"store/$name/fill"
		chown -R nobody "store/$name"
	done; exec "$@"' sh)
	start --listen "lmtp@$PWD/lmtp,mode=0666" --maildir 'store/{mailbox}' \
		--domain d.example --min-free 0
	start_postfix "default_transport = lmtp:unix:$PWD/lmtp" relayhost=
	{ echo 'Subject: big'; echo; yes 'And so on.' | head -c 200000; } >big
	submit alice@d.example bob@d.example carol@d.example <big
	await 60 logged 'to=<alice@d\.example>.*dsn=4\.3\.1, status=deferred .* said: 452 '
	await 60 logged 'to=<carol@d\.example>.*dsn=4\.3\.1, status=deferred .* said: 452 '
	await 60 logged 'to=<bob@d\.example>.*status=sent \(250 '
	kept 1 store/bob
	[[ -z $(find "/proc/$pid/root$PWD/store/"{alice,carol}/{tmp,new} -type f) ]]
}
