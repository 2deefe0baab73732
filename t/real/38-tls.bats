#!/usr/bin/env bats
# TLS with smtpd-tls of contrib/tls, and programs that send mail: each sends a
# mail over an encrypted connection.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

setup_file() {
	make -s -C "$root" tls
	authority "$BATS_FILE_TMPDIR"
}

setup() {
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_FILE_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
	ca=$BATS_FILE_TMPDIR/ca.pem
	cp "$BATS_FILE_TMPDIR"/{mx.pem,mx.key} .
	chown nobody mx.key
	tls=(--tls "$root/contrib/tls/smtpd-tls -c mx.pem -k mx.key")
}

# certificate DIR NAME SUBJECT: NAME.pem and NAME.key there, by the authority
certificate() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1/$2.key" -out "$1/$2.csr" -subj "$3" 2>/dev/null
	printf 'subjectAltName=DNS:%s,IP:127.0.0.1\n' "${3##*CN=}" >"$1/$2.ext"
	openssl x509 -req -in "$1/$2.csr" -CA "$1/ca.pem" -CAkey "$1/ca.key" \
		-out "$1/$2.pem" -days 30 -extfile "$1/$2.ext" 2>/dev/null
}

# authority DIR: ca.pem, and mx.pem for mx.example
authority() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1/ca.key" -out "$1/ca.pem" -subj /CN=authority \
		-days 30 2>/dev/null
	certificate "$1" mx /CN=mx.example
}

# ask_tls [OPTION...]: a session by openssl s_client; what was said is in ./said
ask_tls() {
	printf 'EHLO c.example\nQUIT\n' | timeout 60 openssl s_client \
		-connect "127.0.0.1:$port" -CAfile "$ca" -crlf -ign_eof "$@" \
		>said 2>&1
}

# came_encrypted: the one mail did
came_encrypted() {
	grep -Eq "with ESMTPS \(TLSv1\.[23] [A-Z0-9_-]+\)" "$(mail)"
	logged ' tls="TLSv1\.' log
}

@test "openssl s_client: STARTTLS, TLS 1.3, a valid certificate, close_notify at the end" {
	start "${tls[@]}"
	ask_tls -starttls smtp -verify_return_error -verify_hostname mx.example
	grep -q 'Verification: OK' said
	grep -q 'New, TLSv1.3' said
	grep -q '^250 ENHANCEDSTATUSCODES' said
	grep -q '^221 ' said
	grep -qx closed said
}

# explained: what --explain has against the command
explained() {
	"$smtpd" --explain --user nobody --listen 127.0.0.1:0 "${tls[@]}" |
		sed -n 's/^warning: --tls:* //p'
}

@test "--explain warns if the certificate or the key can't be read" {
	[[ ! $(explained) ]]
	chown root mx.key
	[[ $(explained) == *': mx.key: Permission denied' ]]
	cp "$BATS_FILE_TMPDIR/ca.key" mx.key
	chown nobody mx.key
	[[ $(explained) == *': mx.key: key values mismatch' ]]
	rm mx.pem
	[[ $(explained) == *': mx.pem: No such file or directory' ]]
	openssl req -x509 -newkey rsa:2048 -nodes -keyout mx.key -out mx.pem \
		-subj /CN=mx.example -days 30 2>/dev/null
	chown nobody mx.key
	[[ ! $(explained) ]]
}

@test "the start warns if the certificate or the key can't be read" {
	rm mx.pem
	start "${tls[@]}"
	await 60 logged 'event=warning text="--tls does not work: smtpd-tls: mx\.pem: No such file or directory"' log
}

@test "an expired certificate is reported by --explain, the start and the log" {
	openssl req -newkey rsa:2048 -nodes -keyout mx.key -out mx.csr \
		-subj /CN=mx.example 2>/dev/null
	openssl x509 -req -in mx.csr -signkey mx.key -days 1 -out new.pem
	openssl x509 -req -in mx.csr -signkey mx.key -days 0 -out mx.pem
	chown nobody mx.key
	[[ $(explained) == *'smtpd-tls: mx.pem: the certificate has expired; renew it' ]]
	start "${tls[@]}"
	await 60 logged 'event=warning text="--tls: smtpd-tls: mx\.pem: the certificate has expired; renew it"' log
	run ask_tls -starttls smtp
	await 60 logged 'event=tls-said .*the certificate has expired' log
	mv new.pem mx.pem
	[[ ! $(explained) ]]
}

