#!/usr/bin/env bats
# Proxies in front of smtpd, in a network of each test's own: a client at
# 203.0.113.9 connects to 192.0.2.1, where the proxy listens.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	network 'ip address add 192.0.2.1/32 dev lo
		ip address add 203.0.113.9/32 dev lo'
	within=("${network[@]}")
}

# server [OPTION...]: ours, which takes mail for d.example of everybody
server() {
	start --hostname mx.example --domain d.example -v "$@"
}

# run_proxy PORT COMMAND...: a proxy in one process, which listens there
run_proxy() {
	"${within[@]}" "${@:2}" >>proxy.log 2>&1 3>&- 4>&- &
	others+=("$!")
	await 60 listens "$1"
}

listens() {
	[[ $("${within[@]}" ss -Hltn "sport = :$1") ]]
}

# client OPTION...: a mail from it, by way of the proxy
client() {
	timeout 60 "${within[@]}" swaks --server 192.0.2.1 \
		--local-interface 203.0.113.9 --helo c.example \
		--from a@c.example --to b@d.example "$@"
}

# tells WORDS: Received in the one mail has them
tells() {
	sed -n '/^Received:/,/^[^R\t]/p' "$(mail)" | tr -s '\n\t ' ' ' >received
	cat received
	grep -Eq -- "$1" received
}

# certify NAME: NAME.pem, a key and a certificate that signs itself
certify() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/CN=$1" -days 2 -keyout "$1.key" -out "$1.crt" \
		2>>openssl.log
	cat "$1.crt" "$1.key" >"$1.pem"
}

# haproxy BIND SERVER: HAProxy for our server, with these words behind both.
# Without a time-out of their own, its checks have no more than the interval.
haproxy() {
	cat >haproxy.cfg <<-EOT
		global
		    stats socket ipv4@127.0.0.1:9999 level admin
		defaults
		    mode tcp
		    timeout connect 60s
		    timeout client 60s
		    timeout server 60s
		    timeout check 60s
		listen smtp
		    bind 192.0.2.1:25 $1
		    option smtpchk EHLO haproxy.example
		    server one 127.0.0.1:$port check inter 100 $2
	EOT
	run_proxy 25 haproxy -db -f haproxy.cfg
	await 60 is_well
}

# is_well: HAProxy has spoken SMTP with our server, and was content
is_well() {
	"${within[@]}" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9999
		echo "show stat" >&3; cat <&3' | grep -Eq '^smtp,one,.*,L7OK,'
}

@test "a client whose connection the kernel forwards to 127.0.0.1 is not local" {
	start --hostname mx.example
	"${within[@]}" nft -f - <<-EOT
		table ip nat {
			chain output {
				type nat hook output priority -100
				ip daddr 192.0.2.1 tcp dport 25 dnat to 127.0.0.1:$port
			}
		}
	EOT
	run ! client --port 25 --to b@else.example
	logged ' event=refused client=203\.0\.113\.9 .* reply="550 5\.7\.1 ' log
	client --port 25 --to b@mx.example
	timeout 60 "${within[@]}" swaks --server 127.0.0.1 --port "$port" \
		--helo c.example --from a@c.example --to b@else.example
	kept 2
}

# shellcheck disable=SC2016 # a hook reads it
only_the_client='test "$TCPREMOTEIP" = 203.0.113.9'

@test "HAProxy with send-proxy gives the client's address, and its health checks are probes" {
	server --proxy-from 127.0.0.1 --on-new-connection "$only_the_client"
	haproxy '' send-proxy
	client --port 25
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTP id '
	logged ' event=message client=203\.0\.113\.9 .* via=127\.0\.0\.1 ' log
	logged ' event=connected client=127\.0\.0\.1 ' log
	run ! logged ' event=(refused|proxy-failed) ' log
}

@test "HAProxy with send-proxy-v2 gives the values of TLS, too" {
	certify mx.example
	certify client.example
	server --proxy-from 127.0.0.1 --on-new-connection "$only_the_client" \
		--on-hello "env | grep ^SSL_ | sort >&2"
	haproxy 'ssl crt mx.example.pem ca-file client.example.crt verify optional' \
		'send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,authority,crc32c,unique-id'
	client --port 25 --tls-on-connect --tls-sni mx.example \
		--tls-cert client.example.crt --tls-key client.example.key
	tells 'with ESMTPS \(TLSv1\.3 TLS_AES_[A-Z0-9_]+\) id '
	logged ' text="?SSL_PROTOCOL=TLSv1\.3"?$' log
	logged ' text="?SSL_CIPHER=TLS_AES_[A-Z0-9_]+"?$' log
	logged ' text="?SSL_PEER_CERT_SUBJECT=CN=client\.example"?$' log
	logged ' text="?SSL_TLS_SNI_SERVERNAME=mx\.example"?$' log
	run ! logged ' event=(refused|proxy-failed) ' log
}

