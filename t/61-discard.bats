# DISCARD=reason of a hook: the client gets 250, nothing is stored or passed on,
# and the log has the reason.  A rejection overrides it.

load helpers

# value KEY LINE: what a key has in a line of the text log, without quotes
value() {
	sed -nE "s/.* $1=(\"(([^\"\\]|\\\\.)*)\"|([^ ]*)).*/\2\4/p" <<<"$2"
}

# discarded HOOK REASON TO: one line of the log says so, and no other does
discarded() {
	local line
	line=$(events discarded)
	echo "$line"
	[[ $(wc -l <<<"$line") == 1 ]]
	[[ $(value hook "$line") == "$1" && $(value reason "$line") == "$2" ]]
	[[ $(value to "$line") == "$3" && $(value from "$line") == alice@c.example ]]
	[[ $(value id "$line") == "$(value session "$line").1" ]]
}

@test "DISCARD= of each event accepts the message, and stores nothing" {
	local event
	for event in on-new-connection on-hello on-new-mail on-recipient on-data \
	    on-message deliver mda; do
		: >"$log"
		rm -f "$tmp/passed"
		options=("--$event" 'echo DISCARD=not wanted;'
		    --on-delivered "touch $tmp/passed")
		deliver 'Subject: x' 'Message-ID: <1@c.example>' '' body
		keeps 0
		discarded "$event" 'not wanted' bob@mx.example
		[[ $(value message_id "$(events discarded)") == '<1@c.example>' ]]
		[[ -z $(events message) && ! -e $tmp/passed ]]
	done
}

@test "a message discarded before its data is passed to no later command" {
	local event
	options=(--on-new-mail 'echo DISCARD=x;')
	for event in filter on-message deliver on-delivered; do
		options+=("--$event" "touch $tmp/$event; cat")
	done
	deliver 'Subject: x' '' body
	for event in filter on-message deliver on-delivered; do
		[[ ! -e $tmp/$event ]]
	done
	# nor is one that is discarded between them
	options=(--on-message 'echo DISCARD=x;' --deliver "touch $tmp/deliver;")
	deliver 'Subject: x' '' body
	options=(--deliver 'echo DISCARD=x;' --mda "touch $tmp/deliver;")
	deliver 'Subject: x' '' body
	keeps 0
	[[ ! -e $tmp/deliver ]]
}

@test "a discarded message is read and checked as usual" {
	options=(--max-size 10 --on-new-mail 'echo DISCARD=x;')
	say "${to_bob[@]}" DATA 'Subject: too long' . QUIT
	[[ $codes == "$to_bob_codes 354 552 221" ]]
	options=(--on-new-mail 'echo DISCARD=x;')
	printf '%s\r\n' "${to_bob[@]}" DATA >"$tmp/in"
	printf 'a\nb\r\n.\r\nQUIT\r\n' >>"$tmp/in"
	feed "$tmp/in"
	[[ $codes == "$to_bob_codes 354 550 221" ]]
	[[ -z $(events discarded) ]]
	# in chunks, and two in a session
	say 'EHLO c.example' "${to_bob[@]:1}" 'BDAT 0' $'BDAT 4 LAST\r\nabcdMAIL FROM:<a@c.example>' \
	    "${to_bob[2]}" $'BDAT 2 LAST\r\nabQUIT'
	[[ ${lines[*]: -6} == '250 2.0.0 0 bytes received 250 2.0.0 Ok 250 2.1.0 Ok 250 2.1.5 Ok 250 2.0.0 Ok 221 '* ]]
	[[ $(events discarded | wc -l) == 2 ]]
	keeps 0
}

@test "DISCARD= at --on-recipient discards for that recipient only" {
	users bob eve
	options=(--on-recipient '[ "$SMTP_MAILBOX" != eve ] || echo DISCARD=unwanted'
	    --on-data 'printf "%s\n" "$SMTP_RECIPIENTS" >'"$tmp/recipients")
	say "${to_bob[@]}" 'RCPT TO:<Eve@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	[[ ${lines[-2]} == '250 2.0.0 Ok: stored as '* ]]
	given "$tmp/recipients" bob@mx.example
	keeps 1 "$base/bob"
	keeps 0 "$base/eve"
	[[ $(header Delivered-To "$(message "$base/bob")") == bob@mx.example ]]
	[[ $(value to "$(events message)") == bob@mx.example ]]
	[[ $(value recipients "$(events message)") == 1 ]]
}

@test "DISCARD= accepts a recipient without a mailbox, and rejects no others" {
	users bob
	options=(--on-recipient '[ "$LOCAL" = bob ] || echo DISCARD=unknown')
	say "${to_bob[@]:0:2}" 'RCPT TO:<eve@mx.example>' 'RCPT TO:<eve@mx.example>' \
	    DATA 'Subject: x' . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	discarded on-recipient unknown eve@mx.example,eve@mx.example
	keeps 0 "$base/bob"
	[[ ! -e $base/eve ]]
	# a Delivered-To of one for whom it is discarded is no mail loop
	: >"$log"
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA \
	    'Delivered-To: eve@mx.example' 'Received: by mx.example; x' '' x . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	keeps 1 "$base/bob"
	discarded on-recipient unknown eve@mx.example
}

@test "with a single Maildir no Delivered-To names a discarded recipient" {
	options=(--on-recipient '[ "$LOCAL" = bob ] || echo DISCARD=x')
	say "${to_bob[@]:0:2}" 'RCPT TO:<eve@mx.example>' "${to_bob[2]}" \
	    'RCPT TO:<bob+x@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 354 250 221' ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
	[[ $(value to "$(events message)") == bob@mx.example ]]
	[[ $(value to "$(events discarded)") == eve@mx.example,bob+x@mx.example ]]
}

