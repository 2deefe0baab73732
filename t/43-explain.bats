# --explain shows what a start would do, by the same code, and does not start.

load helpers

# explain STATUS ARGUMENT...: $output is the explanation
explain() {
	local want=$1
	shift
	status=0
	env "${environment[@]}" timeout 60 ./smtpd --explain -m "$dir" \
	    -H mx.example "${options[@]}" "$@" </dev/null >"$tmp/explained" \
	    2>"$log" || status=$?
	output=$(<"$tmp/explained")
	echo "$output"
	echo "status $status"
	[[ $status == "$want" ]]
}

# says REGEX: a line of the explanation is all this, blanks being one
says() {
	tr -s ' ' <"$tmp/explained" | sed 's/^ //' | grep -Eqx -- "$1"
}

# part TITLE: the lines below it, as far as the next empty one
part() {
	sed -n "/^$1/,/^\$/{/^$1/d;/^\$/d;p;}" "$tmp/explained"
}

# a listener that would do
listen=(--listen 127.0.0.1:0)

@test "--explain serves no client, leaves no process, and exits 0" {
	explain 0 "${nobody[@]}" "${listen[@]}"
	[[ ! -s $log ]]
	[[ -z $(running "$tmp") ]]
	says 'smtpd would start\.'
	keeps 0
}

@test "the settings that differ from the defaults are shown in their groups, with their origin" {
	explain 0 "${nobody[@]}" "${listen[@]}" --workers 7 -s 64k --read-timeout 90 \
	    --domain one.example --domain two.example --strict
	part Identity | grep -Eqx '  hostname +mx\.example +option'
	part Acceptance | tr -s ' ' >"$tmp/group"
	given "$tmp/group" ' domain one.example option' ' domain two.example option' \
	    ' strict yes option'
	[[ $(part Limits | tr -s ' ') == ' max-size 65536 option' ]]
	[[ $(part Timeouts | tr -s ' ') == ' read-timeout 90s option' ]]
	[[ $(part Workers | tr -s ' ') == ' workers 7 option' ]]
	lacks -e '^Proxies' -e '^  umask' "$tmp/explained"
	grep -Fqx 'Settings that differ from the defaults; -v prints all' "$tmp/explained"
}

@test "with -v each setting is shown" {
	explain 0 "${nobody[@]}" "${listen[@]}" -v -s 64k --workers 7 -d one.example
	says 'max-size 65536 option'
	says 'min-free 131072 default'
	says 'max-per-client 4 default'
	says 'write-timeout 5m default'
	says 'umask 077 default'
	says 'tls none default'
	says 'verbose yes option'
	explain 0 "${nobody[@]}" "${listen[@]}" -v
	says 'domain mx\.example; any for local clients default'
}

@test "with -v every option of --help is in the explanation, in the same order" {
	local listed='^(listen|inetd|show|explain|help|version|on-.*|filter|deliver|mda|dsn)$'
	explain 0 "${nobody[@]}" "${listen[@]}" -v
	./smtpd --help | sed -nE '/^Listening/,/^Options with/s/^(  .{4}--([a-z-]+).*|([A-Z].*))/\2\3/p' |
	    grep -vE "$listed|^Other|^Options" >"$tmp/options"
	sed -nE '/^Listening/,/^Listeners/s/^(  ([a-z-]+).*|([A-Z].*))/\2\3/p' "$tmp/explained" |
	    grep -v '^Listeners' >"$tmp/shown"
	diff "$tmp/options" "$tmp/shown"
	(($(wc -l <"$tmp/shown") > 50))
}

@test "two columns are never run together, however long a value is" {
	local long=a.very.long.name.of.a.domain.example
	explain 0 "${nobody[@]}" --listen "$tmp/sock" --domain "$long"
	grep -Eq "^  domain {16}$long  option$" "$tmp/explained"
	grep -qx "  smtp                  $tmp/sock  option    available" "$tmp/explained"
}

@test "the hostname comes from the system, a Maildir from systemd's directory" {
	mkdir -m 777 "$tmp/state"
	environment=(STATE_DIRECTORY="$tmp/state")
	env "${environment[@]}" timeout 60 ./smtpd --explain "${nobody[@]}" \
	    "${listen[@]}" >"$tmp/explained"
	says 'hostname .+ system'
	says "maildir $tmp/state/./Maildir default, below systemd's .*"
	explain 0 "${nobody[@]}" "${listen[@]}" -m box
	says "maildir $tmp/state/box option, below systemd's .*"
}

