# At least three hundred cases, byte for byte, each with its expected codes and
# the section of the RFC: see t/table.

load helpers

# cases: those of standard input, with the options
cases() {
	local cmd
	command_line
	"${cmd[@]}" --version >/dev/null
	t/table "${cmd[@]}" >"$tmp/table" || {
		cat "$tmp/table"
		return 1
	}
}

@test "the first command: HELO, EHLO and commands allowed before them (RFC 5321 4.1.1.1, 4.1.4)" {
	cases <<'END'
| HELO c.example\r\n | 250 | 5321 4.1.1.1: HELO
| EHLO c.example\r\n | 250 | 5321 4.1.1.1: EHLO
| helo c.example\r\n | 250 | 5321 2.4: a verb in lower case
| eHlO c.example\r\n | 250 | 5321 2.4: a verb in any case
| HELO c.example   \r\n | 250 | 5321 4.1.1: white space at the end
| HELO   c.example\r\n | 250 | 5321 4.1.1: more than one space
| HELO\tc.example\r\n | 250 | 5321 4.1.1: TAB as white space
| HELO\r\n | 501 | 5321 4.1.1.1: HELO needs a name
| EHLO\r\n | 501 | 5321 4.1.1.1: EHLO needs a name
| EHLO \r\n | 501 | 5321 4.1.1.1: white space is no name
| HELO [192.0.2.1]\r\n | 250 | 5321 4.1.3: an address literal
| EHLO [IPv6:2001:db8::1]\r\n | 250 | 5321 4.1.3: an IPv6 literal
| EHLO c_1.example\r\n | 250 | 5321 4.1.4: a name that is no domain
| EHLO (c)\r\n | 250 | 5321 4.1.4: a name that is none at all
| EHLO c.example x y\r\n | 250 | 5321 4.1.4: words behind the name
| HELO \xc3\xb8\r\n | 250 | 6531 3.7.1: a name in UTF-8
| HELO c.example\r\nHELO c.example\r\n | 250 250 | 5321 4.1.4: HELO again
| HELO c.example\r\nEHLO c.example\r\n | 250 250 | 5321 4.1.4: EHLO after HELO
EM | EHLO c.example\r\nRCPT TO:<b@mx.example>\r\n | 250 503 | 5321 4.1.4: EHLO is a RSET, too
EM | EHLO\r\nRCPT TO:<b@mx.example>\r\n | 501 250 | 5321 4.1.4: an EHLO that is refused is none
| NOOP\r\n | 250 | 5321 4.1.4: NOOP before HELO
| RSET\r\n | 250 | 5321 4.1.4: RSET before HELO
| VRFY b\r\n | 252 | 5321 4.1.4: VRFY before HELO
| HELP\r\n | 214 | 5321 4.1.4: HELP before HELO
| EXPN l\r\n | 502 | 5321 4.1.4: EXPN before HELO
| QUIT\r\n | 221. | 5321 4.1.1.10: QUIT before HELO
| MAIL FROM:<a@c.example>\r\n | 503 | 5321 4.1.4: MAIL before HELO
| RCPT TO:<b@mx.example>\r\n | 503 | 5321 4.1.4: RCPT before HELO
| DATA\r\n | 503 | 5321 4.1.4: DATA before HELO
| BDAT 4\r\nQUIT | 503 | 3030 2: BDAT before HELO, with its octets
| AUTH PLAIN AAAA\r\n | 503 | 4954 4: AUTH before EHLO
| LHLO c.example\r\n | 500 | 2033 4.1: LHLO over SMTP
END
	[[ $(<"$tmp/table") == '32 cases' ]]
}

@test "arguments and order of the other commands (RFC 5321 4.1.1, 4.1.4)" {
	options=(--domain mx.example)
	cases <<'END'
E | NOOP\r\n | 250 | 5321 4.1.1.9: NOOP
E | NOOP x y\r\n | 250 | 5321 4.1.1.9: NOOP with an argument
E | NOOP \r\n | 250 | 5321 4.1.1.9: NOOP with a space
E | RSET\r\n | 250 | 5321 4.1.1.5: RSET
E | RSET \r\n | 250 | 5321 4.1.1.5: RSET with a space
E | RSET x\r\n | 501 | 5321 4.1.1.5: RSET with an argument
EMR | RSET\r\nDATA\r\n | 250 503 | 5321 4.1.1.5: RSET forgets the mail
E | VRFY\r\n | 501 | 5321 4.1.1.6: VRFY needs an argument
E | VRFY b\r\n | 252 | 5321 3.5.3: VRFY says neither yes nor no
E | VRFY <b@mx.example>\r\n | 252 | 5321 3.5.3: VRFY of an address
E | EXPN\r\n | 502 | 5321 4.2.4: EXPN is not there
E | EXPN list\r\n | 502 | 5321 4.2.4: EXPN of a list
E | HELP\r\n | 214 | 5321 4.1.1.8: HELP
E | HELP MAIL\r\n | 214 | 5321 4.1.1.8: HELP with an argument
E | QUIT x\r\n | 501 | 5321 4.1.1.10: QUIT with an argument
E | quit\r\n | 221. | 5321 4.1.1.10: QUIT in lower case
E | QUIT\t \r\n | 221. | 5321 4.1.1.10: QUIT with white space
E | RCPT TO:<b@mx.example>\r\n | 503 | 5321 4.1.4: RCPT before MAIL
E | DATA\r\n | 503 | 5321 4.1.4: DATA before MAIL
EM | DATA\r\n | 503 | 5321 4.1.4: DATA before RCPT
EM | MAIL FROM:<x@c.example>\r\n | 503 | 5321 4.1.4: MAIL within a mail
EMR | MAIL FROM:<x@c.example>\r\n | 503 | 5321 4.1.4: MAIL after RCPT
EMR | DATA x\r\n | 501 | 5321 4.1.1.4: DATA with an argument
EMR | DATA \r\n.\r\n | 354 250 | 5321 4.1.1.4: DATA with a space
EMR | RCPT TO:<b@mx.example>\r\n | 250 | 5321 4.1.1.3: a recipient twice
EM | RCPT TO:<b@elsewhere.example>\r\nDATA\r\n | 550 554 | 5321 3.3: DATA after RCPT that were refused
EM | RCPT TO:<b@elsewhere.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n.\r\n | 550 250 354 250 | 5321 3.3: one good recipient will do
EMRD | .\r\nRCPT TO:<b@mx.example>\r\n | 250 503 | 5321 4.1.4: the mail is over at the dot
EMRD | .\r\nMAIL FROM:<a@c.example>\r\n | 250 250 | 5321 4.1.4: a second mail
EMRD | NOOP\r\n.\r\n | 250 | 5321 4.1.1.4: commands in the data are data
E | AUTH PLAIN AAAA\r\n | 502 | 4954 4: AUTH where there is none
E | ETRN x\r\n | 500 | 5321 4.2.4: an unknown command
E | TURN\r\n | 500 | 5321 4.2.4: a command of old
E | SEND FROM:<a@c.example>\r\n | 500 | 5321 F.6: SEND
E | SAML FROM:<a@c.example>\r\n | 500 | 5321 F.6: SAML
E | XFORWARD NAME=x\r\n | 500 | 5321 4.1.5: an unknown private command
E | MAILFROM:<a@c.example>\r\n | 501 | 5321 4.1.1: a colon for the space is a syntax error
E | MAI FROM:<a@c.example>\r\n | 500 | 5321 4.1.1: a verb that is cut
E | MAIL\r\n | 501 | 5321 4.1.1.2: MAIL alone
EM | RCPT\r\n | 501 | 5321 4.1.1.3: RCPT alone
END
	[[ $(<"$tmp/table") == '40 cases' ]]
}