@test "TLS 1.2 is accepted, and 1.1 is not" {
	start "${tls[@]}" --verbose
	ask_tls -starttls smtp -tls1_2
	grep -q 'New, TLSv1.2' said
	logged 'event=encrypted .*protocol=TLSv1.2 cipher=ECDHE' log
	run ! ask_tls -starttls smtp -tls1_1 -cipher 'DEFAULT@SECLEVEL=0'
	await 60 logged 'event=tls-said .*unsupported protocol' log
	logged 'event=tls-failed ' log
}

# hand_in ADDRESS [OPTION...]: a mail from there by openssl s_client
hand_in() {
	printf '%s\n' 'HELO c.example' 'MAIL FROM:<a@c.example>' \
		'RCPT TO:<b@d.example>' DATA 'Subject: x' '' Hello. . QUIT |
		timeout 60 openssl s_client -connect "127.0.0.1:$port" \
			-bind "$1:0" -starttls smtp -quiet -ign_eof \
			"${@:2}" >said 2>&1
}

@test "openssl s_client needs -crlf outside a lenient network, and not inside" {
	start "${tls[@]}" --lenient-from 127.0.0.7 --domain d.example
	hand_in 127.0.0.8 -crlf
	kept 1
	hand_in 127.0.0.7 -crlf
	hand_in 127.0.0.7
	kept 3
	hand_in 127.0.0.8 || true
	grep -q '^500 5\.5\.2 ' said
	kept 3
}

@test "-m TLSv1 accepts old devices, and -m TLSv1.3 new clients only" {
	local old='DEFAULT@SECLEVEL=0'
	tls[1]+=' -m TLSv1'
	start "${tls[@]}" --verbose
	ask_tls -starttls smtp -tls1 -cipher "$old"
	logged 'event=encrypted .*protocol=TLSv1 cipher=ECDHE' log
	ask_tls -starttls smtp -tls1_1 -cipher "$old"
	logged 'event=encrypted .*protocol=TLSv1.1 ' log
	ask_tls -starttls smtp
	grep -q 'New, TLSv1.3' said
	run -1 timeout 60 openssl s_client -connect "127.0.0.1:$port" \
		-starttls smtp -cipher 'aNULL:eNULL:@SECLEVEL=0' -tls1_2 </dev/null
	stop
	tls[1]=${tls[1]/TLSv1/TLSv1.3}
	start "${tls[@]}" --verbose
	run ! ask_tls -starttls smtp -tls1_2
	ask_tls -starttls smtp
	grep -q 'New, TLSv1.3' said
}

@test "-m with an unknown version: 100" {
	local version
	for version in '' TLSv1.4 tlsv1 SSLv3 1.2; do
		run -100 "$root/contrib/tls/smtpd-tls" -c mx.pem -k mx.key \
			-m "$version" </dev/null
		[[ $output == usage:* ]]
	done
}

@test "an RSA certificate works" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout mx.key -out mx.pem \
		-subj /CN=mx.example -days 30 2>/dev/null
	start "${tls[@]}"
	ask_tls -starttls smtp
	grep -q 'Server public key is 2048 bit' said
	ask_tls -starttls smtp -tls1_2 -cipher DHE-RSA-AES256-GCM-SHA384
	grep -q 'Cipher is DHE-RSA' said
}

@test "swaks, STARTTLS: a difficult mail is stored unchanged" {
	write_hard_mail
	{
		sed 's/$/\r/' hard | sed 's/^\./../'
		printf .
	} >wire
	start "${tls[@]}"
	send --tls --tls-verify --tls-ca-path "$ca" --data @wire --no-data-fixup
	cmp hard <(as_sent "$(mail)")
	came_encrypted
}

