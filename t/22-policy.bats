# The domains for which mail is accepted: --domain, its default, and --trust.

load helpers

# rcpt RECIPIENT...: say RCPT for each; refused[] lists which got 550 5.7.1
rcpt() {
	local r dialogue=() i
	for r; do
		dialogue+=("RCPT TO:<$r>")
	done
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' "${dialogue[@]}" QUIT
	accepted='' refused=''
	for ((i = 1; i <= $#; i++)); do
		case ${lines[i + 2]} in
		'250 2.1.5 '*) accepted+="${accepted:+ }${!i}" ;;
		'550 5.7.1 '*) refused+="${refused:+ }${!i}" ;;
		*) return 1 ;;
		esac
	done
}

@test "on a pipe every domain is accepted by default" {
	rcpt bob@mx.example bob@else.example 'bob@[192.0.2.1]' postmaster
	[[ -z $refused ]]
}

@test "on a loopback connection every domain is accepted by default" {
	via=-t
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@else.example>' reply:250 say:QUIT eof
}

@test "a client from elsewhere is not local because its connection was forwarded to 127.0.0.1" {
	local ip
	for ip in 203.0.113.9 2001:db8::9 unknown ''; do
		environment=(TCPREMOTEIP="$ip" TCPLOCALIP=127.0.0.1)
		rcpt bob@mx.example bob@else.example
		[[ $accepted == bob@mx.example ]]
	done
	environment=(TCPREMOTEIP=127.0.0.1 TCPLOCALIP=192.0.2.1)
	rcpt bob@mx.example bob@else.example
	[[ $accepted == bob@mx.example ]]
	environment=(TCPREMOTEIP=127.0.0.2 TCPLOCALIP=127.0.0.1)
	rcpt bob@mx.example bob@else.example
	[[ -z $refused ]]
}

@test "a super-server that gives only its own address does not make the client local" {
	environment=(TCPLOCALIP=127.0.0.1)
	rcpt bob@mx.example bob@else.example
	[[ $accepted == bob@mx.example ]]
}

@test "with --domain other domains get 550 5.7.1 (RFC 5321 3.6.2)" {
	options=(--domain one.example)
	rcpt bob@one.example bob@two.example bob@sub.one.example bob@example \
	    bob@one.example.two.example bob@xone.example bob@mx.example \
	    'bob@[127.0.0.1]'
	[[ $accepted == bob@one.example ]]
}

@test "the log says which option would accept a recipient of another domain" {
	options=(-d one.example)
	rcpt bob@two.example
	events refused | grep -F ' hint="no --domain covers the recipient; add one, or --trust for this client"'
	: >"$log"
	options=(-d one.example -d '*')
	rcpt bob@two.example
	[[ ! $(events refused) ]]
	options=()
	environment=(TCPREMOTEIP=192.0.2.1 TCPLOCALIP=192.0.2.2)
	rcpt bob@two.example
	events refused | grep -F ' hint="without --domain only the hostname is accepted; give --domain, or --trust for this client"'
	: >"$log"
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<b@' QUIT
	events refused | lacks hint=
}

@test "--domain may be repeated" {
	options=(--domain one.example -d two.example)
	rcpt bob@one.example bob@two.example bob@three.example
	[[ $accepted == 'bob@one.example bob@two.example' ]]
	[[ $refused == bob@three.example ]]
}

@test "domains are case-insensitive (RFC 5321 2.4)" {
	options=(--domain One.Example)
	rcpt bob@one.example bob@ONE.EXAMPLE bob@oNE.example.
	[[ -z $refused ]]
}

@test "--domain '*' accepts every domain" {
	options=(--domain '*')
	rcpt bob@one.example bob@mx.example
	[[ -z $refused ]]
}

@test "other wildcards in --domain have no meaning" {
	options=(--domain '*.example')
	command_line
	run --separate-stderr timeout 60 "${cmd[@]}" < <(printf '%s\r\n' 'HELO x' 'MAIL FROM:<>' \
	    'RCPT TO:<bob@one.example>' QUIT)
	# refused at once, or matching nothing
	((status == 64)) || [[ ${lines[3]} == 550* ]]
}

@test "<postmaster> without a domain is always accepted (RFC 5321 4.5.1)" {
	options=(--domain one.example)
	rcpt Postmaster postmaster POSTMASTER postmaster@one.example \
	    PostMaster@One.Example postmaster@else.example
	[[ $refused == postmaster@else.example ]]
}

@test "a source route does not get around --domain (RFC 5321 3.6.1)" {
	options=(--domain one.example)
	rcpt @one.example:bob@two.example @two.example:bob@one.example
	[[ $accepted == @two.example:bob@one.example ]]
}

