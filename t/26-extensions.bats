# The limits that EHLO announces, and parameters that depend on the session:
# LIMITS (RFC 9422), REQUIRETLS (RFC 8689), AUTH= (RFC 4954 5), SIZE (RFC 1870).

load helpers

# limits KIND WORDS: these are the limits that are offered; KIND is HELLO
limits() {
	say "${1:-EHLO} c.example" QUIT
	if [[ ${2:-} ]]; then
		grep -qx "250[ -]LIMITS $2" "$tmp/replies"
	else
		lacks LIMITS "$tmp/replies"
	fi
}

@test "LIMITS has the values of the options (RFC 9422 4)" {
	limits EHLO 'MAILMAX=1000 RCPTMAX=1000'
	options=(--max-mails 7 --max-recipients 50)
	limits EHLO 'MAILMAX=7 RCPTMAX=50'
	options=(--max-mails 0 --max-recipients 50)
	limits EHLO RCPTMAX=50
	options=(--max-mails 7 --max-recipients 0)
	limits EHLO MAILMAX=7
	options=(--max-mails 0 --max-recipients 0)
	limits EHLO
	options=(--max-mails 12345678 --max-recipients 0)
	limits EHLO MAILMAX=999999
}

@test "RCPTMAX is 1 with --mda, but not in LMTP (RFC 9422 4.2)" {
	options=(--mda true)
	limits EHLO 'MAILMAX=1000 RCPTMAX=1'
	options=(--mda true --listen lmtp@-)
	limits LHLO 'MAILMAX=1000 RCPTMAX=1000'
}

@test "RCPTMAX is the value of MAXRCPTS in inetd's environment (RFC 9422 4.2)" {
	environment=(MAXRCPTS=3)
	limits EHLO 'MAILMAX=1000 RCPTMAX=3'
}

@test "the values of LIMITS are enforced exactly (RFC 9422 4.1, 4.2)" {
	options=(--max-mails 2 --max-recipients 2)
	say 'EHLO c.example' "${to_bob[@]:1}" 'RCPT TO:<c@mx.example>' \
	    'RCPT TO:<d@mx.example>' RSET 'MAIL FROM:<a@c.example>' RSET \
	    'MAIL FROM:<a@c.example>'
	[[ $codes == '220 250 250 250 250 452 250 250 250 421' ]]
	[[ ${lines[-1]} == '421 4.7.0 '* ]]
}

# offered: print the keywords of the reply to EHLO, sorted
offered() {
	sed -n 's/^250[ -]\([A-Z0-9]*\).*/\1/p' "$tmp/replies" | sort -u
}

@test "each extension can be disabled, with its name in any case" {
	local all name names less
	options=(--auth true --plain-auth --dsn true --tls true
	    --xclient-from 192.0.2.200)
	environment=(TCPREMOTEIP=192.0.2.200)
	say 'EHLO c.example' QUIT
	all=$(offered)
	names=(PIPELINING SIZE 8BITMIME CHUNKING BINARYMIME SMTPUTF8 STARTTLS DSN
	    AUTH XCLIENT LIMITS ENHANCEDSTATUSCODES)
	for name in "${names[@]}"; do
		less=$(grep -vx "$name" <<<"$all")
		# what can't be offered without it
		[[ $name != CHUNKING ]] || less=$(grep -vx BINARYMIME <<<"$less")
		[[ $name != 8BITMIME ]] || less=$(grep -vx SMTPUTF8 <<<"$less")
		options+=(--disable "${name,,}")
		say 'EHLO c.example' QUIT
		diff <(offered) - <<<"$less"
		unset 'options[-1]' 'options[-1]'
	done
	for name in "${names[@]}"; do
		options+=(--disable "$name")
	done
	say 'EHLO c.example' QUIT
	[[ $(offered) == '' && ${lines[1]} == '250 mx.example' ]]
}

@test "a disabled extension's commands and parameters are unknown" {
	local name
	options=(--auth 'true' --plain-auth --dsn true --tls true
	    --xclient-from 192.0.2.200)
	for name in SIZE 8BITMIME CHUNKING STARTTLS DSN AUTH XCLIENT; do
		options+=(--disable "$name")
	done
	environment=(TCPREMOTEIP=192.0.2.200)
	say 'EHLO c.example' STARTTLS 'AUTH PLAIN AGEAYg==' 'XCLIENT NAME=x' QUIT
	[[ $codes == '220 250 500 500 500 221' ]]
	for name in SIZE=1 'AUTH=<>' BODY=8BITMIME BODY=7BIT SMTPUTF8 RET=FULL \
	    ENVID=x; do
		say 'EHLO c.example' "MAIL FROM:<a@c.example> $name" \
		    'MAIL FROM:<a@c.example>' \
		    'RCPT TO:<b@mx.example> NOTIFY=NEVER' QUIT
		[[ $codes == '220 250 555 250 555 221' ]]
	done
	lacks AGEAYg "$log"
}

@test "HELP does not list BDAT where CHUNKING is disabled" {
	say HELP
	[[ ${lines[1]} == *' DATA BDAT RSET '* ]]
	options=(--disable CHUNKING)
	say HELP
	[[ ${lines[1]} == *' DATA RSET '* ]]
}

# cannot_start TEXT OPTION...: a start with these ends with this error
cannot_start() {
	run -64 ./smtpd -i -m "$dir" "${user[@]}" "${@:2}" </dev/null
	echo "$output"
	[[ $output == *"$1"* ]]
}

