# The limits of a session, fixed ones and those set by options.

load helpers

# many N LINE: the line N times
many() {
	yes "$2" | head -n "$1"
}

# codes_of N CODE: CODE N times
codes_of() {
	many "$@" | paste -sd ' '
}

@test "recipients over --max-recipients get 452 4.5.3, the earlier ones stand (RFC 5321 4.5.3.1.10)" {
	options=(--max-recipients 2)
	say "${to_bob[@]}" 'RCPT TO:<b2@mx.example>' 'RCPT TO:<b3@mx.example>' \
	    'RCPT TO:<b4@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 452 452 354 250 221" ]]
	[[ ${lines[5]} == '452 4.5.3 '* ]]
	[[ $(header Delivered-To) == $'bob@mx.example\nb2@mx.example' ]]
}

@test "--max-recipients counts per transaction" {
	options=(--max-recipients 1)
	say "${to_bob[@]}" DATA x . "${to_bob[@]:1}" RSET "${to_bob[@]:1}" QUIT
	[[ $codes == "$to_bob_codes 354 250 250 250 250 250 250 221" ]]
}

@test "a thousand recipients are accepted, and one more is not (RFC 5321 4.5.3.1.8)" {
	local rcpt
	mapfile -t rcpt < <(printf 'RCPT TO:<bob%d@mx.example>\n' {1..1001})
	say "${to_bob[@]:0:2}" "${rcpt[@]}" DATA x . QUIT
	[[ $codes == "220 250 250 $(codes_of 1000 250) 452 354 250 221" ]]
	(($(grep -c '^Delivered-To: ' "$(message)") == 1000))
}

@test "--max-recipients does not count rejected recipients" {
	options=(--max-recipients 1 --domain mx.example)
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<x@else.example>' \
	    'RCPT TO:<<>' 'RCPT TO:<bob@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 550 501 250 354 250 221' ]]
}

@test "MAIL beyond --max-mails gets 421, and the session ends" {
	options=(--max-mails 2)
	say "${to_bob[@]}" DATA 1 . "${to_bob[@]:1}" DATA 2 . "${to_bob[@]:1}" \
	    DATA 3 . QUIT
	[[ $codes == "$to_bob_codes 354 250 250 250 354 250 421" ]]
	keeps 2
}

@test "the 20th error gets 421 4.7.0 instead of its reply, and the session ends" {
	local errors
	mapfile -t errors < <(many 19 FROB)
	say "${errors[@]}" NOOP FROB NOOP
	[[ $codes == "220 $(codes_of 19 500) 250 421" ]]
	[[ ${lines[-1]} == '421 4.7.0 '* ]]
}

