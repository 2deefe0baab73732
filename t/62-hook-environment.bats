# The environment of a command: variables with what the client said, as data,
# and nothing of an earlier transaction or session.

load helpers

events_all='new-connection hello new-mail recipient data disconnect'

# record: have every event leave its environment in $tmp/env.EVENT, a variable
# a line, and a line break within one as ^J
record() {
	local e
	for e in $events_all; do
		options+=("--on-$e" "env -0 | tr '\\n\\0' '\\001\\n' | sed 's/\\o001/^J/g' | sort >$tmp/env.$e")
	done
}

# ours EVENT: the names of the variables of ours that it had
ours() {
	sed -nE 's/^((SMTP|TCP)[A-Z_]*|SSL_(PROTOCOL|CIPHER|PEER_CERT_SUBJECT|TLS_SNI_SERVERNAME)|PROTO|SENDER|SENDER_DOMAIN|RECIPIENT|LOCAL|EXTENSION|DOMAIN|ORIGINAL_RECIPIENT|ENVID)=.*/\1/p' \
	    "$tmp/env.$1" | paste -sd ' '
}

# value EVENT NAME: what a variable held; it must have been set once
value() {
	[[ $(grep -c "^$2=" "$tmp/env.$1") == 1 ]] || return
	sed -n "s/^$2=//p" "$tmp/env.$1"
}

# what every event of a session on a pipe has
session_variables='SMTP_EVENT SMTP_HOSTNAME SMTP_LISTENER SMTP_SESSION'
after_hello='SMTP_EVENT SMTP_HELO SMTP_HOSTNAME SMTP_LISTENER SMTP_PROTOCOL SMTP_SESSION'
# what was never said, and may be in the server's own environment
stale=(PROTO=TCP TCPREMOTEIP= TCPREMOTEPORT=1 TCPLOCALIP= TCPLOCALPORT=1
    SMTP_EVENT=stale SMTP_SESSION=stale SMTP_HOSTNAME=stale
    SMTP_LISTENER=stale SMTP_HELO=stale SMTP_PROTOCOL=stale SMTP_USER=stale
    SMTP_AUTH=stale SMTP_ID=stale SMTP_RECIPIENTS=stale SMTP_MAILBOX=stale
    SMTP_RET=stale SMTP_NOTIFY=stale SMTP_UTF8=stale SMTP_REQUIRETLS=stale
    SMTP_SIZE=stale SMTP_BODY=stale SMTP_FILE=stale SMTP_REPLY=stale
    SMTP_ANYTHING=stale SENDER=stale SENDER_DOMAIN=stale
    RECIPIENT=stale LOCAL=stale EXTENSION=stale DOMAIN=stale
    ORIGINAL_RECIPIENT=stale ENVID=stale)

@test "in inetd mode hooks get the super-server's variables of the connection" {
	environment=(TCPREMOTEIP=192.0.2.7 TCPREMOTEPORT=4711 TCPLOCALIP=192.0.2.1
	    TCPLOCALPORT=25 TCPREMOTEHOST=client.example TCPREMOTEINFO=joe
	    TCPLOCALHOST=mx.example SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=X)
	record
	say 'HELO c.example' QUIT
	local name
	for name in "${environment[@]}"; do
		[[ $(value hello "${name%%=*}") == "${name#*=}" ]]
	done
}

@test "each event gets its documented variables and no others, whatever smtpd inherited" {
	environment=("${stale[@]}")
	record
	deliver 'Subject: x' '' body
	[[ $(ours new-connection) == "$session_variables" ]]
	[[ $(ours hello) == "$after_hello" ]]
	[[ $(ours new-mail) == 'SENDER SENDER_DOMAIN SMTP_EVENT SMTP_HELO SMTP_HOSTNAME SMTP_ID SMTP_LISTENER SMTP_PROTOCOL SMTP_SESSION' ]]
	[[ $(ours recipient) == 'DOMAIN LOCAL RECIPIENT SENDER SENDER_DOMAIN SMTP_EVENT SMTP_HELO SMTP_HOSTNAME SMTP_ID SMTP_LISTENER SMTP_MAILBOX SMTP_PROTOCOL SMTP_SESSION' ]]
	[[ $(ours data) == 'SENDER SENDER_DOMAIN SMTP_EVENT SMTP_HELO SMTP_HOSTNAME SMTP_ID SMTP_LISTENER SMTP_PROTOCOL SMTP_RECIPIENTS SMTP_SESSION' ]]
	[[ $(ours disconnect) =~ ^SMTP_EVENT\ SMTP_HELO\ SMTP_HOSTNAME\ SMTP_LISTENER\ SMTP_PROTOCOL( SMTP_REPLY)?\ SMTP_SESSION$ ]]
	lacks -h =stale "$tmp"/env.*
}

