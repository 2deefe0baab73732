# Clients that don't speak SMTP: web clients, TLS, random bytes.  They are
# disconnected early, and nothing that they send becomes mail.

load helpers

@test "an HTTP request gets 421 and is disconnected, whatever follows" {
	local verb
	for verb in GET POST CONNECT; do
		say "$verb / HTTP/1.1" 'Host: mx.example' '' 'HELO c.example' \
		    'MAIL FROM:<a@c.example>' QUIT
		[[ $codes == '220 421' ]]
	done
}

@test "SMTP commands posted by a web form are not executed" {
	say 'POST /x HTTP/1.1' 'Host: mx.example:25' 'Content-Length: 100' '' \
	    "${to_bob[@]}" DATA x . QUIT
	[[ $codes == '220 421' ]]
	keeps 0
}

@test "HTTP header fields as commands get 421, in any case" {
	local field
	for field in 'Host: x' 'host: x' 'HOST:x' 'Subject: x' 'From: x' \
	    'Content-Type: text/plain' 'Received: x'; do
		say 'HELO c.example' "$field" NOOP
		[[ $codes == '220 250 421' ]]
	done
}

@test "an HTTP request within a session ends it" {
	say "${to_bob[@]}" 'GET / HTTP/1.0' DATA x .
	[[ $codes == "$to_bob_codes 421" ]]
	keeps 0
}

@test "a command with a colon in place of a space is a syntax error, and the session goes on" {
	local line
	for line in 'MAILFROM:<a@c.example>' 'mailfrom: <a@c.example>' \
	    'RCPTTO:<bob@mx.example>' 'MAIL:FROM:<a@c.example>' \
	    'HELO:c.example' 'DATA:' 'QUIT:'; do
		say "$line" 'HELO c.example' "$line" NOOP "${to_bob[@]:1}" \
		    "$line" QUIT
		[[ $codes == '220 501 250 501 250 250 250 501 221' ]]
		[[ ${lines[1]} == '501 5.5.4 '*'MAIL FROM:<'* ]]
	done
	# fields of a header are not
	for line in 'Mail-From: x' 'Authorization: x' 'Mailfroms:x' 'XMAIL:x' \
	    'BDAT:5 LAST'; do
		say 'HELO c.example' "$line" NOOP
		[[ $codes == '220 250 421' ]]
	done
}

@test "a word that only begins with a verb is not that verb" {
	say 'GETTING there' 'HOSTESS' NOOP QUIT
	[[ $codes == '220 500 500 250 221' ]]
}

@test "a TLS handshake gets 421 at its first byte" {
	talk reply send:'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' \
	    repeat:500:'\x5a' eof exit:0
	[[ $codes == '220 421' ]]
}

@test "HTTP/2, Redis, JSON and XML get 421 before HELO" {
	local line
	for line in '*1' '{ "id"' '<?xml version="1"?>' \
	    '00 x' '/x'; do
		say "$line" NOOP
		[[ $codes == '220 421' ]]
		say 'HELO c.example' "$line" NOOP QUIT
		[[ $codes == '220 250 500 250 221' ]]
	done
	say 'PRI * HTTP/2.0' '' SM
	[[ $codes == '220 421' ]]
}

@test "random input gets errors and is disconnected, and nothing is stored" {
	local i
	for i in {1..20}; do
		head -c 60000 ./smtpd | tail -c 20000 |
		    tr '\0-\377' "$(printf '\\%o-\\377\\0-\\%o' $((i * 9)) \
			$((i * 9 - 1)))" >"$tmp/noise"
		feed "$tmp/noise"
		[[ $codes == 220* ]]
		lacks -E '^[23][0-9][0-9]' <(printf '%s\n' "${lines[@]:1}")
	done
	keeps 0
}

@test "random input within a session leaves it in step or ends it" {
	local i
	for i in {1..10}; do
		{
			printf '%s\r\n' "${to_bob[@]}"
			head -c $((i * 3000)) ./smtpd | tail -c 3000
			printf '\r\nNOOP\r\nQUIT\r\n'
		} >"$tmp/noise"
		feed "$tmp/noise"
		[[ $codes == "$to_bob_codes "* ]]
		[[ $codes == *' 250 221' || $codes == *' 421' ]]
	done
	keeps 0
}

@test "random bytes as data are stored if CR LF . CR LF follows" {
	local i
	for i in {1..10}; do
		{
			printf '%s\r\n' "${to_bob[@]}" DATA
			head -c $((i * 3000)) ./smtpd | tail -c 3000
			printf '\r\n.\r\nNOOP\r\nQUIT\r\n'
		} >"$tmp/noise"
		feed "$tmp/noise"
		[[ $codes == "$to_bob_codes 354 "[25]50' 250 221' ]]
	done
}

@test "XCLIENT, STARTTLS and AUTH are rejected unless configured" {
	say 'XCLIENT ADDR=192.0.2.1' STARTTLS 'AUTH PLAIN AAAA' \
	    'HELO c.example' NOOP QUIT
	[[ $codes == '220 550 50'[0-9]' 50'[0-9]' 250 250 221' ]]
	lacks -F 192.0.2.1 <(events refused | grep -o 'client=[^ ]*')
}