@test "over LMTP each recipient gets a reply, and --mda may discard for one" {
	options=(--listen lmtp@- --on-recipient '[ "$LOCAL" != ann ] || echo DISCARD=first'
	    --mda 'case $LOCAL in eve) echo DISCARD=second;; tom) exit 67;; esac')
	say 'LHLO c.example' "${to_bob[1]}" 'RCPT TO:<ann@mx.example>' \
	    "${to_bob[2]}" 'RCPT TO:<eve@mx.example>' 'RCPT TO:<tom@mx.example>' \
	    DATA 'Subject: x' . QUIT
	[[ $codes == '220 250 250 250 250 250 250 354 250 250 250 550 221' ]]
	[[ $(header Delivered-To) == bob@mx.example ]]
	[[ $(value to "$(events message)") == bob@mx.example ]]
	events discarded | sed 's/.* hook=\([^ ]*\) reason=\([^ ]*\) .* to=\([^ ]*\).*/\1 \2 \3/' |
	    diff - <(printf '%s\n' 'on-recipient first ann@mx.example' 'mda second eve@mx.example')
}

@test "over LMTP a discarded recipient and one in a mail loop get their own replies" {
	options=(--listen lmtp@- --on-recipient '[ "$LOCAL" != ann ] || echo DISCARD=x')
	say 'LHLO c.example' "${to_bob[1]}" 'RCPT TO:<ann@mx.example>' "${to_bob[2]}" \
	    DATA 'Delivered-To: bob@mx.example' 'Received: by mx.example; x' '' x . QUIT
	[[ $codes == '220 250 250 250 250 354 250 554 221' ]]
	keeps 0
	discarded on-recipient x ann@mx.example
}

@test "a filter needs DISCARD= and status 99 to discard" {
	options=(--filter 'echo DISCARD=by the filter; exit 99' --filter "touch $tmp/second")
	deliver 'Subject: x' '' body
	keeps 0
	discarded filter 'by the filter' bob@mx.example
	[[ ! -e $tmp/second ]]
	options=(--filter 'exit 99;')
	deliver 'Subject: x' '' body
	options=(--filter 'cat')
	deliver DISCARD=x '' body
	# not the first line
	options=(--filter 'cat; exit 99')
	deliver 'Subject: x' '' DISCARD=x
	keeps 3
}

@test "a message that --deliver copies to standard output can't discard itself" {
	options=(--deliver cat)
	deliver DISCARD=x '' DISCARD=x
	options=(--mda cat)
	deliver DISCARD=x '' DISCARD=x
	keeps 2
	[[ -z $(events discarded) ]]
}

@test "a rejection overrides DISCARD= of the same or an earlier command" {
	local event
	for event in on-new-mail on-recipient on-data on-message deliver; do
		options=("--$event" 'echo 550 5.7.1 No; echo DISCARD=x')
		say "${to_bob[@]}" DATA x . QUIT
		[[ $codes == *' 550 '* ]]
		options=("--$event" 'echo DISCARD=x;' "--$event" 'exit 100;')
		say "${to_bob[@]}" DATA x . QUIT
		[[ $codes == *' 55'[04]' '* ]]
		options=("--$event" 'echo DISCARD=x; exit 75;')
		say "${to_bob[@]}" DATA x . QUIT
		[[ $codes == *' 451 '* ]]
	done
	options=(--on-new-connection 'echo DISCARD=x;' --on-recipient 'exit 67;')
	say "${to_bob[@]}" QUIT
	[[ $codes == '220 250 250 550 221' ]]
	keeps 0
	[[ -z $(events discarded) ]]
}

@test "DISCARD= at HELO applies until the next HELO, at connect for the whole session" {
	options=(--on-hello '[ "$SMTP_HELO" != bad.example ] || echo DISCARD=x')
	say 'HELO bad.example' "${to_bob[@]:1}" DATA x . "${to_bob[@]:1}" DATA x . \
	    "${to_bob[@]}" DATA x . QUIT
	[[ $(events discarded | wc -l) == 2 ]]
	keeps 1
	options=(--on-new-connection 'echo DISCARD=x;')
	say "${to_bob[@]}" DATA x . "${to_bob[@]}" DATA x . QUIT
	[[ $(events discarded | wc -l) == 4 ]]
	keeps 1
}

@test "no DSN is sent for a discarded message" {
	options=(--dsn "cat >>$tmp/report" --on-recipient '[ "$LOCAL" = bob ] || echo DISCARD=x')
	say 'EHLO c.example' 'MAIL FROM:<alice@c.example>' \
	    'RCPT TO:<eve@mx.example> NOTIFY=SUCCESS' DATA x . QUIT
	[[ ! -e $tmp/report ]]
	say 'EHLO c.example' 'MAIL FROM:<alice@c.example>' \
	    'RCPT TO:<eve@mx.example> NOTIFY=SUCCESS' \
	    'RCPT TO:<bob@mx.example> NOTIFY=SUCCESS' DATA x . QUIT
	grep -q 'bob@mx.example' "$tmp/report"
	lacks eve@ "$tmp/report"
}

@test "the reason is escaped and truncated in the log" {
	options=(--on-data 'printf "DISCARD=a\"b\033\303\274 event=x\n"')
	deliver x
	[[ $(events discarded) == *' reason="a\"b\x1b\xc3\xbc event=x" size=3 '* ]]
	: >"$log"
	options=(--on-data 'printf "DISCARD=%0900d\n" 1')
	deliver x
	[[ $(value reason "$(events discarded)") =~ ^0{255}$ ]]
}
