# The hooks of contrib/hooks with programs that misbehave: input from a client
# is passed on as one clean line, and nothing is done in part.  t/real tests
# them with the real programs.

load helpers

# stub NAME: standard input becomes that program, in front of all others
stub() {
	mkdir -p "$tmp/bin"
	{
		echo '#!/bin/sh'
		cat
	} >"$tmp/bin/$1"
	chmod 755 "$tmp/bin/$1"
	environment=("PATH=$tmp/bin:$PATH" "TMPDIR=$tmp" "OF_TEST=$tmp"
	    TCPREMOTEIP=192.0.2.3)
}

# ready NAME: the path of a hook
ready() {
	printf '%s/contrib/hooks/%s\n' "$PWD" "$1"
}

@test "no hook uses echo, which may turn \\n into a line break" {
	lacks -nE '^[^#]*\becho\b' contrib/hooks/*
}

@test "spf: one line of spfquery's output becomes a field, without control characters" {
	stub spfquery <<-'EOT'
		printf 'softfail\nReceived-SPF: pass (by the explanation)\n'
		printf 'HEADER=X-Forged: yes\n'
		printf 'Received-SPF: softfail "x\\nHEADER=X-Forged: yes"\a\r\303\274;\n'
	EOT
	options=(--on-new-mail "$(ready spf)")
	deliver 'Subject: x' '' body
	[[ $(header Received-SPF) == 'softfail "x\nHEADER=X-Forged: yes";' ]]
	lacks -e '^X-Forged' -e '^HEADER' "$(message "$dir")"
}

@test "spf: the sender is on no command line, and its domain has A-labels" {
	stub spfquery <<-'EOT'
		tr '\0' ' ' </proc/$$/cmdline >"$OF_TEST/words"
		cat >>"$OF_TEST/asked"
		printf 'Received-SPF: none\n'
	EOT
	options=(--on-new-mail "$(ready spf)")
	say 'EHLO c.example' 'MAIL FROM:<bounce+a=b@Bücher.example> SMTPUTF8' RSET \
	    'MAIL FROM:<"a b; c"@c.example>' RSET 'MAIL FROM:<>' QUIT
	[[ $codes != *' '[45]* ]]
	printf '192.0.2.3 %s c.example\n' 'bounce+a=b@xn--bcher-kva.example' \
	    postmaster@c.example postmaster@c.example | cmp - "$tmp/asked"
	grep -q -e -file "$tmp/words"
	lacks -e '[^x]\.example' -e bounce "$tmp/words"
}

@test "recipients: a recipient is on no command line" {
	local real
	real=$(command -v grep)
	stub grep <<-EOT
		tr '\\0' ' ' </proc/\$\$/cmdline >>"\$OF_TEST/words"
		exec $real "\$@"
	EOT
	echo bob@mx.example >"$tmp/list"
	options=(--on-recipient "$(ready recipients) $tmp/list")
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' QUIT
	[[ $codes == "$to_bob_codes 550 221" ]]
	[[ -s $tmp/words ]]
	lacks -e mx.example -e bob "$tmp/words"
}

# In between, the first one's file is there, and empty.
@test "greylist: two clients at once don't damage each other's entry" {
	local hook run=(env TCPREMOTEIP=192.0.2.3 SENDER=a@c.example
	    RECIPIENT=b@mx.example) rc=0
	hook=$(ready greylist)
	mkdir "$tmp/list"
	"${run[@]}" "$hook" "$tmp/list" >"$tmp/said" || rc=$?
	((rc == 75))
	: >"$(echo "$tmp"/list/*)"
	rc=0
	"${run[@]}" "$hook" "$tmp/list" >"$tmp/said" || rc=$?
	((rc == 75))
	[[ $(<"$tmp/said") == '451 4.7.1 Greylisted, '* ]]
	[[ $(cat "$tmp"/list/*) =~ ^[0-9]+$ ]]
}

@test "greylist: twenty clients at once are all greylisted, and leave one entry" {
	local hook i
	hook=$(ready greylist)
	mkdir "$tmp/list" "$tmp/said"
	for ((i = 0; i < 20; i++)); do
		TCPREMOTEIP=192.0.2.3 SENDER=a@c.example RECIPIENT=b@mx.example \
		    "$hook" "$tmp/list" >"$tmp/said/$i" 3>&- &
	done
	wait
	(($(cat "$tmp"/said/* | grep -c '^451 4\.7\.1 Greylisted') == 20))
	(($(find "$tmp/list" -type f | wc -l) == 1))
}

@test "greylist: an entry from the future counts from now" {
	local hook entry
	hook=$(ready greylist)
	export TCPREMOTEIP=192.0.2.3 SENDER=a@c.example RECIPIENT=b@mx.example
	mkdir "$tmp/list"
	"$hook" "$tmp/list" || true
	entry=$(echo "$tmp"/list/*)
	echo $(($(date +%s) + 31536000)) >"$entry"
	"$hook" "$tmp/list" >"$tmp/said" || true
	[[ $(<"$tmp/said") == '451 4.7.1 Greylisted, '* ]]
	(($(<"$entry") <= $(date +%s)))
}

@test "greylist: a damaged entry is replaced, and a missing directory defers" {
	local hook entry rc=0
	hook=$(ready greylist)
	export TCPREMOTEIP=192.0.2.3 SENDER=a@c.example RECIPIENT=b@mx.example
	mkdir "$tmp/list"
	"$hook" "$tmp/list" || true
	entry=$(echo "$tmp"/list/*)
	echo 'x[$(touch '"$tmp"'/x)]' >"$entry"
	"$hook" "$tmp/list" >"$tmp/said" || true
	[[ $(<"$tmp/said") == '451 4.7.1 Greylisted, '* ]]
	[[ $(<"$entry") =~ ^[0-9]+$ && ! -e $tmp/x ]]
	echo 1 >"$entry"
	"$hook" "$tmp/list"
	rm -r "$tmp/list"
	"$hook" "$tmp/list" >"$tmp/said" 2>/dev/null || rc=$?
	((rc == 75)) && [[ ! -s $tmp/said ]]
}

@test "greylist: an entry is named by a hash, so that none can be guessed from another" {
	local hook names
	hook=$(ready greylist)
	export TCPREMOTEIP=192.0.2.3 SENDER=a@c.example
	mkdir "$tmp/list"
	RECIPIENT=b@mx.example "$hook" "$tmp/list" || true
	RECIPIENT=c@mx.example "$hook" "$tmp/list" || true
	names=$(ls "$tmp/list")
	(($(grep -cxE '[0-9a-f]{64}' <<<"$names") == 2))
}

# hand_over_half HOOK WORD...: a message whose reading ends by an error half way
hand_over_half() {
	stub cat <<-'EOT'
		head -n 1
		exit 1
	EOT
	printf 'Subject: x\n\nbody\n' >"$tmp/mail"
	env "${environment[@]}" SMTP_ID=1 SENDER=a@c.example \
	    SMTP_RECIPIENTS=b@mx.example "$@" <"$tmp/mail"
}

@test "nats, http: a message that can't be read completely is not published" {
	local rc
	stub mosquitto_pub <<-'EOT'
		echo mosquitto_pub >>"$OF_TEST/published"
	EOT
	stub curl <<-'EOT'
		echo curl >>"$OF_TEST/published"
		echo 200
	EOT
	for hook in 'nats topic' 'http http://127.0.0.1'; do
		rc=0
		# shellcheck disable=SC2086 # words
		hand_over_half contrib/hooks/$hook || rc=$?
		((rc == 75))
	done
	[[ ! -e $tmp/published ]]
	# nor is a copy left
	[[ -z $(find "$tmp" -name 'tmp.*') ]]
	# and it is, where it can be read
	rm "$tmp/bin/cat"
	for hook in 'nats topic' 'http http://127.0.0.1'; do
		# shellcheck disable=SC2086 # words
		env "${environment[@]}" SMTP_ID=1 SMTP_RECIPIENTS=b@mx.example \
		    contrib/hooks/$hook <"$tmp/mail"
	done
	[[ $(<"$tmp/published") == $'mosquitto_pub\ncurl' ]]
}

@test "procmail: a hook that is ended while it copies leaves no copy" {
	stub cat <<-'EOT'
		kill -TERM "$PPID"
	EOT
	rc=0
	env "${environment[@]}" SENDER=a@c.example SMTP_MAILBOX=b \
	    contrib/hooks/procmail "$tmp/rc" </dev/null || rc=$?
	((rc == 75))
	[[ -z $(find "$tmp" -name 'tmp.*') ]]
}

# policy ACTION: what the hook makes of this answer of a policy server; an
# argument with line breaks is the whole answer
policy() {
	case $1 in
	*$'\n'*) printf %s "$1" ;;
	*) printf 'action=%s\n\n' "$1" ;;
	esac >"$tmp/answer"
	status=0
	env SMTP_EVENT=on-recipient SMTP_PROTOCOL=ESMTP SMTP_ID=1.1 \
	    SENDER=a@c.example RECIPIENT=b@mx.example SMTP_HELO=c.example \
	    "${environment[@]}" contrib/hooks/policy "${server-unix:/server}" \
	    >"$tmp/said" 2>"$tmp/complaint" || status=$?
	printf '%s: %s %s\n' "$1" "$status" "$(<"$tmp/said")"
}

# stub_policy_server: socat hands the request to $tmp/asked, and has $tmp/answer
stub_policy_server() {
	stub socat <<-'EOT'
		printf '%s\n' "$@" >"$OF_TEST/words"
		cat >"$OF_TEST/asked"
		cat "$OF_TEST/answer"
	EOT
}

@test "policy: each action of a policy server has its exit status and reply" {
	local action want said
	stub_policy_server
	while IFS=';' read -r action want said; do
		policy "$action"
		[[ $status == "$want" && $(<"$tmp/said") == "$said" ]]
		[[ ! -s $tmp/complaint ]]
	done <<-'EOT'
		DUNNO;0;
		dunno;0;
		DUNNO as before;0;
		OK;99;
		12345;99;
		REJECT;100;554 5.7.1 Access denied
		REJECT Not wanted;100;554 5.7.1 Not wanted
		reject 5.7.9 Not wanted;100;554 5.7.9 Not wanted
		REJECT 4.7.9;100;554 5.7.9 Access denied
		DEFER;75;450 4.7.1 Access denied
		DEFER 4.2.2 Later;75;450 4.2.2 Later
		DEFER_IF_PERMIT Greylisted, see http://h.example/;75;450 4.7.1 Greylisted, see http://h.example/
		550;100;550 5.7.1 Access denied
		550 5.7.23 SPF fail;100;550 5.7.23 SPF fail
		452 4.2.2 Mailbox is full;75;452 4.2.2 Mailbox is full
		421 4.7.0 Go;75;421 4.7.0 Go
		521 Go;100;521 5.7.1 Go
		471 Later;75;450 4.7.1 Later
		571 No;100;554 5.7.1 No
		550 3.7.1 No;100;550 5.7.1 3.7.1 No
		550 5.7.1234 No;100;550 5.7.1 5.7.1234 No
		PREPEND Received-SPF: pass (x);0;HEADER=Received-SPF: pass (x)
		prepend  X-A:	b;0;HEADER=X-A: b
		DISCARD;0;DISCARD=by the policy server
		DISCARD trap;0;DISCARD=trap
	EOT
}

@test "policy: actions that need a queue are logged and pass, an unknown one defers" {
	local action
	stub_policy_server
	for action in HOLD 'HOLD look' 'REDIRECT x@y.example' 'FILTER smtp:x' \
	    'BCC x@y.example' DEFER_IF_REJECT; do
		policy "$action"
		((status == 0)) && [[ ! -s $tmp/said ]]
		[[ $(<"$tmp/complaint") == "unsupported, ignored: $action" ]]
	done
	for action in 'WARN look' 'INFO look'; do
		policy "$action"
		((status == 0)) && [[ ! -s $tmp/said && $(<"$tmp/complaint") == look ]]
	done
	for action in permit_sasl_authenticated '250 Ok' '5500 x' REJECTED; do
		policy "$action"
		((status == 75)) && [[ ! -s $tmp/said ]]
		[[ $(<"$tmp/complaint") == "unknown action: $action" ]]
	done
}

@test "policy: a missing or incomplete answer defers, and only the first action counts" {
	local answer
	stub_policy_server
	for answer in $'\n' $'action=\n\n' $'action=OK\n' $'x=y\n\n' \
	    $'\naction=OK\n\n'; do
		policy "$answer"
		((status == 75)) && [[ ! -s $tmp/said ]]
		[[ $(<"$tmp/complaint") == 'no answer from the policy server' ]]
	done
	policy $'x=y\naction=REJECT No\naction=OK\n\n'
	[[ $(<"$tmp/said") == '554 5.7.1 No' ]]
	policy $'action=REJECT x\\nHEADER=X: y\a\r\303\274\n\n'
	[[ $(<"$tmp/said") == '554 5.7.1 x\nHEADER=X: y' ]]
}

# asks NAME VALUE: the request has this attribute
asks() {
	[[ $(sed -n "s/^$1=//p" "$tmp/asked") == "$2" ]]
}

@test "policy: the request has Postfix's attributes, and only the server is on a command line" {
	stub_policy_server
	policy OK
	[[ $(head -n 1 "$tmp/asked") == request=smtpd_access_policy ]]
	[[ -z $(tail -n 1 "$tmp/asked") ]]
	(($(grep -c '^$' "$tmp/asked") == 1))
	lacks -vE '^[a-z_]+=|^$' "$tmp/asked"
	asks protocol_state RCPT
	asks protocol_name ESMTP
	asks sender a@c.example
	asks recipient b@mx.example
	asks recipient_count 0
	asks helo_name c.example
	asks client_address 192.0.2.3
	asks client_name unknown
	asks instance 1.1
	asks size 0
	grep -qx UNIX-CONNECT:/server "$tmp/words"
	lacks -e mx.example -e c.example "$tmp/words"
	environment+=(SMTP_PROTOCOL=UTF8SMTPSA SMTP_SIZE=17 TCPREMOTEHOST=h.example
	    SMTP_USER=joe SMTP_AUTH=PLAIN SSL_PROTOCOL=TLSv1.3 SSL_CIPHER=x)
	server='inet:[::1]:10023' policy OK
	grep -qx 'TCP:\[::1\]:10023' "$tmp/words"
	asks protocol_name ESMTP
	asks size 17
	asks client_name h.example
	asks sasl_username joe
	asks sasl_method PLAIN
	asks encryption_protocol TLSv1.3
	environment+=(SMTP_PROTOCOL=LMTPS TCPREMOTEIP=)
	policy OK
	asks protocol_name LMTP
	asks client_address 127.0.0.1
}

@test "policy: at the end of a message the request has a single recipient, or their number" {
	stub_policy_server
	environment+=(SMTP_EVENT=on-message SMTP_SIZE=17 RECIPIENT=
	    SMTP_RECIPIENTS='"* x"@mx.example')
	policy OK
	asks protocol_state END-OF-MESSAGE
	asks recipient '"* x"@mx.example'
	asks recipient_count 1
	environment+=(SMTP_EVENT=on-data SMTP_RECIPIENTS=$'b@mx.example\nc@mx.example')
	policy OK
	asks protocol_state DATA
	asks recipient ''
	asks recipient_count 2
	environment+=(SMTP_EVENT=on-new-mail)
	policy OK
	asks protocol_state MAIL
	environment+=(SMTP_EVENT=filter)
	policy OK
	((status == 64))
	environment+=(SMTP_EVENT=on-data)
	for server in '' /server unix: inet:10023; do
		policy OK
		((status == 64))
	done
}

# htpasswd computes no hash for a name that it does not find.
@test "auth-htpasswd: an unknown user costs one hash, as a known one does" {
	local name rc
	stub htpasswd <<-'EOT'
		echo "$*" >>"$OF_TEST/computed"
		read -r password
		[ "$password" = secret ] || exit 3
	EOT
	printf '%s\n' '# x:y' joe:x ann:y >"$tmp/passwords"
	for name in joe ann eve 0 'a b'; do
		for password in secret wrong; do
			rc=0
			printf '%s\0%s\0' "$name" "$password" >"$tmp/credentials"
			env "${environment[@]}" contrib/hooks/auth-htpasswd \
			    "$tmp/passwords" true 3<"$tmp/credentials" || rc=$?
			case $name/$password in
			joe/secret | ann/secret) ((rc == 0)) ;;
			*) ((rc == 1)) ;;
			esac
		done
	done
	printf -- "-vi $tmp/passwords %s\n" joe joe ann ann joe joe joe joe joe joe |
	    cmp - "$tmp/computed"
}

# auth_dovecot ANSWER: what the hook makes of this answer of Dovecot's, with
# tabs for commas
auth_dovecot() {
	{
		printf 'VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nDONE\n'
		tr , '\t' <<<"$1"
	} >"$tmp/answer"
	printf 'joe\0s3cret\0t\0' >"$tmp/credentials"
	status=0
	env "${environment[@]}" contrib/hooks/auth-dovecot /socket true \
	    3<"$tmp/credentials" 2>"$tmp/complaint" || status=$?
	echo "$1: $status"
}

@test "auth-dovecot: success, failure and a failed lookup have their exit statuses" {
	local answer
	stub_policy_server
	auth_dovecot OK,1,user=joe
	((status == 0))
	for answer in OK,1,user=joe,nologin OK,1,nologin,reason=x \
	    FAIL,1 FAIL,1,user=joe,authz FAIL,1,code=pass_expired; do
		auth_dovecot "$answer"
		((status == 1)) && [[ ! -s $tmp/complaint ]]
	done
	for answer in FAIL,1,user=joe,temp FAIL,1,code=temp_fail CONT,1,x '' OKAY; do
		auth_dovecot "$answer"
		((status == 111)) && [[ -s $tmp/complaint ]]
	done
}

@test "auth-dovecot: the password is on no command line and in no environment" {
	local real
	stub_policy_server
	real=$(command -v base64)
	stub base64 <<-EOT
		tr '\\0' '\\n' <"/proc/\$\$/environ" >"\$OF_TEST/base64"
		printf '%s\\n' "\$@" >>"\$OF_TEST/base64"
		exec $real
	EOT
	auth_dovecot OK,1,user=joe
	((status == 0))
	[[ $(tail -n 1 "$tmp/asked") == *$'\tresp=AGpvZQBzM2NyZXQ=' ]]
	[[ -s $tmp/base64 && -s $tmp/words ]]
	lacks -e s3cret -e AGpvZQ "$tmp/base64" "$tmp/words"
}

@test "complete: missing Date and Message-ID are added, and nothing else changes" {
	local fields i=0 want
	options=(--filter "$(ready complete)")
	for fields in '' 'Date: Sat, 28 Nov 2026 10:00:00 +0000' 'MESSAGE-ID : <1@c.example>' \
	    $'message-id:\r\n <1@c.example>\r\ndate : x' $'X: y\r\nnot a field\r\nDate: x' \
	    $'X-Date: x\r\nResent-Date: x\r\nSubject: Date: x\r\n\tMessage-ID: x'; do
		rm -rf "$dir"
		printf '%s\r\n' "${to_bob[@]}" DATA >"$tmp/in"
		printf '%s\r\n' ${fields:+"$fields"} 'Subject: caf\303\251' '' >"$tmp/mail"
		printf 'Date: in the body\r\n\302\377 \001..\r\n\r\nlast \r\n' >>"$tmp/mail"
		cat "$tmp/mail" >>"$tmp/in"
		printf '.\r\nQUIT\r\n' >>"$tmp/in"
		feed "$tmp/in"
		[[ $codes == "$to_bob_codes 354 250 221" ]]
		tr -d '\r' <"$tmp/mail" >"$tmp/want"
		tail -c "$(wc -c <"$tmp/want")" "$(message)" | cmp - "$tmp/want"
		# above it are our fields, and the two if they were missing
		head -c "-$(wc -c <"$tmp/want")" "$(message)" >"$tmp/above"
		want=$(case $i in 0 | 5) echo 'Date Message-ID' ;; 1) echo Message-ID ;;
		    2) echo Date ;; 3) ;; 4) echo Message-ID ;; esac)
		[[ $(sed -n 's/^\(Date\|Message-ID\): .*/\1/p' "$tmp/above" | paste -sd ' ') == "$want" ]]
		lacks -Ev $'^(Return-Path|Delivered-To|Received|Date|Message-ID): |^[ \t]' "$tmp/above"
		i=$((i + 1))
	done
	((i == 6))
	rm -rf "$dir"
	deliver 'Subject: x' '' body
	date -d "$(header Date)" >/dev/null
	[[ $(header Date) =~ ^(Mon|Tue|Wed|Thu|Fri|Sat|Sun),\ [0-9]{2}\ [A-Z][a-z]{2}\ [0-9]{4}\ [0-9:]{8}\ [+-][0-9]{4}$ ]]
	[[ ${lines[5]} == *" $(header Message-ID | sed 's/^<\(.*\)@mx.example>$/\1/')" ]]
}

