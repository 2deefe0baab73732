# The grammar of reverse-paths and forward-paths (RFC 5321 4.1.2): valid
# addresses, tolerated deviations, and invalid addresses.

load helpers

# judge MAIL|RCPT <<TABLE: each line of the table is a code and what follows
# the colon, in double quotes if it has blanks at its ends
judge() {
	local command=$1 code arg dialogue=('HELO c.example') want='220 250'
	options+=(--max-errors 0)
	while IFS= read -r arg; do
		[[ $arg ]] || continue
		code=${arg%% *}
		arg=${arg#* }
		if [[ $arg == \"*\" ]]; then
			arg=${arg#\"}
			arg=${arg%\"}
		fi
		if [[ $command == MAIL ]]; then
			dialogue+=("MAIL FROM:$arg" RSET)
			want+=" $code 250"
		else
			dialogue+=(RSET 'MAIL FROM:<>' "RCPT TO:$arg")
			want+=" 250 250 $code"
		fi
	done
	say "${dialogue[@]}" QUIT
	want+=' 221'
	if [[ $codes != "$want" ]]; then
		# which of them?
		local i got expected
		read -ra got <<<"$codes"
		read -ra expected <<<"$want"
		for i in "${!expected[@]}"; do
			[[ ${got[i]} == "${expected[i]}" ]] ||
			    echo "${dialogue[i - 1]}: ${got[i]}, not ${expected[i]}"
		done
		return 1
	fi
}

# repeat N CHARACTER
repeat() {
	local s
	printf -v s '%*s' "$1" ''
	printf '%s' "${s// /$2}"
}

@test "dot-atoms and domains are accepted (RFC 5321 4.1.2)" {
	judge RCPT <<-'EOT'
		250 <bob@mx.example>
		250 <Bob@MX.Example>
		250 <b@x>
		250 <b.o.b@mx.example>
		250 <bob+tag@mx.example>
		250 <!#$%&'*+-/=?^_`{|}~@mx.example>
		250 <1@2.example>
		250 <-@mx.example>
		250 <bob@localhost>
		250 <bob@a-b--c.example>
		250 <bob@1.2.3.example>
		250 <bob@xn--nxasmq6b.example>
	EOT
}

@test "quoted local parts are accepted (RFC 5321 4.1.2)" {
	judge RCPT <<-'EOT'
		250 <"bob"@mx.example>
		250 <"b ob"@mx.example>
		250 <" "@mx.example>
		250 <"b@ob"@mx.example>
		250 <"b\"ob"@mx.example>
		250 <"b\\"@mx.example>
		250 <"\b\o\b"@mx.example>
		250 <"<>"@mx.example>
		250 <"a>b"@mx.example>
		250 <"b:o,b;"@mx.example>
		250 <".b..ob."@mx.example>
		250 <"\ "@mx.example>
	EOT
}

@test "address literals are accepted (RFC 5321 4.1.3)" {
	judge RCPT <<-'EOT'
		250 <bob@[127.0.0.1]>
		250 <bob@[192.0.2.255]>
		250 <bob@[IPv6:::1]>
		250 <bob@[IPv6:::]>
		250 <bob@[ipv6:2001:db8::25]>
		250 <bob@[IPv6:2001:DB8:1:2:3:4:5:6]>
		250 <bob@[IPv6:::ffff:192.0.2.1]>
	EOT
}

@test "an invalid address literal gets 501 (RFC 5321 4.1.3)" {
	judge RCPT <<-'EOT'
		501 <a@[notanip]>
		501 <a@[]>
		501 <a@[ ]>
		501 <a@[127.0.0.1>
		501 <a@127.0.0.1]>
		501 <a@[127.0.0.256]>
		501 <a@[127.0.0]>
		501 <a@[127.0.0.1.1]>
		501 <a@[127.0.0.1].example>
		501 <a@[IPv6:]>
		501 <a@[IPv6:1:2:3]>
		501 <a@[IPv6:1::2::3]>
		501 <a@[IPv6:12345::]>
		501 <a@[IPv6:127.0.0.1]>
		501 <a@[::1]>
		501 <a@[IPv6:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:1]>
	EOT
}

@test "source routes are accepted and dropped (RFC 5321 4.1.1.3, C)" {
	judge RCPT <<-'EOT'
		250 <@relay.example:bob@mx.example>
		250 <@a.example,@b.example:bob@mx.example>
		250 <@[127.0.0.1]:bob@mx.example>
		250 <@a,@b,@c,@d:"b:ob"@mx.example>
	EOT
	say 'HELO c.example' 'MAIL FROM:<@r1.example,@r2.example:a@c.example>' \
	    'RCPT TO:<@r3.example:bob@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Return-Path) == '<a@c.example>' ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "an invalid source route gets 501 (RFC 5321 4.1.2)" {
	judge RCPT <<-'EOT'
		501 <@relay.example>
		501 <@relay.example:>
		501 <@relay.example:bob>
		501 <@relay.example,bob@mx.example>
		501 <@relay.example,:bob@mx.example>
		501 <@:bob@mx.example>
		501 <@,@b:bob@mx.example>
		501 <relay.example:bob@mx.example>
		501 <@a;@b:bob@mx.example>
		501 <@[notanip]:bob@mx.example>
	EOT
}

@test "postmaster needs no domain as recipient, in any case (RFC 5321 4.5.1)" {
	judge RCPT <<-'EOT'
		250 <Postmaster>
		250 <postmaster>
		250 <POSTMASTER>
		250 <postmaster@mx.example>
		501 <postmasters>
		501 <bob>
		501 <"bob">
		501 <root>
	EOT
}

@test "the null sender and a sender without a domain are accepted (RFC 5321 4.5.5)" {
	judge MAIL <<-'EOT'
		250 <>
		250 <a@c.example>
		250 <MAILER-DAEMON>
		250 <root>
		250 <postmaster>
		250 <"a b">
		250 <"a b"@c.example>
		250 <a@[192.0.2.1]>
		250 <@relay.example:a@c.example>
	EOT
}

@test "a missing or incomplete sender gets 501" {
	judge MAIL <<-'EOT'
		501 ""
		501 " "
		501 <
		501 >
		501 <@c.example>
		501 <a@>
		501 <a@[notanip]>
		501 <<a@c.example>>
		501 <a@c.example
		501 a@c.example>
		501 <a@c.example>x
		501 < a@c.example>
		501 <a@c.example >
		501 <a b@c.example>
		501 < >
	EOT
}

@test "an invalid recipient gets 501" {
	judge RCPT <<-'EOT'
		501 ""
		501 " "
		501 <>
		501 <
		501 <@mx.example>
		501 <bob@>
		501 <<bob@mx.example>>
		501 <bob@mx.example>>
		501 <bob@mx.example
		501 bob@mx.example>
		501 <bob@mx.example>x
		501 <bob@mx.example><eve@mx.example>
		501 <bob@mx.example,eve@mx.example>
		501 <bob@mx@example>
		501 <b ob@mx.example>
		501 <bob@mx.exa mple>
		501 <bob @mx.example>
		501 <bob@ mx.example>
		501 <(comment)bob@mx.example>
		501 <b,ob@mx.example>
		501 <b;ob@mx.example>
		501 <b:ob@mx.example>
		501 <b\ob@mx.example>
		501 <b[ob]@mx.example>
		501 <bob@mx..example>
		501 <bob@.mx.example>
		501 <bob@mx.example..>
		501 <bob@.>
		501 <bob@mx/example>
		501 <bob@mx!example>
		501 <bob@mx"example">
		501 Bob <bob@mx.example>
		501 "Bob" <bob@mx.example>
	EOT
}

@test "invalid quoting gets 501 (RFC 5321 4.1.2)" {
	judge RCPT <<-'EOT'
		501 <"bob@mx.example>
		501 <bob"@mx.example>
		501 <b"o"b@mx.example>
		501 <"bob"x@mx.example>
		501 <x"bob"@mx.example>
		501 <"b"ob"@mx.example>
		501 <"bob\"@mx.example>
		501 <"bob"
		501 <"
		501 <"\
		501 <"a"."b"c@mx.example>
	EOT
}

@test "blanks around the address, missing brackets and a trailing dot are accepted" {
	judge RCPT <<-'EOT'
		250 " <bob@mx.example>"
		250 "<bob@mx.example> "
		250 "  <bob@mx.example>  "
		250 bob@mx.example
		250 " bob@mx.example "
		250 <bob@mx.example.>
		250 postmaster
	EOT
	judge MAIL <<-'EOT'
		250 " <a@c.example>"
		250 "<a@c.example> "
		250 a@c.example
		250 <a@c.example.>
		250 " <>"
	EOT
}

@test "a display name within the brackets is ignored: <Name <a@b>> is a@b" {
	judge MAIL <<-'EOT'
		250 <Name <a@c.example>>
		250 <UPS in rack 3 <ups+r3@c.example>> SIZE=10
		250 <"Name, Jr. <x@y>" <a@c.example> >
		250 <"a \"<" <a@c.example>>
		250 <name@d.example <a@c.example>>
		250 <Müller <a@c.example>>
		250 <Name<@r.example:a@c.example>>
		250 <Name <>>
		250 <Name <a>>
		501 <<a@c.example>>
		501 <Name a@c.example>
		501 <Name <a@c.example>
		501 <Name <a@c.example>x>
		501 <Name <a@c.example>>x
		501 <Name <Other <a@c.example>>>
		501 <Name> <a@c.example>
		501 <"Name <a@c.example>>
		501 <Name <a b@c.example>>
		501 <a@c.example <Name>>x
		553 <Name <ü@c.example>>
	EOT
	options=(--domain mx.example)
	judge RCPT <<-'EOT'
		250 <Name <bob@mx.example>>
		250 <"bob" <bob@mx.example>>
		550 <bob@mx.example <bob@elsewhere.example>>
		501 <Name <>>
		501 <Name <bob>>
	EOT
	options+=(--strict)
	say 'HELO c.example' 'MAIL FROM:<Name <a@c.example>>' QUIT
	[[ $codes == '220 250 501 221' ]]
}

@test "only the address of <Name <a@b>> is in the message and in the log" {
	options=(--domain mx.example)
	say 'HELO c.example' $'MAIL FROM:<"M\xfcller" <a@c.example>>' \
	    'RCPT TO:<eve@else.example <bob@mx.example>>' DATA . QUIT
	[[ $codes == "$to_bob_codes 354 250 221" ]]
	[[ $(header Return-Path) == '<a@c.example>' ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
	[[ $(events message) == *' from=a@c.example to=bob@mx.example'* ]]
}

@test "an address accepted in a tolerated form is stored in its standard form" {
	say 'HELO c.example' 'MAIL FROM: a@c.example. ' \
	    'RCPT TO: <bob@mx.example.>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Return-Path) == '<a@c.example>' ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "--strict rejects all that RFC 5321 forbids" {
	options=(--strict)
	judge RCPT <<-'EOT'
		501 " <bob@mx.example>"
		501 bob@mx.example
		501 <bob@mx.example.>
		501 <.bob@mx.example>
		501 <bob.@mx.example>
		501 <b..ob@mx.example>
		501 <bob@-mx.example>
		501 <bob@mx-.example>
		501 <bob@->
		501 <bob@my_host.example>
		501 postmaster
		250 <bob@mx.example>
		250 <"b ob"@mx.example>
		250 <"b..ob"@mx.example>
		250 <@relay.example:bob@mx.example>
		250 <bob@[127.0.0.1]>
		250 <Postmaster>
		250 <BOB@MX.EXAMPLE>
	EOT
	options=(--strict)
	judge MAIL <<-'EOT'
		501 " <a@c.example>"
		501 a@c.example
		501 <a@c.example.>
		501 <root>
		501 " <>"
		250 <>
		250 <a@c.example>
		250 <@relay.example:a@c.example>
	EOT
}

@test "a local part over 64 bytes is accepted (RFC 5321 4.5.3.1.1)" {
	judge RCPT <<-EOT
		250 <$(repeat 64 x)@mx.example>
		250 <$(repeat 65 x)@mx.example>
		250 <$(repeat 200 x)@mx.example>
		250 <"$(repeat 200 ' ')"@mx.example>
	EOT
}

@test "a path over 254 bytes gets 501 (RFC 5321 4.5.3.1.3)" {
	local x
	x=$(repeat 243 x)
	judge RCPT <<-EOT
		250 <$x@mx.example>
		501 <x$x@mx.example>
		501 <$x$x@mx.example>
		501 <$(repeat 1900 x)@mx.example>
		501 <bob@$(repeat 60 a).$(repeat 60 b).$(repeat 60 c).$(repeat 60 d).$(repeat 60 e)>
		501 <"$(repeat 255 ' ')"@mx.example>
		501 $(repeat 255 x)
	EOT
	judge MAIL <<-EOT
		250 <$x@mx.example>
		501 <x$x@mx.example>
		501 <$(repeat 1900 x)>
	EOT
	judge RCPT <<<"250 <$x@mx.example>"
}

@test "a label over 63 bytes gets 501 (RFC 1035 2.3.4)" {
	judge RCPT <<-EOT
		250 <bob@$(repeat 63 x).example>
		501 <bob@$(repeat 64 x).example>
	EOT
}

@test "UTF-8 without SMTPUTF8 gets 553 5.6.7 (RFC 6531 3.5)" {
	judge RCPT <<<$'553 <b\xc3\xb8b@mx.example>
553 <bob@m\xc3\xb8.example>
553 <"b \xc3\xb8"@mx.example>
553 <\xe2\x82\xac@mx.example>
553 <\xf0\x9f\x98\x80@mx.example>'
	judge MAIL <<<$'553 <"\xc3\xb8"@c.example>'
	say 'HELO c.example' $'MAIL FROM:<\xc3\xb8@c.example>' 'MAIL FROM:<>' \
	    $'RCPT TO:<\xc3\xb8@mx.example>' QUIT
	[[ ${lines[2]} == '553 5.6.7 '* ]]
	[[ ${lines[4]} == '553 5.6.7 '* ]]
}

@test "invalid UTF-8 gets 501 (RFC 6532 3.1, RFC 3629 3)" {
	local bad table=''
	for bad in '\xff' '\x80' '\xc3' '\xc3(' '\xc0\xaf' '\xc1\xbf' '\xe2\x82' \
	    '\xe0\x80\xaf' '\xed\xa0\x80' '\xf0\x80\x80\xaf' '\xf4\x90\x80\x80' \
	    '\xf8\x88\x80\x80\x80' '\xfe'; do
		table+="501 <b${bad}b@mx.example>"$'\n'
		table+="501 <\"b${bad}\"@mx.example>"$'\n'
		table+="501 <bob@m${bad}x.example>"$'\n'
	done
	table+='501 <@r\xff.example:bob@mx.example>'
	judge RCPT <<<"$(printf '%b' "$table")"
	judge MAIL <<<"$(printf '%b' "$table")"
}

@test "a syntax error in an address gets an enhanced status code of its class (RFC 3463)" {
	say 'HELO c.example' 'MAIL FROM:<<a>' 'MAIL FROM:<>' 'RCPT TO:<<a>' QUIT
	[[ ${lines[2]} =~ ^501\ 5\.(1\.7|5\.[24])\  ]]
	[[ ${lines[4]} =~ ^501\ 5\.(1\.3|5\.[24])\  ]]
}

@test "quoted local parts stay quoted in the message (RFC 5321 4.1.2)" {
	say 'HELO c.example' 'MAIL FROM:<"a \"b"@c.example>' \
	    'RCPT TO:<"bob b"@MX.Example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Return-Path) == '<"a \"b"@c.example>' ]]
	[[ $(header Delivered-To) == '"bob b"@MX.Example' ]]
}
