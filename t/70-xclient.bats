# XCLIENT (Postfix's XCLIENT_README): a permitted proxy gives its client's
# attributes, and the session starts again.  --resolve looks up names.

load helpers

proxy=192.0.2.200	# who speaks with us in these tests
attributes='NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT'
told=(TCPREMOTEHOST TCPREMOTEIP TCPREMOTEPORT TCPLOCALIP TCPLOCALPORT
    SMTP_HELO SMTP_USER SMTP_AUTH)

# behind_proxy: the client of say is a proxy
behind_proxy() {
	environment=(TCPREMOTEIP="$proxy" TCPREMOTEPORT=1 TCPLOCALIP=127.0.0.1)
	options=(-v --xclient-from 192.0.2.192/26
	    --on-new-mail "env >$tmp/env")
}

# told_of ATTRIBUTE...: a session with these, that all are taken, as far as MAIL
told_of() {
	behind_proxy
	say 'EHLO proxy.example' "XCLIENT $*" 'EHLO c.example' \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 220 250 250 221' ]]
}

# refused ATTRIBUTES: they are 501, and nothing has changed
refused() {
	behind_proxy
	say 'EHLO proxy.example' "XCLIENT $1" 'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 501 250 221' && ${lines[*]} == *'501 5.5.4 '* ]]
	is_client - "$proxy" 1 127.0.0.1 - proxy.example - -
}

@test "EHLO offers XCLIENT to clients in --xclient-from only" {
	behind_proxy
	say 'EHLO proxy.example' QUIT
	[[ ${lines[*]} == *"250-XCLIENT $attributes "* ||
	    ${lines[*]} == *"250 XCLIENT $attributes "* ]]
	environment=(TCPREMOTEIP=192.0.2.191)
	say 'EHLO c.example' "XCLIENT ADDR=203.0.113.9" \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ ${lines[*]} != *"XCLIENT $attributes"* ]]
	[[ $codes == '220 250 550 250 221' && ${lines[*]} == *'550 5.7.0 '* ]]
	is_client - 192.0.2.191 - - - c.example - -
	environment=()
	say 'XCLIENT ADDR=203.0.113.9' QUIT
	[[ $codes == '220 550 221' ]]
}

@test "after XCLIENT the client has the given attributes" {
	told_of NAME=client.example ADDR=203.0.113.9 PORT=1025 HELO=helo.example \
	    PROTO=ESMTP LOGIN=alice DESTADDR=198.51.100.1 DESTPORT=587
	is_client client.example 203.0.113.9 1025 198.51.100.1 587 helo.example \
	    alice XCLIENT
	told_of name=client.example addr=IPV6:2001:db8::9 destaddr=ipv6:2001:DB8::1
	is_client client.example 2001:db8::9 - 2001:db8::1 - c.example - -
}

@test "attributes that are not given stay, except those that belong to the address" {
	told_of NAME=client.example
	is_client client.example "$proxy" 1 127.0.0.1 - c.example - -
	told_of ADDR=203.0.113.9
	is_client - 203.0.113.9 - 127.0.0.1 - c.example - -
	told_of PORT=25 DESTPORT=0
	is_client - "$proxy" 25 127.0.0.1 - c.example - -
}

@test "attributes may be given in several XCLIENT commands" {
	behind_proxy
	say 'XCLIENT ADDR=203.0.113.9 NAME=client.example' 'XCLIENT PORT=1025' \
	    'XCLIENT HELO=helo.example LOGIN=alice' 'EHLO proxy.example' \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 220 220 220 250 250 221' ]]
	is_client client.example 203.0.113.9 1025 127.0.0.1 - helo.example alice \
	    XCLIENT
}