@test "values of one transaction are not passed in the next" {
	options=(--on-data 'exit 99;')
	record
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> SIZE=100 BODY=8BITMIME' \
	    'RCPT TO:<bob+x@mx.example>' DATA x . 'MAIL FROM:<>' \
	    'RCPT TO:<eve@mx.example>' QUIT
	[[ $(ours recipient) == 'DOMAIN LOCAL RECIPIENT SENDER SMTP_EVENT SMTP_HELO SMTP_HOSTNAME SMTP_ID SMTP_LISTENER SMTP_MAILBOX SMTP_PROTOCOL SMTP_SESSION' ]]
	[[ $(value recipient SENDER) == '' ]]
	[[ $(value recipient LOCAL) == eve ]]
}

@test "variables of the service manager are removed, others are kept" {
	environment=(NOTIFY_SOCKET=/x WATCHDOG_USEC=1 WATCHDOG_PID=1
	    LISTEN_FDS=1 LISTEN_PID=1 LISTEN_FDNAMES=x OTHER='o t=h er'
	    LISTENER=kept EMPTY= LOCALE=kept DOMAINS=kept SENDERS=kept)
	record
	say "${hello[@]}" QUIT
	lacks -E '^(NOTIFY_SOCKET|WATCHDOG_|LISTEN_)' "$tmp/env.hello"
	[[ $(value hello OTHER) == 'o t=h er' ]]
	[[ $(value hello EMPTY) == '' ]]
	[[ $(value hello PATH) == "$PATH" ]]
	(($(grep -cE '^(LISTENER|LOCALE|DOMAINS|SENDERS)=kept$' "$tmp/env.hello") == 4))
}

@test "HOME, USER and LOGNAME are those of --user (this test needs root)" {
	((EUID == 0)) || skip 'only root can become another user'
	local home
	home=$(getent passwd nobody | cut -d: -f6)
	elsewhere=$(mktemp -d /tmp/smtpd-test.XXXXXX)
	chmod 755 "$elsewhere"
	mkdir -m 777 "$elsewhere/out"
	environment=(HOME=/stale USER=stale LOGNAME=stale)
	user=(--user nobody)
	dir=$elsewhere/Maildir
	options=(--on-hello "{ echo \$HOME \$USER \$LOGNAME; id -un; id -G; } >$elsewhere/out/who")
	say "${hello[@]}" QUIT
	[[ $(sed -n 1p "$elsewhere/out/who") == "$home nobody nobody" ]]
	[[ $(sed -n 2p "$elsewhere/out/who") == nobody ]]
	[[ $(sed -n 3p "$elsewhere/out/who") == "$(id -G nobody)" ]]
}

@test "--user may be a number: with a name, or with / as HOME and a group of the same number" {
	((EUID == 0)) || skip 'only root can become another user'
	local home spec want nobody nogroup
	home=$(getent passwd nobody | cut -d: -f6)
	nobody=$(id -u nobody) nogroup=$(id -g nobody)
	elsewhere=$(mktemp -d /tmp/smtpd-test.XXXXXX)
	chmod 755 "$elsewhere"
	mkdir -m 777 "$elsewhere/out"
	while IFS='|' read -r spec want; do
		dir=$elsewhere/Maildir.$spec
		user=(--user "$spec")
		options=(--on-hello "echo \$HOME \$USER \$LOGNAME \$(id -u) \$(id -g) \$(id -G) >$elsewhere/out/who")
		rm -f "$elsewhere/out/who"
		say "${hello[@]}" QUIT
		echo "$spec: $(<"$elsewhere/out/who")"
		[[ $(<"$elsewhere/out/who") == "$want" ]]
	done <<-END
		$nobody|$home nobody nobody $nobody $nogroup $(id -G nobody)
		54321|/ 54321 54321 54321 54321 54321
		54321:54322|/ 54321 54321 54321 54322 54322
		nobody:54322|$home nobody nobody $nobody 54322 54322
	END
	for spec in 4294967295 99999999999 54321x 54321:x 54321: :54321 -1; do
		run -67 ./smtpd -i --user="$spec" </dev/null
		[[ $output == "smtpd: --user $spec: there is no such "* ]]
	done
}

