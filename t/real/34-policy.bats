#!/usr/bin/env bats
# The hook "policy" with Postfix policy servers, and with one that misbehaves.

# shellcheck disable=SC2154 # helpers set hooks, spool, within
load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	prepare_hooks
}

# start_postgrey: its socket is ./postgrey
start_postgrey() {
	postgrey --unix="$PWD/postgrey" --dbdir="$PWD/db" --user=nobody \
		--group=nogroup --delay=1 --hostname=mx.example \
		</dev/null >postgrey.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -S postgrey
}

@test "postgrey: the first try gets 450, a later one a header field, and without postgrey 451" {
	mkdir db
	chown nobody db
	start_postgrey
	hook="$hooks/policy unix:$PWD/postgrey"
	ask --on-recipient "$hook"
	refused '450 4\.[27]\.[01] Greylisted'
	accepted() {
		ask --on-recipient "$hook"
		says '250 2\.0\.0 '
	}
	await 60 accepted
	grep '^X-Greylist: delayed [0-9]* seconds by postgrey' spool/kept
	client=192.0.9.3 ask --on-recipient "$hook"
	refused '450 4\.[27]\.[01] Greylisted'
	withstands --on-recipient "$hook"
	kill "${others[-1]}"
	gone "${others[-1]}" 60
	ask --on-recipient "$hook"
	refused '451 4\.3\.0 '
	grep 'hook-said.* text="no answer from the policy server"' log
}