@test "swaks, smtps" {
	start --listen smtps@127.0.0.1:0 "${tls[@]}"
	port=$(sed -n 's/.*event=listening address=127.0.0.1:\([0-9]*\).*/\1/p' log |
		tail -n 1)
	send --tls-on-connect
	came_encrypted
}

@test "curl, STARTTLS and smtps, with the certificate verified" {
	printf 'Subject: x\r\n\r\nbody\r\n' >wire
	start --listen smtps@127.0.0.1:0 "${tls[@]}"
	smtps=$(sed -n 's/.*event=listening address=127.0.0.1:\([0-9]*\).*/\1/p' log |
		tail -n 1)
	curl --no-progress-meter --max-time 60 --ssl-reqd --cacert "$ca" \
		--mail-from a@c.example --mail-rcpt b@d.example \
		--upload-file wire "smtp://127.0.0.1:$port/c.example"
	curl --no-progress-meter --max-time 60 --cacert "$ca" \
		--mail-from a@c.example --mail-rcpt b@d.example \
		--upload-file wire "smtps://127.0.0.1:$smtps/c.example"
	kept 2
	(($(grep -rl 'with ESMTPS (TLSv1.3 ' Maildir/new | wc -l) == 2))
}

@test "Python's smtplib: AUTH after STARTTLS, and SMTP_SSL" {
	start --listen submissions@127.0.0.1:0 "${tls[@]}" --require-auth \
		--auth 'test "$(tr "\0" : <&3 | cut -d : -f 1,2)" = joe:secret && exec'
	smtps=$(sed -n 's/.*event=listening address=127.0.0.1:\([0-9]*\).*/\1/p' log |
		tail -n 1)
	timeout 60 python3 - "$port" "$smtps" "$ca" <<-'EOT'
		import smtplib, ssl, sys
		context = ssl.create_default_context(cafile=sys.argv[3])
		context.check_hostname = False
		with smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'c.example') as s:
		    s.ehlo()
		    assert not s.has_extn('auth')
		    s.starttls(context=context)
		    s.login('joe', 'secret')
		    s.sendmail('a@c.example', 'b@d.example', 'Subject: x\n\nbody')
		with smtplib.SMTP_SSL('127.0.0.1', int(sys.argv[2]), 'c.example',
		    context=context) as s:
		    s.login('joe', 'secret')
		    s.sendmail('a@c.example', 'b@d.example', 'Subject: x\n\nbody')
	EOT
	kept 2
	(($(grep -rl 'with ESMTPSA (TLSv1.3 ' Maildir/new | wc -l) == 2))
}

@test "msmtp, STARTTLS and smtps" {
	start --listen smtps@127.0.0.1:0 "${tls[@]}"
	smtps=$(sed -n 's/.*event=listening address=127.0.0.1:\([0-9]*\).*/\1/p' log |
		tail -n 1)
	printf 'Subject: x\n\nbody\n' >letter
	timeout 60 msmtp --host=127.0.0.1 --port="$port" --from=a@c.example \
		--tls=on --tls-starttls=on --tls-trust-file="$ca" b@d.example \
		<letter
	timeout 60 msmtp --host=127.0.0.1 --port="$smtps" --from=a@c.example \
		--tls=on --tls-starttls=off --tls-trust-file="$ca" b@d.example \
		<letter
	kept 2
	(($(grep -rl 'with ESMTPS (TLSv1.3 ' Maildir/new | wc -l) == 2))
}

@test "a mail of 9 MB over TLS is complete" {
	start "${tls[@]}"
	{
		printf 'X-First: 1\r\n\r\n'
		yes "$(printf '%078d\r' 0)" | head -n 112500
	} >wire
	curl --no-progress-meter --max-time 60 --ssl-reqd --insecure \
		--mail-from a@c.example --mail-rcpt b@d.example \
		--upload-file wire "smtp://127.0.0.1:$port"
	cmp <(tr -d '\r' <wire) <(as_sent "$(mail)")
}

