# A message is stored as it was sent, except for the CR of CR LF and the dots
# that the client added (RFC 5321 4.5.2, RFC 6152).

load helpers

# keep_file FILE: send a file as data, and compare what is kept
keep_file() {
	talk "${data_bob[@]}" file:"$1" send:'\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof
	{
		sed 's/\r$//' "$1"
		echo
	} >"$tmp/expected"
	stored "$tmp/expected"
}

# octets: each octet but CR and LF, in order, after a header
octets() {
	local all
	printf -v all '\\x%02x' {0..9} 11 12 {14..255}
	printf '%b' "Subject: octets\r\n\r\n$all"
}

@test "every byte except CR and LF is stored unchanged, NUL too (RFC 6152 1.1)" {
	octets >"$tmp/in"
	(($(wc -c <"$tmp/in") == 19 + 254))
	keep_file "$tmp/in"
}

@test "lines of any bytes are stored unchanged and in order" {
	local i
	octets >"$tmp/octets"
	{
		cat "$tmp/octets"
		for i in {1..50}; do
			printf '\r\n_'
			tail -c $((i * 5)) "$tmp/octets"
		done
	} >"$tmp/in"
	keep_file "$tmp/in"
}

@test "NUL at the end of a line and on a line of its own is stored" {
	printf 'Subject: x\r\n\r\n\0\r\n\0\0\r\na\0\r\n\0a\r\n\0' >"$tmp/in"
	keep_file "$tmp/in"
}

@test "lines over 998 bytes are stored unchanged (RFC 5321 4.5.3.1.6)" {
	local n
	{
		printf 'Subject: x\r\n\r\n'
		for n in 996 997 998 999 1000 1001 2048 4095 4096 4097 8192 16384 \
		    32768 65535 65536 65537 200000; do
			printf '%0*d\r\n' "$n" "$n"
		done
		printf end
	} >"$tmp/in"
	keep_file "$tmp/in"
}

@test "a message without a line end, 100 kB long, is stored unchanged" {
	printf 'Subject: %0100000d' 0 >"$tmp/in"
	keep_file "$tmp/in"
}

@test "dots within and after long lines are stored unchanged" {
	local n
	{
		printf 'Subject: x\r\n\r\n'
		for n in 1000 4096 8192 65536; do
			printf '%0*d.\r\n' "$((n - 2))" 0
			printf '%0*d.\r\nx.\r\n' "$n" 0
		done
		printf 'x'
	} >"$tmp/in"
	keep_file "$tmp/in"
}

@test "trailing blanks, blank lines and an odd header are stored unchanged" {
	{
		printf 'Subject:  two  blanks \t \r\nX:\r\n Y\r\nFrom : z\r\n'
		printf '\r\n\r\n\r\n  \r\n\t\r\nFrom here\r\n>From there\r\n\r\n'
	} >"$tmp/in"
	keep_file "$tmp/in"
}

@test "8-bit data without BODY=8BITMIME is stored unchanged (RFC 6152 3)" {
	say "${to_bob[@]}" DATA $'Subject: \xc3\xb8' '' $'\xff\xfe\x80' . QUIT
	[[ $codes == "$to_bob_codes 354 250 221" ]]
	printf 'Subject: \303\270\n\n\377\376\200\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "random bytes are stored unchanged, however they are split" {
	local i
	printf 'Subject: noise\r\n\r\n' >"$tmp/in"
	# a program's bytes, turned by i so that no line is another
	for i in {1..40}; do
		printf '\r\n_'
		head -c 25000 t/smtpc | tr '\0-\377' "$(printf '\\%o-\\377\\0-\\%o' \
		    "$i" $((i - 1)))" | tr -d '\r\n'
	done >>"$tmp/in"
	(($(wc -c <"$tmp/in") > 500000))
	keep_file "$tmp/in"
}