@test "SMTP_EVENT is the option's name, SMTP_HOSTNAME and SMTP_LISTENER are the server's" {
	local e
	record
	deliver x
	for e in $events_all; do
		[[ $(value "$e" SMTP_EVENT) == "on-$e" ]]
		[[ $(value "$e" SMTP_HOSTNAME) == mx.example ]]
		[[ $(value "$e" SMTP_LISTENER) == smtp ]]
	done
}

@test "SMTP_SESSION and SMTP_ID are those of the log, the reply and Received" {
	local e id
	record
	deliver 'Subject: x' '' body
	id=$(value data SMTP_ID)
	[[ $id && ${lines[5]} == *"$id"* && $(header Received) == *" id $id"* ]]
	[[ $(events message) == *" session=${id%.*} id=$id "* ]]
	for e in $events_all; do
		[[ $(value "$e" SMTP_SESSION) == "${id%.*}" ]]
	done
}

@test "over TCP hooks get PROTO and the addresses and ports of both ends" {
	local flag ip peer
	for flag in -t -6; do
		via=$flag
		[[ $flag == -t ]] && ip=127.0.0.1 || ip=::1
		options=()
		record
		environment=("${stale[@]}")
		talk reply:220 say:'HELO c.example' reply:250 say:QUIT reply:221 eof
		[[ $(ours new-connection) == "PROTO $session_variables TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT" ]]
		[[ $(value hello PROTO) == TCP ]]
		[[ $(value hello TCPREMOTEIP) == "$ip" && $(value hello TCPLOCALIP) == "$ip" ]]
		[[ $(value hello TCPREMOTEPORT) =~ ^[1-9][0-9]*$ ]]
		peer=$(value hello TCPREMOTEPORT)
		[[ $(value hello TCPLOCALPORT) =~ ^[1-9][0-9]*$ && $(value hello TCPLOCALPORT) != "$peer" ]]
	done
}

@test "in the pool TCPLOCALIP and TCPLOCALPORT are those of the listener" {
	mkdir -m 777 "$tmp/out"
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	serve --listen 127.0.0.1:0 --on-new-connection \
	    "echo \$TCPLOCALIP:\$TCPLOCALPORT >$tmp/out/local"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	[[ $(<"$tmp/out/local") == "${addr[0]}" ]]
}

@test "on a Unix socket hooks get no address" {
	mkdir -m 777 "$tmp/out"
	chmod 711 "$tmp" "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	((EUID != 0)) || chmod 777 "$tmp"
	environment=(PROTO=TCP TCPREMOTEIP=192.0.2.1)
	serve --listen "$tmp/sock" --on-new-connection \
	    "env >$tmp/out/env; exit 0"
	dial "$tmp/sock" reply:220 say:QUIT reply:221 eof
	lacks -E '^(PROTO|TCP)' "$tmp/out/env"
	grep -q '^SMTP_LISTENER=smtp$' "$tmp/out/env"
}

@test "on a pipe hooks get the super-server's client address, and no port" {
	environment=(TCPREMOTEIP=192.0.2.7 TCPLOCALIP=192.0.2.1
	    TCPREMOTEPORT=77)
	record
	say "${hello[@]}" QUIT
	[[ $(value hello PROTO) == TCP ]]
	[[ $(value hello TCPREMOTEIP) == 192.0.2.7 ]]
	[[ $(value hello TCPLOCALIP) == 192.0.2.1 ]]
	lacks '=0$' <(grep ^TCP "$tmp/env.hello")
}

