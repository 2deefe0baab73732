#!/usr/bin/env bats
# LMTP and CHUNKING with real programs: swaks and msmtp deliver by LMTP, and
# Exim sends chunks.  (Postfix has its own file.)

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

@test "swaks delivers by LMTP to two recipients and gets a reply for each" {
	make_maildirs store/{bob,carol}
	start --listen "lmtp@$PWD/lmtp,mode=0666" --maildir 'store/{mailbox}' \
		--domain d.example --mda '[ "$LOCAL" != carol ]'
	timeout 60 swaks --protocol LMTP --socket "$PWD/lmtp" --from a@c.example \
		--to bob@d.example,carol@d.example --helo c.example \
		--body 'Hello.' >said || true
	grep -q '^<-  220 .* LMTP ' said
	grep -q '^<-  250 2\.0\.0 ' said
	grep -q '^<\*\* 451 4\.3\.0 ' said
	grep -x Hello. "$(mail store/bob)"
	grep -q 'with LMTP id' "$(mail store/bob)"
	kept 0 store/carol
}

@test "msmtp delivers by LMTP, and the mail is stored unchanged" {
	write_hard_mail
	start --listen "lmtp@$PWD/lmtp,mode=0666"
	timeout 60 msmtp --file=/dev/null --protocol=lmtp --host=localhost \
		--port=24 --socket="$PWD/lmtp" --from=a@c.example \
		b@d.example c@d.example <hard
	cmp <(body hard) <(body "$(mail)")
	grep -q 'with LMTP id' "$(mail)"
	[[ $(grep -c '^Delivered-To: ' "$(mail)") == 2 ]]
}

# dovecot_proxy: a Dovecot at the socket ./proxy that passes all LMTP on to smtpd
dovecot_proxy() {
	cat >dovecot.conf <<-EOT
		base_dir = $PWD/run
		state_dir = $PWD/run
		log_path = /dev/stderr
		ssl = no
		protocols = lmtp
		lmtp_proxy = yes
		default_internal_user = nobody
		default_internal_group = nogroup
		default_login_user = nobody
		passdb {
			driver = static
			args = proxy=y host=127.0.0.1 port=$port nopassword=y
		}
		service lmtp {
			inet_listener lmtp {
				address = 127.0.0.1
				port = $1
			}
		}
	EOT
	dovecot -F -c dovecot.conf </dev/null >dovecot.log 2>&1 3>&- 4>&- &
	servers+=($!)
	await 60 grep -q 'starting up' dovecot.log
}

@test "a Dovecot LMTP proxy gives its client by XCLIENT" {
	local proxy
	start --listen lmtp@127.0.0.1:0 --verbose --xclient-from 127.0.0.1 \
		--domain d.example
	# the second listener
	port=$(sed -n 's/.*event=listening .*address=127\.0\.0\.1:\([0-9]*\).*/\1/p' log | tail -n 1)
	proxy=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	dovecot_proxy "$proxy"
	timeout 60 swaks --protocol LMTP --server 127.0.0.1 --port "$proxy" \
		--local-interface 127.0.0.7 --from a@c.example --to bob@d.example \
		--helo c.example --body 'Hello.' >said || { cat said dovecot.log; false; }
	grep -x Hello. "$(mail)"
	grep -Eq '^Received: from .*\(\[127\.0\.0\.7\]\)' "$(mail)"
	grep 'event=message client=127\.0\.0\.7 .*via=127\.0\.0\.1 ' log
	run ! grep -F 'event=refused' log
}

# in_exim COMMAND...: with a user that Debian's Exim wants to find
in_exim() {
	{ cat /etc/passwd; echo 'Debian-exim:x:64999:64999::/:/bin/false'; } >passwd
	{ cat /etc/group; echo 'Debian-exim:x:64999:'; } >group
	timeout 60 unshare --mount sh -ec 'mount --bind passwd /etc/passwd
		mount --bind group /etc/group; exec "$@"' sh "$@"
}

# exim RECIPIENT...: send the mail on stdin at once, in chunks where it may; its
# log is in ./said
exim() {
	local exim=$PWD/exim4	# where any user may run it
	cp "$root/t/real/cache/exim4-daemon-light/usr/sbin/exim4" "$exim"
	cat >exim.conf <<-EOT
		exim_path = $exim
		primary_hostname = mta.example
		qualify_domain = c.example
		exim_user = nobody
		exim_group = nogroup
		spool_directory = $PWD/exim
		log_file_path = $PWD/exim/%s.log
		keep_environment =
		disable_ipv6 = true
		begin routers
		all:
		  driver = manualroute
		  transport = out
		  route_list = * 127.0.0.1
		  self = send
		begin transports
		out:
		  driver = smtp
		  port = $port
		  allow_localhost
		  hosts_avoid_tls = *
		  message_linelength_limit = 100000
		begin retry
		* * F,1h,1m
	EOT
	mkdir -p exim
	chown nobody:nogroup exim
	in_exim "$exim" -C "$PWD/exim.conf" -odf -i -f alice@c.example "$@" \
		>said 2>&1
}

@test "Exim sends a mail in a pipelined chunk, and its body is stored unchanged" {
	write_hard_mail
	start
	exim b@d.example c@d.example <hard
	# K: by CHUNKING
	grep -E '=> b@d\.example .* K C="250 2\.0\.0 ' said
	cmp <(body hard) <(body "$(mail)")
}

@test "Exim sends a mail of many chunks" {
	{ printf 'Subject: big\n\n'; head -c 3000000 "$smtpd" /dev/zero |
		base64; } >big
	start
	exim b@d.example <big
	grep -E '=> b@d\.example .* K C="250 2\.0\.0 ' said
	cmp <(body big) <(body "$(mail)")
}

@test "Exim bounces a mail with too many chunks, with the reason" {
	{ printf 'Subject: big\n\n'; head -c 300000 /dev/zero | base64; } >big
	start --max-size 200k
	exim b@d.example <big || true
	grep -q '\*\* b@d\.example .*: 552 5\.3\.4 ' said
	grep -qx 'Return-Path: <>' "$(mail)"
}
