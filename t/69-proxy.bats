# The PROXY header (HAProxy's proxy-protocol.txt): who may send it, its grammar
# and its effect.

load helpers

proxy=192.0.2.200	# who speaks with us in these tests
# what --on-new-connection is told, a variable a line
told=(PROTO TCPREMOTEIP TCPREMOTEPORT TCPLOCALIP TCPLOCALPORT)

# behind_proxy: the client of talk is a proxy
behind_proxy() {
	environment=(TCPREMOTEIP="$proxy" TCPLOCALIP=127.0.0.1)
	options=(-v --proxy-from 192.0.2.192/26
	    --on-new-connection "env >$tmp/env")
	rm -f "$tmp/env"
}

# hex TEXT: its bytes, two digits each
hex() {
	printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

# octets HEX: the same for t/smtpc
octets() {
	# shellcheck disable=SC2001 # & is what was matched
	sed 's/../\\x&/g' <<<"$1"
}

# tlv TYPE HEX: a type, a length and a value
tlv() {
	printf '%s%04x%s' "$1" $((${#2} / 2)) "$2"
}

# v2 COMMAND FAMILY HEX: a header of version 2, for t/smtpc
v2() {
	octets "0d0a0d0a000d0a515549540a$1$2$(printf %04x $((${#3} / 2)))$3"
}

# from 203.0.113.9:1025 to 198.51.100.1:25, and the same of version 6
ipv4=cb007109c633640104010019
ipv6=20010db800000000000000000000000920010db800000000000000000000000104010019

# refused HEADER: no banner, nothing is served, and the log has a line
refused() {
	: >"$log"
	behind_proxy
	talk send:"$1" send:'HELO c.example\r\n' shut eof
	((${#lines[@]} == 0))
	[[ ! -e $tmp/env ]]
	(($(grep -c '' "$log") == 1))
	events proxy-failed | grep -E " client=$proxy error=\"?(missing or )?malformed"
}

# accepted HEADER: a session of its own begins
accepted() {
	: >"$log"
	behind_proxy
	talk send:"$1" reply:220 say:QUIT reply:221 eof
	lacks -F proxy-failed "$log"
}

@test "PROXY version 1 gives the client's IPv4 address" {
	behind_proxy
	talk say:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25' "${data_bob[@]}" \
	    say:x say:. reply:250 say:QUIT reply:221 eof
	is_client TCP 203.0.113.9 1025 198.51.100.1 25
	grep -F '([203.0.113.9])' "$(message)"
	events message | grep -F ' client=203.0.113.9 '
	events connected | grep -F " client=203.0.113.9 " | grep " via=$proxy"
	lacks -F "client=$proxy" "$log"
}

@test "PROXY version 1 gives the client's IPv6 address, and an IPv4-mapped one as IPv4" {
	accepted 'PROXY TCP6 2001:db8::9 2001:db8::1 65535 0\r\n'
	is_client TCP 2001:db8::9 65535 2001:db8::1 -
	accepted 'PROXY TCP6 ::ffff:203.0.113.9 ::FFFF:198.51.100.1 1 25\r\n'
	is_client TCP 203.0.113.9 1 198.51.100.1 25
}

@test "PROXY version 2 gives the client's IPv4 or IPv6 address" {
	accepted "$(v2 21 11 $ipv4)"
	is_client TCP 203.0.113.9 1025 198.51.100.1 25
	accepted "$(v2 21 21 "$ipv6")"
	is_client TCP 2001:db8::9 1025 2001:db8::1 25
}

@test "after PROXY UNKNOWN the client has the proxy's address and is never local or trusted" {
	local header
	for header in 'PROXY UNKNOWN\r\n' 'PROXY UNKNOWN x  y\r\n' \
	    'PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n' \
	    'PROXY UNKNOWN 127.0.0.1 127.0.0.1 1 25\r\n' "$(v2 21 00 '')" "$(v2 21 00 "$(tlv 04 00)")" \
	    "$(v2 21 31 "$(printf '%0432x' 0)")"; do
		: >"$log"
		rm -rf "$dir"
		behind_proxy
		environment+=(RELAYCLIENT=)
		options+=(--trust 0.0.0.0/0 --lenient-from 0.0.0.0/0
		    --xclient-from 0.0.0.0/0)
		talk send:"$header" "${data_bob[@]:0:5}" \
		    say:'RCPT TO:<bob@else.example>' reply:'550 5.7.1 ' \
		    send:'RSET\n' reply:'500 5.5.2 ' send:'\r\n' \
		    say:'XCLIENT ADDR=127.0.0.1' reply:503 \
		    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
		    say:x say:. reply:250 say:XCLIENT reply:501 \
		    say:'XCLIENT ADDR=127.0.0.1' reply:550 say:QUIT reply:221 eof
		is_client - - - - -
		events refused | grep -F " client=$proxy "
		events message | grep -F " client=$proxy " | grep -F " via=$proxy "
		[[ $(header Received) == "from c.example ([$proxy])"* ]]
	done
}

@test "after PROXY UNKNOWN --require-tls applies" {
	behind_proxy
	environment=(TCPREMOTEIP=127.0.0.1 TCPLOCALIP=127.0.0.1)
	options+=(--proxy-from 127.0.0.1 --tls 't/tlsd -d 5 3 4' --require-tls)
	talk say:'PROXY UNKNOWN' reply:220 say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' 'reply:530 5.7.0 ' say:QUIT reply:221 eof
}

# bats test_tags=native
@test "ps shows the proxy's address in brackets if the client's is unknown" {
	local worker
	serve --listen 127.0.0.1:0 --workers 1 --proxy-from 127.0.0.1
	worker=$(children "$master")
	dial "${addr[0]}" send:"$(v2 21 00 '')" reply:220 \
	    run:"grep -F '[127.0.0.1]' /proc/$worker/cmdline" say:QUIT reply:221 eof
}

@test "header and commands may arrive in one segment" {
	local header
	for header in 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\n' \
	    "$(v2 21 11 $ipv4)"; do
		behind_proxy
		talk send:"$header"'HELO c.example\r\nNOOP\r\nQUIT\r\n' reply:220 \
		    reply:250 reply:250 reply:221 eof
		is_client TCP 203.0.113.9 1025 198.51.100.1 25
	done
}

@test "a header may arrive one byte at a time" {
	local header
	for header in 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\n' \
	    "$(v2 21 11 "$ipv4$(tlv 04 0102)")"; do
		behind_proxy
		talk bytes:"$header" reply:220 say:QUIT reply:221 eof
		is_client TCP 203.0.113.9 1025 198.51.100.1 25
	done
}

@test "a header must be complete within five seconds, however slowly it arrives" {
	behind_proxy
	talk drip:300:'PROXY UNKNOWN, not yet' eof
	((${#lines[@]} == 0))
	events proxy-failed | grep -F " client=$proxy error=\"timed out\""
}

@test "a proxy that leaves within the header is logged" {
	behind_proxy
	talk send:'PROXY TCP4' shut eof
	events proxy-failed | grep -F 'error="connection closed"'
}

@test "a connection without a header is closed at once, without a banner" {
	refused 'EHLO c.example\r\n'
	refused 'PROXX TCP4'
	refused 'proxy TCP4 203.0.113.9 198.51.100.1 1025 25\r\n'
	refused 'PROXY\r\n'
	refused '\r\n'
	refused '\r\n\r\n\0\r\nQUIT\r'
	refused '\x16\x03\x01\x02\x00'
}

@test "version 1 is parsed strictly" {
	local line
	while IFS='' read -r line; do
		refused "PROXY $line\\r\\n"
	done <<-'EOT'

		TCP4
		TCP4 
		TCP5 203.0.113.9 198.51.100.1 1025 25
		tcp4 203.0.113.9 198.51.100.1 1025 25
		UDP4 203.0.113.9 198.51.100.1 1025 25
		UNKNOWNS
		UNKNOW
		 TCP4 203.0.113.9 198.51.100.1 1025 25
		TCP4  203.0.113.9 198.51.100.1 1025 25
		TCP4 203.0.113.9  198.51.100.1 1025 25
		TCP4 203.0.113.9 198.51.100.1  1025 25
		TCP4 203.0.113.9 198.51.100.1 1025  25
		TCP4 203.0.113.9 198.51.100.1 1025 25 
		TCP4 203.0.113.9 198.51.100.1 1025 25 1
		TCP4 203.0.113.9 198.51.100.1 1025
		TCP4 203.0.113.9 198.51.100.1
		TCP4 203.0.113.9 198.51.100.1 01025 25
		TCP4 203.0.113.9 198.51.100.1 1025 025
		TCP4 203.0.113.9 198.51.100.1 1025 00
		TCP4 203.0.113.9 198.51.100.1 65536 25
		TCP4 203.0.113.9 198.51.100.1 1025 99999
		TCP4 203.0.113.9 198.51.100.1 4294967321 25
		TCP4 203.0.113.9 198.51.100.1 -1 25
		TCP4 203.0.113.9 198.51.100.1 +1 25
		TCP4 203.0.113.9 198.51.100.1 0x19 25
		TCP4 203.0.113.9 198.51.100.1 1025 25\t
		TCP4\t203.0.113.9 198.51.100.1 1025 25
		TCP4 203.0.113.9 198.51.100.1 1025 25\r
		TCP4 203.0.113.9 198.51.100.1\x00 1025 25
		TCP4 203.0.113.9 198.51.100.1 1025 25\0
		TCP4 203.0.113.009 198.51.100.1 1025 25
		TCP4 203.0.113 198.51.100.1 1025 25
		TCP4 203.0.113.256 198.51.100.1 1025 25
		TCP4 2001:db8::9 2001:db8::1 1025 25
		TCP6 203.0.113.9 198.51.100.1 1025 25
		TCP6 2001:db8::9%lo 2001:db8::1 1025 25
		TCP6 [2001:db8::9] 2001:db8::1 1025 25
		TCP6 2001:db8:::9 2001:db8::1 1025 25
		TCP6 0000:0000:0000:0000:0000:0000:0000:0000:0000 ::1 1025 25
	EOT
	# its line ends in CR LF, which is the first LF
	refused 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\n'
	refused 'PROXY UNKNOWN\nx\r\n'
}

@test "a header of version 1 has at most 107 bytes" {
	local most='PROXY UNKNOWN' long
	printf -v long '%092d' 0	# with the rest 108 octets
	accepted "$most ${long:1}\\r\\n"
	refused "$most $long\\r\\n"
	accepted 'PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n'
}

@test "version 2 is parsed strictly" {
	refused "$(v2 11 11 $ipv4)"		# its version
	refused "$(v2 31 11 $ipv4)"
	refused "$(v2 22 11 $ipv4)"		# its command
	refused "$(v2 2f 11 $ipv4)"
	refused "$(v2 21 10 $ipv4)"		# no protocol
	refused "$(v2 21 12 $ipv4)"		# datagrams
	refused "$(v2 21 22 "$ipv6")"
	refused "$(v2 21 32 "$(printf '%0432x' 0)")"
	refused "$(v2 21 13 $ipv4)"
	refused "$(v2 21 41 $ipv4)"
	refused "$(v2 21 01 $ipv4)"
	# too short for its addresses
	refused "$(v2 21 11 "${ipv4:2}")"
	refused "$(v2 21 11 '')"
	refused "$(v2 21 21 "${ipv6:2}")"
	refused "$(v2 21 31 "$(printf '%0430x' 0)")"
}

@test "values of version 2 must have exact lengths" {
	local tls
	accepted "$(v2 21 11 "$ipv4$(tlv 04 '')$(tlv 04 0000)$(tlv ee 00)")"
	refused "$(v2 21 11 "${ipv4}04")"
	refused "$(v2 21 11 "${ipv4}0400")"
	refused "$(v2 21 11 "${ipv4}040001")"
	refused "$(v2 21 11 "$ipv4$(tlv 04 00)00")"
	refused "$(v2 21 11 "${ipv4}04ffff00")"
	tls=$(tlv 21 "$(hex TLSv1.3)")
	accepted "$(v2 21 11 "$ipv4$(tlv 20 0100000000)")"
	accepted "$(v2 21 11 "$ipv4$(tlv 20 "0100000000$tls")")"
	refused "$(v2 21 11 "$ipv4$(tlv 20 '')")"
	refused "$(v2 21 11 "$ipv4$(tlv 20 01000000)")"
	refused "$(v2 21 11 "$ipv4$(tlv 20 "0100000000${tls:0:-2}")")"
	refused "$(v2 21 11 "$ipv4$(tlv 20 "0100000000${tls}2100")")"
}

@test "a header of version 2 may have 4096 bytes" {
	local pad
	printf -v pad '%08130x' 0	# 16 and 12 and 3 octets before it
	accepted "$(v2 21 11 "$ipv4$(tlv 04 "$pad")")"
	is_client TCP 203.0.113.9 1025 198.51.100.1 25
	refused "$(v2 21 11 "$ipv4$(tlv 04 "${pad}00")")"
}

@test "a CRC-32C in version 2 must be right" {
	accepted "$(v2 21 11 "$ipv4$(tlv 03 f44fc9ef)$(tlv 04 00)")"
	refused "$(v2 21 11 "$ipv4$(tlv 03 00000000)$(tlv 04 00)")"
	refused "$(v2 21 11 "$ipv4$(tlv 03 000000)")"
}

@test "a client with TLS to the proxy counts as encrypted (RFC 3848)" {
	local tls
	tls=$(tlv 21 "$(hex TLSv1.3)")$(tlv 23 "$(hex TLS_AES_128_GCM_SHA256)")
	behind_proxy
	talk send:"$(v2 21 11 "$ipv4$(tlv 20 "0100000001$tls")")" reply:220 \
	    say:'EHLO c.example' reply:250 "${data_bob[@]:3}" say:x say:. \
	    reply:250 say:QUIT reply:221 eof
	[[ $(header Received) == *' with ESMTPS (TLSv1.3 TLS_AES_128_GCM_SHA256)'* ]]
	rm "$dir"/new/*
	# the client's bit says that it did not
	behind_proxy
	talk send:"$(v2 21 11 "$ipv4$(tlv 20 "0000000001$tls")")" reply:220 \
	    say:'EHLO c.example' reply:250 "${data_bob[@]:3}" say:x say:. \
	    reply:250 say:QUIT reply:221 eof
	[[ $(header Received) == *' with ESMTP id '* ]]
}

# tls BITS VERIFY TLV...: what a proxy says of TLS
tls() {
	local tlvs
	printf -v tlvs %s "${@:3}"
	tlv 20 "$1$2$tlvs"
}

@test "hooks get the values of that TLS, and the certificate only if the proxy verified it" {
	local who bits verify
	told=(SSL_PROTOCOL SSL_CIPHER SSL_PEER_CERT_SUBJECT SSL_TLS_SNI_SERVERNAME)
	for who in '03 00000000 CN=alice' '05 00000000 CN=alice' \
	    '03 00000001 -' '01 00000000 -'; do
		behind_proxy
		read -r bits verify who <<<"$who"
		talk send:"$(v2 21 11 "$ipv4$(tls "$bits" "$verify" \
		    "$(tlv 21 "$(hex TLSv1.3)")" "$(tlv 23 "$(hex AES)")" \
		    "$(tlv 22 "$(hex alice)")" "$(tlv 7f 00)")$(tlv 02 "$(hex mx.example)")")" \
		    reply:220 say:QUIT reply:221 eof
		is_client TLSv1.3 AES "$who" mx.example
	done
	# it is no more than a name, whatever is in it
	behind_proxy
	talk send:"$(v2 21 11 "$ipv4$(tls 03 00000000 \
	    "$(tlv 22 "$(hex '# a, O=b+c\ ')")")")" reply:220 say:QUIT reply:221 eof
	is_client - - 'CN=\# a\, O=b\+c\\\ ' -
	# the last of several counts, also if it is shorter
	behind_proxy
	talk send:"$(v2 21 11 "$ipv4$(tls 01 00000000 "$(tlv 21 "$(hex TLSv1.3)")" \
	    "$(tlv 21 "$(hex v1)")")$(tlv 02 "$(hex mx.example)")$(tlv 02 "$(hex mx)")")" \
	    reply:220 say:QUIT reply:221 eof
	is_client v1 - - mx
	# what may not stand in an environment is not told, and no harm
	behind_proxy
	talk send:"$(v2 21 11 "$ipv4$(tls 01 00000000 "$(tlv 21 0a41)" \
	    "$(tlv 23 '')")$(tlv 02 "$(printf '%0512d' 0)")")" \
	    reply:220 say:QUIT reply:221 eof
	is_client - - - -
}

@test "a client with TLS to the proxy gets AUTH, no STARTTLS, and passes --require-tls" {
	behind_proxy
	options+=(--tls 't/tlsd -d 5 3 4' --require-tls --auth 'true "$@"')
	talk send:"$(v2 21 11 "$ipv4$(tls 01 00000000)")" reply:220 \
	    say:'EHLO c.example' reply:250 say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:STARTTLS reply:503 say:QUIT reply:221 eof
	[[ ${lines[*]} == *AUTH* && ${lines[*]} != *250?STARTTLS* ]]
	talk send:"$(v2 21 11 "$ipv4$(tls 00 00000000)")" reply:220 \
	    say:'EHLO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    'reply:530 5.7.0 ' say:QUIT reply:221 eof
	[[ ${lines[*]} != *AUTH* && ${lines[*]} == *250?STARTTLS* ]]
}

@test "on an smtps listener the header comes before the handshake, in clear text" {
	behind_proxy
	options+=(--tls 't/tlsd -d 5 3 4' --listen smtps@-)
	talk say:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25' hello:x \
	    reply:220 say:'EHLO c.example' reply:250 "${data_bob[@]:3}" say:x \
	    say:. reply:250 say:QUIT reply:221 eof
	is_client TCP 203.0.113.9 1025 198.51.100.1 25
	[[ $(header Received) == *'([203.0.113.9])'*' with ESMTPS (TLSv1.3 MASK)'* ]]
	# a health check has to encrypt, too
	talk send:"$(v2 20 00 '')" hello:x reply:220 say:QUIT reply:221 eof
	# unless the proxy has ended that, too
	talk send:"$(v2 21 11 "$ipv4$(tls 01 00000000)")" reply:220 say:QUIT \
	    reply:221 eof
}

@test "an smtps listener without --tls serves only clients with TLS to the proxy" {
	local worker i
	serve --listen smtps@127.0.0.1:0 --workers 1 --proxy-from 127.0.0.0/8
	worker=$(children "$master")
	for i in 1 2; do
		dial "${addr[0]}" send:"$(v2 21 11 "$ipv4$(tls 01 00000000)")" \
		    reply:220 say:QUIT reply:221 eof
		dial "${addr[0]}" send:"$(v2 20 00 '')" reply:220 say:QUIT \
		    reply:221 eof
		dial "${addr[0]}" send:"$(v2 21 11 $ipv4)" eof
		((${#lines[@]} == 0))
	done
	(($(events tls-failed | grep -c ' client=203\.0\.113\.9 ') == 2))
	# only root sees what a process that is not dumpable has open
	((EUID != 0)) || [[ $(readlink "/proc/$worker/fd/0") == /dev/null ]]
	[[ $(children "$master") == "$worker" ]]
}

@test "LOCAL and the proxy's own address are probes: no hooks, and MAIL gets 550 5.7.1" {
	local header
	for header in "$(v2 20 00 '')" "$(v2 20 11 $ipv4)" "$(v2 20 ff 0102030405)" \
	    "PROXY TCP4 $proxy 127.0.0.1 4711 25\\r\\n"; do
		: >"$log"
		behind_proxy
		environment+=(TCPREMOTEPORT=4711)
		talk send:"$header" reply:220 say:'EHLO haproxy' reply:250 \
		    say:'MAIL FROM:<a@c.example>' reply:'550 5.7.1 ' \
		    say:QUIT reply:221 eof
		[[ ! -e $tmp/env ]]
		events refused | grep -F " client=$proxy "
	done
}

@test "a client on the proxy's machine is a client, as its port differs" {
	behind_proxy
	environment+=(TCPREMOTEPORT=4711)
	talk say:"PROXY TCP4 $proxy 127.0.0.1 4712 25" "${data_bob[@]:0:5}" \
	    say:QUIT reply:221 eof
	is_client TCP "$proxy" 4712 127.0.0.1 25
}

# unexpected CLIENT: a header ended the session, and an event names the option
unexpected() {
	[[ ${lines[-1]} == '421 4.3.5 '* ]]
	events proxy-unexpected | grep -F " client=$1 " | grep -F -e --proxy-from
	(($(events proxy-unexpected | grep -c '') == 1))
	lacks -F command=PROXY "$log"
}

@test "a header from a client that --proxy-from does not name ends the session" {
	local header
	for header in 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\n' \
	    'PROXY UNKNOWN\r\n' "$(v2 21 11 $ipv4)" "$(v2 20 00 '')" \
	    "$(v2 21 21 "$ipv6")"; do
		: >"$log"
		behind_proxy
		environment=(TCPREMOTEIP=192.0.2.191)
		# what the client says comes right after it
		talk reply:220 send:"$header"'HELO c.example\r\nMAIL FROM:<a@c.example>\r\n' \
		    eof
		unexpected 192.0.2.191
		is_client TCP 192.0.2.191 - - -
	done
}

@test "a header on a port without --proxy-from ends the session of a local proxy, too" {
	local header
	serve --listen 127.0.0.1:0 --listen "$tmp/sock" --listen lmtp@127.0.0.1:0 \
	    --workers 1
	for header in 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\n' \
	    "$(v2 21 11 $ipv4)"; do
		for a in "${addr[@]}"; do
			: >"$log"
			dial "$a" reply:220 send:"$header"'HELO c.example\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@else.example>\r\n' \
			    eof
			unexpected "$([[ $a == /* ]] && echo local || echo 127.0.0.1)"
		done
	done
	lacks -F event=message "$log"
}

@test "a header ends the session on ports with --require-tls or --lenient-from, too" {
	local header
	for header in 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\n' \
	    "$(v2 21 11 $ipv4)"; do
		: >"$log"
		environment=(TCPREMOTEIP=192.0.2.191)
		options=(--tls 't/tlsd -d 5 3 4' --require-tls)
		talk reply:220 send:"$header" eof
		unexpected 192.0.2.191
		: >"$log"
		options=(--lenient-from 192.0.2.0/24)
		talk reply:220 send:"$header" eof
		unexpected 192.0.2.191
	done
}

@test "two empty lines before EHLO are not read as a header" {
	talk reply:220 send:'\r\n\r\n' reply:500 reply:500 say:'EHLO c.example' \
	    reply:250 say:QUIT reply:221 eof
	lacks -F proxy-unexpected "$log"
}

@test "networks of --proxy-from don't include clients of Unix sockets" {
	serve --listen "$tmp/sock" --workers 1 --proxy-from 0.0.0.0/0 \
	    --proxy-from ::/0
	dial "$tmp/sock" reply:220 say:'EHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@else.example>' reply:250 say:QUIT reply:221 eof
}

@test "--proxy-from unix: every client of a Unix socket is a proxy" {
	local header
	serve --listen "$tmp/sock" --listen 127.0.0.1:0 --workers 1 \
	    --proxy-from unix
	for header in 'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\n' \
	    "$(v2 21 11 $ipv4)"; do
		: >"$log"
		dial "$tmp/sock" send:"$header" "${data_bob[@]}" say:x say:. \
		    reply:250 say:QUIT reply:221 eof
		[[ $(header Received) == *'([203.0.113.9])'* ]]
		events message | grep -F ' client=203.0.113.9 ' | grep -F ' via=local '
		rm "$dir"/new/*
	done
	# the other one expects none
	dial "${addr[1]}" "${data_bob[@]}" say:x say:. reply:250 say:QUIT \
	    reply:221 eof
}

@test "clients of a proxy on a Unix socket are local only if their address is" {
	local client
	serve --listen "$tmp/sock" --workers 1 --proxy-from unix
	for client in '127.0.0.1 127.0.0.1:250' '203.0.113.9 127.0.0.1:550' \
	    '203.0.113.9 198.51.100.1:550'; do
		dial "$tmp/sock" say:"PROXY TCP4 ${client%:*} 1025 25" \
		    "${data_bob[@]:0:5}" say:'RCPT TO:<bob@else.example>' \
		    reply:"${client#*:}" say:QUIT reply:221 eof
	done
	# one without an address is unknown, and no probe of the proxy
	for client in 'PROXY UNKNOWN\r\n' "$(v2 21 00 '')" \
	    "$(v2 21 31 "$(printf '%0432x' 0)")"; do
		: >"$log"
		dial "$tmp/sock" send:"$client" "${data_bob[@]:0:5}" \
		    say:'RCPT TO:<bob@mx.example>' reply:250 \
		    say:'RCPT TO:<bob@else.example>' reply:550 \
		    say:QUIT reply:221 eof
		events refused | grep -F ' client=unknown '
	done
}

@test "health checks on a Unix socket are probes and can't send mail" {
	serve --listen "$tmp/sock" --workers 1 --proxy-from unix
	dial "$tmp/sock" send:"$(v2 20 00 '')" reply:220 say:'EHLO haproxy' \
	    reply:250 say:'MAIL FROM:<a@c.example>' 'reply:550 5.7.1 ' \
	    say:QUIT reply:221 eof
}

@test "with --proxy-from unix a connection to a Unix socket without a header is closed" {
	serve --listen "$tmp/sock" --workers 1 --proxy-from unix
	dial "$tmp/sock" send:'EHLO c.example\r\n' shut eof
	((${#lines[@]} == 0))
	events proxy-failed | grep -F ' client=local '
}

@test "--proxy-from unix applies to a Unix socket from inetd, and not to a pipe" {
	options=(--proxy-from unix)
	talk say:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25' "${data_bob[@]:0:5}" \
	    say:'RCPT TO:<bob@else.example>' reply:550 say:QUIT reply:221 eof
	environment=(TCPREMOTEIP=127.0.0.1 TCPLOCALIP=127.0.0.1)
	talk reply:220 say:QUIT reply:221 eof
}

@test "--trust compares the address that the header gives" {
	local client
	for client in 203.0.113.9:250 203.0.114.9:550 127.0.0.1:550; do
		behind_proxy
		options+=(--domain mx.example --trust 203.0.113.0/24
		    --trust 192.0.2.0/24)
		environment+=(RELAYCLIENT=)
		talk say:"PROXY TCP4 ${client%:*} 198.51.100.1 1025 25" \
		    "${data_bob[@]:0:5}" say:'RCPT TO:<bob@else.example>' \
		    reply:"${client#*:}" say:QUIT reply:221 eof
	done
}

@test "a client that connected to the proxy's loopback address is local only if its address is" {
	local addresses
	for addresses in '127.0.0.1 127.0.0.1:250' '203.0.113.9 127.0.0.1:550' \
	    '127.0.0.1 198.51.100.1:550' '203.0.113.9 198.51.100.1:550'; do
		behind_proxy
		talk say:"PROXY TCP4 ${addresses%:*} 1025 25" \
		    "${data_bob[@]:0:5}" say:'RCPT TO:<bob@else.example>' \
		    reply:"${addresses#*:}" say:QUIT reply:221 eof
	done
}

@test "values of a header don't last to the worker's next session" {
	serve -v --listen 127.0.0.1:0 --workers 1 --proxy-from 127.0.0.2
	dial -b 127.0.0.2:0 "${addr[0]}" \
	    send:"$(v2 21 11 "$ipv4$(tlv 20 0100000000)")" reply:220 \
	    say:QUIT reply:221 eof
	events connected | grep -F ' client=203.0.113.9 '
	dial -b 127.0.0.2:0 "${addr[0]}" send:'PROXY UNKNOWN\r\n' reply:220 \
	    say:QUIT reply:221 eof
	dial -b 127.0.0.2:0 "${addr[0]}" say:'NOOP' eof
	dial -b 127.0.0.3:0 "${addr[0]}" reply:220 say:'EHLO c.example' reply:250 \
	    "${data_bob[@]:3}" say:x say:. reply:250 say:QUIT reply:221 eof
	[[ $(header Received) == *'([127.0.0.3])'*' with ESMTP id '* ]]
	events proxy-failed | grep -F ' client=127.0.0.2 '
}

@test "--max-per-client counts the clients of a proxy, and not the proxy" {
	local at
	serve --listen 127.0.0.1:0 --workers 5 --max-per-client 1 \
	    --proxy-from 127.0.0.2
	at="t/smtpc -b 127.0.0.2:0 -c ${addr[0]} --"
	dial -b 127.0.0.2:0 "${addr[0]}" \
	    say:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25' reply:220 \
	    run:"$at 'say:PROXY TCP4 203.0.113.9 198.51.100.1 1026 25' 'reply:421 4.7.0 ' eof &&
		$at 'say:PROXY TCP4 203.0.113.8 198.51.100.1 1026 25' reply:220 &&
		$at 'say:PROXY UNKNOWN' reply:220 \
		    run:\"$at 'say:PROXY UNKNOWN' reply:220\"" \
	    say:QUIT reply:221 eof
}

# bats test_tags=native
@test "--max-per-client counts clients before their handshake, too" {
	local at
	serve --listen smtps@127.0.0.1:0 --workers 5 --max-per-client 1 \
	    --proxy-from 127.0.0.2 --tls "$PWD/t/tlsd -d 5 3 4"
	at="t/smtpc -b 127.0.0.2:0 -c ${addr[0]} --"
	dial -b 127.0.0.2:0 "${addr[0]}" \
	    say:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25' settle \
	    run:"$at 'say:PROXY TCP4 203.0.113.9 198.51.100.1 1026 25' eof >$tmp/crowded &&
		$at 'say:PROXY TCP4 203.0.113.8 198.51.100.1 1026 25' hello:x reply:220" \
	    hello:x reply:220 say:QUIT reply:221 eof
	[[ ! -s $tmp/crowded ]]
	events refused | grep -F ' client=203.0.113.9 ' |
	    grep -F ' command=connect unsent="421 4.7.0 '
}

@test "--greet-delay applies to the clients of a proxy and not to the proxy" {
	behind_proxy
	options+=(--greet-delay 5m)
	talk send:"$(v2 20 00 '')" reply:220 say:QUIT reply:221 eof
	talk send:'PROXY TCP4 203.0.113.9 198.51.100.1 1025 25\r\nHELO c.example\r\n' \
	    reply:'554 5.5.1 ' eof
}

@test "SIGTERM ends a worker that waits for a header" {
	serve --listen 127.0.0.1:0 --workers 1 --proxy-from 127.0.0.0/8
	dial "${addr[0]}" send:'PROXY' settle run:"kill -TERM $master" eof
	eventually gone "$master"
	wait "$master"
	master=''
	((${#lines[@]} == 0))
}

@test "--proxy-from accepts networks" {
	local net
	for net in '' example.org 192.0.2.0/33 unix: Unix; do
		run -64 ./smtpd -i -m "$dir" "${user[@]}" --proxy-from "$net"
		[[ $output == 'smtpd: --proxy-from requires a network '*', or unix'* ]]
	done
	for net in --trust --xclient-from; do
		run -64 ./smtpd -i -m "$dir" "${user[@]}" "$net" unix
	done
}