@test "complete: messages without a header, with CR LF or without a final line end stay as they are" {
	options=(--filter "$(ready complete)")
	deliver 'no header at all'
	[[ $(sed -n '1,/^$/d;p' "$(message)") == 'no header at all' ]]
	[[ $(header Date) && $(header Message-ID) ]]
	rm -rf "$dir"
	printf '%s\r\n' 'EHLO c.example' 'MAIL FROM:<a@c.example> BODY=BINARYMIME' \
	    "${to_bob[2]}" 'BDAT 22 LAST' >"$tmp/in"
	printf 'Subject: x\r\n\r\na\0b\nc\r\nd' >>"$tmp/in"
	feed "$tmp/in"
	[[ $codes == '220 250 250 250 250' ]]
	tail -c 22 "$(message)" | cmp - <(printf 'Subject: x\r\n\r\na\0b\nc\r\nd')
	[[ $(header Date) && $(header Message-ID) ]]
}

# crowd N OPTION...: N clients send a message each, at once; their replies to
# DATA are in $tmp/crowd/
crowd() {
	local i n=$1
	serve -l 127.0.0.1:0 -n "$n" --user "$(id -un)" "${@:2}"
	mkdir -p "$tmp/crowd"
	for ((i = 0; i < n; i++)); do
		t/smtpc -c "${addr[0]}" -- reply say:'HELO c.example' reply:250 \
		    say:"MAIL FROM:<a$i@c.example>" reply:250 say:"${to_bob[2]}" reply:250 \
		    say:DATA reply say:"Subject: $i" say: say:body say:. reply \
		    say:QUIT reply:221 >"$tmp/crowd/$i" 2>&1 3>&- 4>&- &
		strays[$!]=$(started $!)
	done
	for i in "${!strays[@]}"; do wait "$i" || true; done
	end_daemon
}