@test "limits of tcpserver's rules come from the environment" {
	environment=(DATABYTES=4711)
	explain 0 -i "${user[@]}"
	says 'max-size 4711 environment'
	says 'smtp descriptor 0 option one connection'
}

@test "the extensions shown are those that EHLO offers in clear text" {
	explain 0 -i "${user[@]}"
	part 'EHLO on smtp, in clear' | sed 's/^ *//' >"$tmp/offer"
	say 'EHLO c.example' QUIT
	printf '%s\n' "${lines[@]:1:${#lines[@]}-2}" >"$tmp/said"
	[[ -s $tmp/offer ]]
	diff "$tmp/offer" "$tmp/said"
}

@test "the extensions are shown for each kind of listener, before and inside TLS" {
	explain 0 "${nobody[@]}" "${listen[@]}" --listen submissions@127.0.0.1:0 \
	    --listen lmtp@"$tmp/lmtp" --auth true --tls true
	part 'EHLO on smtp, in clear' | grep -q STARTTLS
	part 'EHLO on smtp, in clear' | lacks AUTH
	part 'EHLO on smtp, encrypted' | grep -q 'AUTH PLAIN LOGIN'
	part 'EHLO on smtp, encrypted' | lacks STARTTLS
	part 'EHLO on submissions, encrypted' | grep -q REQUIRETLS
	part 'LHLO on lmtp, in clear' | grep -q PIPELINING
	lacks 'EHLO on submissions, in clear' "$tmp/explained"
	[[ ! -e $tmp/lmtp ]]
}

@test "a listener that is in use is reported, as is the rest, and the status is 69" {
	serve --listen 127.0.0.1:0
	explain 69 "${nobody[@]}" "${listen[@]}" --listen "${addr[0]}" bob@mx.example
	says "smtp ${addr[0]} option ${addr[0]}: address already in use by .*"
	says 'smtp 127\.0\.0\.1:[0-9]+ option available'
	says "smtpd would not start: --listen ${addr[0]}: .*"
	says 'RCPT 250 2\.1\.5 Ok'
	dial "${addr[0]}" reply:220
}

@test "an error that ends a start ends --explain, with the same text and status" {
	explain 64 "${nobody[@]}" "${listen[@]}" --workers 0
	if ((EUID == 0)); then
		explain 64 --listen 127.0.0.1:0
	fi
	grep -q '^smtpd: started as root: ' "$log" || ((EUID))
}

@test "all problems are reported; the exit status is that of the first" {
	serve --listen 127.0.0.1:0
	explain 69 "${nobody[@]}" "${listen[@]}" --listen "${addr[0]}" \
	    -m "$tmp/no/Maildir" --on-hello /no/such/command \
	    --on-recipient true --auth /no/such/auth --tls /no/such/tls \
	    --plain-auth --status "$tmp/no/status" --transcript "$tmp/no/said" \
	    bob@mx.example
	[[ ! -s $log ]]
	says 'smtp 127\.0\.0\.1:[0-9]+ option available'
	says 'on-hello direct /no/such/command \(not executable\): /no/such/command'
	says 'on-recipient direct .*/true \(executable\): true'
	says 'kept in unavailable; see below'
	says 'warning: --plain-auth .*'
	grep '^smtpd would not start: ' "$tmp/explained" |
	    sed -E 's/^smtpd would not start: (--[a-z-]+|maildir).*/\1/' \
	    >"$tmp/failures"
	given "$tmp/failures" --listen maildir --transcript --on-hello --auth \
	    --tls --status
	lacks 'would start' "$tmp/explained"
	explain 73 "${nobody[@]}" "${listen[@]}" -m "$tmp/no/Maildir"
	says "smtpd would not start: maildir $tmp/no/Maildir: .*"
	explain 73 "${nobody[@]}" "${listen[@]}" --maildir none --deliver true \
	    --spool "$tmp/no" --dsn true bob@mx.example
	says "smtpd would not start: --spool $tmp/no: No such file or directory"
}

@test "commands are shown with their path and how they run, and are not run" {
	hook ran <<-'END'
		touch "$tmp/it-ran"
	END
	explain 0 "${user[@]}" "${listen[@]}" --on-new-connection "$tmp/ran" \
	    --on-hello "$tmp/ran a 'b c'" --on-recipient "$tmp/ran | cat" \
	    --auth true bob@mx.example
	says "on-new-connection direct $tmp/ran \(executable\): $tmp/ran"
	says "on-hello direct $tmp/ran \(executable\): $tmp/ran a 'b c'"
	says "on-recipient sh /bin/sh \(executable\): $tmp/ran \| cat"
	says "auth direct /.*/true \(executable\): true"
	[[ ! -e $tmp/it-ran ]]
}

