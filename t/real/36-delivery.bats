#!/usr/bin/env bats
# The hooks of contrib/hooks that deliver mail, with the programs that store it:
# the whole message gets there, or the client gets 451.

# shellcheck disable=SC2154 # helpers set hooks, spool, port
load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	prepare_hooks
}

# carried FILE: it holds ./mail, and above that its envelope.
carried() {
	grep -x 'Return-Path: <a@c\.example>' "$1"
	tail -c "$(stat -c %s mail)" "$1" | cmp mail -
}

# hand_over OPTION...: a hard mail that has been taken.
hand_over() {
	write_hard_mail
	mv hard mail
	ask "$@"
	says '250 2\.0\.0 '
}

@test "dovecot-lda stores mail for Dovecot's users, and reports unknown users" {
	make_maildirs "$PWD/bob"
	printf 'bob@d.example:::::%s::\n' "$PWD/bob" >users
	cat >dovecot.conf <<-EOT
		base_dir = $PWD/run
		state_dir = $PWD/run
		log_path = $PWD/dovecot.log
		ssl = no
		protocols =
		mail_location = maildir:~
		mail_uid = nobody
		mail_gid = nogroup
		postmaster_address = postmaster@d.example
		default_internal_user = nobody
		default_internal_group = nogroup
		default_login_user = nobody
		passdb {
			driver = passwd-file
			args = $PWD/users
		}
		userdb {
			driver = passwd-file
			args = $PWD/users
		}
		service auth {
			unix_listener auth-userdb {
				mode = 0666
			}
		}
		service stats {
			unix_listener stats-writer {
				mode = 0666
			}
		}
	EOT
	touch dovecot.log
	chmod 666 dovecot.log
	dovecot -F -c dovecot.conf </dev/null >/dev/null 2>&1 3>&- 4>&- &
	servers+=($!)
	await 60 test -S run/auth-userdb
	to=Bob+ext@d.example hand_over --mda "$hooks/dovecot -c $PWD/dovecot.conf"
	carried "$(mail bob)"
	fails_torn "$hooks/dovecot" -c "$PWD/dovecot.conf"
	kept 1 bob
	to=carl@d.example ask --mda "$hooks/dovecot -c $PWD/dovecot.conf"
	refused '550 5\.1\.1 '
	to=--help@d.example ask --mda "$hooks/dovecot -c $PWD/dovecot.conf"
	refused '550 5\.1\.1 '
	chmod 500 bob/tmp
	to=bob@d.example ask --mda "$hooks/dovecot -c $PWD/dovecot.conf"
	refused '45[0-9] 4\.'
	kill "${servers[0]}"
	gone "${servers[0]}" 60
	servers=()
	to=bob@d.example ask --mda "$hooks/dovecot -c $PWD/dovecot.conf"
	refused '45[0-9] 4\.'
}

@test "maildrop delivers and rejects by its filter file" {
	make_maildirs "$PWD"/Mail/bob
	cat >filter <<-EOT
		if (\$1 eq "carl")
		{
			EXITCODE = 67
			exit
		}
		if (\$2 ne "d.example")
		{
			EXITCODE = 75
			exit
		}
		to "$PWD/Mail/\$1"
	EOT
	chown nobody filter
	chmod 600 filter
	to=bob+ext@d.example hand_over --mda "$hooks/maildrop $PWD/filter"
	carried "$(mail Mail/bob)"
	fails_torn "$hooks/maildrop" "$PWD/filter"
	kept 1 Mail/bob
	to=carl@d.example ask --mda "$hooks/maildrop $PWD/filter"
	refused '550 5\.1\.1 '
	to='"../bob"@d.example' ask --mda "$hooks/maildrop $PWD/filter"
	refused '550 5\.1\.1 '
	to=none@d.example ask --mda "$hooks/maildrop $PWD/filter"
	refused '451 4\.3\.0 '
	to=bob@d.example ask --mda "$hooks/maildrop $PWD/none"
	refused '451 4\.3\.0 '
	kept 1 Mail/bob
}

@test "procmail delivers and rejects by its rcfile" {
	make_maildirs "$PWD"/Mail/bob
	cat >rc <<-EOT
		mailbox = \$1
		:0
		* mailbox ?? ^^carl^^
		{
			EXITCODE = 67
			HOST
		}
		:0
		* ? test -d $PWD/Mail/\$mailbox
		$PWD/Mail/\$mailbox/
		EXITCODE = 75
		HOST
	EOT
	to=bob+ext@d.example hand_over --mda "$hooks/procmail $PWD/rc"
	carried "$(mail Mail/bob)"
	fails_torn "$hooks/procmail" "$PWD/rc"
	kept 1 Mail/bob
	to=carl@d.example ask --mda "$hooks/procmail $PWD/rc"
	refused '550 5\.1\.1 '
	to='"../bob"@d.example' ask --mda "$hooks/procmail $PWD/rc"
	refused '550 5\.1\.1 '
	to=none@d.example ask --mda "$hooks/procmail $PWD/rc"
	refused '451 4\.3\.0 '
	to=bob@d.example ask --mda "$hooks/procmail $PWD/none"
	refused '451 4\.3\.0 '
	kept 1 Mail/bob
}