@test "Received and log have the client's attributes, and the log has the proxy" {
	behind_proxy
	say 'XCLIENT ADDR=203.0.113.9 NAME=client.example HELO=[203.0.113.9] PROTO=SMTP' \
	    'EHLO proxy.example' "${to_bob[@]:1}" DATA x . QUIT
	[[ $codes == '220 220 250 250 250 354 250 221' ]]
	[[ $(header Received) == 'from [203.0.113.9] (client.example [203.0.113.9])'*' with SMTP id '* ]]
	events message | grep -F ' client=203.0.113.9 ' |
	    grep -F " via=$proxy " | grep -F ' helo=[203.0.113.9] '
	events xclient | grep -F ' name=client.example helo=[203.0.113.9] '
}

@test "values are xtext, and [UNAVAILABLE] and [TEMPUNAVAIL] are unknown" {
	told_of LOGIN=a+2Bb+20c HELO=h+2eexample
	is_client - "$proxy" 1 127.0.0.1 - h.example 'a+b c' XCLIENT
	told_of NAME=[UNAVAILABLE] ADDR=[UNAVAILABLE] PORT=[unavailable] \
	    HELO=[UNAVAILABLE] PROTO=[UNAVAILABLE] LOGIN=[UNAVAILABLE] \
	    DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE]
	is_client - - - - - c.example - -
	told_of NAME=[TEMPUNAVAIL] ADDR=203.0.113.9
	is_client - 203.0.113.9 - 127.0.0.1 - c.example - -
}

@test "malformed attributes get 501 5.5.4 and change nothing" {
	local bad long
	printf -v long '%0256d' 0
	for bad in NAME NAME= =x FOO=bar REVERSE_NAME=c.example ADDR==x \
	    'ADDR=203.0.113.9 ADDR=203.0.113.9' 'ADDR=203.0.113.9 PORT=x' \
	    'LOGIN=alice FOO=x' ADDR=203.0.113 ADDR=203.0.113.256 \
	    ADDR=203.0.113.09 ADDR=[203.0.113.9] ADDR=2001:db8::9 \
	    ADDR=IPV6:203.0.113.9 ADDR=IPV6: ADDR=IPV6:fe80::1%lo \
	    ADDR=IPV6:fe80::1+25lo ADDR=c.example "ADDR=1$long" \
	    DESTADDR=x DESTADDR=IPV6:x \
	    PORT=65536 PORT=-1 PORT=+2B1 PORT=000025 PORT=x DESTPORT=99999999999 \
	    PROTO=LMTP PROTO=x NAME=[203.0.113.9] NAME=a+20b NAME=b+FF 'NAME=a..b' \
	    NAME=a/b "NAME=$long" "LOGIN=$long" "HELO=$long" \
	    LOGIN=+0D+0A LOGIN=a+00 LOGIN=a+0Ab LOGIN=+1B LOGIN=+7F HELO=a+09b \
	    LOGIN=+ LOGIN=+2 LOGIN=+2g LOGIN=+GG LOGIN=a=b; do
		refused "$bad"
	done
	behind_proxy
	say 'EHLO proxy.example' XCLIENT QUIT
	[[ $codes == '220 250 501 221' ]]
}

@test "with --strict xtext must have upper-case digits (RFC 3461 4)" {
	behind_proxy
	options+=(--strict)
	say 'EHLO proxy.example' 'XCLIENT LOGIN=a+2bb' 'XCLIENT LOGIN=a+2Bb' QUIT
	[[ $codes == '220 250 501 220 221' ]]
}

@test "PROTO=LMTP is accepted on lmtp listeners, as Dovecot sends it" {
	behind_proxy
	options+=(--listen lmtp@-)
	say 'LHLO proxy.example' \
	    'XCLIENT PROTO=LMTP ADDR=203.0.113.9 PORT=2 HELO=h.example' \
	    'LHLO proxy.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@mx.example>' DATA . QUIT
	[[ $codes == '220 250 220 250 250 250 354 250 221' ]]
	is_client - 203.0.113.9 2 127.0.0.1 - h.example - -
	[[ $(header Received) == 'from h.example ([203.0.113.9])'*' with LMTP id '* ]]
}