@test "a missing command is reported" {
	explain 0 "${nobody[@]}" "${listen[@]}"
	[[ $(part Commands) == '  none' ]]
}

@test "the --tls command is tried, with a warning if it does not answer" {
	hook answers <<-'END'
		head -c 121 | cmp - $tmp/hello >&2 || exit
		printf '\026'
	END
	hook lacks_key <<-'END'
		echo 'key.pem: Permission denied' >&2
		echo 'and more' >&2
		exit 1
	END
	hook refuses <<-'END'
		head -c 121 >$tmp/hello
		printf '\025'
	END
	hook crashes <<-'END'
		kill -SEGV $$
	END
	explain 0 "${user[@]}" "${listen[@]}" --tls "$tmp/refuses"
	says 'warning: --tls does not work: it does not answer a client'
	(($(stat -c %s "$tmp/hello") == 121))
	explain 0 "${user[@]}" "${listen[@]}" --tls "$tmp/answers"
	lacks 'does not work' "$tmp/explained"
	explain 0 "${user[@]}" "${listen[@]}" --tls "$tmp/lacks_key"
	says 'warning: --tls does not work: key\.pem: Permission denied'
	explain 0 "${user[@]}" "${listen[@]}" --tls "$tmp/crashes"
	says 'warning: --tls does not work: it does not answer a client'
	[[ ! -s $log && -z $(running "$tmp") ]]
}

@test "the Maildir is shown with its owner, mode and free space" {
	explain 0 "${nobody[@]}" "${listen[@]}"
	says "kept in $dir, one Maildir for all"
	says "owner $(stat -c '%U \(%u:%g\)' "$dir")"
	says 'mode 0700'
	says 'bytes free [0-9]+'
}

@test "an address is explained: its reply, mailbox, hooks and their environment" {
	users bob
	chmod -R a+rwx "$base"
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example --on-recipient 'true x' \
	    --deliver 'cat | cat' Bob+list@mx.example
	says 'RCPT 250 2\.1\.5 Ok'
	says "mailbox $base/bob"
	says 'asks on-recipient: true x'
	says 'asks deliver: cat \| cat'
	says 'on-recipient SMTP_EVENT=on-recipient'
	says 'on-recipient RECIPIENT=Bob\+list@mx\.example'
	says 'on-recipient SMTP_MAILBOX=bob'
	says 'on-recipient EXTENSION=list'
	lacks SMTP_RECIPIENTS "$tmp/explained"
	keeps 0 "$base/bob"
}

@test "message hooks are shown with the recipient, and --on-disconnect without" {
	explain 0 "${nobody[@]}" "${listen[@]}" --on-message true --on-disconnect true \
	    bob@mx.example
	says 'on-message SMTP_RECIPIENTS=bob@mx\.example'
	lacks '^  on-disconnect  *SMTP_' "$tmp/explained"
	explain 0 "${nobody[@]}" "${listen[@]}" --on-disconnect true bob@mx.example
	says 'asks on-disconnect: true'
	lacks '^  on-disconnect  *[A-Z_]*=' "$tmp/explained"
}

@test "a missing mailbox is reported, and a hook that may redirect it is shown" {
	users bob
	chmod -R a+rwx "$base"
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example eve@mx.example
	says 'RCPT 550 5\.1\.1 .*'
	says "mailbox $base/eve, which does not exist"
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example --on-recipient true \
	    eve@mx.example
	says 'RCPT 550 5\.1\.1 .*'
	says "mailbox $base/eve, which does not exist; on-recipient may name another one"
	says 'asks on-recipient: true'
	says 'on-recipient RECIPIENT=eve@mx\.example'
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example .eve@mx.example \
	    eve@elsewhere.example
	lacks '^  mailbox' "$tmp/explained"
}

@test "rejected addresses are shown with the reply that the client would get" {
	users bob
	chmod -R a+rwx "$base"
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example eve@mx.example \
	    bob@other.example 'no address' bob -- --bob@mx.example
	[[ $(grep -c '^  RCPT' "$tmp/explained") == 5 ]]
	says 'RCPT 550 5\.1\.1 .*'
	says 'RCPT 550 5\.7\.1 Relay access denied for .*'
	says 'RCPT 501 5\.1\.3 Bad recipient address syntax'
	explain 0 "${nobody[@]}" "${listen[@]}" --listen submission@127.0.0.1:0 --auth true \
	    --plain-auth bob@other.example
	says 'MAIL 530 5\.7\.0 Authentication required'
	says 'bob@other\.example at submission [^,]*, authenticated'
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example --auth true --tls true \
	    bob@other.example
	says 'bob@other\.example at smtp [^,]*, encrypted, authenticated'
}