@test "redis: a message is an entry of a stream, byte for byte" {
	redis-server --port 0 --unixsocket "$PWD/redis" --unixsocketperm 777 \
		--dir "$PWD" --appendonly yes --appendfsync always \
		</dev/null >redis.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -S redis
	hook="$hooks/redis mail -s $PWD/redis"
	from='"-x $(id)"@c.example' to=-e@d.example hand_over --deliver "$hook"
	(($(redis-cli -s redis XLEN mail) == 1))
	redis-cli --raw -s redis XRANGE mail - + >entry
	grep -xF '"-x $(id)"@c.example' entry
	grep -x -e '-e@d\.example' entry
	# redis-cli ends what it prints with a newline of its own
	head -c -1 entry | tail -c "$(stat -c %s mail)" | cmp mail -
	# shellcheck disable=SC2086 # words
	fails_torn $hook
	withstands --deliver "$hook"
	(($(redis-cli -s redis XLEN mail) == 1 + 2 * $(hostile | wc -l)))
	hook="redis-cli -s $PWD/redis -e -x XADD bare \* message"
	hand_over --deliver "$hook"
	(($(redis-cli -s redis XLEN bare) == 1))
	redis-cli -s redis SET mail 'no stream' >/dev/null
	ask --deliver "$hooks/redis mail -s $PWD/redis"
	refused '451 4\.3\.0 '
	ask --deliver "$hooks/redis mail -s $PWD/none"
	refused '451 4\.3\.0 '
}

# start_nats: $mqtt is the port of its MQTT listener.
start_nats() {
	cat >nats.conf <<-EOT
		listen: "127.0.0.1:-1"
		server_name: one
		jetstream { store_dir: "$PWD/jetstream" }
		mqtt { listen: "127.0.0.1:-1" }
	EOT
	nats-server -c nats.conf </dev/null >nats.log 2>&1 3>&- 4>&- &
	servers+=($!)
	await 60 logged 'Server is ready' nats.log
	mqtt=$(sed -n 's,.*MQTT clients on mqtt://127\.0\.0\.1:,,p' nats.log)
}

@test "nats: JetStream has the message for subscribers, across a restart" {
	start_nats
	subscribe=(timeout 20 mosquitto_sub -q 1 -c -i store -t smtpd/mail)
	"${subscribe[@]}" -p "$mqtt" -E
	hand_over --deliver "$hooks/nats smtpd/mail -h 127.0.0.1 -p $mqtt"
	fails_torn "$hooks/nats" smtpd/mail -h 127.0.0.1 -p "$mqtt"
	(($(count spool) == 0))
	kill "${servers[0]}"
	gone "${servers[0]}" 60
	servers=()
	ask --deliver "$hooks/nats smtpd/mail -h 127.0.0.1 -p $mqtt"
	refused '451 4\.3\.0 '
	start_nats
	"${subscribe[@]}" -p "$mqtt" -C 1 -N >received
	[[ $(head -n 1 received) == 'Delivered-To: b@d.example' ]]
	carried received
}

# A server that keeps what is PUT to /in, and answers other paths with their
# number; it says its port.
start_http() {
	cat >server.py <<-'EOT'
		import http.server
		import os
		import socketserver

		class Handler(http.server.BaseHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"  # so it answers Expect

		    def do_PUT(self):
		        body = self.rfile.read(int(self.headers["Content-Length"]))
		        where, name = self.path.split("/")[1:]
		        if where == "in":
		            with open("uploaded", "wb") as file:
		                file.write(body)
		            with open("name", "w") as file:
		                file.write(name + "\n")
		            self.send_response(201)
		        else:
		            self.send_response(int(where))
		        self.send_header("Connection", "close")
		        self.end_headers()
		        self.wfile.write(b"550 5.1.1 no verdict\n")

		server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
		with open("new", "w") as file:
		    print(server.server_address[1], file=file)
		os.rename("new", "port")
		server.serve_forever()
	EOT
	python3 server.py </dev/null >http.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 test -e port
	url=http://127.0.0.1:$(<port)
}

@test "http: curl puts the message, and any answer other than 2xx defers" {
	start_http
	export TMPDIR=$spool no_proxy=127.0.0.1
	hand_over --deliver "$hooks/http $url/in/"
	[[ $(head -n 1 uploaded) == 'Delivered-To: b@d.example' ]]
	carried uploaded
	says "250 2\.0\.0 .*$(<name)"
	rm uploaded
	fails_torn "$hooks/http" "$url/in"
	[[ ! -e uploaded ]]
	for status in 301 400 404 500 550; do
		ask --deliver "$hooks/http $url/$status"
		refused '451 4\.3\.0 '
	done
	# curl's own statuses, such as 67, login denied, are no verdicts either
	mkdir bin
	printf '#!/bin/sh\nexit 67\n' >bin/curl
	chmod 755 bin/curl
	PATH=$PWD/bin:$PATH ask --deliver "$hooks/http $url/in"
	refused '451 4\.3\.0 '
	kill "${others[-1]}"
	gone "${others[-1]}" 60
	ask --deliver "$hooks/http $url/in"
	refused '451 4\.3\.0 '
	(($(count spool) == 0))
}