@test "SMTP_HELO has only safe bytes, and SMTP_PROTOCOL is SMTP or ESMTP" {
	record
	say 'HELO $(touch x)`;|<>"'"'"'&\!*?{}~#%^=+,/é.example' QUIT
	[[ $(value hello SMTP_HELO) == touchx.example ]]
	[[ $(value hello SMTP_PROTOCOL) == SMTP ]]
	say 'EHLO [IPv6:::1]' QUIT
	[[ $(value hello SMTP_HELO) == '[IPv6:::1]' ]]
	[[ $(value hello SMTP_PROTOCOL) == ESMTP ]]
	[[ $(value disconnect SMTP_HELO) == '[IPv6:::1]' ]]
}

@test "SENDER is empty, not unset, for the null sender" {
	record
	say "${hello[@]}" 'MAIL FROM:<>' QUIT
	grep -qx SENDER= "$tmp/env.new-mail"
}

@test "SENDER_DOMAIN is in lower case and A-labels, and unset if the sender has no domain" {
	local sender
	record
	for sender in 'Alice@C.Example.=c.example' '"a@b"@C.example=c.example' \
	    'a@Bücher.Example=xn--bcher-kva.example' \
	    'ü@xn--bcher-kva.example=xn--bcher-kva.example' \
	    'a@[192.0.2.1]=[192.0.2.1]' '@r.example:a@c.example=c.example'; do
		say 'EHLO c.example' "MAIL FROM:<${sender%=*}> SMTPUTF8" QUIT
		[[ $(value new-mail SENDER_DOMAIN) == "${sender##*=}" ]]
	done
	for sender in '' alice; do
		environment=(SENDER_DOMAIN=stale)
		say 'EHLO c.example' "MAIL FROM:<$sender>" QUIT
		grep -qx "SENDER=$sender" "$tmp/env.new-mail"
		lacks ^SENDER_DOMAIN= "$tmp/env.new-mail"
	done
}

@test "ORIGINAL_RECIPIENT may be UTF-8 even if SMTP_UTF8 is not set (RFC 6533 3)" {
	options=(--dsn true)
	record
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@mx.example> ORCPT=utf-8;b\x{FC}b@c.example' QUIT
	[[ $(value recipient ORIGINAL_RECIPIENT) == 'utf-8;büb@c.example' ]]
	lacks ^SMTP_UTF8= "$tmp/env.recipient"
}

@test "SENDER and RECIPIENT are as given, without the route; DOMAIN is in lower case" {
	record
	say "${hello[@]}" 'MAIL FROM:<@r.example:Alice@C.Example.>' \
	    'RCPT TO:<@r.example:Bob+News+x@MX.Example>' QUIT
	[[ $(value recipient SENDER) == Alice@C.Example ]]
	[[ $(value recipient RECIPIENT) == Bob+News+x@MX.Example ]]
	[[ $(value recipient LOCAL) == Bob+News+x ]]
	[[ $(value recipient EXTENSION) == News+x ]]
	[[ $(value recipient SMTP_MAILBOX) == bob ]]
	[[ $(value recipient DOMAIN) == mx.example ]]
}

@test "EXTENSION is the text after the first --recipient-delimiter, and unset if empty" {
	options=(--recipient-delimiter=-.)
	record
	say "${to_bob[@]:0:2}" 'RCPT TO:<bob.new+s-x@mx.example>' QUIT
	[[ $(value recipient EXTENSION) == new+s-x ]]
	[[ $(value recipient SMTP_MAILBOX) == bob ]]
	say "${to_bob[@]:0:2}" 'RCPT TO:<bob-@mx.example>' QUIT
	lacks ^EXTENSION= "$tmp/env.recipient"
	[[ $(value recipient SMTP_MAILBOX) == bob ]]
	say "${to_bob[@]:0:2}" 'RCPT TO:<bob+x@mx.example>' QUIT
	lacks ^EXTENSION= "$tmp/env.recipient"
	[[ $(value recipient SMTP_MAILBOX) == bob+x ]]
}

@test "DOMAIN of <postmaster> without a domain is the hostname" {
	record
	say "${to_bob[@]:0:2}" 'RCPT TO:<PostMaster>' QUIT
	[[ $(value recipient RECIPIENT) == PostMaster ]]
	[[ $(value recipient LOCAL) == PostMaster ]]
	[[ $(value recipient SMTP_MAILBOX) == postmaster ]]
	[[ $(value recipient DOMAIN) == mx.example ]]
}