@test "after XCLIENT the session starts again with EHLO" {
	behind_proxy
	say 'EHLO proxy.example' 'XCLIENT ADDR=203.0.113.9' \
	    'MAIL FROM:<a@c.example>' 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    QUIT
	[[ $codes == '220 250 220 503 250 250 221' ]]
}

@test "after HELO or EHLO of the client XCLIENT is rejected" {
	local hello
	for hello in 'HELO c.example' 'EHLO c.example'; do
		behind_proxy
		options+=(--tls 't/tlsd -d 5 3 4')
		say 'EHLO proxy.example' 'XCLIENT ADDR=203.0.113.9' "$hello" \
		    'XCLIENT ADDR=127.0.0.1 LOGIN=root' 'MAIL FROM:<a@c.example>' \
		    RSET 'XCLIENT ADDR=127.0.0.1 LOGIN=root' QUIT
		[[ $codes == '220 250 220 250 550 250 250 550 221' ]]
		(($(grep -c '^250-XCLIENT ' "$tmp/replies") == 1))
		talk reply:220 say:'XCLIENT ADDR=203.0.113.9' reply:220 \
		    say:"$hello" reply:250 say:STARTTLS reply:220 hello:x \
		    say:'XCLIENT ADDR=127.0.0.1 LOGIN=root' 'reply:550 5.7.0 ' \
		    say:QUIT reply:221 eof
	done
}

@test "after LOGIN a further XCLIENT is rejected" {
	behind_proxy
	say 'XCLIENT ADDR=203.0.113.9 LOGIN=alice' 'XCLIENT LOGIN=root' \
	    'EHLO c.example' 'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 220 550 250 250 221' ]]
	is_client - 203.0.113.9 - 127.0.0.1 - c.example alice XCLIENT
}

@test "XCLIENT clears the authentication of the proxy" {
	behind_proxy
	options+=(--plain-auth --auth true --domain mx.example)
	say 'EHLO proxy.example' 'AUTH PLAIN AHByb3h5AHNlY3JldA==' \
	    'XCLIENT ADDR=203.0.113.9' 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@else.example>' QUIT
	[[ $codes == '220 250 235 220 250 250 550 221' ]]
	is_client - 203.0.113.9 - 127.0.0.1 - c.example - -
}

@test "a client with LOGIN is authenticated and may send to any domain" {
	behind_proxy
	options+=(--plain-auth --auth true --require-auth --domain mx.example)
	say 'XCLIENT ADDR=203.0.113.9 LOGIN=alice' 'EHLO c.example' \
	    'AUTH PLAIN AHByb3h5AHNlY3JldA==' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@else.example>' DATA x . QUIT
	[[ $codes == '220 220 250 503 250 250 354 250 221' ]]
	[[ ${lines[*]} != *' AUTH PLAIN'* ]]
	[[ $(header Received) == *' with ESMTPA id '* ]]
}

@test "XCLIENT within a transaction gets 503, and the transaction goes on" {
	behind_proxy
	say 'EHLO proxy.example' 'MAIL FROM:<a@c.example>' 'XCLIENT ADDR=203.0.113.9' \
	    'RCPT TO:<bob@mx.example>' 'XCLIENT ADDR=203.0.113.9' DATA x . \
	    'XCLIENT ADDR=203.0.113.9' QUIT
	[[ $codes == '220 250 250 503 250 503 354 250 220 221' ]]
	[[ $(header Received) == *"([$proxy])"* ]]
}

@test "XCLIENT resets the count of errors" {
	behind_proxy
	options+=(--max-errors 3)
	say X X 'XCLIENT ADDR=203.0.113.9' X X 'XCLIENT ADDR=203.0.113.8' X X X QUIT
	[[ $codes == '220 500 500 220 500 500 220 500 500 421' ]]
}

