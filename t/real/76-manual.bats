#!/usr/bin/env bats
# The set-ups of smtpd-examples(7): the page's commands are run unchanged, and
# its files are put where it says, in namespaces of each test's own, which look
# like a machine with smtpd and nothing else.

# shellcheck disable=SC2154,SC2016
load helpers
load booted

page=$root/man/smtpd-examples.7
milters=$root/contrib/milter/smtpd-milter.8

setup_file() {
	# both would be built by several tests at once
	make -s -C "$BATS_TEST_DIRNAME/../.." smtpd tls
}

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	make -s -C "$root" install DESTDIR="$PWD/there" PREFIX=/usr/local
	cp -a /etc etc
	mkdir -p etc/smtpd
	: >log
	printf 'From: <me@example.org>\nSubject: hello\n\nHello.\n' >mail
}

teardown() {
	power_off
	end
}

# task TITLE: the lines of the page about it, or of smtpd-milter(8)
task() {
	awk -v title=".Ss $1" '/^\.S[hs] / { inside = $0 == title } inside' \
		"$page" "$milters"
}

# example TASK N: what its Nth display holds, without its macros
example() {
	task "$1" | sed -n '/^\.Bd/,/^\.Ed/p' |
		awk -v n="$2" '/^\.Bd/ { i++; next } /^\.Ed/ { next } i == n' |
		sed -e 's/\\e/\\/g'
}

# commands TASK N: the same, without the prompts
commands() {
	example "$1" "$2" | sed 's/^[#$] //'
}