@test "a client that closes its sending side gets all replies, with close_notify or without" {
	start "${tls[@]}"
	timeout 60 python3 - "$port" <<-'EOT'
		import socket, ssl, sys
		group = (b'EHLO c.example\r\nMAIL FROM:<a@c.example>\r\n'
		    b'RCPT TO:<b@d.example>\r\nDATA\r\n'
		    b'Subject: x\r\n\r\n' + b'line\r\n' * 20000 + b'.\r\nQUIT\r\n')
		context = ssl.create_default_context()
		context.check_hostname = False
		context.verify_mode = ssl.CERT_NONE
		for notify in (False, True):
		    raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
		    raw.recv(1000)
		    raw.sendall(b'STARTTLS\r\n')
		    assert raw.recv(1000).startswith(b'220 ')
		    read, write = ssl.MemoryBIO(), ssl.MemoryBIO()
		    tls = context.wrap_bio(read, write)
		    def flush():
		        if out := write.read():
		            raw.sendall(out)
		    def attempt(what):
		        while True:
		            try:
		                result = what()
		                flush()
		                return result
		            except ssl.SSLWantReadError:
		                flush()
		                got = raw.recv(65536)
		                read.write(got) if got else read.write_eof()
		    attempt(tls.do_handshake)
		    attempt(lambda: tls.write(group))
		    if notify:
		        try:
		            tls.unwrap()
		        except ssl.SSLWantReadError:
		            flush()
		    raw.shutdown(socket.SHUT_WR)
		    if notify:		# Python reads no more; count what comes
		        size = 0
		        while got := raw.recv(65536):
		            size += len(got)
		        assert size > 300, size
		        continue
		    said = b''
		    while got := attempt(lambda: tls.read(65536)):
		        said += got
		    assert b'\r\n354 ' in said and said.endswith(b'closing connection\r\n'), said
	EOT
	kept 2
}

@test "a check hook ends at once when its client leaves, even if it had closed its sending side" {
	start "${tls[@]}" --on-new-mail 'touch spool/asked; exec sleep 600'
	mkdir spool
	chown nobody spool
	timeout 60 python3 - "$port" <<-'EOT'
		import os, socket, ssl, struct, sys, time
		context = ssl.create_default_context()
		context.check_hostname = False
		context.verify_mode = ssl.CERT_NONE
		raw = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
		raw.recv(1000)
		raw.sendall(b'STARTTLS\r\n')
		raw.recv(1000)
		tls = context.wrap_socket(raw)
		tls.sendall(b'EHLO c.example\r\nMAIL FROM:<a@c.example>\r\n')
		tls.shutdown(socket.SHUT_WR)
		for _ in range(400):
		    if os.path.exists('spool/asked'):
		        break
		    time.sleep(0.05)
		tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
		    struct.pack('ii', 1, 0))
		tls.close()
	EOT
	await 60 logged 'event=lost .*hook=on-new-mail' log
}

@test "with SNI each name has its own certificate, and other names the default one" {
	mkdir servers
	certificate "$BATS_FILE_TMPDIR" other /CN=other.example
	cat "$BATS_FILE_TMPDIR"/other.{pem,key} >servers/other.example.pem
	openssl req -x509 -newkey rsa:2048 -nodes -keyout servers/rsa.key \
		-subj /CN=rsa.example -out servers/rsa.pem 2>/dev/null
	cat servers/rsa.{pem,key} >servers/rsa.example.pem
	chown -R nobody servers
	tls=(--tls "$root/contrib/tls/smtpd-tls -s servers -c mx.pem -k mx.key")
	start "${tls[@]}" --on-hello 'echo "sni=$SSL_TLS_SNI_SERVERNAME" >&2'
	ask_tls -starttls smtp -servername Other.Example
	grep -q 's:CN = other.example' said
	logged 'sni=Other.Example' log
	# a key of another kind than that of -c
	for version in -tls1_2 -tls1_3; do
		ask_tls -starttls smtp "$version" -servername rsa.example
		grep -q 's:CN = rsa.example' said
	done
	for name in mx.example ../servers/other.example unknown.example; do
		ask_tls -starttls smtp -servername "$name"
		grep -q 's:CN = mx.example' said
	done
	ask_tls -starttls smtp -noservername
	grep -q 's:CN = mx.example' said
	echo broken >servers/broken.example.pem
	run ! ask_tls -starttls smtp -servername broken.example
	await 60 logged 'event=tls-said .*servers/broken.example.pem' log
}