@test "--trust compares the address that XCLIENT gives" {
	local addr code
	for addr in 203.0.113.9:250 203.0.114.9:550 [UNAVAILABLE]:550; do
		behind_proxy
		environment+=(RELAYCLIENT=)
		options+=(--domain mx.example --trust 203.0.113.0/24
		    --trust "$proxy")
		say "XCLIENT ADDR=${addr%:*}" "${to_bob[@]:0:2}" \
		    'RCPT TO:<bob@else.example>' QUIT
		[[ $codes == "220 220 250 250 ${addr#*:} 221" ]]
	done
}

@test "a client from elsewhere is not local because the proxy is" {
	local addr
	for addr in 203.0.113.9:550 [UNAVAILABLE]:550 127.0.0.1:250; do
		behind_proxy
		say "XCLIENT ADDR=${addr%:*}" "${to_bob[@]:0:2}" \
		    'RCPT TO:<bob@else.example>' QUIT
		[[ $codes == "220 220 250 250 ${addr#*:} 221" ]]
	done
}

@test "--xclient-from compares the address that a PROXY header gave" {
	behind_proxy
	options+=(--proxy-from 10.0.0.1 --on-new-connection "env >$tmp/env")
	environment=(TCPREMOTEIP=10.0.0.1)
	talk say:"PROXY TCP4 $proxy 198.51.100.1 1025 25" reply:220 \
	    say:'XCLIENT ADDR=203.0.113.9' reply:220 say:QUIT reply:221 eof
	is_client - 203.0.113.9 - 198.51.100.1 25 - - -
	talk say:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25' reply:220 \
	    say:'XCLIENT ADDR=203.0.113.7' reply:550 say:QUIT reply:221 eof
	is_client - 203.0.113.9 1025 198.51.100.1 25 - - -
	environment=(TCPREMOTEIP="$proxy")
	options+=(--proxy-from "$proxy")
	talk say:'PROXY UNKNOWN' reply:220 say:'XCLIENT ADDR=203.0.113.7' \
	    reply:550 say:QUIT reply:221 eof
}

@test "--on-new-connection runs for each client, and its rejection closes the connection" {
	behind_proxy
	hook judge <<-'EOF'
		echo "$TCPREMOTEIP" >>"$tmp/asked"
		[ "$TCPREMOTEIP" != 203.0.113.9 ] || exit 1
		echo "HEADER=X-For: $TCPREMOTEIP"
	EOF
	options+=(--on-new-connection "$tmp/judge")
	say 'XCLIENT ADDR=203.0.113.7' "${to_bob[@]}" DATA x . QUIT
	[[ $codes == '220 220 250 250 250 354 250 221' ]]
	say 'XCLIENT ADDR=203.0.113.7' 'XCLIENT ADDR=203.0.113.9' NOOP QUIT
	[[ $codes == '220 220 554' ]]
	given "$tmp/asked" "$proxy" 203.0.113.7 "$proxy" 203.0.113.7 203.0.113.9
	[[ $(grep -c '^X-For: ' "$(message)") == 1 ]]
	grep -x 'X-For: 203.0.113.7' "$(message)"
	events refused | grep -F ' client=203.0.113.9 ' | grep -F command=XCLIENT
}

@test "--max-per-client counts the clients of a proxy, and not the proxy" {
	local at
	serve --listen 127.0.0.1:0 --workers 5 --max-per-client 1 \
	    --xclient-from 127.0.0.2
	at="t/smtpc -b 127.0.0.2:0 -c ${addr[0]} --"
	dial -b 127.0.0.2:0 "${addr[0]}" reply:220 \
	    say:'XCLIENT ADDR=203.0.113.9' reply:220 \
	    run:"$at reply:220 'say:XCLIENT ADDR=203.0.113.8' reply:220 &&
		$at reply:220 'say:XCLIENT ADDR=203.0.113.9' 'reply:421 4.7.0 ' eof" \
	    say:QUIT reply:221 eof
}

