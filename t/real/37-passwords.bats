#!/usr/bin/env bats
# AUTH by checkpassword programs, and by the adapters of contrib/hooks; and
# fail2ban, which reads failures from the log.

# shellcheck disable=SC2154 # helpers set hooks
load helpers

setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	prepare_hooks
}

# login NAME PASSWORD CODE: AUTH PLAIN, at a server with $auth, gets CODE.
login() {
	options=(--maildir none --spool spool --deliver true --plain-auth
	    --auth "$auth")
	converse 'EHLO c.example' \
		"AUTH PLAIN $(printf '\0%s\0%s' "$1" "$2" | base64 -w 0)" QUIT
	[[ $(tail -n 2 replies) == "$3 "* ]]
}

# only_joe: joe's password is "s3cret 'x", and no other one, and nobody else's.
only_joe() {
	login joe "s3cret 'x" 235
	for words in 'joe wrong' 'joe s3cret' 'none s3cret' '-n x' '--help x' \
	    'joe:x x' '../joe x' '* x' $'joe\nx'" s3cret 'x"; do
		login "${words% *}" "${words##* }" 535
	done
	login joe '' 535
	# shellcheck disable=SC2016 # it is to stand there
	login '$(touch x)' '$(touch x)' 535
	[[ ! -e x ]]
}

# cvm-checkpassword becomes the user that the file names.
@test "cvm-checkpassword with cvm-pwfile" {
	nobody=$(id -u nobody):$(id -g nobody)
	hash=$(openssl passwd -6 "s3cret 'x")
	echo "joe:$hash:$nobody:Joe:/tmp:/bin/sh" >pwfile
	chown nobody pwfile
	chmod 600 pwfile
	export CVM_PWFILE_PATH=$PWD/pwfile CVM_PWFILE_PWCMP=crypt
	auth="cvm-checkpassword $(command -v cvm-pwfile)"
	login joe "s3cret 'x" 235
	login joe wrong 535
	login none "s3cret 'x" 535
	rm pwfile
	login joe "s3cret 'x" 454
}

@test "auth-htpasswd: passwords from a file made by htpasswd" {
	printf "s3cret 'x\n" | htpasswd -icB -C 5 passwords joe
	auth="$hooks/auth-htpasswd $PWD/passwords"
	only_joe
	# for a name that is not there it computes a hash, too: 3, and not 6
	mkdir bin
	printf '#!/bin/sh\n%s "$@"\ns=$?\necho $s >>%s/statuses\nexit $s\n' \
		"$(command -v htpasswd)" "$spool" >bin/htpasswd
	chmod 755 bin/htpasswd
	PATH=$PWD/bin:$PATH login none "s3cret 'y" 535
	PATH=$PWD/bin:$PATH login joe "s3cret 'y" 535
	[[ $(<"$spool/statuses") == $'3\n3' ]]
	rm passwords
	login joe "s3cret 'x" 454
}