@test "a client certificate is reported only if it was verified" {
	certificate "$BATS_FILE_TMPDIR" joe '/O=Joe, Inc./CN=joe.example'
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout self.key -out self.pem -subj /CN=self 2>/dev/null
	tls=(--tls "$root/contrib/tls/smtpd-tls -a $ca -c mx.pem -k mx.key")
	start "${tls[@]}" --on-hello 'echo "subject=${SSL_PEER_CERT_SUBJECT-none}." >&2'
	for version in -tls1_2 -tls1_3; do
		: >log
		ask_tls -starttls smtp "$version" -cert "$BATS_FILE_TMPDIR/joe.pem" \
			-key "$BATS_FILE_TMPDIR/joe.key"
		await 60 grep -F 'subject=CN=joe.example,O=Joe\\, Inc..' log
		: >log
		ask_tls -starttls smtp "$version" -cert self.pem -key self.key
		grep -q '^221 ' said
		await 60 logged 'subject=none\.' log
		lacks_subject
	done
	: >log
	ask_tls -starttls smtp
	await 60 logged 'subject=none\.' log
	lacks_subject
}

# lacks_subject: nobody was told of one
lacks_subject() {
	! grep -q 'subject=CN' log
}

@test "a renewed certificate is used without a restart, and an unreadable one is ignored" {
	start "${tls[@]}"
	ask_tls -starttls smtp
	grep -q 's:CN = mx.example' said
	certificate "$BATS_FILE_TMPDIR" new /CN=new.example
	cp "$BATS_FILE_TMPDIR/new.pem" mx.pem
	cat "$BATS_FILE_TMPDIR/new.key" >mx.key
	ask_tls -starttls smtp
	grep -q 's:CN = new.example' said
	chown root mx.key
	chmod 600 mx.key
	run ! ask_tls -starttls smtp
	await 60 logged 'event=tls-said .*mx.key: Permission denied' log
	send
	kept 1
	chown nobody mx.key
	ask_tls -starttls smtp
	grep -q '^221 ' said
}

# launchers: of all workers, with commas
launchers() {
	pgrep -d , -P "$(pgrep -d , -P "$pid")"
}

@test "hundreds of sessions at once leave no process and no descriptor" {
	start "${tls[@]}" --workers 8 --recycle-after 0
	send --tls
	seq 200 | timeout 120 xargs -P 16 -I {} curl --no-progress-meter \
		--max-time 60 --retry 3 --ssl-reqd --insecure \
		--mail-from a@c.example --mail-rcpt b@d.example \
		--upload-file mx.pem --crlf "smtp://127.0.0.1:$port"
	kept 201
	for worker in $(pgrep -P "$pid"); do
		await 60 eval "! pgrep -P $(pgrep -P "$worker")"
		(($(find "/proc/$worker/fd" -mindepth 1 | wc -l) < 20))
	done
}

# is_traced PID
is_traced() {
	grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$1/status"
}

# calls PID: those of a process that make another, or a connection
calls() {
	grep -E '^(execve|execveat|v?fork|clone3?|connect|socket)\(' "calls.$1"
}

@test "with --on-recipient, --auth and --tls a worker makes no execve, clone or connect" {
	local worker launcher tracer
	start "${tls[@]}" --workers 1 --on-recipient true --auth true
	await 60 eval 'launcher=$(launchers) && [[ $launcher != *,* ]]'
	worker=$(pgrep -P "$pid")
	strace -ff -qq -o calls -p "$worker" -p "$launcher" &
	tracer=$!
	await 60 is_traced "$worker"
	await 60 is_traced "$launcher"
	send --tls --auth PLAIN --auth-user joe --auth-password secret
	kill "$tracer"
	wait "$tracer" || true
	logged ' tls="TLSv1.* mechanism=PLAIN ' log
	grep -q '^sendmsg(' "calls.$worker"
	[[ ! $(calls "$worker") ]]
	calls "$launcher"
	(($(calls "$launcher" | wc -l) == 3))
	grep -hq '^execve(.*smtpd-tls' calls.*
}