@test "the super-server's variables of the proxy are not passed for its client" {
	behind_proxy
	environment+=(TCPREMOTEHOST=proxy.example TCPREMOTEINFO=joe)
	say 'XCLIENT ADDR=203.0.113.9' 'HELO c.example' \
	    'MAIL FROM:<a@c.example>' QUIT
	is_client - 203.0.113.9 - 127.0.0.1 - c.example - -
	lacks -E '^TCPREMOTEINFO=' "$tmp/env"
}

# needs_hosts: a system as bare as a debootstrapped one has no /etc/hosts
needs_hosts() {
	getent hosts 127.0.0.1 >/dev/null || skip '127.0.0.1 has no name here; add it to /etc/hosts'
}

@test "--resolve looks up the client's name, for hooks and for Received" {
	needs_hosts
	options=(--resolve --on-new-connection "env >$tmp/env")
	environment=(TCPREMOTEIP=127.0.0.1 TCPREMOTEHOST=stale.example)
	deliver x
	local name
	name=$(sed -n 's/^TCPREMOTEHOST=//p' "$tmp/env")
	[[ $name && $name != stale.example ]]
	getent ahosts "$name" | grep '^127\.0\.0\.1 '
	[[ $(header Received) == "from c.example ($name [127.0.0.1])"* ]]
}

@test "--resolve gives no name to a client without a name or an address" {
	options=(--resolve --on-new-connection "env >$tmp/env")
	say QUIT
	lacks '^TCPREMOTEHOST=' "$tmp/env"
	options+=(--proxy-from 10.0.0.1)
	environment=(TCPREMOTEIP=10.0.0.1)
	talk send:'PROXY UNKNOWN\r\n' reply:220 say:QUIT reply:221 eof
	lacks '^TCPREMOTEHOST=' "$tmp/env"
}

@test "a name that XCLIENT gave, or declared unknown, is not looked up" {
	needs_hosts
	behind_proxy
	options+=(--resolve)
	say 'XCLIENT ADDR=127.0.0.1 NAME=[UNAVAILABLE]' 'HELO c.example' \
	    'MAIL FROM:<a@c.example>' QUIT
	is_client - 127.0.0.1 - 127.0.0.1 - c.example - -
	say 'XCLIENT ADDR=127.0.0.1 NAME=other.example' 'HELO c.example' \
	    'MAIL FROM:<a@c.example>' QUIT
	is_client other.example 127.0.0.1 - 127.0.0.1 - c.example - -
	say 'XCLIENT ADDR=127.0.0.1' 'HELO c.example' \
	    'MAIL FROM:<a@c.example>' QUIT
	[[ $(sed -n 's/^TCPREMOTEHOST=//p' "$tmp/env") ]]
	# nothing is left of a longer one
	say 'XCLIENT ADDR=127.0.0.1 NAME=a-very-very-very-long-name.other.example' \
	    'XCLIENT ADDR=127.0.0.1' 'HELO c.example' 'MAIL FROM:<a@c.example>' QUIT
	getent ahosts "$(sed -n 's/^TCPREMOTEHOST=//p' "$tmp/env")" | grep '^127\.0\.0\.1 '
}

@test "looking up names leaves no process and no descriptor" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local worker before
	serve --listen 127.0.0.1:0 --workers 1 --resolve
	worker=$(children "$master")
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	before=$(ls "/proc/$worker/fd")
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	eventually cmp -s <(echo "$before") <(ls "/proc/$worker/fd")
	[[ ! $(children "$(launcher "$worker")") &&
	    $(children "$master") == "$worker" ]]
}

@test "--xclient-from accepts networks" {
	run -64 ./smtpd -i -m "$dir" "${user[@]}" --xclient-from example.org
	[[ $output == 'smtpd: --xclient-from requires a network '* ]]
}