@test "every kind of error counts" {
	say FROB '' HELO MAIL 'RCPT TO:<bob@mx.example>' DATA $'\x01' 'EXPN x' \
	    'RSET x' "${to_bob[@]}" 'MAIL FROM:<a@c.example>' 'RCPT TO:<<>' \
	    'RCPT TO:<b@mx.example> FOO=1' 'DATA x' 'QUIT x' 'MAIL FROM:<<>' \
	    RSET 'MAIL FROM:<> SIZE=99999999' 'MAIL FROM:<> SIZE=x' \
	    'MAIL FROM:<a@c.example> X=1' $'RCPT TO:<\xc3\xb8@mx.example>' FROB NOOP
	# the 20th
	[[ ${lines[-1]} == '421 4.7.0 '* ]]
	((${#lines[@]} == 25))
}

@test "--max-errors sets the limit, and 0 means no limit" {
	local errors
	options=(--max-errors 3)
	say FROB FROB FROB NOOP
	[[ $codes == '220 500 500 421' ]]
	options=(--max-errors 1)
	say NOOP FROB NOOP
	[[ $codes == '220 250 421' ]]
	options=(--max-errors 0)
	mapfile -t errors < <(many 50 FROB)
	say "${errors[@]}" 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    "${errors[@]}" QUIT
	[[ $codes == "220 $(codes_of 50 500) 250 250 $(codes_of 50 500) 221" ]]
}

@test "unknown recipients before the first valid one count as errors" {
	options=(--domain mx.example --max-errors 3)
	say "${to_bob[@]:0:2}" 'RCPT TO:<1@else.example>' \
	    'RCPT TO:<2@else.example>' 'RCPT TO:<3@else.example>' NOOP
	[[ $codes == '220 250 250 550 550 421' ]]
	mkdir -p "$tmp/mail/bob"
	dir=$tmp/mail/{mailbox} options=(--max-errors 3)
	say "${to_bob[@]:0:2}" 'RCPT TO:<1@mx.example>' \
	    'RCPT TO:<2@mx.example>' 'RCPT TO:<3@mx.example>' NOOP
	[[ $codes == '220 250 250 550 550 421' ]]
}

@test "unknown recipients after a valid one don't count" {
	local rcpt
	mkdir -p "$tmp/mail/bob"
	dir=$tmp/mail/{mailbox} options=(--max-errors 3)
	mapfile -t rcpt < <(many 30 'RCPT TO:<nobody@mx.example>')
	say "${to_bob[@]}" "${rcpt[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes $(codes_of 30 550) 354 250 221" ]]
}

@test "recipients that get 4xx don't count as errors, except those beyond a thousand" {
	local rcpt
	options=(--max-recipients 1)
	mapfile -t rcpt < <(many 1100 'RCPT TO:<b2@mx.example>')
	say "${to_bob[@]}" "${rcpt[@]:0:1000}" DATA x . "${to_bob[@]:1:2}" \
	    "${rcpt[@]}"
	[[ $codes == "$to_bob_codes $(codes_of 1000 452) 354 250 250 250 $(codes_of 19 452) 421" ]]
	[[ ${lines[-1]} == '421 4.7.0 Too many errors' ]]
}

@test "the 100th command in a row that gets 4xx gets 421 4.7.0" {
	local mail
	options=(--min-free 1000000G)
	mapfile -t mail < <(many 120 'MAIL FROM:<a@c.example>')
	say "${hello[@]}" "${mail[@]}"
	[[ $codes == "220 250 $(codes_of 98 452) 421" ]]
	[[ ${lines[-1]} == '421 4.7.0 Too many commands without a mail transaction' ]]
}

@test "the 100th command in a row without effect gets 421 4.7.0" {
	local noop
	mapfile -t noop < <(many 120 NOOP)
	say "${to_bob[@]}" "${noop[@]}"
	[[ $codes == "$to_bob_codes $(codes_of 99 250) 421" ]]
	[[ ${lines[-1]} == '421 4.7.0 '* ]]
}

@test "RSET, HELP and VRFY are commands without effect, too" {
	local idle
	mapfile -t idle < <(many 25 NOOP; many 25 RSET; many 25 HELP
		many 30 'VRFY bob')
	say "${to_bob[@]}" "${idle[@]}"
	[[ $codes == *' 421' ]]
	((${#idle[@]} > 99))
	(($(wc -w <<<"$codes") <= 104))
}

@test "an empty chunk is a command without effect, too" {
	local chunk
	mapfile -t chunk < <(many 120 'BDAT 0')
	say "${to_bob[@]}" "${chunk[@]:0:60}" 'BDAT 2' '' "${chunk[@]:0:60}" \
	    'BDAT 0 LAST' QUIT
	[[ $codes == "$to_bob_codes $(codes_of 122 250) 221" ]]
	say "${to_bob[@]}" "${chunk[@]}"
	[[ $codes == "$to_bob_codes $(codes_of 99 250) 421" ]]
	keeps 1
}

@test "a message resets the count of commands without effect" {
	local noop
	mapfile -t noop < <(many 60 NOOP)
	say "${to_bob[@]}" "${noop[@]}" DATA x . "${noop[@]}" "${to_bob[@]:1}" \
	    DATA x . "${noop[@]}" QUIT
	[[ $codes != *421* ]]
	[[ $codes == *' 221' ]]
	keeps 2
}

# loop N: a message with N Received
loop() {
	many "$1" 'Received: from a.example by b.example; Thu, 1 Jan 1970 00:00:00 +0000'
	printf 'Subject: x\n\nx\n'
}

@test "more than --max-hops Received get 554 5.4.6 (RFC 5321 6.3)" {
	local msg
	options=(--max-hops 3)
	mapfile -t msg < <(loop 3)
	say "${to_bob[@]}" DATA "${msg[@]}" . QUIT
	[[ $codes == "$to_bob_codes 354 250 221" ]]
	mapfile -t msg < <(loop 4)
	say "${to_bob[@]}" DATA "${msg[@]}" . NOOP QUIT
	[[ $codes == "$to_bob_codes 354 554 250 221" ]]
	[[ ${lines[5]} == '554 5.4.6 '* ]]
	keeps 1
}

@test "the default of --max-hops is 100, and 0 means no limit (RFC 5321 6.3)" {
	local msg
	mapfile -t msg < <(loop 100)
	deliver "${msg[@]}"
	mapfile -t msg < <(loop 101)
	say "${to_bob[@]}" DATA "${msg[@]}" . QUIT
	[[ ${lines[5]} == '554 5.4.6 '* ]]
	options=(--max-hops 0)
	mapfile -t msg < <(loop 300)
	deliver "${msg[@]}"
	keeps 2
}

@test "Received is counted in any case, folded, and in the header only" {
	options=(--max-hops 2)
	say "${to_bob[@]}" DATA 'RECEIVED: x' 'received :y' $'Received:\r\n z' \
	    '' x . QUIT
	[[ ${lines[5]} == '554 5.4.6 '* ]]
	deliver 'Received: x' 'X-Received: x' 'Received-SPF: x' ' Received: x' \
	    'Subject: x' '' 'Received: x' 'Received: x'
	keeps 1
}

@test "the recipient's Delivered-To above our own Received is a mail loop: 554 5.4.6" {
	say "${to_bob[@]}" DATA 'Delivered-To: bob@mx.example' \
	    'Received: from c.example by mx.example with SMTP id 1;' \
	    $'\tThu, 1 Jan 1970 00:00:00 +0000' 'Subject: x' '' x . NOOP QUIT
	[[ $codes == "$to_bob_codes 354 554 250 221" ]]
	[[ ${lines[5]} == '554 5.4.6 '* ]]
	keeps 0
}

@test "a message that comes back is a mail loop, whatever hops it had since" {
	local msg
	deliver 'Subject: x' '' x
	mapfile -t msg < <(echo 'Received: from mx.example by else.example; now'
		cat "$(message)")
	say "${to_bob[@]}" DATA "${msg[@]}" . QUIT
	[[ ${lines[5]} == '554 5.4.6 '* ]]
	keeps 1
}

@test "a mail loop is found for any of several recipients" {
	local msg r
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	mapfile -t msg < <(cat "$(message)")
	for r in bob@mx.example eve@mx.example eve@MX.EXAMPLE; do
		say "${to_bob[@]:0:2}" "RCPT TO:<$r>" DATA "${msg[@]}" . QUIT
		[[ ${lines[5]} == '554 5.4.6 '* ]]
	done
	say "${to_bob[@]:0:2}" "RCPT TO:<dan@mx.example>" DATA "${msg[@]}" . QUIT
	[[ ${lines[5]} == '250 '* ]]
	keeps 2
}

@test "Delivered-To of another recipient, or above another host's Received, is not a mail loop" {
	local ours='Received: from c.example by mx.example with SMTP id 1; now'
	deliver 'Delivered-To: eve@mx.example' "$ours" '' x
	deliver 'Delivered-To: bob@mx.example' \
	    'Received: from c.example by else.example; now' '' x
	deliver "$ours" 'Delivered-To: bob@mx.example' '' x
	deliver 'Subject: x' '' 'Delivered-To: bob@mx.example' "$ours"
	deliver 'Delivered-To: bob@mx.example' \
	    'Received: from mx.example by else.example; now' '' x
	keeps 5
}

@test "a mail loop is found in any case, with folding and comments (RFC 5321 4.4)" {
	local received
	for received in 'RECEIVED : FROM x BY MX.Example with SMTP; now' \
	    $'Received: from x\r\n\tby\r\n\tmx.example; now' \
	    'Received: by mx.example; now' 'Received: by mx.example' \
	    'Received: from x (by (a) \) b) by (at home) mx.example(it is) id 1; now' \
	    'Received: from by by mx.example; now'; do
		say "${to_bob[@]}" DATA 'delivered-TO:' $'\tbob@MX.example ' "$received" \
		    '' x . QUIT
		[[ ${lines[5]} == '554 5.4.6 '* ]]
	done
	for received in 'Received: from x (by mx.example) by else.example; now' \
	    'Received: from x by mx.example.org; now' \
	    'Received: from x by else.example; by mx.example' \
	    'Received: from x by else.example (a (by) mx.example' \
	    'Received: from by.example with mx.example; now'; do
		deliver 'Delivered-To: bob@mx.example' "$received" '' x
	done
	keeps 5
}

@test "MAIL gets 452 4.3.1 if the disk has less than --min-free; 0 means no limit" {
	options=(--min-free 1000000G)
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<b@mx.example>' \
	    NOOP QUIT
	[[ $codes == '220 250 452 503 250 221' ]]
	[[ ${lines[2]} == '452 4.3.1 '* ]]
	options=(--min-free 0)
	deliver x
	keeps 1
}