@test "smtpd-tls can't be traced by its user and dumps no core" {
	start "${tls[@]}"
	exec 7<>"/dev/tcp/127.0.0.1/$port"
	read -r <&7
	printf 'STARTTLS\r\n' >&7
	read -r <&7
	await 60 pgrep -x smtpd-tls -P "$(launchers)" >helper
	# the directory is root's then, see proc(5)
	await 60 eval '[[ $(stat -c %U /proc/$(tail -n 1 helper)/mem) == root ]]'
	exec 7>&-
}

# taken_over ATTEMPT [OPTION...]: somebody who has taken smtpd-tls over makes
# that call of t/escape.c, without a handshake; sets $came_of_it
taken_over() {
	local attempt=$1
	shift
	: >escape
	came_of_it=0
	LD_PRELOAD=$root/t/escape.so ESCAPE=$attempt ESCAPE_LOG=$PWD/escape \
		ESCAPE_PATH=${path-/etc/passwd} \
		"$helper" "$@" -c mx.pem -k mx.key 3</dev/null 4>/dev/null \
		</dev/null >/dev/null 2>complaints || came_of_it=$?
	cat escape complaints
	grep -q '^landlock' escape
}

# killed ATTEMPT [OPTION...]: it dies of that, by SIGSYS
killed() {
	taken_over "$@"
	((came_of_it == 128 + 31))
	! grep -q "^$1 " escape
}