# place TASK N: put the file that the Nth display is where the page says: at
# the path that is named last before it
place() {
	local path
	path=$(task "$1" | awk -v n="$2" '/^\.Bd/ && ++i == n { exit }
		/^\.Pa/ { path = $2 } END { print path }')
	[[ $path == /etc/* ]]
	mkdir -p ".${path%/*}"
	example "$1" "$2" >".$path"
	[[ -s .$path ]]
}

# machine [COMMANDS]: start it, after these commands; it has an /etc that is a
# copy, a /usr/local with smtpd alone, empty directories for data, and a
# network without an outside, where 192.0.2.7 and 192.0.2.9 are clients
machine() {
	# shellcheck disable=SC2094
	unshare --net --mount --pid --fork --kill-child --mount-proc sh -euc '
		mount --bind etc /etc
		useradd --system smtpd
		mount --bind there/usr/local /usr/local
		mount -t tmpfs tmpfs /srv
		mount -t tmpfs tmpfs /run
		mount -t tmpfs tmpfs /var/lib
		mount -t tmpfs tmpfs /var/log
		ip link set lo up
		for address in 7 9; do
			ip address add 192.0.2.$address/32 dev lo
		done
		'"${1-}"'
		echo ready
		exec sleep infinity' >machine 2>&1 3>&- 4>&- &
	others+=("$!")
	machine=$!
	await 60 logged ready machine
}

# on COMMAND...: run it on that machine
on() {
	nsenter --all --target "$(pgrep -P "$machine")" "--wd=$PWD" \
		env PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

# listens PORT...: somebody does, on each of them
listens() {
	local wanted
	for wanted; do
		[[ $(on ss -Hltn "sport = :$wanted") ]] || return
	done
}

# daemon PORT COMMAND...: run it on the machine, until the machine ends
daemon() {
	on "${@:2}" </dev/null >>log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 listens "$1"
}

# carry_out TASK N: the commands of its Nth display; the last one is a server
# if PORT... are given, on which that listens then
carry_out() {
	commands "$1" "$2" >"script$2"
	[[ -s script$2 ]]
	sed 's/^/$ /' "script$2"
	if (($# > 2)); then
		tail -n 9 "script$2" | grep -q '^smtpd '
		on bash -eu "script$2" </dev/null >>log 2>&1 3>&- 4>&- &
		others+=("$!")
		await 60 listens "${@:3}"
	else
		on bash -eu "script$2" </dev/null
	fi
}

# client ADDRESS RECIPIENT [OPTION...]: a mail, from one of the addresses
client() {
	on timeout 60 swaks --server 192.0.2.9 --local-interface "$1" \
		--helo c.example --from me@example.org --to "$2" --data @mail \
		"${@:3}"
}

# has N MAILDIR: there are so many new mails, as kept says, on the machine
has() {
	(($(on find "$2/new" -type f | wc -l) == $1))
}

@test "Catch the mail of a test suite" {
	machine
	example "$BATS_TEST_DESCRIPTION" 1 >script
	grep -q ' --listen 127\.0\.0\.1:0 ' script
	install -d -o nobody caught
	on setpriv --reuid nobody --regid nogroup --clear-groups \
		env --chdir=/tmp TMPDIR="$PWD/caught" sh -eu - <script >>log 2>&1
	# where the mail is another, it fails; either way nothing is left
	sed "s/grep -qx 'Subject: hello'/grep -qx 'Subject: other'/" script >wrong
	run ! on setpriv --reuid nobody --regid nogroup --clear-groups \
		env --chdir=/tmp TMPDIR="$PWD/caught" sh -eu - <wrong
	[[ -z $(ls caught) ]]
	run ! on pgrep smtpd
}

@test "Run under systemd on port 25" {
	power_on :/etc/systemd/system:/usr/local/lib/systemd/system \
		sockets.target 'mount --bind etc /etc
		mount --bind there/usr/local /usr/local'
	commands "$BATS_TEST_DESCRIPTION" 1 | inside sh -eux
	send_inside --to "you@$(hostname)"
	inside find /var/lib/smtpd/Maildir/new -type f | grep .
	place "$BATS_TEST_DESCRIPTION" 2
	commands "$BATS_TEST_DESCRIPTION" 3 | inside sh -eux
	# the check expands nothing, as systemd does not
	cp etc/default/smtpd options
	cat >>etc/default/smtpd <<-'EOT'
		SMTPD_OPTIONS="$SMTPD_OPTIONS "'--on-new-connection "case $TCPREMOTEIP in *) ;; esac"'
	EOT
	commands "$BATS_TEST_DESCRIPTION" 3 | sed /systemctl/d | inside sh -eux >said
	grep -F 'case $TCPREMOTEIP in' said
	cat options >etc/default/smtpd
	inside grep -q '^smtpd_workers ' /run/smtpd/smtpd.prom
	run ! send_inside --to you@example.net
	[[ $output == *'<** 550 5.7.1 '* ]]
	send_inside --to you@example.org
	(($(inside find /var/lib/smtpd/Maildir/new -type f | wc -l) == 2))
}

@test "Write the log to a file, and rotate it" {
	place "$BATS_TEST_DESCRIPTION" 1
	machine 'chmod 755 /var/log'
	on sh -c 'smtpd --user mail --maildir /srv/mail 2>>/var/log/smtpd.log' \
		</dev/null 3>&- 4>&- &
	others+=("$!")
	await 60 on grep -q event=listening /var/log/smtpd.log
	client 192.0.2.7 "postmaster@$(hostname)"
	on logrotate --force --state /run/logrotate /etc/logrotate.d/smtpd
	client 192.0.2.7 "postmaster@$(hostname)"
	(($(on zgrep -c event=message /var/log/smtpd.log.1.gz) == 1))
	(($(on grep -c event=message /var/log/smtpd.log) == 1))
}

@test "Run under inetd" {
	place "$BATS_TEST_DESCRIPTION" 1
	machine
	daemon 25 "$root/t/real/cache/openbsd-inetd/usr/sbin/inetd" -i \
		/etc/inetd.conf
	client 192.0.2.7 "postmaster@$(hostname)"
	has 1 /srv/mail
	# more than inetd lets in by itself
	on python3 - <<-'EOT'
		import socket
		for _ in range(300):
		    with socket.create_connection(("127.0.0.1", 25), 60) as client:
		        client.shutdown(socket.SHUT_WR)
		        assert client.makefile().readline().startswith("220 ")
	EOT
}

@test "Keep a mailbox for each user, for Dovecot to read" {
	place "$BATS_TEST_DESCRIPTION" 2
	machine 'mkdir -p /var/lib/dovecot'
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	daemon 143 dovecot -F
	client 192.0.2.7 Alice+news@example.org
	client 192.0.2.7 postmaster
	run ! client 192.0.2.7 bob@example.org
	[[ $output == *'<** 550 5.1.1 '* ]]
	carry_out "$BATS_TEST_DESCRIPTION" 3 >said
	tr -d '\r' <said | grep -qx 'Subject: hello'
}

@test "Let Dovecot deliver, with quota and Sieve" {
	example 'Keep a mailbox for each user, for Dovecot to read' 2 \
		>etc/dovecot/dovecot.conf
	example "$BATS_TEST_DESCRIPTION" 1 >>etc/dovecot/dovecot.conf
	echo 'alice@example.org:{PLAIN}secret' >etc/dovecot/users
	machine 'mkdir -p /var/lib/dovecot'
	daemon 143 dovecot -F
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	client 192.0.2.7 Alice@example.org
	has 1 /srv/mail/example.org/alice
	run ! client 192.0.2.7 bob@example.org
	[[ $output == *'<** 550 5.1.1 '* ]]
	run ! logged 'stats-writer' log
}

@test "Reject unknown recipients from a list" {
	place "$BATS_TEST_DESCRIPTION" 1
	machine
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	for to in alice@example.org Alice+x@example.org any@lists.example.org \
		postmaster; do
		client 192.0.2.7 "$to"
	done
	run ! client 192.0.2.7 bob@example.org
	[[ $output == *'<** 550 5.1.1 '* ]]
	has 4 /srv/mail
}

@test "Reject clients by a DNS list" {
	echo 7.2.0.192.zen.spamhaus.org. A 127.0.0.2 >zone
	rm etc/resolv.conf
	echo 'nameserver 127.0.0.1' >etc/resolv.conf
	machine
	on "$root/t/real/dns" zone >dns.log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 logged ready dns.log
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 554 5.7.1 192.0.2.7 is listed by zen.spamhaus.org'* ]]
	client 192.0.2.9 you@example.org
	has 1 /srv/mail
}

@test "Greylist unknown senders" {
	machine
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 451 4.7.1 '* ]]
	run ! client 192.0.2.7 you@example.org
	# five minutes later
	on sh -c 'for file in /var/lib/smtpd/greylist/*; do
		first=$(cat "$file") && echo "$((first - 300))" >"$file"; done'
	client 192.0.2.7 you@example.org
	run ! client 192.0.2.7 other@example.org
	has 1 /srv/mail
}

@test "Scan with ClamAV" {
	printf 'Test.Worm:0:*:%s\n' "$(printf WORMWORM | od -An -tx1 |
		tr -d ' \n')" >local.ndb
	machine 'install -d -o clamav /run/clamav /var/log/clamav
		install -D -m 644 local.ndb /var/lib/clamav/local.ndb'
	on clamd --foreground >>log 2>&1 </dev/null 3>&- 4>&- &
	others+=("$!")
	await 60 on test -S /run/clamav/clamd.ctl
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	client 192.0.2.7 you@example.org
	echo 'a WORMWORM for you' >>mail
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 554 5.7.1 It holds Test.Worm'* ]]
	has 1 /srv/mail
}

@test "Tag with rspamd" {
	# rspamd as it comes wants the network, and a while
	cat >rspamd.conf <<-'EOT'
		options {
			tempdir = "/tmp";
			url_tld = "/etc/tld";
			filters = "regexp";
			dns { nameserver = ["127.0.0.1:1"]; }
		}
		logging { type = "console"; level = "warning"; }
		worker "normal" { bind_socket = "localhost:11333"; count = 1; }
		worker "controller" { bind_socket = "localhost:11334"; }
		actions { reject = 15; add_header = 6; greylist = 4; }
		lua = "/etc/rules.lua";
	EOT
	echo com >etc/tld
	cat >etc/rules.lua <<-'EOT'
		for word, score in pairs({SPAM = 20, PERHAPS = 7}) do
			rspamd_config['WORD_' .. word] = {
				callback = function(task)
					return tostring(task:get_content()):find(word) ~= nil
				end,
				score = score
			}
		end
	EOT
	machine
	daemon 11334 rspamd -f --insecure -c rspamd.conf
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	client 192.0.2.7 you@example.org
	echo PERHAPS >>mail
	client 192.0.2.7 you@example.org
	has 2 /srv/mail
	(($(on grep -rx 'X-Spam: yes' /srv/mail/new | wc -l) == 1))
	# or into a folder
	commands "$BATS_TEST_DESCRIPTION" 1 |
		sed "\$ s#[^ ]*/rspamd\$#'& --folder Junk' --listen :2525#" >junk
	grep -- "/rspamd --folder Junk'" junk
	daemon 2525 sh -eu junk
	client 192.0.2.7 you@example.org --port 2525
	has 2 /srv/mail
	has 1 /srv/mail/.Junk
	echo SPAM >>mail
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 554 5.7.1 '* ]]
}

@test "Tag with SpamAssassin" {
	echo '192.0.2.7 client.example' >>etc/hosts
	task "$BATS_TEST_DESCRIPTION" | sed -n 's/^\.Ql \(report_safe .*\)/\1/p' \
		>etc/spamassassin/local.cf
	[[ -s etc/spamassassin/local.cf ]]
	cat >>etc/spamassassin/local.cf <<-'EOT'
		body BUY /buy spam/
		score BUY 20
		use_bayes 0
	EOT
	machine 'mkdir -p /var/lib/spamassassin'
	daemon 783 spamd --local --max-children=1 --min-children=1 \
		--nouser-config --helper-home-dir=/run --username=nobody
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	printf '%s\n' 'From: <me@example.org>' 'To: <you@example.org>' \
		"Date: $(date -R)" 'Message-ID: <1@example.org>' \
		'Subject: hello' '' 'Hello, how are you?' >mail
	client 192.0.2.7 you@example.org
	on grep -r '^X-Spam-' -A 3 /srv/mail/new
	run ! on grep -r 'X-Spam-Flag: YES' /srv/mail/new
	on grep -rq '^X-Spam-Status: ' /srv/mail/new
	# it knows the client by its name
	run ! on grep -r RDNS_NONE /srv/mail/new
	client 192.0.2.9 you@example.org
	on grep -rq RDNS_NONE /srv/mail/new
	echo 'buy spam' >>mail
	client 192.0.2.7 you@example.org
	(($(on grep -rx 'X-Spam-Flag: YES' /srv/mail/new | wc -l) == 1))
	has 3 /srv/mail
	# or into a folder
	{ commands "$BATS_TEST_DESCRIPTION" 1 | sed '$ s/--filter .*/--listen :2525 \\/'
	  task "$BATS_TEST_DESCRIPTION" | sed -n 's/^\.Dl //p'; } >junk
	grep -- '--folder Junk' junk
	daemon 2525 sh -eu junk
	client 192.0.2.7 you@example.org --port 2525
	has 3 /srv/mail
	has 1 /srv/mail/.Junk
	on grep -rx 'X-Spam-Flag: YES' /srv/mail/.Junk/new
}

# names ZONE-LINE...: a name server on the machine knows these
names() {
	printf '%s\n' "$@" >zone
	on "$root/t/real/dns" zone >dns.log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 logged ready dns.log
}

# resolving: the machine will ask a name server of its own; OpenDKIM, which
# resolves by itself, has to be told
resolving() {
	rm etc/resolv.conf
	echo 'nameserver 127.0.0.1' >etc/resolv.conf
	[[ ! -e etc/opendkim.conf ]] ||
		echo 'Nameservers 127.0.0.1' >>etc/opendkim.conf
}

# signed: ./signed is a mail from example.org that is signed, and ${key[*]} is
# what DNS has of the key
signed() {
	local public
	openssl genrsa -out key.pem 2048
	public=$(openssl rsa -in key.pem -pubout -outform DER | base64 -w 0)
	key=("s._domainkey.example.org. TXT \"v=DKIM1; p=${public:0:200}\" \"${public:200}\"")
	dkimsign s example.org key.pem <mail >signed
}

# last_mail: what was kept last
last_mail() {
	on sh -c 'cat "$(ls -t /srv/mail/new/* | head -n 1)"'
}

@test "Check DKIM signatures by a milter" {
	signed
	place "$BATS_TEST_DESCRIPTION" 1
	resolving
	machine
	names "${key[@]}"
	daemon 8891 opendkim -f
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	mv signed mail
	client 192.0.2.7 you@example.org
	last_mail | grep -A 2 "^Authentication-Results: $(hostname);" |
		grep 'dkim=pass .*header.d=example.org'
	{ printf 'Authentication-Results: %s; dkim=pass\n' "$(hostname)"
	  sed 's/^Hello/Hullo/' mail; } >forged
	mv forged mail
	client 192.0.2.7 you@example.org
	last_mail >got
	(($(grep -c ^Authentication-Results got) == 1))
	grep -A 2 ^Authentication-Results got | grep dkim=fail
	has 2 /srv/mail
	# a bad signature is a reason to reject, if it says so
	on pkill opendkim
	await 60 on sh -c '! ss -Hltn "sport = :8891" | grep -q .'
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 451 4.3.0 '* ]]
	task "$BATS_TEST_DESCRIPTION" | sed -n 's/^\.Ql \(On-Bad.*\)/\1/p' \
		>>etc/opendkim.conf
	daemon 8891 opendkim -f
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 550 5.7.0 bad DKIM signature data'* ]]
	has 2 /srv/mail
}

@test "Accept mail from users with a password, over TLS" {
	rmdir etc/smtpd
	printf '#!/bin/sh\ncat "%s"\n' "$PWD/log" >there/usr/local/sbin/journalctl
	printf '#!/bin/sh\npkill -TERM -xf "smtpd: master"\n' \
		>there/usr/local/sbin/systemctl
	chmod 755 there/usr/local/sbin/{journal,system}ctl
	machine
	# it would ask a terminal for the password
	commands "$BATS_TEST_DESCRIPTION" 1 | sed 's/^htpasswd -cB/htpasswd -icB/' \
		>script
	grep -qx 'htpasswd -icB /etc/smtpd/passwords alice' script
	on bash -eu script <<<secret
	carry_out "$BATS_TEST_DESCRIPTION" 2 25 587 465
	client 192.0.2.7 you@example.org
	run ! client 192.0.2.7 you@example.net --tls
	[[ $output == *'<~* 550 5.7.1 '* ]]
	for how in '--port 587 --tls' '--port 465 --tls-on-connect'; do
		# shellcheck disable=SC2086
		run ! client 192.0.2.7 you@example.net $how
		[[ $output == *'<~* 530 5.7.0 '* ]]
		# shellcheck disable=SC2086
		client 192.0.2.7 you@example.net $how -au alice -ap secret
	done
	run ! client 192.0.2.7 you@example.net --port 587 -a PLAIN -au alice -ap secret
	run ! client 192.0.2.7 you@example.net --port 587 --tls -au alice -ap x
	has 3 /srv/mail
	# what to do when it is stolen: here a restart is a stop
	cat >thief <<-'EOT'
		import smtplib, sys
		client = smtplib.SMTP_SSL("127.0.0.1", 465)
		client.login("alice", "secret")
		print("in", flush=True)
		sys.stdin.readline()
		print(client.noop()[0], flush=True)
		print(client.getreply()[0], flush=True)
	EOT
	mkfifo to
	on python3 -I thief <to >from 3>&- 4>&- &
	others+=("$!")
	exec 8>to
	await 60 logged '^in$' from
	commands "$BATS_TEST_DESCRIPTION" 3 | sed '/^systemctl/d' >script
	on bash -eu script >said
	grep -x ' *2  user=alice' said
	run ! client 192.0.2.7 you@example.net --port 587 --tls -au alice -ap secret
	[[ $output == *'<~* 535 5.7.8 '* ]]
	echo >&8
	exec 8>&-
	await 60 logged '^250$' from
	commands "$BATS_TEST_DESCRIPTION" 3 | grep '^systemctl' >script
	on bash -eu script
	await 60 logged '^421$' from
}

# serve_policy: what the page has for MTA-STS, by HTTPS, to the machine
serve_policy() {
	mkdir .well-known
	example "$BATS_TEST_DESCRIPTION" 1 >.well-known/mta-sts.txt
	cat >web <<-'EOT'
		import http.server, ssl
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain("web.pem", "web.key")
		server = http.server.HTTPServer(("127.0.0.1", 443),
		    http.server.SimpleHTTPRequestHandler)
		server.socket = context.wrap_socket(server.socket, server_side=True)
		server.serve_forever()
	EOT
	daemon 443 python3 web
}

# certify NAME CERTIFICATE KEY: by the CA in ca.pem
certify() {
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$3" -out request
	openssl x509 -req -in request -CA ca.pem -CAkey ca.key -CAcreateserial \
		-days 2 -extfile <(echo "subjectAltName=DNS:$1") -out "$2"
}

# connects OPTION...: a sender that verifies the certificate can
connects() {
	on timeout 60 openssl s_client -starttls smtp -connect 127.0.0.1:25 \
		-verify_return_error "$@" </dev/null
}

@test "Have others send over TLS only" {
	rm etc/resolv.conf
	echo 'nameserver 127.0.0.1' >etc/resolv.conf
	printf '127.0.0.1 %s\n' localhost mta-sts.example.org >etc/hosts
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=CA \
		-keyout ca.key -out ca.pem
	certify mx.example.org etc/smtpd/cert.pem etc/smtpd/key.pem
	certify mta-sts.example.org web.pem web.key
	chmod 644 etc/smtpd/key.pem
	machine
	digest=$(carry_out "$BATS_TEST_DESCRIPTION" 2 | sed -n 's/  -$//p')
	[[ $digest =~ ^[0-9a-f]{64}$ ]]
	example "$BATS_TEST_DESCRIPTION" 3 | sed "s/DIGEST/$digest/" >zone
	on "$root/t/real/dns" zone >dns.log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 logged ready dns.log
	daemon 25 smtpd --user smtpd --domain example.org --maildir /srv/mail \
		--tls 'smtpd-tls -c /etc/smtpd/cert.pem -k /etc/smtpd/key.pem'
	serve_policy
	# as a sender with MTA-STS does: the record, the policy, and its MX
	[[ $(on dig +short TXT _mta-sts.example.org) =~ ^\"v=STSv1\;\ id=[0-9A-Za-z]+\"$ ]]
	on curl -sS --fail --cacert ca.pem \
		https://mta-sts.example.org/.well-known/mta-sts.txt >policy
	diff .well-known/mta-sts.txt policy
	[[ $(cut -d : -f 1 policy | paste -sd ' ') == 'version mode mx max_age' ]]
	mx=$(sed -n 's/^mx: //p' policy)
	connects -CAfile ca.pem -verify_hostname "$mx"
	run ! connects -CAfile ca.pem -verify_hostname other.example.org
	# and one with DANE: the record
	record=$(on dig +short TLSA "_25._tcp.$mx" |
		sed 's/\([0-9A-F]\) \([0-9A-F]*\)$/\1\2/')
	[[ ${record,,} == "3 1 1 $digest" ]]
	connects -dane_tlsa_domain "$mx" -dane_tlsa_rrdata "$record" >said
	grep 'DANE TLSA 3 1 1 .* matched' said
	run ! connects -dane_tlsa_domain "$mx" \
		-dane_tlsa_rrdata "3 1 1 ${digest//[0-9]/0}"
}

@test "Receive from printers and other devices" {
	machine
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	on python3 - <<-'EOT'
		import socket
		device = socket.create_connection(("192.0.2.9", 25), 60, ("192.0.2.7", 0))
		replies = device.makefile()
		def say(line, code):
		    device.sendall(line.encode() + b"\n")
		    assert replies.readline().startswith(code)
		assert replies.readline().startswith("220 ")
		say("HELO printer", "250 ")
		say("MAIL FROM:<printer@example.org>", "250 ")
		say("RCPT TO:<you@example.net>", "250 ")
		say("DATA", "354 ")
		say("Subject: scan\n\nA page.\r\n.\r", "250 ")
		say("QUIT", "221 ")
	EOT
	has 1 /srv/mail
	on grep -rqx 'A page.' /srv/mail/new
	run ! client 127.0.0.1 you@example.org --server 127.0.0.1
	[[ $output == *'<** 554 5.7.1 '* ]]
}

@test "Post each message to a web server" {
	machine
	cat >web <<-'EOT'
		import http.server
		class Handler(http.server.BaseHTTPRequestHandler):
		    def do_PUT(self):
		        open("got", "ab").write(self.path.encode() + b"\n" +
		            self.rfile.read(int(self.headers["Content-Length"])))
		        self.send_response(204)
		        self.end_headers()
		http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
	EOT
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 451 '* ]]
	daemon 8080 python3 web
	client 192.0.2.7 you@example.org
	grep -q '^/mail/[0-9A-Za-z.]*$' got
	grep -qx 'Subject: hello' got
	grep -qx 'Delivered-To: you@example.org' got
}

@test "Store the mail of one domain, and run a command for another" {
	place "$BATS_TEST_DESCRIPTION" 1
	mkdir there/usr/local/bin
	machine
	# not there yet
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	run ! client 192.0.2.7 bug@tickets.example.org
	[[ $output == *'<** 451 '* ]]
	printf '#!/bin/sh\necho got it\ncat >>/run/ticket\n' >there/usr/local/bin/ticket
	chmod 755 there/usr/local/bin/ticket
	on install -o smtpd /dev/null /run/ticket
	client 192.0.2.7 bug@Tickets.example.org
	(($(on grep -c '^Subject: hello' /run/ticket) == 1))
	# the second of two recipients is for later
	client 192.0.2.7 you@example.org,bug@tickets.example.org
	(($(on grep -c '^Subject: hello' /run/ticket) == 1))
	has 1 /srv/mail
	on grep -rqx 'Delivered-To: you@example.org' /srv/mail/new
	logged 'event=discarded .*reason=ticket' log
}

@test "Hand mail to Redis" {
	machine
	daemon 6379 redis-server --save '' --dir /run
	carry_out "$BATS_TEST_DESCRIPTION" 1 25
	client 192.0.2.7 you@example.org
	carry_out "$BATS_TEST_DESCRIPTION" 2 >said
	grep -q '^Subject: hello' said
	grep -qx you@example.org said
}

@test "Stand behind HAProxy" {
	place "$BATS_TEST_DESCRIPTION" 1
	machine
	commands "$BATS_TEST_DESCRIPTION" 2 >script
	on bash -eu script </dev/null >>log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 on test -S /run/smtpd.sock
	daemon 25 haproxy -db -f /etc/haproxy/haproxy.cfg
	client 192.0.2.7 you@example.org
	has 1 /srv/mail
	on grep -rq 'from c\.example (\[192\.0\.2\.7\])' /srv/mail/new
	run ! logged ' event=(refused|proxy-failed|proxy-unexpected) ' log
	# another user can't say that it is the proxy
	connect=(python3 -Ic 'import socket
socket.socket(socket.AF_UNIX).connect("/run/smtpd.sock")')
	on setpriv --reuid haproxy --regid haproxy --clear-groups "${connect[@]}"
	run ! on setpriv --reuid nobody --regid nogroup --clear-groups "${connect[@]}"
	[[ $output == *PermissionError* ]]
}

@test "Stand behind Postfix" {
	mkdir -p etc/postfix
	cat >etc/postfix/main.cf <<-'EOT'
		compatibility_level = 3.6
		myhostname = mta.example
		maillog_file = /var/log/postfix
		inet_protocols = ipv4
		mydestination =
		alias_maps =
		alias_database =
	EOT
	example "$BATS_TEST_DESCRIPTION" 1 >>etc/postfix/main.cf
	(load postfix && postfix_daemons) >etc/postfix/master.cf
	printf '%s\n' 'smtp inet n - n - - smtpd' 'lmtp unix - - n - - lmtp' \
		'pickup unix n - n 1 1 pickup' 'showq unix n - n - 0 showq' \
		'flush unix n - n - 0 flush' >>etc/postfix/master.cf
	machine 'mount -t tmpfs tmpfs /var/spool
		mkdir -p /var/spool/postfix'
	on postfix start >>log 2>&1 3>&- 4>&-
	carry_out "$BATS_TEST_DESCRIPTION" 2 >>log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 on test -S /var/spool/postfix/private/smtpd
	client 192.0.2.7 alice@example.org
	run ! client 192.0.2.7 bob@example.org
	[[ $output == *'<** 550 5.1.1 '* ]]
	await 60 has 1 /srv/mail/alice
	on postfix stop >>log 2>&1
}

@test "Upgrade without losing a connection" {
	machine "mount --bind '$root' /mnt"
	on sh -c 'cd /run && exec smtpd --user smtpd --listen 127.0.0.1:2525' \
		>>log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 listens 2525
	mkfifo to
	on bash -c 'exec 9<>/dev/tcp/127.0.0.1/2525; cat <&9 & cat >&9; wait' \
		<to >from 3>&- 4>&- &
	others+=("$!")
	exec 8>to
	printf '%s\r\n' 'EHLO c.example' 'MAIL FROM:<me@example.org>' \
		'RCPT TO:<you@example.org>' DATA >&8
	await 60 logged '^354 ' from
	commands "$BATS_TEST_DESCRIPTION" 1 | sed '1s#^#cd /mnt \&\& #' >script
	on bash -eu script
	await 60 logged event=restarting log
	on timeout 60 swaks --server 127.0.0.1 --port 2525 --helo c.example \
		--from me@example.org --to other@example.org --data @mail
	printf '%s\r\n' 'Subject: old' '' . QUIT >&8
	exec 8>&-
	await 60 logged '^221 ' from
	grep -q '^250 2\.0\.0 ' from
	has 2 /run/Maildir
}

@test "Reject what fails DMARC" {
	signed
	place 'Check DKIM signatures by a milter' 1
	resolving
	place "$BATS_TEST_DESCRIPTION" 1
	machine
	names "${key[@]}" '_dmarc.example.org. TXT "v=DMARC1; p=reject"' \
		'example.org. TXT "v=spf1 ip4:192.0.2.9 -all"'
	daemon 8891 opendkim -f
	daemon 8893 opendmarc -f
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	# neither
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 550 5.7.1 rejected by DMARC policy for example.org'* ]]
	# SPF, and DKIM
	client 192.0.2.9 you@example.org
	mv signed mail
	client 192.0.2.7 you@example.org
	has 2 /srv/mail
	last_mail | grep -A 1 ^Authentication-Results | grep 'dmarc=pass'
	last_mail | grep -A 2 ^Authentication-Results | grep 'dkim=pass'
}

@test "Sign mail, and pass it to a smart host" {
	echo '192.0.2.8 smarthost.example.net' >>etc/hosts
	resolving
	place "$BATS_TEST_DESCRIPTION" 2
	place "$BATS_TEST_DESCRIPTION" 3
	machine 'ip address add 192.0.2.8/32 dev lo
		mkdir -p /run/mail && chown smtpd /run/mail'
	carry_out "$BATS_TEST_DESCRIPTION" 1
	names "mail._domainkey.example.org. TXT $(on grep -o '"[^"]*"' \
		/etc/dkimkeys/mail.txt | paste -sd ' ')"
	daemon 8891 opendkim -f
	carry_out "$BATS_TEST_DESCRIPTION" 4 25 >>log
	run ! client 192.0.2.7 you@example.com,she@example.net
	[[ $output == *'<** 451 4.3.0 '* ]]
	[[ $(on find /srv) == /srv ]]
	daemon 587 smtpd --listen 192.0.2.8:587 --user smtpd --domain '*' \
		--maildir /run/mail/box
	client 192.0.2.7 you@example.com,she@example.net
	has 1 /run/mail/box
	on sh -c 'sed "1,/^Received:.*by '"$(hostname)"'/d" /run/mail/box/new/*' >got
	(($(grep -c '^Delivered-To: ' got) == 0))
	on sh -c 'cat /run/mail/box/new/* | dkimverify'
	# from elsewhere nothing is signed, and nothing is passed on
	run ! client 192.0.2.9 you@example.com --server 127.0.0.1 --local-interface 127.0.0.1
	[[ $output == *'<** 550 5.7.1 '* ]]
	has 1 /run/mail/box
}

@test "Reject viruses by clamav-milter" {
	# shellcheck disable=SC1003
	printf 'Eicar-Test:0:*:%s\n' "$(printf 'EICAR-STANDARD-ANTIVIRUS-TEST-FILE!' |
		od -An -v -tx1 | tr -d ' \n')" >local.ndb
	place "$BATS_TEST_DESCRIPTION" 1
	machine 'install -d -o clamav /run/clamav /var/log/clamav
		install -D -m 644 local.ndb /var/lib/clamav/local.ndb'
	on clamd --foreground >>log 2>&1 </dev/null 3>&- 4>&- &
	others+=("$!")
	await 60 on test -S /run/clamav/clamd.ctl
	on clamav-milter >>log 2>&1 </dev/null 3>&- 4>&-
	await 60 listens 7357
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	client 192.0.2.7 you@example.org
	cp mail clean
	printf '%s\n' 'X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*' \
		>>mail
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 550 5.7.1 Rejected: Eicar-Test'* ]]
	has 1 /srv/mail
}

@test "Let rspamd change the header" {
	cat >rspamd.conf <<-'EOT'
		options {
			tempdir = "/tmp";
			url_tld = "/etc/tld";
			filters = "regexp";
			dns { nameserver = ["127.0.0.1:1"]; }
		}
		logging { type = "console"; level = "warning"; }
		worker "rspamd_proxy" {
			bind_socket = "127.0.0.1:11332";
			milter = yes;
			count = 1;
			upstream "local" { default = yes; self_scan = yes; }
		}
		actions { reject = 15; add_header = 6; greylist = 4; }
		modules { path = "/usr/share/rspamd/plugins/milter_headers.lua"; }
		milter_headers {
			.include "/etc/rspamd/local.d/milter_headers.conf"
		}
		lua = "/etc/rules.lua";
	EOT
	echo com >etc/tld
	cat >etc/rules.lua <<-'EOT'
		rspamd_config.LATER = {
			callback = function(task)
				if tostring(task:get_content()):find('LATER') then
					task:set_pre_result('soft reject', 'Come back later')
				end
			end,
			type = 'prefilter'
		}
		for word, score in pairs({SPAM = 20, PERHAPS = 7}) do
			rspamd_config['WORD_' .. word] = {
				callback = function(task)
					return tostring(task:get_content()):find(word) ~= nil
				end,
				score = score
			}
		end
	EOT
	place "$BATS_TEST_DESCRIPTION" 1
	machine
	daemon 11332 rspamd -f --insecure -c rspamd.conf
	carry_out "$BATS_TEST_DESCRIPTION" 2 25
	printf 'X-Spam: forged\n' | cat - mail >forged
	mv forged mail
	client 192.0.2.7 you@example.org
	last_mail >got
	grep -x 'X-Spamd-Bar: /' got
	grep -x 'X-Spam-Status: No, score=0.00' got
	run ! grep '^X-Spam: ' got
	echo PERHAPS >>mail
	client 192.0.2.7 you@example.org
	last_mail | grep -x 'X-Spam-Status: Yes, score=7.00'
	sed 's/PERHAPS/LATER/' mail >later
	sed 's/PERHAPS/SPAM/' mail >spam
	mv later mail
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 451 4.7.1 '* ]]
	mv spam mail
	run ! client 192.0.2.7 you@example.org
	[[ $output == *'<** 554 5.7.1 '* ]]
	has 2 /srv/mail
}

@test "each task of the page has its test here" {
	sed -n '/^\.Sh EXAMPLES$/,/^\.Sh /p' "$page" "$milters" | sed -n 's/^\.Ss //p' >tasks
	sed -n 's/^@test "\([^a-z].*\)" {$/\1/p' "$BATS_TEST_FILENAME" |
		diff tasks -
	(($(wc -l <tasks) > 15))
}
