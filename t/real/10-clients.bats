#!/usr/bin/env bats
# Programs that send mail, each with a difficult mail (see write_hard_mail) that
# must be stored byte for byte.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

# with_crlf FILE: the lines as they go over the wire, dots aside.
with_crlf() {
	sed 's/$/\r/' "$1"
}

@test "swaks sends a mail, and it is stored unchanged" {
	write_hard_mail
	{
		with_crlf hard | sed 's/^\./../'
		printf .
	} >wire
	start
	send --data @wire --no-data-fixup
	cmp hard <(as_sent "$(mail)")
}

@test "swaks sends its own mail, pipelined, to three recipients" {
	start
	send --pipeline --to b@d.example,c@d.example,'"d e"@[127.0.0.1]' \
		--header 'X-First: 1' --body 'Hello.'
	grep -x Hello. "$(mail)"
}

@test "the mail gets Return-Path, Delivered-To and Received (RFC 5321 4.4)" {
	start --hostname mx.example
	send --header 'X-First: 1'
	sed '/^Date:/,$d' "$(mail)" >trace
	mapfile -t lines <trace
	[[ ${lines[0]} == 'Return-Path: <a@c.example>' ]]
	[[ ${lines[1]} == 'Delivered-To: b@d.example' ]]
	[[ ${lines[2]} == 'Received: from c.example ('*'[127.0.0.1])'* ]]
	grep -Eq '\bby mx\.example\b' trace
	grep -Eq '\bwith ESMTP\b' trace
	grep -Eq '\bid [[:alnum:]]' trace
	grep -Eq '\bfor <b@d\.example>;' trace
	for line in "${lines[@]:3}"; do
		[[ $line == [$' \t']* ]]
	done
}

@test "curl sends a mail, and it is stored unchanged" {
	write_hard_mail
	with_crlf hard >wire
	start
	curl --no-progress-meter --max-time 60 --mail-from a@c.example \
		--mail-rcpt b@d.example --mail-rcpt c@d.example \
		--upload-file wire "smtp://127.0.0.1:$port/c.example"
	cmp hard <(as_sent "$(mail)")
}

@test "curl --crlf sends a mail, and it is stored unchanged" {
	write_hard_mail
	start
	curl --no-progress-meter --max-time 60 --mail-from a@c.example \
		--mail-rcpt b@d.example --crlf \
		--upload-file - "smtp://127.0.0.1:$port/c.example" <hard
	cmp hard <(as_sent "$(mail)")
}

@test "curl sends a mail of 9 MB from a pipe" {
	start
	{
		printf 'X-First: 1\r\n\r\n'
		yes "$(printf '%078d\r' 0)" | head -n 112500
	} >wire
	curl --no-progress-meter --max-time 60 --mail-from a@c.example \
		--mail-rcpt b@d.example --upload-file - \
		"smtp://127.0.0.1:$port" < <(cat wire)
	cmp <(tr -d '\r' <wire) <(as_sent "$(mail)")
}

@test "curl gives up on a mail that is too large, and nothing is stored" {
	start --max-size 1M
	yes "$(printf '%078d\r' 0)" | head -c 2000000 >wire
	run ! curl --no-progress-meter --max-time 60 --mail-from a@c.example \
		--mail-rcpt b@d.example --upload-file wire \
		"smtp://127.0.0.1:$port"
	run ! curl --no-progress-meter --max-time 60 --mail-from a@c.example \
		--mail-rcpt b@d.example --upload-file - \
		"smtp://127.0.0.1:$port" < <(cat wire)
	kept 0
}

@test "msmtp sends a mail, and it is stored unchanged" {
	write_hard_mail
	start
	timeout 60 msmtp --file=/dev/null --host=127.0.0.1 --port="$port" \
		--from=a@c.example --domain=c.example b@d.example \
		c@d.example <hard
	cmp hard <(as_sent "$(mail)")
}

@test "msmtp --serverinfo shows the extensions" {
	start --max-size 5000000
	timeout 60 msmtp --file=/dev/null --host=127.0.0.1 --port="$port" \
		--serverinfo >info
	grep -q 'SIZE 5000000' info
	grep -q PIPELINING info
}

@test "Python's smtplib sends mails over one connection, and they are stored unchanged" {
	write_hard_mail
	start
	timeout 60 python3 - "$port" <<-'EOT'
		import smtplib, sys
		hard = open('hard', 'rb').read().replace(b'\n', b'\r\n')
		with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'c.example', 60) as s:
		    for n in range(20):
		        s.sendmail('a@c.example', ['b@d.example', f'n{n}@d.example'],
		                   hard, mail_options=['BODY=8BITMIME'])
		    s.sendmail('', ['nul@d.example'], hard + b'\0\x01\x1b\x7f\r\n')
	EOT
	kept 21
	nul=$(grep -rl '^Delivered-To: nul@d.example' Maildir/new)
	cmp <(cat hard; printf '\0\001\033\177\n') <(as_sent "$nul")
	grep -qx 'Return-Path: <>' "$nul"
	rm "$nul"
	for file in Maildir/new/*; do
		cmp hard <(as_sent "$file")
	done
}

@test "Python's smtplib gets 550 5.6.11 for a message with bare line feeds" {
	start
	timeout 60 python3 - "$port" <<-'EOT'
		import smtplib, sys
		with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'c.example', 60) as s:
		    try:
		        s.sendmail('a@c.example', 'b@d.example', b'X-First: 1\n\nhi\n')
		        sys.exit('it was taken')
		    except smtplib.SMTPDataError as e:
		        assert e.smtp_code == 550 and e.smtp_error[:7] == b'5.6.11 ', e
		    s.sendmail('a@c.example', 'b@d.example', 'X-First: 1\n\nhi\n')
	EOT
	kept 1
}

@test "Python's smtplib reports which recipients were rejected and why" {
	start --domain d.example
	timeout 60 python3 - "$port" <<-'EOT'
		import smtplib, sys
		with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'c.example', 60) as s:
		    no = s.sendmail('a@c.example', ['b@d.example', 'x@elsewhere.example'],
		                    'X-First: 1\n\nhello\n')
		    assert list(no) == ['x@elsewhere.example'], no
		    code, text = no['x@elsewhere.example']
		    assert code == 550 and text.startswith(b'5.7.1 '), no
	EOT
	kept 1
}
