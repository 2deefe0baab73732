# A message that is too large is read to its end and rejected, and the session
# goes on (RFC 1870 6.3).

load helpers

@test "data over the limit is read to its end, then gets 552 5.3.4 (RFC 1870 6.3)" {
	options=(--max-size 100)
	talk "${data_bob[@]}" repeat:50:'0123456789\r\n' \
	    send:'MAIL FROM:<a@c.example>\r\n.\r\n' reply:'552 5.3.4 ' \
	    say:NOOP reply:250 say:QUIT reply:221 eof
	keeps 0
}

@test "the limit counts CR LF as two bytes, and does not count the final dot (RFC 1870 4)" {
	options=(--max-size 100)
	talk "${data_bob[@]}" repeat:10:'01234567\r\n' send:'.\r\n' reply:250 \
	    "${data_bob[@]:3}" repeat:10:'01234567\r\n' send:'\r\n.\r\n' \
	    reply:'552 5.3.4 ' "${data_bob[@]:3}" repeat:10:'01234567\r\n' \
	    send:'x\r\n.\r\n' reply:'552 5.3.4 ' say:QUIT reply:221 eof
	keeps 1
}

@test "the limit does not count dots that the client added (RFC 1870 4)" {
	options=(--max-size 100)
	talk "${data_bob[@]}" repeat:10:'..1234567\r\n' send:'.\r\n' reply:250 \
	    "${data_bob[@]:3}" repeat:10:'..1234567\r\n' send:'..\r\n.\r\n' \
	    reply:'552 5.3.4 ' say:QUIT reply:221 eof
	keeps 1
}

@test "the limit is applied exactly, however the input is split" {
	local k actions=()
	options=(--max-size 10)
	for k in {0..13}; do
		actions+=("${data_bob[@]:3}" split:"$k:01234567\r\n.\r\n" \
		    reply:250 "${data_bob[@]:3}" \
		    split:"$k:012345678\r\n.\r\n" reply:552)
	done
	talk reply say:'HELO c.example' reply:250 "${actions[@]}" say:QUIT \
	    reply:221 eof
	keeps 14
}

@test "a bare LF in an oversize message is reported however the input is split" {
	local k actions=()
	options=(--max-size 10)
	for k in {0..17}; do
		actions+=("${data_bob[@]:3}" \
		    split:"$k:0123456789\r\na\nb\r\n.\r\n" reply:'550 5.6.11 ')
	done
	talk reply say:'HELO c.example' reply:250 "${actions[@]}" say:QUIT \
	    reply:221 eof
	keeps 0
}

@test "a bare LF does not end the data of an oversize message" {
	local v
	options=(--max-size 10)
	for v in '\n.\n' '\n.\r\n' '\r\n.\n' '\r.\r' '\r\n.\r' '\r\n.\r\r\n'; do
		talk "${data_bob[@]}" repeat:20:x send:"${v}RSET\r\n" \
		    repeat:20:x send:"$v" send:'QUIT\r\n.\r\n' reply:55 \
		    say:NOOP reply:250 say:QUIT reply:221 eof
		[[ $codes == '220 250 250 250 354 55'[02]' 250 221' ]]
	done
	keeps 0
}

@test "an oversize message ends the transaction, and the next message is stored" {
	options=(--max-size 10)
	say "${to_bob[@]}" DATA 'much too long' . DATA \
	    'RCPT TO:<b@mx.example>' "${to_bob[@]:1}" DATA short . QUIT
	[[ $codes == "$to_bob_codes 354 552 503 503 250 250 354 250 221" ]]
	keeps 1
}

@test "a message over the limit uses no disk space" {
	options=(--max-size 1000)
	talk "${data_bob[@]}" repeat:200000:'0123456789012345678901234567890123456789\r\n' \
	    settle run:"test -z \"\$(find '$dir' -type f -size +8k)\"" \
	    send:'.\r\n' reply:552 say:QUIT reply:221 eof
	keeps 0
}

@test "the default limit is 52,428,800 bytes" {
	talk "${data_bob[@]}" repeat:524288:"$(printf '%098d' 0)\r\n" \
	    send:'.\r\n' reply:250 "${data_bob[@]:3}" \
	    repeat:524288:"$(printf '%098d' 0)\r\n" send:'\r\n.\r\n' \
	    reply:552 say:QUIT reply:221 eof
	keeps 1
}

@test "with --max-size 0 there is no limit" {
	options=(--max-size 0)
	talk "${data_bob[@]}" repeat:110000:"$(printf '%098d' 0)\r\n" \
	    send:'.\r\n' reply:250 say:'EHLO c.example' reply:250 \
	    say:QUIT reply:221 eof
	keeps 1
	grep -Ex '250[ -]SIZE( 0)?' "$tmp/replies"
}

@test "k, M and G are powers of 1,024" {
	local size
	for size in 2k:2048 3M:3145728 1G:1073741824 77:77; do
		options=(--max-size "${size%:*}")
		say 'EHLO c.example' QUIT
		grep -Ex "250[ -]SIZE ${size#*:}" "$tmp/replies"
	done
}