@test "SMTP_SIZE and SMTP_BODY are what MAIL declared" {
	record
	say "${hello[@]}" 'MAIL FROM:<a@c.example> SIZE=00123 BODY=8bitmime' QUIT
	[[ $(value new-mail SMTP_SIZE) == 123 ]]
	[[ $(value new-mail SMTP_BODY) == 8BITMIME ]]
}

@test "SMTP_RECIPIENTS has the recipients accepted so far, one per line" {
	options=(--on-recipient '[ "$LOCAL" != no ]')
	record
	say "${to_bob[@]:0:2}" 'RCPT TO:<a@mx.example>' 'RCPT TO:<no@mx.example>' \
	    'RCPT TO:<B+x@mx.example>' 'RCPT TO:<c@mx.example>' DATA x . QUIT
	[[ $(value recipient SMTP_RECIPIENTS) == 'a@mx.example^JB+x@mx.example' ]]
	[[ $(value data SMTP_RECIPIENTS) == 'a@mx.example^JB+x@mx.example^Jc@mx.example' ]]
}

@test "a hook gets a thousand recipients" {
	local rcpt
	mapfile -t rcpt < <(printf 'RCPT TO:<some-longer-name-%d@mx.example>\n' \
	    {1..1000})
	options=(--on-data "printf '%s\\n' \"\$SMTP_RECIPIENTS\" >$tmp/list")
	say 'EHLO c.example' 'MAIL FROM:<>' "${rcpt[@]}" DATA x . QUIT
	[[ ${lines[-2]} == '250 '* ]]
	printf '%s\n' "${rcpt[@]}" | sed 's/.*<\(.*\)>/\1/' | cmp - "$tmp/list"
}