@test "auth-pam: passwords by PAM, and a broken PAM service" {
	mkdir pam.d
	echo "joe:x:1000:1000::/:/bin/sh" >passwd
	cat /etc/passwd >>passwd
	echo "joe:$(openssl passwd -6 "s3cret 'x"):19000:0:99999:7:::" >shadow
	chown nobody shadow
	printf '%s required pam_unix.so nodelay\n' auth account >pam.d/smtpd
	printf '%s required pam_none.so\n' auth account >pam.d/broken
	within=(unshare --mount sh -c 'mount --bind passwd /etc/passwd
		mount --bind shadow /etc/shadow
		mount --bind pam.d /etc/pam.d
		exec "$@"' sh)
	auth="$hooks/auth-pam smtpd"
	only_joe
	auth="$hooks/auth-pam broken"
	login joe "s3cret 'x" 454
}

@test "auth-ldap: passwords by an LDAP bind, and a server that is down" {
	mkdir data
	cat >slapd.conf <<-EOT
		include /etc/ldap/schema/core.schema
		include /etc/ldap/schema/cosine.schema
		include /etc/ldap/schema/inetorgperson.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		database mdb
		suffix "dc=example"
		directory $PWD/data
	EOT
	slapadd -f slapd.conf <<-EOT
		dn: dc=example
		objectClass: dcObject
		objectClass: organization
		dc: example
		o: example

		dn: uid=joe,dc=example
		objectClass: inetOrgPerson
		uid: joe
		cn: joe
		sn: joe
		userPassword: $(slappasswd -s "s3cret 'x")
	EOT
	url=ldapi://${PWD//\//%2F}%2Fsocket
	slapd -d 0 -f slapd.conf -h "$url" </dev/null >slapd.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 ldapwhoami -x -H "$url"	# it listens, too
	auth="$hooks/auth-ldap $url uid dc=example"
	only_joe
	login 'joe,dc=example' "s3cret 'x" 535
	kill "${others[0]}"
	gone "${others[0]}" 60
	login joe "s3cret 'x" 454
}

# start_dovecot: its service auth as the hook's comment has it, with the users of
# ./users
start_dovecot() {
	cat >dovecot.conf <<-EOT
		base_dir = $PWD/run
		state_dir = $PWD/run
		log_path = /dev/stderr
		ssl = no
		protocols =
		auth_verbose = yes
		auth_failure_delay = 0
		default_internal_user = nobody
		default_internal_group = nogroup
		default_login_user = nobody
		passdb {
			driver = passwd-file
			args = $PWD/users
		}
		userdb {
			driver = static
			args = uid=nobody gid=nogroup home=$PWD
		}
		$(sed -n '/^#	service auth {/,/^#	}/s/^#//p' "$hooks/auth-dovecot" |
			sed 's/smtpd$/nobody/')
		service auth {
			user = nobody
		}
		service anvil {
			unix_listener anvil-auth-penalty {
				mode = 0
			}
		}
	EOT
	dovecot -F -c dovecot.conf </dev/null >dovecot.log 2>&1 3>&- 4>&- &
	servers+=($!)
	await 60 test -S run/auth-smtpd
}

# stop_dovecot: end it, and look for complaints about us
stop_dovecot() {
	kill "${servers[0]}"
	gone "${servers[0]}" 60
	servers=()
	cat dovecot.log
	! grep -E 'BUG|Panic' dovecot.log || false
}

@test "auth-dovecot: passwords by Dovecot, for its users only" {
	cat >users <<-'EOT'
		joe:{PLAIN}s3cret 'x::::::
		ann:{PLAIN}pass::::::allow_nets=192.0.2.0/24
		eve:{PLAIN}pass::::::nodelay=y nologin=y
	EOT
	start_dovecot
	auth="$hooks/auth-dovecot $PWD/run/auth-smtpd"
	only_joe
	login Joe "s3cret 'x" 235
	login "$(printf %02000d 0)" x 535
	login joe "$(printf %03000d 0)" 535
	# tabs and what else Dovecot's protocol has
	login $'joe\tnologin' "s3cret 'x" 535
	login joe $'s3cret \'x\nOK\t1' 535
	# Dovecot knows the client
	login ann pass 235
	client=192.0.9.3 login ann pass 535
	grep -q 'passwd-file(ann,192\.0\.9\.3)' dovecot.log
	login eve pass 535
	stop_dovecot
	login joe "s3cret 'x" 454
	grep 'hook-said.* text="auth-dovecot: no answer from Dovecot"' log
}

@test "auth-dovecot: a failed lookup by Dovecot gets 454, not 535" {
	touch users
	chmod 600 users	# root's
	start_dovecot
	auth="$hooks/auth-dovecot $PWD/run/auth-smtpd"
	login joe "s3cret 'x" 454
	grep 'hook-said.* text="auth-dovecot: Dovecot could not look the user up"' log
	stop_dovecot
}

# dovecot_says LINES: a server at ./auth says these, with tabs for commas
dovecot_says() {
	rm -f auth
	printf %b "${1//,/\\t}" >lines
	socat "UNIX-LISTEN:$PWD/auth,mode=666" \
		SYSTEM:'head -n 3 >>asked; cat lines' 3>&- 4>&- &
	others+=($!)
	await 60 test -S auth
}

@test "auth-dovecot: a malformed answer gets 454, and only OK gets 235" {
	auth="$hooks/auth-dovecot $PWD/auth"
	greeting='VERSION,1,2\nMECH,PLAIN,plaintext\nSPID,1\nCUID,1\nCOOKIE,1\nDONE\n'
	for answer in '' 'OK' 'OKAY,1\n' 'CONT,1,x\n' 'FAIL,1,temp\n' \
	    'FAIL,1,user=x,code=temp_fail\n' 'FAIL,2\n' 'OK,2\n' 'x\n'; do
		dovecot_says "$greeting$answer"
		login joe x 454
	done
	for answer in 'FAIL,1\n' 'FAIL,1,user=temp\n' 'FAIL,1,code=user_disabled\n'; do
		dovecot_says "$greeting$answer"
		login joe x 535
	done
	dovecot_says "${greeting}OK,1,user=joe\n"
	login joe x 235
	dovecot_says "VERSION,2,0\nMECH,PLAIN\nDONE\nOK,1\n"
	login joe x 454
	dovecot_says "VERSION,1,2\nMECH,LOGIN\nDONE\nFAIL,1\n"
	login joe x 454
	# and the request, which has the response as its last parameter
	grep -Px 'AUTH\t1\tPLAIN\tservice=smtp\tnologin\trip=192\.0\.2\.3\trport=[0-9]*(\tlip=[^\t]*\tlport=[0-9]*)?\tresp=AGpvZQB4' asked
}

@test "a password is wiped after authentication, although the session goes on" {
	plain=$(printf '\0joe\0pass-s3cret' | base64)
	secret=$(printf pass-s3cret | base64)
	cat >recall <<-'EOT'
		while IFS='- ' read -r from to mode _; do
			[[ $mode != rw* ]] ||
			    dd if="/proc/$SMTPC_PID/mem" iflag=skip_bytes,count_bytes \
				skip=$((0x$from)) count=$((0x$to - 0x$from)) status=none
		done <"/proc/$SMTPC_PID/maps" >memory
		grep -aq c.remembered memory
		! grep -aqF -e pass-s3cret -e "$1" -e "$2" memory
	EOT
	mail='MAIL FROM:<>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n'
	sent=reply:250,reply:250,reply:354,reply:250
	# behind message data, where a second message comes behind it, too
	for how in "say:AUTH PLAIN $plain,reply:235" \
	    "say:AUTH PLAIN,reply:334 ,say:$plain,reply:235" \
	    "say:AUTH LOGIN,reply:334 ,say:am9l,reply:334 ,say:$secret,reply:235" \
	    "send:${mail}x\r\n.\r\nAUTH PLAIN $plain\r\n,$sent,reply:235" \
	    "send:${mail}x\r\n.\r\nAUTH PLAIN $plain\r\n${mail}y\r\n.\r\nNOOP\r\n,$sent,reply:235,$sent,reply:250"; do
		IFS=, read -ra steps <<<"$how"
		"$root/t/smtpc" -s "$smtpd" --inetd --user nobody --maildir none \
		    --spool spool --deliver true --hostname mx.example \
		    --plain-auth --auth true -- \
		    reply:220 say:'EHLO c.remembered' reply:250 "${steps[@]}" \
		    run:"bash -e recall $plain $secret" say:QUIT reply:221 eof
	done
}

# matched N FILE [OPTIONS]: fail2ban's filter, with its options, finds N lines,
# all of them of 192.0.2.7.
matched() {
	fail2ban-regex --out ip "$2" "$root/contrib/fail2ban/smtpd.conf${3-}" \
		>addresses
	sort addresses | uniq -c
	(($(wc -l <addresses) == $1 && $(grep -cx '192\.0\.2\.7' addresses) == $1))
}

@test "fail2ban finds clients with failed AUTH or rejections, by their own address only" {
	client=192.0.2.7
	fake='event=auth-failed client=192.0.2.99 '
	for form in text json; do
		rm -f log
		options=(--maildir none --spool spool --deliver true --plain-auth
		    --auth false --log "$form" --verbose --domain d.example)
		converse "EHLO $fake" "MAIL FROM:<\"$fake\"@c.example>" \
			"RCPT TO:<\"$fake\"@e.example>" "RCPT TO:<b@d.example>" RSET \
			"AUTH PLAIN $(printf '\0%s\0x' "$fake" | base64 -w 0)" \
			"$fake" "\",\"event\":\"refused\",\"client\":\"192.0.2.99\"" QUIT
		# what a user is called is of the client, too
		options[8]=true
		converse "EHLO $fake" "AUTH PLAIN $(printf '\0%s\0x' "$fake" | base64 -w 0)" \
			"RCPT TO:<b@d.example>" QUIT
		options[8]=false
		grep -Eq 'event.*refused.*helo.*' log
		grep -Eq 'refused.*user(=|":)"event=auth-failed client=192' log
		refusals=$(grep -E '^(time=[^ ]* |\{"time":"[^"]*",")event(=|":")refused' log |
			grep -Ec ' reply="5|,"reply":"5')
		((refusals >= 3))
		# mistyped recipients ban nobody
		matched 1 log
		matched $((refusals + 1)) log '[commands=\S+]'
		# a failed AUTH is one of them, too, unless it is left out
		authentications=$(grep -Ec '(command=|"command":")AUTH' log)
		((authentications >= 1))
		every=$(sed -n 's/^# filter = smtpd\(.*commands=.*\]\) .*/\1/p' \
			"$root/contrib/fail2ban/smtpd.conf")
		matched $((refusals + 1 - authentications)) log "$every"
		options+=(--on-new-connection 'echo 554 5.7.1 Listed' --user nobody)
		converse QUIT
		matched 2 log
		matched 1 log '[events=auth-failed]'
		sed 's/^time=[^ ]* /Nov 22 10:00:00 mx smtpd[17]: /
		    s/^{"time":"[^"]*",/Nov 22 10:00:00 mx smtpd[17]: {/' log >syslog
		matched 2 syslog
	done
}

@test "fail2ban finds clients that guess passwords through HAProxy or XCLIENT" {
	guess="say:AUTH PLAIN $(printf '\0joe\0x' | base64)"
	for form in text json; do
		rm -f log
		served=("$smtpd" --inetd --user nobody --maildir none --spool spool
		    --deliver true --hostname mx.example --plain-auth --auth false
		    --log "$form")
		"$root/t/smtpc" -t -e log "${served[@]}" --proxy-from 127.0.0.1 -- \
		    say:'PROXY TCP4 192.0.2.7 127.0.0.1 4711 25' reply:220 \
		    say:'EHLO c.example' reply:250 "$guess" reply:535 say:QUIT \
		    reply:221 eof
		"$root/t/smtpc" -t -e log "${served[@]}" --xclient-from 127.0.0.1 -- \
		    reply:220 say:'XCLIENT ADDR=192.0.2.7' reply:220 \
		    say:'EHLO c.example' reply:250 "$guess" reply:535 say:QUIT \
		    reply:221 eof
		(($(grep -c via log) == $(wc -l <log)))
		matched 2 log
	done
}

@test "fail2ban reads the journal of smtpd's units, not of any process called smtpd" {
	for unit in smtpd smtpd-bind; do
		[[ -f $root/contrib/systemd/$unit.service ]]
		grep -q "^journalmatch = .*_SYSTEMD_UNIT=$unit\.service" \
			"$root/contrib/fail2ban/smtpd.conf"
	done
	run ! grep -q '^[^#]*_COMM' "$root/contrib/fail2ban/smtpd.conf"
	# it is a match that journalctl, and so fail2ban, takes
	read -ra match < <(sed -n 's/^journalmatch = //p' \
		"$root/contrib/fail2ban/smtpd.conf")
	journalctl --directory "$PWD" "${match[@]}" >journal 2>&1
}

@test "no memory of smtpd holds a password after the reply" {
	local verdict
	for verdict in 0 1; do
		rm -f go
		printf '#!/bin/sh\nuntil [ -e %s/go ]; do sleep 0.05; done\nexit %s\n' \
			"$PWD" "$verdict" >check
		chmod 755 check
		start --workers 1 --hostname mx.example --plain-auth --auth "$PWD/check"
		/usr/bin/python3 - "$pid" "$port" "$verdict" <<-'EOT'
			import base64, re, socket, sys
			master, port, verdict = sys.argv[1:]
			with open(f"/proc/{master}/task/{master}/children") as f:
			    worker = f.read().split()[0]
			word = b"Zx9Passw0rdQq"
			plain = base64.b64encode(b"\0alice\0" + word)
			# what base64 makes of it anywhere behind the name, too
			words = [word, word[:8], plain, plain[9:20]]
			def found():
			    n = 0
			    for pid in (master, worker):
			        with open(f"/proc/{pid}/maps") as maps, \
			             open(f"/proc/{pid}/mem", "rb", 0) as mem:
			            for line in maps:
			                m = re.match(r"(\w+)-(\w+) r.* \d+ *(\S*)$", line)
			                if not m or m[3].startswith("[v"):
			                    continue
			                mem.seek(int(m[1], 16))
			                text = mem.read(int(m[2], 16) - int(m[1], 16))
			                n += sum(text.count(w) for w in words)
			    return n
			s = socket.create_connection(("127.0.0.1", int(port)))
			f = s.makefile("rwb", 0)
			def reply():
			    while (line := f.readline())[3:4] != b" ":
			        assert line
			    return line[:3]
			reply()
			f.write(b"EHLO c.example\r\n")
			reply()
			f.write(b"AUTH PLAIN " + plain + b"\r\n")
			for _ in range(600):	# this look can find it
			    if found():
			        break
			else:
			    sys.exit("it was never there")
			open("go", "w").close()
			assert reply() == (b"235", b"535")[int(verdict)]
			f.write(b"NOOP\r\n")
			reply()
			assert not found(), "after its reply"
			f.write(b"AUTHPLAIN " + plain + b"\r\n")
			reply()
			f.write(b"NOOP\r\n")
			reply()
			assert not found(), "misspelled"
			f.write(b"QUIT\r\n")
			f.read()
			s = socket.create_connection(("127.0.0.1", int(port)))
			f = s.makefile("rwb", 0)
			reply()
			assert not found(), "in the next session"
		EOT
		stop
	done
}