@test "HAProxy that encrypts to smtpd sends its header in clear text before the handshake" {
	certify mx.example
	chown nobody mx.example.key
	make -s -C "$root" tls
	start --listen smtps@127.0.0.1:10465 --hostname mx.example -v \
		--domain d.example --proxy-from 127.0.0.1 \
		--tls "$root/contrib/tls/smtpd-tls -c mx.example.crt -k mx.example.key"
	port=10465
	haproxy 'ssl crt mx.example.pem' 'send-proxy ssl verify none check-ssl'
	client --port 25 --tls-on-connect
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTPS \(TLSv1\.3 '
}

@test "HAProxy may end TLS for smtps; with --tls its health checks must encrypt" {
	certify mx.example
	chown nobody mx.example.key
	make -s -C "$root" tls
	start --listen smtps@127.0.0.1:10465 --hostname mx.example -v \
		--domain d.example --proxy-from 127.0.0.1 \
		--tls "$root/contrib/tls/smtpd-tls -c mx.example.crt -k mx.example.key"
	port=10465
	haproxy 'ssl crt mx.example.pem' \
		'send-proxy-v2 proxy-v2-options ssl,ssl-cipher check-ssl verify none'
	client --port 25 --tls-on-connect
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTPS \(TLSv1\.3 '
	run ! logged ' event=(tls-failed|refused|proxy-failed) ' log
	run ! logged ' event=encrypted client=203\.0\.113\.9 ' log
}

@test "HAProxy without a required header gets no banner" {
	server --proxy-from 127.0.0.1
	haproxy 'name nothing' 'check-send-proxy'
	run ! client --port 25
	logged ' event=proxy-failed client=127\.0\.0\.1 ' log
	kept 0
}

@test "hitch with write-proxy-v2 gives the client's address" {
	certify mx.example
	server --proxy-from 127.0.0.1
	"${within[@]}" hitch --frontend='[192.0.2.1]:465' \
		--backend="[127.0.0.1]:$port" --write-proxy-v2=on --user=nobody \
		mx.example.pem >>proxy.log 2>&1 3>&- 4>&- &
	servers+=("$!")
	await 60 listens 465
	client --port 465 --tls-on-connect
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTPS '
}

@test "stunnel with protocol = proxy gives the client's address" {
	certify mx.example
	server --proxy-from 127.0.0.1
	cat >stunnel.conf <<-EOT
		foreground = yes
		pid =
		[smtps]
		accept = 192.0.2.1:465
		connect = 127.0.0.1:$port
		cert = $PWD/mx.example.pem
		protocol = proxy
	EOT
	run_proxy 465 stunnel stunnel.conf
	client --port 465 --tls-on-connect
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTP '
}

# nginx_mail AUTH: nginx, which asks us about nothing but where to connect
nginx_mail() {
	certify mx.example
	cat >auth.py <<-'EOT'
		import http.server, sys
		class Auth(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        self.send_response(200)
		        self.send_header("Auth-Status", "OK")
		        self.send_header("Auth-Server", "127.0.0.1")
		        self.send_header("Auth-Port", sys.argv[1])
		        self.end_headers()
		http.server.HTTPServer(("127.0.0.1", 8025), Auth).serve_forever()
	EOT
	cat >nginx.conf <<-EOT
		load_module /usr/lib/nginx/modules/ngx_mail_module.so;
		daemon off;
		master_process off;
		pid nginx.pid;
		error_log stderr;
		events { }
		mail {
		    server_name proxy.example;
		    auth_http 127.0.0.1:8025/auth;
		    xclient on;
		    server {
		        listen 192.0.2.1:25;
		        protocol smtp;
		        smtp_auth $1;
		        starttls on;
		        ssl_certificate $PWD/mx.example.crt;
		        ssl_certificate_key $PWD/mx.example.key;
		    }
		}
	EOT
	run_proxy 8025 python3 auth.py "$port"
	run_proxy 25 nginx -e stderr -p "$PWD" -c "$PWD/nginx.conf"
}

@test "nginx with xclient on gives the client's address, and ends STARTTLS itself" {
	server --xclient-from 127.0.0.1 --on-new-mail "$only_the_client"
	nginx_mail none
	client --port 25 --tls
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTP '
	logged ' event=message client=203\.0\.113\.9 .* via=127\.0\.0\.1 ' log
}

@test "nginx gives the authenticated user, who may send to any domain" {
	server --xclient-from 127.0.0.1 --require-auth \
		--on-new-mail 'test "$SMTP_USER" = alice'
	nginx_mail 'plain login'
	client --port 25 --tls --auth PLAIN --auth-user alice \
		--auth-password x --to b@else.example
	tells 'from c\.example \(\[203\.0\.113\.9\]\) by mx\.example with ESMTPA '
}

@test "a client of nginx can't use XCLIENT itself" {
	server --xclient-from 127.0.0.1 --domain d.example
	nginx_mail none
	timeout 60 "${within[@]}" python3 - <<-'EOT'
		import smtplib
		s = smtplib.SMTP('192.0.2.1', source_address=('203.0.113.9', 0))
		s.ehlo('c.example')
		assert s.mail('a@c.example')[0] == 250
		assert s.rcpt('b@d.example')[0] == 250
		assert s.rset()[0] == 250
		assert s.docmd('XCLIENT ADDR=127.0.0.1 LOGIN=root')[0] == 550
		s.ehlo('c.example')
		assert not s.has_extn('xclient')
		assert s.mail('a@c.example')[0] == 250
		assert s.rcpt('b@else.example')[0] == 550
		s.quit()
	EOT
	logged ' event=refused client=203\.0\.113\.9 .* command=XCLIENT ' log
}

@test "a user that nginx authenticated can't use XCLIENT before EHLO" {
	server --xclient-from 127.0.0.1 --domain d.example
	nginx_mail 'plain login'
	timeout 60 "${within[@]}" python3 - <<-'EOT'
		import smtplib, ssl
		s = smtplib.SMTP('192.0.2.1', source_address=('203.0.113.9', 0))
		s.starttls(context=ssl._create_unverified_context())
		assert s.docmd('AUTH PLAIN AGFsaWNlAHg=')[0] == 235
		assert s.docmd('XCLIENT ADDR=127.0.0.1 LOGIN=root')[0] == 550
		s.quit()
	EOT
	logged ' event=refused client=203\.0\.113\.9 .* command=XCLIENT ' log
}

@test "swaks speaks XCLIENT, once and several times" {
	server --xclient-from 203.0.113.9
	timeout 60 "${within[@]}" swaks --server 127.0.0.1 --port "$port" \
		--local-interface 203.0.113.9 \
		--from a@c.example --to b@d.example --helo proxy.example \
		--xclient-addr IPV6:2001:db8::9 --xclient-name client.example \
		--xclient-helo c.example --xclient-port 1025 --xclient-delim \
		--xclient-proto SMTP --xclient-destaddr 192.0.2.1 \
		--xclient-destport 25 --xclient-login 'a b'
	tells 'from c\.example \(client\.example \[IPv6:2001:db8::9\]\) by mx\.example with SMTPA id '
	logged ' event=message client=2001:db8::9 .* via=203\.0\.113\.9 ' log
}

@test "--resolve: a name counts only if it resolves to the address" {
	cat >zone <<-'EOT'
		9.113.0.203.in-addr.arpa. PTR client.example.
		8.113.0.203.in-addr.arpa. PTR client.example.
		7.113.0.203.in-addr.arpa. PTR 203.0.113.7.
		6.113.0.203.in-addr.arpa. PTR under_score.example.
		under_score.example. A 203.0.113.6
		5.113.0.203.in-addr.arpa. PTR nothing.broken.
		client.example. A 203.0.113.10
		client.example. A 203.0.113.9
		client.example. AAAA 2001:db8::9
		9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR client.example.
	EOT
	serve_dns
	printf 'Subject: x\n' >mail
	spool=$PWD/spool
	mkdir spool
	chown nobody spool
	for client in 203.0.113.9 2001:db8::9; do
		ask --resolve
		taken
		grep -F " (client.example [" spool/kept
	done
	for client in 203.0.113.8 203.0.113.7 203.0.113.6 203.0.113.5 \
	    203.0.113.4; do
		ask --resolve
		taken
		grep -F "Received: from c.example ([$client])" spool/kept
	done
	# nobody answers
	kill -STOP "$dns"
	client=203.0.113.9
	ask --resolve
	taken
	grep -F 'Received: from c.example ([203.0.113.9])' spool/kept
}