# hostile: addresses that want to be a command, an option, or several words
hostile() {
	cat <<-EOT
		"() { :;}; touch $tmp/x"@c.example
		"\$(touch $tmp/x)"@c.example
		"\`touch $tmp/x\`"@c.example
		\`x\`@c.example
		\$x@c.example
		\${PATH}@c.example
		-f@c.example
		--help@c.example
		"-e x"@c.example
		"; touch $tmp/x;"@c.example
		"| touch $tmp/x"@c.example
		"a b  c"@c.example
		"*"@c.example
		/etc/*@c.example
		~root@c.example
		'@c.example
		"\\""@c.example
		"a\\"b\\\\c"@c.example
		"'"@c.example
		%s%n@c.example
		#x@c.example
		!x@c.example
		A=B@c.example
		"a@b"@c.example
		"<x>"@c.example
		{a}@c.example
		a&b|c@c.example
	EOT
}

@test "hostile senders are passed to a command complete and never executed" {
	local dialogue=('EHLO c.example') address
	printf '#!/bin/sh\nprintf "%%s\\n" "$SENDER" >>%s/got\n' "$tmp" >"$tmp/hook"
	printf 'tr "\\0" " " </proc/$$/cmdline >>%s/words\n' "$tmp" >>"$tmp/hook"
	chmod 755 "$tmp/hook"
	while IFS= read -r address; do
		dialogue+=("MAIL FROM:<$address>" RSET)
	done < <(hostile | tee "$tmp/said")
	options=(--on-new-mail "$tmp/hook"
	    --on-new-mail "printf '%s\\n' \"\$SENDER\" >>$tmp/got.sh")
	say "${dialogue[@]}" QUIT
	lacks -q '^[45]' "$tmp/replies"
	cmp "$tmp/said" "$tmp/got"
	cmp "$tmp/said" "$tmp/got.sh"
	[[ ! -e $tmp/x ]]
	# nor is anything of them on a command line
	lacks c.example "$tmp/words"
}

@test "hostile recipients are passed with unquoted local parts and never executed" {
	local dialogue=(HELO\ c 'MAIL FROM:<>') address
	while IFS= read -r address; do
		dialogue+=("RCPT TO:<$address>")
	done < <(hostile | tee "$tmp/said")
	options=(--recipient-delimiter=
	    --on-recipient "printf '%s\\n' \"\$RECIPIENT\" >>$tmp/got"
	    --on-recipient "printf '%s\\n' \"\$LOCAL\" >>$tmp/local"
	    --on-data "printf '%s\\n' \"\$SMTP_RECIPIENTS\" >$tmp/all")
	say "${dialogue[@]}" DATA x . QUIT
	lacks -q '^[45]' "$tmp/replies"
	cmp "$tmp/said" "$tmp/got"
	cmp "$tmp/said" "$tmp/all"
	sed -E -e 's/@c\.example$//' -e '/^".*"$/{' -e 's/^"(.*)"$/\1/' \
	    -e 's/\\(.)/\1/g' -e '}' "$tmp/said" | cmp - "$tmp/local"
	[[ ! -e $tmp/x ]]
	[[ $(wc -l <"$tmp/local") == $(wc -l <"$tmp/said") ]]
}

@test "an address with a line break or a NUL is passed to no command" {
	options=(--on-new-mail "touch $tmp/asked")
	printf 'HELO c\r\nMAIL FROM:<"a\nb"@c.example>\r\nMAIL FROM:<"a\0b"@c.example>\r\nMAIL FROM:<"a\rb"@c.example>\r\nQUIT\r\n' >"$tmp/dialogue"
	feed "$tmp/dialogue"
	[[ ! -e $tmp/asked ]]
	[[ $codes == '220 250 500 500 500 221' ]]
}

@test "MAILBOX= sets the mailbox that gets the mail" {
	dir=$tmp/{domain}/{mailbox}
	mkdir -p "$tmp/mx.example/alice" "$tmp/other.example/eve"
	options=(--on-recipient 'case $LOCAL in
	    info) echo MAILBOX=alice@mx.example ;;
	    sales+x) printf "some text\nMAILBOX=Eve@Other.Example\nmore\n" ;;
	    esac')
	say "${hello[@]}" 'MAIL FROM:<a@c.example>' 'RCPT TO:<info@mx.example>' \
	    'RCPT TO:<sales+x@mx.example>' 'RCPT TO:<bob@mx.example>' \
	    DATA x . QUIT
	[[ $codes == '220 250 250 250 250 550 354 250 221' ]]
	keeps 1 "$tmp/mx.example/alice"
	keeps 1 "$tmp/other.example/eve"
	[[ $(events message) == *' to=info@mx.example,sales+x@mx.example' ]]
}

@test "a reply may precede MAILBOX=, and the last MAILBOX= counts" {
	dir=$tmp/{mailbox}
	mkdir "$tmp/alice" "$tmp/bob" "$tmp/eve"
	options=(--on-recipient 'echo 250 2.1.5 Redirected; echo MAILBOX=eve@mx.example;
	    echo MAILBOX=alice@mx.example')
	deliver x
	[[ ${lines[3]} == '250 2.1.5 Redirected' ]]
	keeps 1 "$tmp/alice"
	options+=(--on-recipient 'echo MAILBOX=bob@mx.example; exit 99')
	deliver x
	keeps 1 "$tmp/bob"
	keeps 1 "$tmp/alice"
}

@test "MAILBOX= is ignored from a command that rejects, and at other events" {
	options=(--on-recipient 'echo 550 5.1.1 No; echo MAILBOX=alice@mx.example')
	say "${to_bob[@]}" QUIT
	[[ ${lines[3]} == '550 5.1.1 No' ]]
	options=(--on-new-mail 'echo MAILBOX=alice@mx.example;'
	    --on-data 'echo MAILBOX=nonsense;')
	deliver x
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "an invalid MAILBOX= gets 451 and is logged" {
	local bad
	for bad in '' alice '@mx.example' 'a b@mx.example' '<a@mx.example>' \
	    'a@mx.example>' 'a@mx.example x' 'a@b@c' "$(printf '%300s' '')@c"; do
		: >"$log"
		options=(--on-recipient "printf '%s\\n' 'MAILBOX=$bad'")
		say "${to_bob[@]}" QUIT
		[[ ${lines[3]} == '451 4.3.0 '* ]]
		[[ $(events hook-failed) == *' error="invalid address in MAILBOX="' ]]
	done
}

@test "a redirected recipient is checked as it was given, and later commands get it so" {
	options=(--domain mx.example --on-recipient 'echo MAILBOX=eve@other.example'
	    --on-recipient "echo \$RECIPIENT \$SMTP_MAILBOX >$tmp/seen")
	say "${to_bob[@]}" QUIT
	[[ $codes == '220 250 250 250 221' ]]
	[[ $(<"$tmp/seen") == 'bob@mx.example bob' ]]
}