@test "a compromised smtpd-tls can't run, connect, signal, trace or open anything" {
	helper=$root/contrib/tls/smtpd-tls
	LD_PRELOAD=$root/t/escape.so ESCAPE=names ESCAPE_LOG=$PWD/names \
		"$smtpd" --version >/dev/null
	mapfile -t attempts < <(sed -n 's/^name //p' names)
	((${#attempts[@]} > 20))
	for attempt in "${attempts[@]}"; do
		killed "$attempt"
	done
	killed open
	path=$PWD/made killed open
	[[ ! -e made ]]
}

@test "with -s it can open only the certificates that existed at its start" {
	helper=$root/contrib/tls/smtpd-tls
	mkdir servers archive
	cat mx.pem mx.key >archive/a.pem
	ln -s ../archive/a.pem servers/other.example.pem
	echo x >servers/notes
	for attempt in execve socket connect kill ptrace memfd mprotect; do
		killed "$attempt" -s servers
	done
	path=$PWD/servers/made.pem killed open -s servers
	for path in /etc/passwd "$PWD/mx.key" "$PWD/servers/notes"; do
		taken_over open -s servers
		grep -x 'open Permission denied' escape
	done
	for path in "$PWD/servers/other.example.pem" "$PWD/archive/a.pem"; do
		taken_over open -s servers
		grep -x 'open ok' escape
	done
	[[ $(ls servers) == $'notes\nother.example.pem' ]]
}

@test "smtpd-tls wipes clear text from its memory" {
	start "${tls[@]}" --workers 1
	python3 - "$port" "$(launchers)" <<-'EOT'
		import smtplib, ssl, subprocess, sys
		s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
		s.starttls(context=ssl._create_unverified_context())
		assert s.docmd('NOOP what-was-said-in-confidence')[0] == 250
		helper = subprocess.check_output(['pgrep', '-P', sys.argv[2]],
		    text=True).strip()
		said = b''
		with open(f'/proc/{helper}/maps') as maps, \
		    open(f'/proc/{helper}/mem', 'rb', 0) as memory:
		    for line in maps:
		        if ' rw-p ' not in line:
		            continue
		        low, high = (int(x, 16) for x in line.split()[0].split('-'))
		        memory.seek(low)
		        said += memory.read(high - low)
		assert b'mx.example' in said		# of the certificate
		assert b'said-in-confidence' not in said
	EOT
}

@test "smtpd-tls ends with the connection, whichever side closes first" {
	start "${tls[@]}" --workers 1
	exec 7<>"/dev/tcp/127.0.0.1/$port"
	read -r <&7
	printf 'STARTTLS\r\n' >&7
	read -r <&7
	worker=$(pgrep -P "$pid")
	await 60 pgrep -P "$(launchers)" >helper
	kill -KILL "$worker"
	gone "$(tail -n 1 helper)" 60
	exec 7>&-
}

@test "stunnel with contrib/tls/stunnel.conf in front gives the client's address by PROXY" {
	sed -e "s|/etc/.*fullchain.pem|$PWD/mx.pem|" \
		-e "s|/etc/.*privkey.pem|$PWD/mx.key|" \
		"$root/contrib/tls/stunnel.conf" >stunnel.conf
	start --proxy-from 127.0.0.1 --plain-auth --auth true \
		--listen submission@127.0.0.1:0
	inner=$(sed -n 's/.*event=listening address=127.0.0.1:\([0-9]*\).*/\1/p' log |
		tail -n 1)
	port=$((20000 + RANDOM % 10000))
	sed -i -e "s/^accept.*/accept = 127.0.0.1:$port/" \
		-e "s/^connect.*/connect = 127.0.0.1:$inner/" stunnel.conf
	stunnel stunnel.conf >stunnel.log 2>&1 3>&- 4>&- &
	others+=($!)
	await 60 ask_tls
	send --tls-on-connect --local-interface 127.0.0.5 --auth PLAIN \
		--auth-user joe --auth-password x
	grep -q 'from c.example (\[127.0.0.5\])' "$(mail)"
	grep -q 'with ESMTPA id' "$(mail)"
}

@test "the program in contrib/tls agrees with its page" {
	mandoc -T lint -W style "$root/contrib/tls/smtpd-tls.8" >lint 2>/dev/null || true
	run ! grep -v 'referenced manual not found' lint
	sed -n '/^\[Service\]/,/^\.Ed/p' "$root/contrib/tls/smtpd-tls.8" |
		sed '$d' | cmp - <(sed -n '/^\[Service\]/,$p' "$root/contrib/systemd/smtpd.service.d/tls.conf")
}

# run_line LINE: a server by a line of the pages, on free ports of loopback
run_line() {
	local address line=$1
	line=$(sed -E -e "s#(^| )(\./)?smtpd #\1$smtpd #" -e 's# -u smtpd# -u nobody#' \
		-e 's# --user smtpd# --user nobody#' -e "s#/srv/mail#$PWD/Maildir#" \
		-e 's#(-l|--listen) (([a-z]+@)?):[0-9]+#\1 \2127.0.0.1:0#g' \
		-e "s#(contrib/tls/)?smtpd-tls#$root/contrib/tls/smtpd-tls#" <<<"$line")
	echo "$line"
	mkfifo ready
	eval "exec $line --ready-fd 9" </dev/null 9>ready >>log 2>&1 3>&- 4>&- &
	pid=$!
	mapfile -t addresses < <(timeout 60 cat ready)
	rm ready
	((${#addresses[@]} == 2))
}

@test "the first example of smtpd-tls(8) works" {
	cp mx.pem fullchain.pem
	cp -p mx.key privkey.pem
	printf '#!/bin/sh\nexit 0\n' >checkpassword
	chmod 755 checkpassword
	run_line "$(sed -n '/^# smtpd/,/^\.Ed/p' "$root/contrib/tls/smtpd-tls.8" |
		sed -e '$d' -e 's/^# //' -e 's/\\e$/\\/' | sed -e ':a' \
		-e '/\\$/{' -e N -e 's/\\\n *//' -e ta -e '}')"
	port=${addresses[0]##*:}
	send --tls --to b@example.org
	port=${addresses[1]##*:}
	send --tls-on-connect --auth PLAIN --auth-user joe --auth-password x
	kept 2
	grep -rq 'with ESMTPSA (TLSv1.3 ' Maildir/new
}

@test "make install-tls installs smtpd-tls and its page, and uninstall removes them" {
	make -s -C "$root" install-tls DESTDIR="$PWD/there" PREFIX=/usr
	[[ -x there/usr/sbin/smtpd-tls && -f there/usr/share/man/man8/smtpd-tls.8 ]]
	make -s -C "$root" uninstall DESTDIR="$PWD/there" PREFIX=/usr
	[[ ! $(find there -type f) ]]
}