@test "there are warnings about risky settings, and none about usual ones" {
	local warned
	explain 0 "${listen[@]}" --user "$(id -un)" \
	    --auth true --plain-auth --trust 0.0.0.0/0 --max-per-client 0
	warned=$(sed -n 's/^warning: //p' "$tmp/explained")
	grep -q '^--plain-auth' <<<"$warned"
	grep -q '^--trust' <<<"$warned"
	grep -q '^one client can occupy all workers' <<<"$warned"
	((EUID != 0)) || grep -q '^network input is parsed as root' \
	    <<<"$warned"
	lacks 'any address' <<<"$warned"
	lacks 'is a proxy' <<<"$warned"
	for warned in --proxy-from --xclient-from; do
		explain 0 "${user[@]}" "${listen[@]}" "$warned" ::/0
		says 'warning: any client may claim another address; .*'
	done
	explain 0 "${listen[@]}" --user "$(id -un)" --lenient-from ::/0
	says 'warning: --lenient-from includes every address, .*'
	explain 0 --listen :0 --user "$(id -un)" --domain '*'
	grep -q '^warning: mail for any domain is accepted from any client' \
	    "$tmp/explained"
	explain 0 --listen 127.0.0.1:0 --auth true --user "$(id -un)"
	grep -q '^warning: AUTH is offered only over TLS' "$tmp/explained"
	rm -rf "$dir"
	explain 0 "${nobody[@]}" "${listen[@]}" --domain mx.example
	# a build with sanitizers can't be confined, and warns of that
	run ! grep -v 'workers are not confined' <(grep '^warning:' "$tmp/explained")
}