@test "lines: the end of a command, and bytes that are invalid in it (RFC 5321 2.3.8, 4.1.1)" {
	cases <<'END'
E | \r\n | 500 | 5321 4.1.1: an empty line
E |   \r\n | 500 | 5321 4.1.1: white space
E |  NOOP\r\n | 500 | 5321 4.1.1: white space before a verb
E | NOOP\nRSET\r\n | 500 | 5321 2.3.8: a bare LF in a line
E | NOOP\rRSET\r\n | 500 | 5321 2.3.8: a bare CR in a line
E | NOOP\r\r\n | 500 | 5321 2.3.8: CR before CR LF
E | \nNOOP\r\n | 500 | 5321 2.3.8: a bare LF before a line
E | NOOP \0\r\n | 500 | 5321 4.1.2: NUL in a line
E | NOOP \x01\r\n | 500 | 5321 4.1.2: a control octet in a line
E | NOOP \x7f\r\n | 500 | 5321 4.1.2: DEL in a line
E | NOOP \x1b[0m\r\n | 500 | 5321 4.1.2: an escape sequence
E | NOOP \xff\r\n | 250 | 5321 4.1.1.9: octets beyond ASCII where nothing is read
E | NOOP\t\r\n | 250 | 5321 4.1.1: TAB behind a verb
E | \xc3\xb8\r\n | 500 | 5321 2.4: a verb beyond ASCII
E | .\r\n | 500 | 5321 4.1.1: a dot that nobody waits for
E | MAIL FROM:<a\x00@c.example>\r\n | 500 | 5321 4.1.2: NUL in a path
E | MAIL FROM:<a\n@c.example>\r\n | 500 | 5321 4.1.2: LF in a path
E | MAIL FROM:<"a\x08"@c.example>\r\n | 500 | 5321 4.1.2: a control octet in a quoted string
E | MAIL FROM:<a@c.example>\nRCPT TO:<b@mx.example>\r\nRSET\r\n | 500 250 | 5321 2.3.8: nothing of such a line is executed
END
	[[ $(<"$tmp/table") == '19 cases' ]]
}

@test "the reverse-path of MAIL (RFC 5321 4.1.1.2, 4.1.2)" {
	cases <<'END'
E | MAIL FROM:<a@c.example>\r\n | 250 | 5321 4.1.1.2: a reverse-path
E | MAIL from:<a@c.example>\r\n | 250 | 5321 2.4: FROM in lower case
E | MAIL FROM: <a@c.example>\r\n | 250 | 5321 3.3: a space before the path is taken
E | MAIL FROM:a@c.example\r\n | 250 | 5321 3.3: brackets may be missing
E | MAIL FROM:<>\r\n | 250 | 5321 4.5.5: the null reverse-path
E | MAIL FROM: <> \r\n | 250 | 5321 4.5.5: the same with spaces
E | MAIL FROM:\r\n | 501 | 5321 4.1.1.2: no path
E | MAIL FROM\r\n | 501 | 5321 4.1.1.2: no colon
E | MAIL FROM <a@c.example>\r\n | 501 | 5321 4.1.1.2: a space for the colon
E | MAIL TO:<a@c.example>\r\n | 501 | 5321 4.1.1.2: TO for FROM
E | MAIL <a@c.example>\r\n | 501 | 5321 4.1.1.2: no FROM
E | MAIL FROM:<a@c.example\r\n | 501 | 5321 4.1.2: a bracket is open
E | MAIL FROM:a@c.example>\r\n | 501 | 5321 4.1.2: a bracket is closed
E | MAIL FROM:<<a@c.example>>\r\n | 501 | 5321 4.1.2: brackets in brackets
E | MAIL FROM:<a@c.example>x\r\n | 501 | 5321 4.1.2: a letter behind the path
E | MAIL FROM:<a b@c.example>\r\n | 501 | 5321 4.1.2: a space in a local part
E | MAIL FROM:<a@c example>\r\n | 501 | 5321 4.1.2: a space in a domain
E | MAIL FROM:< a@c.example>\r\n | 501 | 5321 4.1.2: a space behind the bracket
E | MAIL FROM:<a@>\r\n | 501 | 5321 4.1.2: no domain behind the at sign
E | MAIL FROM:<@c.example>\r\n | 501 | 5321 4.1.2: no local part
E | MAIL FROM:<a>\r\n | 250 | 5321 4.1.2: a sender without a domain is taken
E | MAIL FROM:<a@c.example.>\r\n | 250 | 5321 2.3.5: a dot at the end of the domain is dropped
E | MAIL FROM:<a@c..example>\r\n | 501 | 5321 4.1.2: an empty label
E | MAIL FROM:<a@.c.example>\r\n | 501 | 5321 4.1.2: a dot before the domain
E | MAIL FROM:<a@c_1.example>\r\n | 250 | 5321 4.1.2: an underscore in a domain is taken
E | MAIL FROM:<a@-c.example>\r\n | 250 | 5321 4.1.2: a hyphen before a label is taken
E | MAIL FROM:<a@ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.example>\r\n | 250 | 1035 2.3.4: a label of 63 octets
E | MAIL FROM:<a@dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.example>\r\n | 501 | 1035 2.3.4: a label of 64 octets
E | MAIL FROM:<llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@c.example>\r\n | 250 | 5321 4.5.3.1.1: a local part of 64 octets
E | MAIL FROM:<lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@c.example>\r\n | 250 | 5321 4.5.3.1.1: a longer one is taken
E | MAIL FROM:<llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@c.example>\r\n | 250 | 5321 4.5.3.1.3: a path of 254 octets
E | MAIL FROM:<lllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll@c.example>\r\n | 501 | 5321 4.5.3.1.3: a path of 255 octets
E | MAIL FROM:<a.b@c.example>\r\n | 250 | 5321 4.1.2: a dot-string
E | MAIL FROM:<.a@c.example>\r\n | 250 | 5321 4.1.2: a dot before a local part is taken
E | MAIL FROM:<a..b@c.example>\r\n | 250 | 5321 4.1.2: two dots in one are taken
E | MAIL FROM:<a.@c.example>\r\n | 250 | 5321 4.1.2: a dot behind one is taken
E | MAIL FROM:<!#$%&'*+-/=?^_`{}~@c.example>\r\n | 250 | 5321 4.1.2: all signs of an atom
E | MAIL FROM:<a|b@c.example>\r\n | 250 | 5321 4.1.2: a bar is one of them
E | MAIL FROM:<a,b@c.example>\r\n | 501 | 5321 4.1.2: a comma is no atom
E | MAIL FROM:<a(b)@c.example>\r\n | 501 | 5321 4.1.2: nor are parentheses
E | MAIL FROM:<a@b@c.example>\r\n | 501 | 5321 4.1.2: two at signs
E | MAIL FROM:<"a b"@c.example>\r\n | 250 | 5321 4.1.2: a quoted string
E | MAIL FROM:<"a@b"@c.example>\r\n | 250 | 5321 4.1.2: an at sign in one
E | MAIL FROM:<"a>b"@c.example>\r\n | 250 | 5321 4.1.2: a bracket in one
E | MAIL FROM:<"a\\"b"@c.example>\r\n | 250 | 5321 4.1.2: a quoted quote
E | MAIL FROM:<"a\\\\"@c.example>\r\n | 250 | 5321 4.1.2: a quoted backslash
E | MAIL FROM:<"a@c.example>\r\n | 501 | 5321 4.1.2: a quote is open
E | MAIL FROM:<a"b"@c.example>\r\n | 501 | 5321 4.1.2: a quote within an atom
E | MAIL FROM:<""@c.example>\r\n | 250 | 5321 4.1.2: an empty quoted string
E | MAIL FROM:<a@[192.0.2.1]>\r\n | 250 | 5321 4.1.3: an address literal
E | MAIL FROM:<a@[IPv6:2001:db8::1]>\r\n | 250 | 5321 4.1.3: an IPv6 literal
E | MAIL FROM:<a@[ipv6:::1]>\r\n | 250 | 5321 4.1.3: its tag in lower case
E | MAIL FROM:<a@[256.0.2.1]>\r\n | 501 | 5321 4.1.3: a literal that is no address
E | MAIL FROM:<a@[192.0.2]>\r\n | 501 | 5321 4.1.3: one that is cut
E | MAIL FROM:<a@[192.0.2.1>\r\n | 501 | 5321 4.1.3: one without its end
E | MAIL FROM:<a@[IPv6:xyz]>\r\n | 501 | 5321 4.1.3: an IPv6 literal that is none
E | MAIL FROM:<a@[x-tag:y]>\r\n | 501 | 5321 4.1.3: a literal of a kind unknown
E | MAIL FROM:<@r.example:a@c.example>\r\n | 250 | 5321 4.1.1.3: a source route is dropped
E | MAIL FROM:<@r.example,@s.example:a@c.example>\r\n | 250 | 5321 4.1.1.3: a longer one, too
E | MAIL FROM:<@r.example>\r\n | 501 | 5321 4.1.2: a route alone
E | MAIL FROM:<@r.example:>\r\n | 501 | 5321 4.1.2: a route to nowhere
E | MAIL FROM:<@r.example a@c.example>\r\n | 501 | 5321 4.1.2: a route without a colon
E | MAIL FROM:<:a@c.example>\r\n | 501 | 5321 4.1.2: a colon without a route
E | MAIL FROM:<a@c.example\xff>\r\n | 501 | 6531 3.3: octets that are no UTF-8
E | MAIL FROM:<\xc3\xb8@c.example>\r\n | 553 | 6531 3.2: UTF-8 without SMTPUTF8
E | MAIL FROM:<postmaster>\r\n | 250 | 5321 4.5.1: postmaster as a sender
END
	[[ $(<"$tmp/table") == '66 cases' ]]
}

@test "the forward-path of RCPT (RFC 5321 4.1.1.3, 4.1.2, 4.5.1)" {
	options=(--domain mx.example)
	cases <<'END'
EM | RCPT TO:<b@mx.example>\r\n | 250 | 5321 4.1.1.3: a forward-path
EM | RCPT to:<b@mx.example>\r\n | 250 | 5321 2.4: TO in lower case
EM | RCPT TO: <b@mx.example>\r\n | 250 | 5321 3.3: a space before the path is taken
EM | RCPT TO:b@mx.example\r\n | 250 | 5321 3.3: brackets may be missing
EM | RCPT TO:<b@MX.EXAMPLE>\r\n | 250 | 5321 2.3.5: domains in any case
EM | RCPT TO:<b@mx.example.>\r\n | 250 | 5321 2.3.5: a dot at the end of the domain is dropped
EM | RCPT TO:<B@mx.example>\r\n | 250 | 5321 2.4: a local part in any case
EM | RCPT TO:<>\r\n | 501 | 5321 4.1.1.3: there is no null forward-path
EM | RCPT TO:\r\n | 501 | 5321 4.1.1.3: no path
EM | RCPT TO\r\n | 501 | 5321 4.1.1.3: no colon
EM | RCPT FROM:<b@mx.example>\r\n | 501 | 5321 4.1.1.3: FROM for TO
EM | RCPT TO:<b>\r\n | 501 | 5321 4.1.1.3: a recipient without a domain
EM | RCPT TO:<postmaster>\r\n | 250 | 5321 4.5.1: but for postmaster
EM | RCPT TO:<PostMaster>\r\n | 250 | 5321 4.5.1: in any case
EM | RCPT TO:postmaster\r\n | 250 | 5321 4.5.1: without brackets, too
EM | RCPT TO:<postmaster@mx.example>\r\n | 250 | 5321 4.5.1: and with a domain
EM | RCPT TO:<@mx.example>\r\n | 501 | 5321 4.1.2: no local part
EM | RCPT TO:<b@>\r\n | 501 | 5321 4.1.2: no domain behind the at sign
EM | RCPT TO:<b@elsewhere.example>\r\n | 550 | 5321 3.6.2: no mail is relayed
EM | RCPT TO:<b@sub.mx.example>\r\n | 550 | 5321 3.6.2: nor is a subdomain ours
EM | RCPT TO:<b%elsewhere.example@mx.example>\r\n | 250 | 5321 3.6.2: a percent sign is a part of the name
EM | RCPT TO:<elsewhere.example!b@mx.example>\r\n | 250 | 5321 3.6.2: and so is an exclamation mark
EM | RCPT TO:<b@[192.0.2.1]>\r\n | 550 | 5321 4.1.3: a literal that is not ours
EM | RCPT TO:<b@[notanip]>\r\n | 501 | 5321 4.1.3: a literal that is none
EM | RCPT TO:<@elsewhere.example:b@mx.example>\r\n | 250 | 5321 4.1.1.3: a source route is dropped
EM | RCPT TO:<@mx.example:b@elsewhere.example>\r\n | 550 | 5321 4.1.1.3: and does not make a domain ours
EM | RCPT TO:<"b c"@mx.example>\r\n | 250 | 5321 4.1.2: a quoted string
EM | RCPT TO:<"b@elsewhere.example"@mx.example>\r\n | 250 | 5321 4.1.2: an at sign in one
EM | RCPT TO:<b+x@mx.example>\r\n | 250 | 5233 1: a subaddress
EM | RCPT TO:<b@mx.example> \r\n | 250 | 5321 4.1.1: white space at the end
EM | RCPT TO:<b@mx.example>x\r\n | 501 | 5321 4.1.2: a letter behind the path
EM | RCPT TO:<b@mx.example\r\n | 501 | 5321 4.1.2: a bracket is open
EM | RCPT TO:<<b@mx.example>>\r\n | 501 | 5321 4.1.2: brackets in brackets
EM | RCPT TO:<\xc3\xb8@mx.example>\r\n | 553 | 6531 3.2: UTF-8 without SMTPUTF8
EM | RCPT TO:<b\xc3@mx.example>\r\n | 501 | 6531 3.3: octets that are no UTF-8
EM | RCPT TO:<b@mx.example> <c@mx.example>\r\n | 501 | 5321 4.1.1.3: one recipient each
EM | RCPT TO:<b@mx.example>,<c@mx.example>\r\n | 501 | 5321 4.1.1.3: no lists
EM | RCPT TO:<b@mx.example> SIZE=1\r\n | 555 | 1870 3: SIZE is for MAIL
EM | RCPT TO:<b@mx.example> X=y\r\n | 555 | 5321 4.1.1.11: an unknown parameter
EM | RCPT TO:<b@mx.example> BODY=7BIT\r\n | 555 | 6152 2: BODY is for MAIL
EM | RCPT TO:<b@mx.example> =\r\n | 501 | 5321 4.1.2: no keyword
END
	[[ $(<"$tmp/table") == '41 cases' ]]
}

@test "the parameters of MAIL (RFC 5321 4.1.1.11, RFC 1870, RFC 6152, RFC 3030, RFC 6531)" {
	cases <<'END'
E | MAIL FROM:<a@c.example> SIZE=1\r\n | 250 | 1870 3: SIZE
E | MAIL FROM:<a@c.example> size=1\r\n | 250 | 1870 3: a keyword in lower case
E | MAIL FROM:<a@c.example> SIZE=0\r\n | 250 | 1870 6: nought says nothing
E | MAIL FROM:<a@c.example> SIZE=0000000000000000100\r\n | 250 | 1870 4: noughts before a number
E | MAIL FROM:<a@c.example> SIZE=52428800\r\n | 250 | 1870 6.1: the limit itself
E | MAIL FROM:<a@c.example> SIZE=52428801\r\n | 552 | 1870 6.1: over the limit
E | MAIL FROM:<a@c.example> SIZE=4294967297\r\n | 552 | 1870 6.1: over 32 bits
E | MAIL FROM:<a@c.example> SIZE=9223372036854775807\r\n | 552 | 1870 6.1: 63 bits
E | MAIL FROM:<a@c.example> SIZE=9223372036854775808\r\n | 552 | 1870 6.1: over 63 bits
E | MAIL FROM:<a@c.example> SIZE=18446744073709551615\r\n | 552 | 1870 6.1: 64 bits
E | MAIL FROM:<a@c.example> SIZE=18446744073709551616\r\n | 552 | 1870 6.1: over 64 bits
E | MAIL FROM:<a@c.example> SIZE=99999999999999999999\r\n | 552 | 1870 4: twenty digits
E | MAIL FROM:<a@c.example> SIZE=100000000000000000000\r\n | 501 | 1870 4: more than twenty
E | MAIL FROM:<a@c.example> SIZE=000000000000000000001\r\n | 501 | 1870 4: more than twenty, all the same
E | MAIL FROM:<a@c.example> SIZE\r\n | 501 | 1870 4: SIZE without a value
E | MAIL FROM:<a@c.example> SIZE=\r\n | 501 | 1870 4: an empty value
E | MAIL FROM:<a@c.example> SIZE=x\r\n | 501 | 1870 4: no number
E | MAIL FROM:<a@c.example> SIZE=1x\r\n | 501 | 1870 4: a letter behind a number
E | MAIL FROM:<a@c.example> SIZE=-1\r\n | 501 | 1870 4: a sign
E | MAIL FROM:<a@c.example> SIZE=+1\r\n | 501 | 1870 4: the other one
E | MAIL FROM:<a@c.example> SIZE=0x10\r\n | 501 | 1870 4: another base
E | MAIL FROM:<a@c.example> SIZE=1.5\r\n | 501 | 1870 4: a fraction
E | MAIL FROM:<a@c.example> SIZE=1 SIZE=1\r\n | 501 | 5321 4.1.1.11: a parameter twice
E | MAIL FROM:<a@c.example> SIZE=1 size=2\r\n | 501 | 5321 4.1.1.11: twice in any case
E | MAIL FROM:<a@c.example> BODY=7BIT\r\n | 250 | 6152 2: 7BIT
E | MAIL FROM:<a@c.example> BODY=8BITMIME\r\n | 250 | 6152 2: 8BITMIME
E | MAIL FROM:<a@c.example> body=8bitmime\r\n | 250 | 6152 2: in lower case
E | MAIL FROM:<a@c.example> BODY=BINARYMIME\r\n | 250 | 3030 3: BINARYMIME
E | MAIL FROM:<a@c.example> BODY=9BIT\r\n | 501 | 6152 2: another body
E | MAIL FROM:<a@c.example> BODY=8BITMIMEX\r\n | 501 | 6152 2: a longer one
E | MAIL FROM:<a@c.example> BODY=8BIT\r\n | 501 | 6152 2: a shorter one
E | MAIL FROM:<a@c.example> BODY\r\n | 501 | 6152 2: BODY without a value
E | MAIL FROM:<a@c.example> BODY=\r\n | 501 | 6152 2: an empty value
E | MAIL FROM:<a@c.example> BODY=7BIT BODY=7BIT\r\n | 501 | 5321 4.1.1.11: BODY twice
E | MAIL FROM:<a@c.example> SIZE=1 BODY=8BITMIME\r\n | 250 | 5321 4.1.1.11: two parameters
E | MAIL FROM:<a@c.example> BODY=8BITMIME  SIZE=1\r\n | 250 | 5321 4.1.1.11: in any order
E | MAIL FROM:<a@c.example> \tSIZE=1\t\r\n | 250 | 5321 4.1.1: TAB between parameters
E | MAIL FROM:<a@c.example> SMTPUTF8\r\n | 250 | 6531 3.4: SMTPUTF8
E | MAIL FROM:<a@c.example> smtputf8\r\n | 250 | 6531 3.4: in lower case
E | MAIL FROM:<a@c.example> SMTPUTF8=\r\n | 501 | 6531 3.4: with an empty value
E | MAIL FROM:<a@c.example> SMTPUTF8=1\r\n | 501 | 6531 3.4: with a value
E | MAIL FROM:<a@c.example> SMTPUTF8 SMTPUTF8\r\n | 501 | 5321 4.1.1.11: SMTPUTF8 twice
E | MAIL FROM:<a@c.example> REQUIRETLS\r\n | 555 | 8689 3: REQUIRETLS without TLS
E | MAIL FROM:<a@c.example> BY=100;R\r\n | 555 | 2852 4: DELIVERBY is not there
E | MAIL FROM:<a@c.example> MT-PRIORITY=3\r\n | 555 | 6710 4.1: nor is MT-PRIORITY
E | MAIL FROM:<a@c.example> HOLDFOR=100\r\n | 555 | 4865 5: nor is FUTURERELEASE
E | MAIL FROM:<a@c.example> TRANSID=<x@y>\r\n | 555 | 1845 4: nor is CHECKPOINT
E | MAIL FROM:<a@c.example> CONPERM\r\n | 555 | 4141 4.2: nor is CONPERM
E | MAIL FROM:<a@c.example> AUTH=<>\r\n | 555 | 4954 5: nor is AUTH without a command for it
E | MAIL FROM:<a@c.example> X-Y=z\r\n | 555 | 5321 4.1.1.11: an unknown parameter
E | MAIL FROM:<a@c.example> X\r\n | 555 | 5321 4.1.1.11: one without a value
E | MAIL FROM:<a@c.example> X=y SIZE=x\r\n | 555 | 5321 4.1.1.11: the first that is wrong counts
E | MAIL FROM:<a@c.example> SIZE=x X=y\r\n | 501 | 5321 4.1.1.11: either way
E | MAIL FROM:<a@c.example> =y\r\n | 501 | 5321 4.1.2: no keyword
E | MAIL FROM:<a@c.example> X=\r\n | 501 | 5321 4.1.2: an empty value
E | MAIL FROM:<a@c.example> X=a=b\r\n | 501 | 5321 4.1.2: an equals sign in a value
E | MAIL FROM:<a@c.example> -X=y\r\n | 501 | 5321 4.1.2: a hyphen before a keyword
E | MAIL FROM:<a@c.example> X_Y=z\r\n | 501 | 5321 4.1.2: an underscore in one
E | MAIL FROM:<a@c.example> X=\xc3\xb8y\r\n | 555 | 6531 3.3: octets beyond ASCII in a value
E | MAIL FROM:<a@c.example> X\xc3=y\r\n | 501 | 5321 4.1.2: octets beyond ASCII in a keyword
E | MAIL FROM:<a@c.example> SIZE=1;BODY=7BIT\r\n | 501 | 5321 4.1.1.11: parameters are parted by spaces
E | MAIL FROM:<a@c.example> XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX=1\r\n | 501 | 5321 4.1.2: a keyword longer than any
END
	[[ $(<"$tmp/table") == '62 cases' ]]
}

@test "parameters are the same after HELO and EHLO, and none is read within the path (RFC 5321 4.1.1.11)" {
	cases <<'END'
H | MAIL FROM:<a@c.example> SIZE=1\r\n | 250 | 1870 3: SIZE after HELO
H | MAIL FROM:<a@c.example> SIZE=52428801\r\n | 552 | 1870 6.1: over the limit after HELO
H | MAIL FROM:<a@c.example> X=y\r\n | 555 | 5321 4.1.1.11: an unknown one after HELO
H | MAIL FROM:<a@c.example> BODY=8BITMIME\r\n | 250 | 6152 2: BODY after HELO
E | MAIL FROM:<a@c.example>SIZE=1\r\n | 501 | 5321 4.1.1.11: no space before a parameter
E | MAIL FROM:<a@c.example SIZE=1>\r\n | 501 | 5321 4.1.2: a parameter within the path
E | MAIL FROM:a@c.example SIZE=1\r\n | 250 | 5321 3.3: a parameter behind a path without brackets
E | MAIL FROM:<> SIZE=1\r\n | 250 | 5321 4.5.5: a parameter behind the null path
E | MAIL SIZE=1 FROM:<a@c.example>\r\n | 501 | 5321 4.1.1.2: a parameter before the path
E | MAIL FROM:<a@c.example> SIZE=x\r\nMAIL FROM:<a@c.example>\r\n | 501 250 | 5321 4.1.4: after a MAIL that was refused another may come
E | MAIL FROM:<a@c.example> BODY=BINARYMIME SIZE=x\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n.\r\n | 501 250 250 354 250 | 3030 3: what a refused MAIL declared is forgotten
E | MAIL FROM:<\xc3\xb8@c.example> SMTPUTF8\r\n | 250 | 6531 3.4: UTF-8 with SMTPUTF8
E | MAIL FROM:<\xc0\xaf@c.example> SMTPUTF8\r\n | 501 | 6531 3.3: an overlong form
E | MAIL FROM:<\xed\xa0\x80@c.example> SMTPUTF8\r\n | 501 | 6531 3.3: a surrogate
E | MAIL FROM:<a@c.example> SMTPUTF8\r\nRCPT TO:<\xc3\xb8@mx.example>\r\n | 250 250 | 6531 3.4: a recipient in UTF-8
E | MAIL FROM:<a@c.example> SMTPUTF8\r\nRSET\r\nMAIL FROM:<a@c.example>\r\nRCPT TO:<\xc3\xb8@mx.example>\r\n | 250 250 250 553 | 6531 3.4: SMTPUTF8 is for one mail
END
	[[ $(<"$tmp/table") == '16 cases' ]]
}

@test "--strict rejects deviations from RFC 5321 (RFC 5321 4.1.2)" {
	options=(--strict)
	cases <<'END'
| HELO c_1.example\r\n | 501 | 5321 4.1.1.1: a name that is no domain
| HELO c.example.\r\n | 501 | 5321 4.1.1.1: a dot behind a domain
| EHLO c\r\n | 250 | 5321 4.1.2: a name of one label
| EHLO [192.0.2.1]\r\n | 250 | 5321 4.1.3: an address literal
| EHLO [192.0.2]\r\n | 501 | 5321 4.1.3: one that is none
E | MAIL FROM:<a@c.example>\r\n | 250 | 5321 4.1.1.2: a reverse-path
E | MAIL FROM:<>\r\n | 250 | 5321 4.5.5: the null path
E | MAIL FROM: <a@c.example>\r\n | 501 | 5321 3.3: a space before the path
E | MAIL FROM:a@c.example\r\n | 501 | 5321 3.3: brackets are missing
E | MAIL FROM:<a>\r\n | 501 | 5321 4.1.2: a sender without a domain
E | MAIL FROM:<a@c_1.example>\r\n | 501 | 5321 4.1.2: an underscore in a domain
E | MAIL FROM:<a@-c.example>\r\n | 501 | 5321 4.1.2: a hyphen before a label
E | MAIL FROM:<a@c-.example>\r\n | 501 | 5321 4.1.2: a hyphen behind a label
E | MAIL FROM:<a@c.example.>\r\n | 501 | 5321 4.1.2: a dot behind a domain
E | MAIL FROM:<.a@c.example>\r\n | 501 | 5321 4.1.2: a dot before a local part
E | MAIL FROM:<a.@c.example>\r\n | 501 | 5321 4.1.2: a dot behind one
E | MAIL FROM:<a..b@c.example>\r\n | 501 | 5321 4.1.2: two dots in one
E | MAIL FROM:<"a..b"@c.example>\r\n | 250 | 5321 4.1.2: but not in quotes
EM | RCPT TO:<postmaster>\r\n | 250 | 5321 4.5.1: postmaster without a domain
EM | RCPT TO:b@mx.example\r\n | 501 | 5321 4.1.1.3: brackets are missing
END
	[[ $(<"$tmp/table") == '20 cases' ]]
}

@test "the end of data, dots, and bare CR and LF (RFC 5321 4.1.1.4, 4.5.2, 2.3.8)" {
	cases <<'END'
EMRD | .\r\n | 250 | 5321 4.1.1.4: an empty message
EMRD | \r\n.\r\n | 250 | 5321 4.1.1.4: an empty line
EMRD | A: b\r\n\r\nx\r\n.\r\n | 250 | 5321 4.1.1.4: a message
EMRD | ..\r\n.\r\n | 250 | 5321 4.5.2: a dot that was stuffed
EMRD | ..\r\n..\r\n...\r\n.\r\n | 250 | 5321 4.5.2: more of them
EMRD | .x\r\n.\r\n | 250 | 5321 4.5.2: a dot before text
EMRD | x.\r\n.\r\n | 250 | 5321 4.5.2: a dot behind text is no end
EMRD | x\r\n. \r\n.\r\n | 250 | 5321 4.1.1.4: a dot and a space are no end
EMRD | x\n.\n.\r\n\r\n.\r\n | 550 | 5321 2.3.8: LF . LF is no end
EMRD | x\n.\r\n\r\n.\r\n | 550 | 5321 2.3.8: LF . CR LF is no end
EMRD | x\r\n.\n\r\n.\r\n | 550 | 5321 2.3.8: CR LF . LF is no end
EMRD | x\r.\r\r\n.\r\n | 550 | 5321 2.3.8: CR . CR is no end
EMRD | x\r\n.\r\r\n.\r\n | 550 | 5321 2.3.8: CR LF . CR is no end
EMRD | x\r.\r\n\r\n.\r\n | 550 | 5321 2.3.8: CR . CR LF is no end
EMRD | \n.\r\n\r\n.\r\n | 550 | 5321 2.3.8: nor where data begins
EMRD | x\ny\r\n.\r\n | 550 | 5321 2.3.8: a bare LF
EMRD | x\ry\r\n.\r\n | 550 | 5321 2.3.8: a bare CR
EMRD | x\r\r\n.\r\n | 550 | 5321 2.3.8: CR before CR LF
EMRD | x\n.\nMAIL FROM:<a@c.example>\nRCPT TO:<b@mx.example>\nDATA\nx\r\n.\r\n | 550 | 5321 2.3.8: a second message in the first
EMRD | \0\x01\xff\r\n.\r\n | 250 | 5321 4.5.2: octets of every kind
EMRD | .\r\nDATA\r\n | 250 503 | 5321 4.1.4: the mail is over
EMRD | .\r\n.\r\n | 250 500 | 5321 4.1.1.4: a second dot is no command
END
	[[ $(<"$tmp/table") == '22 cases' ]]
}

@test "LF ends lines from a client in --lenient-from, and LF . LF ends data without CR LF" {
	lenient
	cases <<'END'
E | NOOP\nNOOP\n | 250 250 | 5321 2.3.8: LF ends a command
E | NOOP\rNOOP\r\n | 500 | 5321 2.3.8: CR does not
EMRD | x\ny\r\n.\r\n | 250 | 5321 2.3.8: LF ends a line of data
EMRD | x\n.\nNOOP\n | 250 250 | 5321 2.3.8: LF . LF ends data without CR LF
EMRD | x\r\ny\n.\n\r\n.\r\n | 250 | 5321 2.3.8: LF . LF is no end after CR LF
EMRD | x\n.\r\n\r\n.\r\n | 250 | 5321 2.3.8: LF . CR LF is no end
EMRD | x\r\n.\n\r\n.\r\n | 250 | 5321 2.3.8: CR LF . LF is no end
EMRD | x\ry\r\n.\r\n | 250 | 5321 2.3.8: a bare CR is a space
EMR | BDAT 4 LAST\r\nx\ny\n | 250 | 3030 2: LF in a chunk
EMR | BDAT 4 LAST\r\nx\ry\n | 250 | 3030 2: CR in a chunk
END
	[[ $(<"$tmp/table") == '10 cases' ]]
}

@test "limits of size and number (RFC 1870 6, RFC 5321 4.5.3.1)" {
	options=(--max-size 20 --max-recipients 2 --max-mails 2)
	cases <<'END'
E | MAIL FROM:<a@c.example> SIZE=20\r\n | 250 | 1870 6.1: the limit
E | MAIL FROM:<a@c.example> SIZE=21\r\n | 552 | 1870 6.1: over the limit
EMRD | 012345678901234567\r\n.\r\n | 250 | 1870 6.3: a message of the limit
EMRD | 0123456789012345678\r\n.\r\n | 552 | 1870 6.3: over the limit
EMRD | ..2345678901234567\r\n\r\n.\r\n | 552 | 1870 4: CR LF counts two
EMRD | ..123456789012345678\r\n.\r\n | 552 | 1870 4: no dot that was stuffed counts, but this is too long
EMRD | ..12345678901234567\r\n.\r\n | 250 | 1870 4: and this is not
EMRD | 0123456789012345678901234567890\n.\nQUIT\r\n.\r\n | 550 | 1870 6.3: nothing else ends data that is too long
EMR | BDAT 20 LAST\r\n012345678901234567\r\n | 250 | 3030 2: a chunk of the limit
EMR | BDAT 21 LAST\r\n0123456789012345678\r\n | 552 | 3030 2: over the limit
EMR | BDAT 19\r\n0123456789012345678BDAT 2 LAST\r\n\r\n | 250 552 | 3030 2: chunks together
EMR | RCPT TO:<c@mx.example>\r\nRCPT TO:<d@mx.example>\r\nDATA\r\n.\r\n | 250 452 354 250 | 5321 4.5.3.1.10: too many recipients
EMR | RCPT TO:<b@mx.example>\r\nRCPT TO:<b@mx.example>\r\n | 250 452 | 5321 4.5.3.1.8: the same one counts each time
EMRD | .\r\nMAIL FROM:<a@c.example>\r\nRSET\r\nMAIL FROM:<a@c.example>\r\n | 250 250 250 421. | 5321 3.8: too many mails
END
	[[ $(<"$tmp/table") == '14 cases' ]]
}

@test "chunks (RFC 3030 2)" {
	cases <<'END'
EMR | BDAT 8 LAST\r\nA: b\r\n\r\n | 250 | 3030 2: one chunk
EMR | bdat 8 last\r\nA: b\r\n\r\n | 250 | 3030 2: in lower case
EMR | BDAT 08 LAST\r\nA: b\r\n\r\n | 250 | 3030 2: a nought before the size
EMR | BDAT\t8\tLAST\r\nA: b\r\n\r\n | 250 | 5321 4.1.1: TAB as white space
EMRB | BDAT 0 LAST\r\n | 250 | 3030 2: an empty last one
EMRB | BDAT 1\r\nxBDAT 2\r\nyzBDAT 2 LAST\r\n\r\n | 250 250 250 | 3030 2: more of them
EMRB | BDAT 0\r\nBDAT 0\r\nBDAT 0 LAST\r\n | 250 250 250 | 3030 2: empty ones
EMRB | BDAT 6 LAST\r\nQUIT\r\n | 250 | 3030 2: a command in a chunk is text
EMRB | BDAT 5 LAST\r\n\r\n.\r\n | 250 | 3030 2: so is what ends data
EMRB | BDAT 2 LAST\r\n\rx | 550 | 5321 2.3.8: a bare CR
EMRB | BDAT 2 LAST\r\n\nx | 550 | 5321 2.3.8: a bare LF
EMRB | BDAT 1\r\n\rBDAT 1 LAST\r\n\n | 250 250 | 3030 2: CR and LF in two chunks
EMRB | BDAT 1\r\n\rBDAT 0 LAST\r\n | 250 550 | 3030 2: a CR at the very end
EMRB | DATA\r\n | 503 | 3030 2: DATA after BDAT
EMRB | MAIL FROM:<a@c.example>\r\n | 503 | 3030 2: MAIL after BDAT
EMRB | RCPT TO:<b@mx.example>\r\n | 503 | 3030 2: RCPT after BDAT
EMRB | NOOP\r\nBDAT 0 LAST\r\n | 250 250 | 3030 2: NOOP between chunks
EMRB | XYZZY\r\nBDAT 0 LAST\r\n | 500 250 | 3030 2: an unknown command between chunks
EMRB | RSET\r\nBDAT 4 LAST\r\nQUIT | 250 503 | 3030 2: RSET between chunks
EMRB | EHLO c.example\r\nBDAT 4 LAST\r\nQUIT | 250 503 | 3030 2: EHLO between chunks
EMRB | QUIT\r\n | 221. | 3030 2: QUIT between chunks
EMRB | BDAT 0 LAST\r\nBDAT 0 LAST\r\n | 250 503 | 3030 2: BDAT after LAST
EMRB | BDAT 0 LAST\r\nMAIL FROM:<a@c.example>\r\n | 250 250 | 3030 2: a second mail
E | BDAT 4\r\nQUIT | 503 | 3030 2: BDAT before MAIL
EM | BDAT 4\r\nQUIT | 503 | 3030 2: BDAT before RCPT
EM | BDAT 4\r\nQUITRCPT TO:<b@mx.example>\r\n | 503 503 | 3030 2: and the mail is over
EMR | BDAT\r\n | 501. | 3030 2: no size
EMR | BDAT x\r\n | 501. | 3030 2: a size that is none
EMR | BDAT -1\r\n | 501. | 3030 2: a negative one
EMR | BDAT +1\r\n | 501. | 3030 2: a sign
EMR | BDAT 1x\r\n | 501. | 3030 2: a letter behind it
EMR | BDAT 1 2\r\n | 501. | 3030 2: two sizes
EMR | BDAT 1 LAST x\r\n | 501. | 3030 2: something behind LAST
EMR | BDAT LAST\r\n | 501. | 3030 2: LAST alone
EMR | BDAT 18446744073709551616\r\n | 501. | 3030 2: a size over 64 bits
E | BDAT x\r\n | 501. | 3030 2: a bad size out of order
EMR | BDAT 6\nRSET\r\n | 501. | 3030 2: a line that LF ends
EMR | BDAT 6\0\r\nRSET\r\n | 501. | 3030 2: NUL in the line
E | BDAT 6\r\r\nRSET\r\n | 501. | 3030 2: a bare CR, out of order
E | MAIL FROM:<a@c.example> BODY=BINARYMIME\r\nRCPT TO:<b@mx.example>\r\nDATA\r\n | 250 250 503 | 3030 3: DATA for BINARYMIME
E | MAIL FROM:<a@c.example> BODY=BINARYMIME\r\nRCPT TO:<b@mx.example>\r\nBDAT 3 LAST\r\n\r\n\0 | 250 250 250 | 3030 3: BDAT for BINARYMIME
E | MAIL FROM:<a@c.example> BODY=8BITMIME\r\nRCPT TO:<b@mx.example>\r\nBDAT 3 LAST\r\n\n\r\0 | 250 250 550 | 3030 3: the same octets as text
END
	[[ $(<"$tmp/table") == '42 cases' ]]
}

@test "LMTP (RFC 2033)" {
	options=(--listen lmtp@- --domain mx.example)
	cases <<'END'
| LHLO c.example\r\n | 250 | 2033 4.1: LHLO
| LHLO\r\n | 501 | 2033 4.1: LHLO needs a name
| HELO c.example\r\n | 500 | 2033 4.1: HELO
| EHLO c.example\r\n | 500 | 2033 4.1: EHLO
| MAIL FROM:<a@c.example>\r\n | 503 | 2033 4.1: MAIL before LHLO
L | LHLO c.example\r\n | 250 | 2033 4.1: LHLO again
L | HELO c.example\r\n | 500 | 2033 4.1: HELO after LHLO
LM | DATA\r\n | 503 | 2033 4.2: DATA before RCPT
LM | RCPT TO:<b@c.example>\r\nDATA\r\n | 550 503 | 2033 4.2: DATA after RCPT that were refused
LMRD | .\r\n | 250 | 2033 4.2: one recipient, one reply
LMR | RCPT TO:<c@mx.example>\r\nDATA\r\n.\r\n | 250 354 250 250 | 2033 4.2: two recipients, two replies
LMR | RCPT TO:<b@mx.example>\r\nDATA\r\n.\r\n | 250 354 250 250 | 2033 4.2: so it is where both are one
LMR | RCPT TO:<b@c.example>\r\nDATA\r\n.\r\n | 550 354 250 | 2033 4.2: one that was refused has none
LMR | RCPT TO:<c@mx.example>\r\nDATA\r\nx\ny\r\n.\r\n | 250 354 550 550 | 2033 4.2: a refusal for each
LMR | RCPT TO:<c@mx.example>\r\nBDAT 8 LAST\r\nA: b\r\n\r\n | 250 250 250 | 2033 4.2: after BDAT LAST, too
LMR | RCPT TO:<c@mx.example>\r\nBDAT 8\r\nA: b\r\n\r\nBDAT 0 LAST\r\n | 250 250 250 250 | 2033 4.2: and not before
LMR | RCPT TO:<c@mx.example>\r\nBDAT 3 LAST\r\nx\ny | 250 550 550 | 2033 4.2: a refusal for each, too
LMRD | .\r\nMAIL FROM:<a@c.example>\r\n | 250 250 | 2033 4.2: a second mail
L | RSET\r\nNOOP\r\nVRFY b\r\nHELP\r\n | 250 250 252 214 | 2033 5: the other commands
END
	[[ $(<"$tmp/table") == '19 cases' ]]
}

@test "a client of another protocol is disconnected (RFC 5321 4.2.4, 3.8)" {
	cases <<'END'
| GET / HTTP/1.1\r\nHost: mx.example\r\n\r\n | 421. | 9110 9.3.1: GET
| POST /x HTTP/1.1\r\n | 421. | 9110 9.3.3: POST
| HEAD / HTTP/1.0\r\n | 421. | 9110 9.3.2: HEAD
| PUT /x HTTP/1.1\r\n | 421. | 9110 9.3.4: PUT
| DELETE /x HTTP/1.1\r\n | 421. | 9110 9.3.5: DELETE
| CONNECT x:25 HTTP/1.1\r\n | 421. | 9110 9.3.6: CONNECT
| OPTIONS * HTTP/1.1\r\n | 421. | 9110 9.3.7: OPTIONS
| TRACE / HTTP/1.1\r\n | 421. | 9110 9.3.8: TRACE
| PATCH /x HTTP/1.1\r\n | 421. | 5789 2: PATCH
| PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n | 421. | 9113 3.4: the preface of HTTP/2
| Host: mx.example\r\n | 421. | 9110 7.2: Host
| Subject: x\r\n | 421. | 5322 3.6.5: a header field
| \x16\x03\x01\x02\x00\x01 | 421. | 8446 5.1: a TLS handshake
| {\r\n | 421. | 8259 4: JSON
| *1\r\n$4\r\nPING\r\n | 421. | 5321 4.1.1: Redis
E | GET / HTTP/1.1\r\n | 421. | 9110 9.3.1: GET within a session
E | From: x\r\n | 421. | 5322 3.6.2: a header field within a session
E | {\r\n | 500 | 5321 4.2.4: a sign within a session is but an error
END
	[[ $(<"$tmp/table") == '18 cases' ]]
}

@test "the tables have at least three hundred cases" {
	(($(grep -cE '^[A-Z]* ?\| ' "$BATS_TEST_FILENAME") >= 300))
}