@test "complete: thirty messages at once each get their own Message-ID and keep their text" {
	crowd 30 --filter "$(ready complete)"
	keeps 30
	cat "$dir"/new/* >"$tmp/all"
	(($(grep -c '^Message-ID: <' "$tmp/all") == 30))
	(($(grep '^Message-ID: <' "$tmp/all" | sort -u | wc -l) == 30))
	(($(grep -c '^Date: ' "$tmp/all") == 30))
	(($(grep '^Subject: ' "$tmp/all" | sort -u | wc -l) == 30 && $(grep -cx body "$tmp/all") == 30))
}

@test "ratelimit: of forty messages at once exactly the limit is accepted" {
	mkdir "$tmp/rates"
	crowd 40 --on-data "$(ready ratelimit) $tmp/rates 15 3600"
	keeps 15
	(($(cat "$tmp"/crowd/* | grep -c '^450 4\.7\.1 Too many messages, the limit is 15 in 3600 seconds') == 25))
	[[ -z $(events hook-failed) ]]
	# one client, one file, of as many lines
	(($(find "$tmp/rates" -type f | wc -l) == 1 && $(cat "$tmp"/rates/* | wc -l) == 15))
}

# allowed NAME=VALUE...: the client or user may send
allowed() {
	env "$@" contrib/hooks/ratelimit "$tmp/rates" 2 3600 >"$tmp/said"
	[[ ! -s $tmp/said ]]
}

# limited NAME=VALUE...: the client or user is above the limit of 2
limited() {
	env "$@" contrib/hooks/ratelimit "$tmp/rates" 2 3600 >"$tmp/said" && return 1
	grep -q '^450 4\.7\.1 ' "$tmp/said"
}

@test "ratelimit: a message that waits for the lock counts those before it" {
	local hook list later rc=0
	hook=$(ready ratelimit)
	export TCPREMOTEIP=192.0.2.3
	mkdir "$tmp/rates"
	"$hook" "$tmp/rates" 1 3600
	list=$(echo "$tmp"/rates/*)
	exec 8<>"$list"
	flock 8
	"$hook" "$tmp/rates" 1 3600 >"$tmp/said" 3>&- 4>&- 8>&- &
	eventually grep -q -- "-> FLOCK .*:$(stat -c %i "$list") " /proc/locks
	# one that came later is accepted before it
	later=$(($(date +%s) + 1))
	echo "$later" >"$list"
	eventually eval '(($(date +%s) >= later))'
	exec 8>&-
	wait "$!" || rc=$?
	((rc == 75))
	grep -q '^450 4\.7\.1 ' "$tmp/said"
}

@test "ratelimit: clients and users are counted separately, IPv6 clients by /64" {
	local who
	mkdir "$tmp/rates"
	for who in TCPREMOTEIP=192.0.2.1 TCPREMOTEIP=192.0.2.2 SMTP_USER=joe SMTP_USER=192.0.2.1; do
		allowed "$who"
		allowed "$who"
		limited "$who"
	done
	# a user counts, wherever it comes from
	limited SMTP_USER=joe TCPREMOTEIP=192.0.2.9
	limited SMTP_USER=Joe TCPREMOTEIP=192.0.2.9
	allowed TCPREMOTEIP=192.0.2.9
	allowed TCPREMOTEIP=2001:db8::1
	allowed TCPREMOTEIP=2001:db8:0:0:8::2
	limited TCPREMOTEIP=2001:db8::3:4
	allowed TCPREMOTEIP=2001:db8:0:1::1
	# no address: not limited
	allowed SMTP_ID=1
	allowed SMTP_ID=1
	allowed SMTP_ID=1
}

@test "ratelimit: old or damaged entries don't count, and a missing directory defers" {
	local file rc=0 now
	mkdir "$tmp/rates"
	allowed TCPREMOTEIP=192.0.2.1
	file=$(echo "$tmp"/rates/*)
	now=$(date +%s)
	printf '%s\n' $((now - 3601)) $((now + 99999)) 'x[$(touch '"$tmp"'/x)]' '' >"$file"
	allowed TCPREMOTEIP=192.0.2.1
	allowed TCPREMOTEIP=192.0.2.1
	limited TCPREMOTEIP=192.0.2.1
	[[ ! -e $tmp/x && $(wc -l <"$file") == 2 ]]
	rm -r "$tmp/rates"
	TCPREMOTEIP=192.0.2.1 contrib/hooks/ratelimit "$tmp/rates" >"$tmp/said" 2>/dev/null || rc=$?
	((rc == 75 || rc == 2)) && [[ ! -s $tmp/said ]]
}

@test "greylist: clients in one IPv6 /64 share an entry" {
	local hook
	hook=$(ready greylist)
	mkdir "$tmp/list"
	export SENDER=a@c.example RECIPIENT=b@mx.example
	TCPREMOTEIP=2001:db8::1 "$hook" "$tmp/list" || true
	TCPREMOTEIP=2001:db8::2:1 "$hook" "$tmp/list" || true
	(($(find "$tmp/list" -type f | wc -l) == 1))
	TCPREMOTEIP=2001:db8:0:1::1 "$hook" "$tmp/list" || true
	(($(find "$tmp/list" -type f | wc -l) == 2))
}

@test "aliases: a catch-all applies only to recipients without a Maildir and an alias" {
	users bob eve all
	mkdir -p "$base/mx.example"/{ann,all}
	printf '%s\n' '@mx.example all@mx.example' 'eve@mx.example bob@mx.example' >"$tmp/list"
	options=(--on-recipient "$(ready aliases) $tmp/list '$dir'")
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' 'RCPT TO:<tom@mx.example>' \
	    'RCPT TO:<Bob+x@mx.example>' 'RCPT TO:<"../bob"@mx.example>' \
	    'RCPT TO:<"{domain}"@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 250 250 250 250 354 250 221" ]]
	keeps 1 "$base/bob"
	keeps 0 "$base/eve"
	keeps 1 "$base/all"
	# with domains
	dir=$base/{domain}/{mailbox}
	options=(--on-recipient "$(ready aliases) $tmp/list '$dir'")
	say "${to_bob[@]:0:2}" 'RCPT TO:<ann@mx.example>' 'RCPT TO:<tom@MX.example>' DATA x . QUIT
	keeps 1 "$base/mx.example/ann"
	keeps 1 "$base/mx.example/all"
	# without the path it is for all, as before
	dir=$base/{mailbox}
	options=(--on-recipient "$(ready aliases) $tmp/list")
	say "${to_bob[@]:0:2}" 'RCPT TO:<bob@mx.example>' DATA x . QUIT
	keeps 1 "$base/bob"
	keeps 2 "$base/all"
}

@test "spamassassin, rspamd: with --folder spam is marked and filed, not rejected" {
	local action
	stub spamc <<-'EOT'
		cat >/dev/null
		echo "$*" >"$OF_TEST/words"
		echo 9.9/5.0
		exit 1
	EOT
	options=(--on-message "$(ready spamassassin) --folder Junk -s 999")
	deliver 'Subject: x' '' body
	keeps 0
	[[ $(header X-Spam-Flag "$(message "$dir/.Junk")") == YES ]]
	[[ $(header X-Spam-Score "$(message "$dir/.Junk")") == 9.9/5.0 ]]
	[[ $(<"$tmp/words") == '-x -c -s 999' ]]
	for action in 'add header' 'rewrite subject' reject; do
		rm -rf "$dir"
		echo "Action: $action" >"$tmp/action"
		stub rspamc <<-'EOT'
			cat "$OF_TEST/action"
		EOT
		options=(--on-message "$(ready rspamd) --folder Spam.Sure")
		deliver 'Subject: x' '' body
		keeps 0
		[[ $(header X-Spam "$(message "$dir/.Spam.Sure")") == yes ]]
	done
	rm -rf "$dir"
	echo 'Action: no action' >"$tmp/action"
	deliver 'Subject: x' '' body
	keeps 1
	echo 'Action: greylist' >"$tmp/action"
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 451 221" ]]
	echo 'Action: reject' >"$tmp/action"
	options=(--on-message "$(ready rspamd)")
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 554 221" ]]
}