@test "there is a warning about a loopback port that accepts any domain" {
	local option
	for option in 127.0.0.1:0 '[::1]:0' :0 0.0.0.0:0 lmtp@127.0.0.1:0; do
		explain 0 "${nobody[@]}" --listen "$option" --hostname mx.example
		says 'warning: local clients may send to any domain, .* --proxy-from'
	done
	for option in '--domain mx.example' '--proxy-from 127.0.0.1 --listen 127.0.0.1:0' \
	    '--listen 127.0.0.1:0 --require-auth --auth true --plain-auth' \
	    '--listen submission@127.0.0.1:0 --auth true --plain-auth' \
	    "--listen $tmp/sock"; do
		# shellcheck disable=SC2086 # options
		explain 0 "${nobody[@]}" ${option/#--domain/--listen 127.0.0.1:0 --domain}
		lacks '^warning: local clients' "$tmp/explained"
	done
}

@test "there is a warning about a port of localhost that accepts any domain" {
	getent hosts localhost >/dev/null ||
	    skip 'localhost has no address here; add it to /etc/hosts'
	explain 0 "${nobody[@]}" --listen localhost:0 --hostname mx.example
	says 'warning: local clients may send to any domain, .* --proxy-from'
}

@test "a client of a proxy on this machine is not local" {
	local option
	for option in '--listen 127.0.0.1:0 --proxy-from 127.0.0.0/8' \
	    "--listen $tmp/sock --proxy-from unix"; do
		# shellcheck disable=SC2086 # options
		explain 0 "${nobody[@]}" $option bob@other.example
		says 'RCPT 550 5\.7\.1 .*'
	done
	explain 0 "${nobody[@]}" --listen "$tmp/sock" bob@other.example
	says 'RCPT 250 .*'
}

@test "there is a warning about a domain without a mailbox for postmaster (RFC 5321 4.5.1)" {
	users bob
	chmod -R a+rwx "$base"
	explain 0 "${nobody[@]}" "${listen[@]}"
	says "warning: postmaster@mx\.example has no mailbox; make $base/postmaster"
	explain 0 "${nobody[@]}" "${listen[@]}" --on-recipient true
	lacks 'has no mailbox' "$tmp/explained"
	mkdir "$base/postmaster"
	explain 0 "${nobody[@]}" "${listen[@]}"
	lacks 'has no mailbox' "$tmp/explained"
	options=(-m "$base/{domain}/{mailbox}")
	explain 0 "${nobody[@]}" "${listen[@]}" -d One.example -d '*'
	[[ $(grep -c 'has no mailbox' "$tmp/explained") == 1 ]]
	says "warning: postmaster@one\.example has no mailbox; make $base/one\.example/postmaster"
}

@test "RCPT TO:<postmaster> needs a mailbox in the directory of the hostname (RFC 5321 4.5.1)" {
	mkdir -p "$tmp/mail/one.example/postmaster"
	chmod -R a+rwx "$tmp/mail"
	options=(-m "$tmp/mail/{domain}/{mailbox}" -d one.example)
	explain 0 "${nobody[@]}" "${listen[@]}"
	says "warning: RCPT TO:<postmaster> would be rejected; make $tmp/mail/mx\.example/postmaster"
	(cd "$tmp/mail" && cp -a one.example mx.example)
	explain 0 "${nobody[@]}" "${listen[@]}"
	lacks postmaster "$tmp/explained"
	options=(-m "$tmp/mail/one.example/{mailbox}" -d one.example)
	explain 0 "${nobody[@]}" "${listen[@]}"
	lacks postmaster "$tmp/explained"
}

@test "there is a warning about --plain-auth without --auth" {
	explain 0 "${nobody[@]}" "${listen[@]}" --plain-auth
	says 'warning: --plain-auth has no effect without --auth'
}

@test "there is a warning about a script whose interpreter is missing" {
	local first
	for first in '#!/no/such/sh' '#! /usr/bin/env no-such-sh' \
	    '#!/usr/bin/env -S no-such-sh -u' $'#!/bin/sh\r'; do
		printf '%s\nexit 0\n' "$first" >"$tmp/script"
		chmod 755 "$tmp/script"
		explain 0 "${user[@]}" "${listen[@]}" --deliver "$tmp/script" \
		    --auth "$tmp/script -x" --tls "$tmp/script"
		for option in deliver auth tls; do
			says "warning: --$option '$tmp/script( -x)?' will fail: its (interpreter .*no.such.sh is missing; .*|first line ends in CR LF; .*)"
		done
	done
	for first in '#!/bin/sh' '#!/usr/bin/env sh' '#! /usr/bin/env -S a=b sh -u' '#!' ''; do
		printf '%s\nexit 0\n' "$first" >"$tmp/script"
		explain 0 "${user[@]}" "${listen[@]}" --deliver "$tmp/script"
		lacks 'will fail' "$tmp/explained"
	done
}

@test "there is a warning about a /dev/null that commands can't use" {
	if ((EUID != 0)) || ! unshare -m true; then
		skip 'this needs root and a mount namespace'
	fi
	: >"$tmp/file"
	unshare -m sh -c 'mount --bind "$1/file" /dev/null; shift; exec "$@"' \
	    - "$tmp" ./smtpd --explain -m "$dir" -H mx.example "${nobody[@]}" -i \
	    --on-hello true </dev/null 2>"$log" >"$tmp/explained" || true
	cat "$tmp/explained"
	says 'warning: there is no /dev/null that uid [0-9]+ can use, so commands will fail; .*'
}

# warned FILE: the log has these warnings, and no other
warned() {
	events warning | sed -E 's/.* text="(.*)"$/\1/' | sort | diff "$1" -
}

@test "a start logs the warnings of --explain, a line each" {
	hook lacks_key <<-'END'
		echo 'key.pem: Permission denied' >&2
		exit 1
	END
	users bob
	chmod -R a+rwx "$base"
	options=("${listen[@]}" "${user[@]}" --tls "$tmp/lacks_key" --plain-auth
	    --trust 0.0.0.0/0 --workers 2 --max-per-client 0 --min-free 1000000G)
	explain 0
	sed -n 's/^warning: //p' "$tmp/explained" | sort >"$tmp/warnings"
	(($(wc -l <"$tmp/warnings") >= 6))
	serve "${options[@]}"
	eventually warned "$tmp/warnings"
}

@test "a start does not wait for a --tls command that does not answer" {
	hook waits <<-'END'
		cat >/dev/null
	END
	serve "${listen[@]}" "${user[@]}" --tls "$tmp/waits" -d mx.example
	dial "${addr[0]}" reply:220 say:QUIT reply:221
	end_daemon
	eventually silent
}

# silent: no command of the test runs
silent() {
	[[ -z $(running "$tmp") ]]
}

@test "addresses without --explain: 64" {
	run -64 timeout 60 ./smtpd -i "${user[@]}" bob@mx.example
	[[ $output == "smtpd: unexpected argument 'bob@mx.example'"* ]]
}
