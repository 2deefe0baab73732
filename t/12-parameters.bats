# ESMTP parameters of MAIL and RCPT (RFC 5321 4.1.1.11): SIZE (RFC 1870), BODY
# (RFC 6152), their limits, and invalid parameters.

load helpers

# judge <<TABLE: each line is a code, an enhanced code and what follows
# MAIL FROM:<a@c.example>
judge() {
	local want=() code rest dialogue=('EHLO c.example') i
	options+=(--max-errors 0)
	while read -r code rest; do
		want+=("$code ${rest%% *}")
		dialogue+=("MAIL FROM:<a@c.example>${rest#"${rest%% *}"}" RSET)
	done
	say "${dialogue[@]}" QUIT
	mapfile -t lines < <(printf '%s\n' "${lines[@]}" | grep '^....[2-5][.]')
	for i in "${!want[@]}"; do
		echo "${dialogue[i * 2 + 1]} is to get ${want[i]}"
		[[ ${lines[i * 2]} == "${want[i]} "* ]]
	done
	((${#lines[@]} == 2 * ${#want[@]} + 1))
}

@test "SIZE within the limit is accepted (RFC 1870 6)" {
	options=(--max-size 1000)
	judge <<-'EOT'
		250 2.1.0 SIZE=0
		250 2.1.0 SIZE=1
		250 2.1.0 SIZE=999
		250 2.1.0 SIZE=1000
		250 2.1.0 size=1000
		250 2.1.0 Size=00000000000000001000
	EOT
}

@test "SIZE over the limit gets 552 5.3.4 at MAIL (RFC 1870 6.1)" {
	options=(--max-size 1000)
	judge <<-'EOT'
		552 5.3.4 SIZE=1001
		552 5.3.4 SIZE=99999999
		552 5.3.4 SIZE=2147483648
		552 5.3.4 SIZE=4294967295
		552 5.3.4 SIZE=4294967296
		552 5.3.4 SIZE=4294967297
		552 5.3.4 SIZE=9223372036854775807
		552 5.3.4 SIZE=9223372036854775808
	EOT
}

@test "a SIZE over 64 bits does not wrap around (RFC 1870 3)" {
	judge <<-'EOT'
		552 5.3.4 SIZE=18446744073709551615
		552 5.3.4 SIZE=18446744073709551616
		552 5.3.4 SIZE=18446744073709551617
		552 5.3.4 SIZE=99999999999999999999
	EOT
}

@test "a SIZE of more than 20 digits, or without digits, gets 501 5.5.4 (RFC 1870 3)" {
	judge <<-'EOT'
		501 5.5.4 SIZE=100000000000000000000
		501 5.5.4 SIZE=000000000000000000001
		501 5.5.4 SIZE=
		501 5.5.4 SIZE
		501 5.5.4 SIZE=x
		501 5.5.4 SIZE=-1
		501 5.5.4 SIZE=+1
		501 5.5.4 SIZE=1k
		501 5.5.4 SIZE=0x10
		501 5.5.4 SIZE=1.5
		501 5.5.4 SIZE==1
	EOT
}

@test "with --max-size 0 every SIZE is accepted" {
	options=(--max-size 0 --min-free 0)
	judge <<-'EOT'
		250 2.1.0 SIZE=1
		250 2.1.0 SIZE=20000000
	EOT
}

@test "a MAIL with a rejected SIZE does not start a transaction" {
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> SIZE=99999999' \
	    'RCPT TO:<b@mx.example>' 'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 552 503 250 221' ]]
}

@test "a message may be larger or smaller than its declared SIZE (RFC 1870 6.3)" {
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> SIZE=1' \
	    'RCPT TO:<b@mx.example>' DATA 'much more than that' . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	keeps 1
}

@test "BODY may be 7BIT or 8BITMIME (RFC 6152 2)" {
	judge <<-'EOT'
		250 2.1.0 BODY=7BIT
		250 2.1.0 BODY=8BITMIME
		250 2.1.0 body=8bitmime
		501 5.5.4 BODY
		501 5.5.4 BODY=
		501 5.5.4 BODY=9BIT
		501 5.5.4 BODY=8BIT
		501 5.5.4 BODY=7BITX
	EOT
}

@test "parameters combine, in any order, with blanks between" {
	judge <<-'EOT'
		250 2.1.0 SIZE=1 BODY=7BIT
		250 2.1.0 BODY=8BITMIME SIZE=1
		250 2.1.0   SIZE=1   BODY=7BIT
	EOT
}

@test "a parameter given twice gets 501 5.5.4 (RFC 5321 4.1.1.11)" {
	judge <<-'EOT'
		501 5.5.4 SIZE=1 SIZE=1
		501 5.5.4 SIZE=1 BODY=7BIT size=2
		501 5.5.4 BODY=7BIT BODY=7BIT
		501 5.5.4 BODY=7BIT Body=8BITMIME
	EOT
}

@test "an unknown parameter of MAIL gets 555 5.5.4 (RFC 5321 4.1.1.11)" {
	judge <<-'EOT'
		555 5.5.4 FOO
		555 5.5.4 FOO=BAR
		555 5.5.4 SIZES=1
		555 5.5.4 SIZE=1 FOO=1
		555 5.5.4 X-Y=1
		555 5.5.4 BY=120;R
	EOT
}

@test "an invalid parameter gets 501 5.5.4 (RFC 5321 4.1.2)" {
	judge <<-'EOT'
		501 5.5.4 =
		501 5.5.4 =1
		501 5.5.4 SIZE =1
		501 5.5.4 SIZE= 1
		501 5.5.4 -X=1
		501 5.5.4 <b@c.example>
		501 5.5.4 ;
		501 5.5.4 FOO=a=b
		501 5.5.4 FOO_BAR=1
	EOT
}

@test "a parameter needs a blank before it (RFC 5321 4.1.1.2)" {
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>SIZE=1' QUIT
	[[ $codes == '220 250 501 221' ]]
}

@test "an unknown parameter of RCPT gets 555 5.5.4" {
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<b@mx.example> SIZE=1' 'RCPT TO:<b@mx.example> FOO' \
	    'RCPT TO:<b@mx.example> FOO=BAR' 'RCPT TO:<b@mx.example> =' \
	    'RCPT TO:<b@mx.example>' QUIT
	[[ $codes == '220 250 250 555 555 555 501 250 221' ]]
	[[ ${lines[-6]} == '555 5.5.4 '* ]]
	[[ ${lines[-3]} == '501 5.5.4 '* ]]
}

@test "parameters are accepted after HELO, too" {
	say 'HELO c.example' 'MAIL FROM:<a@c.example> SIZE=10 BODY=8BITMIME' \
	    RSET 'MAIL FROM:<a@c.example> SIZE=99999999' \
	    'MAIL FROM:<a@c.example> FOO=BAR' QUIT
	[[ $codes == '220 250 250 250 552 555 221' ]]
}

@test "parameters of extensions that are not offered get 555 (RFC 5321 2.2.1)" {
	say 'EHLO c.example' QUIT
	lacks -E 'REQUIRETLS|MT-PRIORITY|FUTURERELEASE' "$tmp/replies"
	options=(--max-errors 0)
	say 'EHLO c.example' 'MAIL FROM:<> REQUIRETLS' 'MAIL FROM:<> MT-PRIORITY=1' \
	    'MAIL FROM:<> HOLDFOR=1' QUIT
	[[ $codes == '220 250 555 555 555 221' ]]
}