@test "a percent sign, a bang path or a quoted @ does not get around --domain" {
	options=(--domain one.example)
	rcpt 'bob%two.example@one.example' '"bob@one.example"@two.example' \
	    'one.example!bob@two.example'
	[[ $accepted == 'bob%two.example@one.example' ]]
}

@test "a foreign domain is rejected before the mailbox is looked up" {
	mkdir -p "$tmp/mail/bob"
	dir=$tmp/mail/{mailbox}
	options=(--domain one.example)
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<nobody@else.example>' 'RCPT TO:<nobody@one.example>' \
	    'RCPT TO:<bob@else.example>' QUIT
	[[ ${lines[3]} == '550 5.7.1 '* ]]
	[[ ${lines[4]} == '550 5.1.1 '* ]]
	[[ ${lines[5]} == '550 5.7.1 '* ]]
}

@test "--trust lets a client send to any domain" {
	options=(--domain one.example --trust 192.0.2.0/24 --trust 2001:db8::/32)
	local ip
	for ip in 192.0.2.0 192.0.2.7 192.0.2.255 2001:db8::1 2001:db8:ffff::; do
		environment=(TCPREMOTEIP="$ip")
		rcpt bob@two.example
		[[ -z $refused ]]
	done
	for ip in 192.0.3.0 192.0.1.255 127.0.0.1 2001:db9:: ::1 ::c000:207; do
		environment=(TCPREMOTEIP="$ip")
		rcpt bob@two.example
		[[ -z $accepted ]]
	done
}

@test "--trust accepts prefixes of any length and single addresses" {
	local net in out
	while read -r net in out; do
		options=(--domain one.example --trust "$net")
		environment=(TCPREMOTEIP="$in")
		rcpt bob@two.example
		[[ $accepted ]]
		[[ $out ]] || continue
		environment=(TCPREMOTEIP="$out")
		rcpt bob@two.example
		[[ $refused ]]
	done <<-'EOT'
		192.0.2.7 192.0.2.7 192.0.2.6
		192.0.2.7/32 192.0.2.7 192.0.2.8
		192.0.2.128/25 192.0.2.128 192.0.2.127
		192.0.2.4/30 192.0.2.7 192.0.2.8
		128.0.0.0/1 255.0.0.1 127.0.0.1
		0.0.0.0/0 8.8.8.8
		2001:db8::1 2001:db8::1 2001:db8::2
		2001:db8::/33 2001:db8:7fff::1 2001:db8:8000::1
		2001:db8::8/125 2001:db8::f 2001:db8::10
		::/0 2001:db8::1
	EOT
}

@test "an IPv4 client on an IPv6 socket is matched as IPv4" {
	options=(--domain one.example --trust 192.0.2.0/24 --verbose)
	environment=(TCPREMOTEIP=::ffff:192.0.2.7)
	rcpt bob@two.example
	[[ -z $refused ]]
	grep -F ' client=192.0.2.7 ' "$log"
}

@test "a client without an address in inetd's environment is not treated as local" {
	local variable
	for variable in TCPREMOTEIP=unknown REMOTE_HOST=unknown TCPREMOTEIP= \
	    TCPREMOTEIP=192.0.2; do
		environment=("$variable")
		rcpt bob@mx.example bob@else.example
		[[ $accepted == bob@mx.example ]]
	done
}

@test "the scope of an IPv6 client is ignored" {
	environment=(TCPREMOTEIP=fe80::1%eth0)
	rcpt bob@mx.example bob@else.example
	[[ $accepted == bob@mx.example ]]
	events refused | grep -F ' client=fe80::1 '
	options=(--trust fe80::/10)
	rcpt bob@else.example
	[[ $accepted ]]
}

@test "over TCP --trust compares the peer's address" {
	via=-t
	options=(--domain one.example --trust 127.0.0.1)
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@two.example>' reply:250 say:QUIT eof
	options=(--domain one.example --trust 127.0.0.2)
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@two.example>' reply:'550 5.7.1 ' \
	    say:QUIT eof
}

@test "RELAYCLIENT in inetd's environment makes the client trusted" {
	options=(--domain one.example)
	environment=(RELAYCLIENT=)
	rcpt bob@two.example
	[[ -z $refused ]]
	environment=()
	rcpt bob@two.example
	[[ $refused ]]
}

@test "DATABYTES and MAXRCPTS in inetd's environment are limits" {
	environment=(DATABYTES=100)
	say 'EHLO c.example' QUIT
	grep -Ex '250[ -]SIZE 100' "$tmp/replies"
	environment=(MAXRCPTS=1)
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' QUIT
	[[ ${lines[4]} == '452 4.5.3 '* ]]
}