@test "what is required can't be disabled" {
	local auth=(--auth true --disable auth) tls=(--tls true --disable STARTTLS)
	cannot_start '--require-auth refuses all mail with --disable AUTH' \
	    --require-auth --plain-auth "${auth[@]}"
	cannot_start 'submission refuses all mail with --disable AUTH' \
	    --listen submission@- --plain-auth "${auth[@]}"
	cannot_start 'submission refuses all mail with --disable STARTTLS' \
	    --listen submission@- --auth true "${tls[@]}"
	cannot_start '--require-tls refuses everything with --disable STARTTLS' \
	    --require-tls "${tls[@]}"
	# where a client still can
	options=(--listen submissions@- --auth true --require-tls "${tls[@]}")
	command_line
	"${cmd[@]}" --explain >/dev/null
	options=(--require-auth --xclient-from 192.0.2.0/24 "${auth[@]}")
	command_line
	"${cmd[@]}" --explain | grep -q '^warning: --auth has no effect with --disable AUTH$'
}

@test "the start warns of options for an extension that is disabled" {
	options=(--auth true --plain-auth --dsn true --xclient-from 192.0.2.0/24)
	command_line
	"${cmd[@]}" --explain >"$tmp/explained"
	lacks 'has no effect with' "$tmp/explained"
	"${cmd[@]}" --disable AUTH --disable DSN --disable XCLIENT --explain |
	    grep -o 'warning: .* has no effect with .*' >"$tmp/warned"
	given "$tmp/warned" 'warning: --auth has no effect with --disable AUTH' \
	    'warning: --dsn has no effect with --disable DSN' \
	    'warning: --xclient-from has no effect with --disable XCLIENT'
}

@test "with CHUNKING disabled a chunk is not read as commands" {
	options=(--disable CHUNKING)
	say 'EHLO c.example' "${to_bob[@]:1}" 'BDAT 6 LAST' RSET NOOP DATA x . QUIT
	[[ $codes == '220 250 250 250 500 250 503 500 500 221' ]]
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> BODY=BINARYMIME' \
	    'MAIL FROM:<a@c.example> BODY=8BITMIME' QUIT
	[[ $codes == '220 250 501 250 221' && ${lines[*]} != *BINARYMIME* ]]
}

@test "with REQUIRETLS disabled it is not offered over TLS either" {
	options=(--disable REQUIRETLS)
	by_tls say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example> REQUIRETLS' reply:555 say:QUIT \
	    reply:221 eof
	lacks REQUIRETLS "$tmp/replies"
}

# by_tls ACTION...: a client that came by TLS, as a proxy says
by_tls() {
	environment=(TCPREMOTEIP=192.0.2.200 TCPLOCALIP=127.0.0.1)
	options+=(--proxy-from 192.0.2.200)
	local header='\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1b\xcb\0\x71\x09\xc6\x33\x64\x01\x04\x01\0\x19'
	talk send:"$header\x20\0\x0c\x01\0\0\0\0\x21\0\x04TLS1" reply:220 "$@"
}

@test "REQUIRETLS is offered only inside TLS, and passed to hooks (RFC 8689 3)" {
	options=(--on-new-mail "echo \"\$SENDER \${SMTP_REQUIRETLS-unset}\" >>$tmp/told")
	by_tls say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example> REQUIRETLS' reply:250 say:RSET reply:250 \
	    say:'MAIL FROM:<b@c.example>' reply:250 say:RSET reply:250 \
	    say:'MAIL FROM:<c@c.example> REQUIRETLS=1' reply:'501 5.5.4 ' \
	    say:'MAIL FROM:<c@c.example> REQUIRETLS REQUIRETLS' \
	    reply:'501 5.5.4 ' say:QUIT reply:221 eof
	grep -qx '250[ -]REQUIRETLS' "$tmp/replies"
	given "$tmp/told" 'a@c.example 1' 'b@c.example unset'
}

@test "outside TLS, REQUIRETLS is not offered and gets 555 (RFC 8689 3)" {
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> REQUIRETLS' QUIT
	[[ $codes == '220 250 555 221' ]]
	lacks REQUIRETLS "$tmp/replies"
}

@test "AUTH= of MAIL is checked as xtext and ignored (RFC 4954 5)" {
	local value
	options=(--auth true --plain-auth --max-errors 0)
	for value in '<>' a@c.example 'e+3Dmc2@example.com' '+3C+3e'; do
		say 'EHLO c.example' "MAIL FROM:<a@c.example> AUTH=$value" QUIT
		[[ $codes == '220 250 250 221' ]]
	done
	for value in '' 'a+b' 'a+3g' 'a+0D' 'a+0d' 'a+0A' 'a+00' 'a=b' 'a+3' \
	    $'\xc3\xbc'; do
		say 'EHLO c.example' "MAIL FROM:<a@c.example> AUTH=$value" QUIT
		[[ $codes == '220 250 501 221' && ${lines[-2]} == '501 5.5.4 '* ]]
	done
}

@test "with --max-size 0 any SIZE of up to 64 bits is accepted (RFC 1870 4)" {
	local size
	options=(--max-size 0 --min-free 0)
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> SIZE=18446744073709551616' \
	    'MAIL FROM:<a@c.example> SIZE=18446744073709551615' QUIT
	[[ $codes == '220 250 552 452 221' ]]
	[[ ${lines[-2]} == '452 4.3.1 '* ]]
}

@test "unknown recipients after a valid one count as errors beyond --max-recipients" {
	local rcpt
	users bob
	options=(--max-recipients 10 --max-errors 3)
	mapfile -t rcpt < <(printf 'RCPT TO:<%d@mx.example>\n' {1..20})
	say "${to_bob[@]}" "${rcpt[@]}"
	[[ $codes == "$to_bob_codes$(printf ' 550%.0s' {1..12}) 421" ]]
}