@test "Dovecot's quota-status: RCPT gets 452 over quota, and 5xx for an unknown user" {
	make_maildirs "$PWD"/home/{bob,full}
	head -c 20000 /dev/zero >home/full/cur/1.1.x,S=20000:2,
	chown nobody home/full/cur/*
	printf '%s@d.example::::::\n' bob full >users
	cat >dovecot.conf <<-EOT
		base_dir = $PWD/run
		state_dir = $PWD/run
		log_path = /dev/stderr
		ssl = no
		protocols =
		mail_location = maildir:~
		mail_uid = nobody
		mail_gid = nogroup
		mail_home = $PWD/home/%n
		default_internal_user = nobody
		default_internal_group = nogroup
		default_login_user = nobody
		mail_plugins = quota
		plugin {
			quota = maildir:User quota
			quota_rule = *:storage=15k
			quota_grace = 0
			quota_status_success = DUNNO
			quota_status_nouser = 550 5.1.1 No such user here
			$(sed -n 's/^#	\(quota_status_overquota\)/\1/p' "$hooks/policy")
		}
		service quota-status {
			executable = quota-status -p postfix
			unix_listener quota-status {
				mode = 0666
			}
			client_limit = 1
		}
		passdb {
			driver = passwd-file
			args = $PWD/users
		}
		userdb {
			driver = passwd-file
			args = $PWD/users
		}
	EOT
	dovecot -F -c dovecot.conf </dev/null >dovecot.log 2>&1 3>&- 4>&- &
	servers+=($!)
	await 60 test -S run/quota-status
	hook="$hooks/policy unix:$PWD/run/quota-status"
	to=Bob@d.example ask --on-recipient "$hook"
	taken
	to=full@d.example ask --on-recipient "$hook"
	refused '452 4\.2\.2 Mailbox is full'
	to=carl@d.example ask --on-recipient "$hook"
	refused '550 5\.1\.1 No such user here'
	# the announced size counts
	options=(--maildir none --spool spool --domain d.example --deliver true
	    --on-recipient "$hook")
	converse 'EHLO c.example' 'MAIL FROM:<a@c.example> SIZE=16000' \
		'RCPT TO:<bob@d.example>' QUIT
	says '452 4\.2\.2 Mailbox is full'
	withstands --on-recipient "$hook"
	stop_servers
	ask --on-recipient "$hook"
	refused '451 4\.3\.0 '
}

# stop_servers: end Dovecot
stop_servers() {
	kill "${servers[0]}"
	gone "${servers[0]}" 60
	servers=()
}

@test "policyd-spf: fail gets 550, other results become a header field" {
	cat >zone <<-'EOT'
		c.example. TXT "v=spf1 ip4:192.0.2.3 -all"
		soft.example. TXT "v=spf1 ~all"
	EOT
	serve_dns
	# as the hook's comment has it
	command=$(sed -n 's/^#	\(socat .*\)/\1/p' "$hooks/policy" |
		sed "s#/run/spf#$PWD/spf#; s/smtpd/nobody/")
	# shellcheck disable=SC2086 # words
	"${within[@]}" $command </dev/null >spf.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -S spf
	hook="$hooks/policy unix:$PWD/spf"
	ask --on-new-mail "$hook"
	taken
	grep '^Received-SPF: Pass .*client-ip=192\.0\.2\.3' spool/kept
	from=x@soft.example ask --on-new-mail "$hook"
	taken
	grep '^Received-SPF: Softfail ' spool/kept
	client=192.0.2.4 ask --on-new-mail "$hook"
	refused '550 5\.7\.23 '
	kill "${others[-1]}"
	gone "${others[-1]}" 60
	ask --on-new-mail "$hook"
	refused '451 4\.3\.0 '
}

# server ANSWER: a policy server on TCP, $port, whose answers are this, in
# Python; it has the connection as c, and has read a request from it
server() {
	cat >server.py <<-EOT
		import select, socket
		s = socket.create_server(("::1", 0), family=socket.AF_INET6)
		with open("port", "w") as file:
		    print(s.getsockname()[1], file=file)
		while True:
		    c, _ = s.accept()
		    request = b""
		    while not request.endswith(b"\n\n"):
		        part = c.recv(65536)
		        if not part:
		            break
		        request += part
		    $1
		    c.close()
	EOT
	rm -f port
	python3 server.py </dev/null >server.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -s port
	hook="$hooks/policy inet:[::1]:$(<port)"
}

@test "policy: servers that keep the connection open, are slow, or disconnect" {
	# an end of file before the answer ends it
	server 'early = select.select([c], [], [], 0.2)[0]; \
		early or c.sendall(b"action=reject Not early\n\n"); c.recv(1)'
	ask --on-recipient "$hook"
	refused '554 5\.7\.1 Not early'
	# in pieces, and with silence longer than that for which socat waits
	server '[(select.select([], [], [], 0.1), c.sendall(bytes([byte]))) \
		for byte in b"action=reject Slow\n\n"]'
	ask --on-recipient "$hook"
	refused '554 5\.7\.1 Slow'
	for answer in '' 'action=OK' 'action=OK\n' '\n' 'OK\n\n'; do
		server "c.sendall(b'$answer')"
		ask --on-recipient "$hook"
		refused '451 4\.3\.0 '
	done
	server 'c.recv(1)'
	ask --hook-timeout 1s --on-recipient "$hook"
	refused '451 4\.3\.0 '
	# as much as it likes: the hook ends with it
	server "c.sendall(b'x' * 10000000)"
	ask --on-recipient "$hook"
	refused '451 4\.3\.0 '
}

@test "policy: requests at DATA and at the end of the message are for all recipients" {
	server 'c.sendall(b"action=REJECT " + b" ".join(sorted(line for line \
		in request.split(b"\n") if line.startswith(b"recipient"))) + b"\n\n")'
	for event in --on-message --on-data; do
		ask "$event" "$hook"
		refused '554 5\.7\.1 recipient=b@d\.example recipient_count=1$'
	done
	options=(--maildir none --spool spool --domain d.example --deliver true
	    --on-data "$hook")
	converse 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
		'RCPT TO:<b@d.example>' 'RCPT TO:<c@d.example>' DATA QUIT
	says '554 5\.7\.1 recipient= recipient_count=2$'
}

@test "policy: DISCARD drops a recipient, or the whole message" {
	server 'c.sendall(b"action=DISCARD " + (b"trap" if b"=b@" in request else b"") + b"\n\n")'
	for event in --on-recipient --on-new-mail --on-message; do
		ask "$event" "$hook"
		says '250 2\.0\.0 ' && [[ ! -e spool/kept ]]
	done
	(($(grep -c 'event=discarded.* reason="\?trap' log) == 2))
	(($(grep -c 'event=discarded.* reason="by the policy server"' log) == 1))
}
