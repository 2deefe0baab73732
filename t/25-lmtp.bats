# LMTP (RFC 2033): LHLO, and after the message a reply for each accepted
# recipient, in order.

load helpers

lmtp=(--listen lmtp@-)

# to NAME...: a transaction for these, up to the message
to() {
	printf 'MAIL FROM:<a@c.example>\n'
	printf 'RCPT TO:<%s@mx.example>\n' "$@"
}

# post NAME...: a session that sends them a message by DATA; replies[] are
# those behind it
post() {
	local lines_to
	mapfile -t lines_to < <(to "$@")
	options=("${lmtp[@]}" "${options[@]}")
	say 'LHLO c.example' "${lines_to[@]}" DATA 'Subject: x' '' . QUIT ||
		return
	options=("${options[@]:${#lmtp[@]}}")
	replies=("${lines[@]}")
	while [[ ${replies[0]} != 354* ]]; do
		replies=("${replies[@]:1}")
	done
	replies=("${replies[@]:1:${#replies[@]}-2}")
	printf 'reply: %s\n' "${replies[@]}"
}

# answers PREFIX...: these are how the replies began
answers() {
	local i
	((${#replies[@]} == $#)) || return
	for ((i = 0; i < $#; i++)); do
		[[ ${replies[i]} == "${*:i+1:1}"* ]] || return
	done
}

@test "the banner says LMTP, and LHLO offers the extensions of EHLO (RFC 2033 4.1, 5)" {
	options=("${lmtp[@]}")
	say 'LHLO c.example' QUIT
	[[ ${lines[0]} == '220 mx.example LMTP '* ]]
	local word
	for word in PIPELINING ENHANCEDSTATUSCODES 8BITMIME CHUNKING 'SIZE 52428800'; do
		grep -qx "250[ -]$word" "$tmp/replies"
	done
	[[ $codes == '220 250 221' ]]
}

@test "HELO and EHLO get 500, and MAIL before LHLO 503 (RFC 2033 4.1)" {
	options=("${lmtp[@]}")
	say 'HELO c.example' 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
	    'LHLO c.example' 'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 500 500 503 250 250 221' ]]
	[[ ${lines[1]} == '500 5.5.1 This is LMTP, send LHLO'* ]]
	[[ ${lines[2]} == '500 5.5.1 This is LMTP, send LHLO'* && ${lines[3]} == '503 5.5.1 '*LHLO* ]]
}

@test "LHLO over SMTP gets 500 5.5.1" {
	say 'LHLO c.example' QUIT
	[[ $codes == '220 500 221' && ${lines[1]} == '500 5.5.1 '* ]]
}

@test "each recipient gets a reply after the dot, and one given twice gets two (RFC 2033 4.2)" {
	post ann bob ann
	answers '250 2.0.0' '250 2.0.0' '250 2.0.0'
	keeps 1
	[[ $(header Delivered-To) == $'ann@mx.example\nbob@mx.example' ]]
	[[ $(header Received) == *' with LMTP id '* ]]
}

@test "each spelling of a mailbox gets a reply, and they share one Delivered-To" {
	post ann '"ann"' Ann ann+x bob
	answers '250 2.0.0' '250 2.0.0' '250 2.0.0' '250 2.0.0' '250 2.0.0'
	keeps 1
	[[ $(header Delivered-To) == $'ann@mx.example\nbob@mx.example' ]]
}

@test "--mda runs once for each mailbox, extensions apart" {
	# shellcheck disable=SC2016 # the hook expands it
	options=(--mda 'cat >/dev/null; printf "%s\n" "$RECIPIENT" >>'"'$tmp/calls'")
	install -m 666 /dev/null "$tmp/calls"
	post ann Ann ann+x
	answers '250 2.0.0' '250 2.0.0' '250 2.0.0'
	[[ $(<"$tmp/calls") == $'ann@mx.example\nann+x@mx.example' ]]
	keeps 1
}

@test "each recipient gets a reply after BDAT LAST, and other chunks get one (RFC 2033 4.2)" {
	local lines_to
	options=("${lmtp[@]}")
	mapfile -t lines_to < <(to ann bob)
	printf '%s\r\n' 'LHLO c.example' "${lines_to[@]}" >"$tmp/dialogue"
	printf 'BDAT 6\r\nA: b\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n' >>"$tmp/dialogue"
	feed "$tmp/dialogue"
	[[ $codes == '220 250 250 250 250 250 250 250 221' ]]
	[[ ${lines[-4]} == '250 2.0.0 6 bytes received' ]]
	keeps 1
}

@test "a rejected message gets a rejection for each recipient (RFC 2033 4.2)" {
	options=("${lmtp[@]}" --max-size 10)
	say 'LHLO c.example' "${to_bob[@]:1}" 'RCPT TO:<ann@mx.example>' \
	    DATA 'much too long' . "${to_bob[@]:1}" 'RCPT TO:<ann@mx.example>' \
	    'BDAT 14 LAST' 'QUIT12345678' QUIT
	[[ $codes == '220 250 250 250 250 354 552 552 250 250 250 552 552 221' ]]
	options=("${lmtp[@]}")
	talk reply say:'LHLO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<b@mx.example>' reply:250 \
	    say:'RCPT TO:<c@mx.example>' reply:250 say:DATA reply:354 \
	    send:'x\ny\r\n.\r\n' reply:550 reply:550 say:QUIT reply:221 eof
	keeps 0
}

@test "rejected recipients get no reply after the data; DATA without recipients is 503 (RFC 2033 4.2)" {
	options=("${lmtp[@]}" --domain mx.example)
	say 'LHLO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<x@c.example>' DATA \
	    'RCPT TO:<b@mx.example>' 'RCPT TO:<y@c.example>' DATA 'A: b' . QUIT
	[[ $codes == '220 250 250 550 503 250 550 354 250 221' ]]
}

@test "a command rejected before the message gets one reply" {
	options=("${lmtp[@]}" --on-data false)
	say 'LHLO c.example' "${to_bob[@]:1}" 'RCPT TO:<ann@mx.example>' DATA NOOP \
	    QUIT
	[[ $codes == '220 250 250 250 250 554 250 221' ]]
}

@test "--mda runs once for each recipient, and each gets its own reply" {
	hook mda <<'END'
echo "$RECIPIENT $SMTP_MAILBOX $SMTP_PROTOCOL $SMTP_LISTENER" >>"$tmp/asked"
case $LOCAL in
bob) exit 75 ;;
eve) echo 552 5.2.2 Full; exit 1 ;;
kim) exit 67 ;;
tom) echo 421 4.3.0 Not now; exit 1 ;;
esac
echo "250 2.1.5 For $LOCAL"
END
	options=(--mda "$tmp/mda" --maildir none --spool "$tmp")
	post ann bob Eve+x kim ann eve tom
	answers '250 2.1.5 For ann' '451 4.3.0' '250 2.1.5 For Eve+x' '550 5.1.1' \
	    '250 2.1.5 For ann' '552 5.2.2 Full' '451 4.3.0 Not now'
	given "$tmp/asked" 'ann@mx.example ann LMTP lmtp' \
	    'bob@mx.example bob LMTP lmtp' 'Eve+x@mx.example eve LMTP lmtp' \
	    'kim@mx.example kim LMTP lmtp' 'eve@mx.example eve LMTP lmtp' \
	    'tom@mx.example tom LMTP lmtp'
}

@test "there is no limit of one recipient for --mda in LMTP" {
	options=(--mda true)
	post ann bob
	answers '250 2.0.0' '250 2.0.0'
}

@test "a recipient that --mda rejects gets no copy in its Maildir" {
	users ann bob
	options=(--mda '[ "$LOCAL" = ann ]')
	post bob ann
	answers 451 250
	keeps 1 "$base/ann"
	keeps 0 "$base/bob"
	options=(--mda 'exit 67;')
	post bob ann
	answers '550 5.1.1' '550 5.1.1'
	keeps 1 "$base/ann"
}

@test "a single Maildir keeps the message if --mda accepts it for any recipient" {
	options=(--mda '[ "$LOCAL" = ann ]')
	post bob ann
	answers 451 250
	keeps 1
	options=(--mda false)
	post bob ann
	answers 451 451
	keeps 1
}

@test "check hooks, filters and --deliver run once, for all recipients" {
	local hook
	for hook in --filter --on-message --deliver; do
		options=("$hook" "echo x >>$tmp/asked; exit 77")
		rm -f "$tmp/asked"
		post ann bob
		answers '554 5.7.1' '554 5.7.1'
		given "$tmp/asked" x
	done
	keeps 0
}

@test "a failing Maildir defers the message for its owner only" {
	users ann bob eve
	rm -r "$base/bob/new"
	touch "$base/bob/new"
	post ann bob eve
	answers 250 451 250
	keeps 1 "$base/ann"
	keeps 1 "$base/eve"
	[[ -z $(ls "$base/bob/tmp") ]]
	# over SMTP it does for all
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<ann@mx.example>' \
	    'RCPT TO:<bob@mx.example>' DATA 'A: b' . QUIT
	[[ $codes == '220 250 250 250 250 354 451 221' ]]
	keeps 1 "$base/ann"
}

@test "a mailbox over quota gets 452 4.2.2, and the other recipients get 250" {
	users ann bob eve
	shim rename:2:EDQUOT
	post ann bob eve
	failed rename
	answers 250 '452 4.2.2' 250
	keeps 0 "$base/bob"
	keeps 1 "$base/eve"
}

@test "the first mailbox, where the message is spooled, may be over quota" {
	local n name
	users ann bob eve
	seq 100000 | sed 's/$/\r/' >"$tmp/body"
	for n in 1 3; do	# where little was written, and where much was
		shim "write:$n:EDQUOT"
		options=("${lmtp[@]}")
		talk reply say:'LHLO c.example' reply:250 \
		    say:'MAIL FROM:<a@c.example>' reply:250 \
		    say:'RCPT TO:<ann@mx.example>' reply:250 \
		    say:'RCPT TO:<bob@mx.example>' reply:250 \
		    say:'RCPT TO:<eve@mx.example>' reply:250 \
		    say:DATA reply:354 file:"$tmp/body" say:. reply:'452 4.2.2 ' \
		    reply:250 reply:250 say:QUIT reply:221 eof
		failed write
		keeps 0 "$base/ann"
		for name in bob eve; do
			[[ $(header Delivered-To "$(message "$base/$name")") == \
			    "$name@mx.example" ]]
			seq 100000 | cmp - <(sed '1,/^$/d' "$(message "$base/$name")")
			rm "$base/$name"/new/*
			keeps 0 "$base/$name"
		done
	done
}

@test "the first Maildir may fail before the message arrives" {
	users ann bob
	rm -r "$base/ann/tmp"
	touch "$base/ann/tmp"
	post ann bob
	answers 451 250
	keeps 1 "$base/bob"
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<ann@mx.example>' \
	    'RCPT TO:<bob@mx.example>' DATA QUIT
	[[ $codes == '220 250 250 250 250 451 221' ]]
}

@test "if no mailbox has space, each recipient gets 452" {
	users ann bob
	shim write:1+:ENOSPC
	post ann bob
	answers '452 4.3.1' '452 4.3.1'
	keeps 0 "$base/ann"
	keeps 0 "$base/bob"
}

@test "SMTP_FILE is a file that was stored, even if the first one was removed again" {
	options=(--on-delivered "cat \"\$SMTP_FILE\" >$tmp/told;")
	users ann bob
	shim fsync@dir:1:EIO
	post ann bob
	failed fsync
	answers '451 4.3.0' 250
	keeps 0 "$base/ann"
	cmp "$tmp/told" "$(message "$base/bob")"
	events message | grep -qF " file=\"$(message "$base/bob")\""
}

@test "a mail loop rejects the message for its recipient only (RFC 5321 6.3)" {
	options=("${lmtp[@]}")
	users ann bob
	say 'LHLO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<ann@mx.example>' \
	    'RCPT TO:<bob@mx.example>' DATA 'Delivered-To: bob@mx.example' \
	    'Received: from x by mx.example with SMTP; Mon, 1 Jan 2024 00:00:00 +0000' \
	    '' . QUIT
	[[ $codes == '220 250 250 250 250 354 250 554 221' ]]
	keeps 1 "$base/ann"
	keeps 0 "$base/bob"
}

@test "a single Maildir stores no Delivered-To of a recipient that --mda rejected" {
	options=(--mda 'case $LOCAL in bob) exit 75 ;; eve) exit 67 ;; esac;')
	post ann bob kim eve
	answers 250 '451 4.3.0' 250 '550 5.1.1'
	keeps 1
	[[ $(header Delivered-To) == $'ann@mx.example\nkim@mx.example' ]]
	[[ $(message) == *,S=$(stat -c %s "$(message)"),W=* ]]
	grep -q '^Return-Path: <a@c.example>$' "$(message)"
	grep -q '^Subject: x$' "$(message)"
}

@test "a single Maildir stores no Delivered-To of a mail loop's recipient, and no filter sees it" {
	options=("${lmtp[@]}" --filter "tee $tmp/seen")
	say 'LHLO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<ann@mx.example>' \
	    'RCPT TO:<bob@mx.example>' DATA 'Delivered-To: bob@mx.example' \
	    'Received: from x by mx.example with SMTP; Mon, 1 Jan 2024 00:00:00 +0000' \
	    '' . QUIT
	[[ $codes == '220 250 250 250 250 354 250 554 221' ]]
	keeps 1
	# the second one is the client's
	[[ $(header Delivered-To) == $'ann@mx.example\nbob@mx.example' ]]
	[[ $(sed '/^Received: /q' "$(message)" | grep -c '^Delivered-To') == 1 ]]
	[[ $(sed '/^Received: /q' "$tmp/seen" | grep -c '^Delivered-To') == 1 ]]
}

@test "a message rewritten without a rejected recipient is on disk before its 250" {
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_TRACE="$tmp/steps")
	options=(--mda "[ \$LOCAL = ann ] || : >>$tmp/steps; [ \$LOCAL = ann ]"
	    --on-delivered "cat >$tmp/told")
	post bob ann
	answers 451 250
	[[ $(sed -n '/^fsync/p;/^rename/p' "$tmp/steps" | tail -n 4 | paste -sd,) == \
	    'fsync file,fsync file,rename -,fsync dir' ]]
	cmp "$tmp/told" "$(message)"
	rm "$dir"/new/*
	shim fsync:2:EIO
	post bob ann
	failed fsync
	answers 451 451
	keeps 0
}

@test "the log has one message line with the accepted recipients and a line for each rejection" {
	options=(--mda '[ "$LOCAL" = ann ] || exit 67;')
	post bob ann eve
	answers '550 5.1.1' 250 '550 5.1.1'
	events message | grep -q ' recipients=1 .* to=ann@mx.example$'
	events refused | grep -q 'command=DATA reply="550 5.1.1 .*to=bob@mx.example'
	events refused | grep -q 'command=DATA reply="550 5.1.1 .*to=eve@mx.example'
	[[ $(events refused | wc -l) == 2 ]]
}

@test "--on-delivered gets the recipients that have the message, and the reply that accepted it" {
	options=(--mda '[ "$LOCAL" = ann ]'
	    --on-delivered "{ echo \"\$SMTP_RECIPIENTS\"; echo \"\$SMTP_REPLY\"; } >$tmp/told")
	post bob ann ann
	answers 451 250 250
	[[ $(<"$tmp/told") == $'ann@mx.example\nann@mx.example\n250 2.0.0 '* ]]
	rm "$tmp/told"
	options[1]=false
	post bob ann
	[[ ! -e $tmp/told ]]
}

@test "a session stays in step after replies of all kinds" {
	options=("${lmtp[@]}" --mda '[ "$LOCAL" = ann ]')
	say 'LHLO c.example' 'MAIL FROM:<a@c.example>' 'RCPT TO:<bob@mx.example>' \
	    'RCPT TO:<ann@mx.example>' DATA 'A: b' . NOOP 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<ann@mx.example>' DATA 'A: b' . NOOP QUIT
	[[ $codes == '220 250 250 250 250 354 451 250 250 250 250 354 250 250 221' ]]
}

@test "LMTP works on TCP and on a Unix socket beside SMTP (RFC 2033 5)" {
	serve --listen lmtp@127.0.0.1:0 --listen "lmtp@$tmp/socket,mode=0666" \
	    --listen 127.0.0.1:0 --workers 2
	local to
	for to in "${addr[0]}" "$tmp/socket"; do
		dial "$to" reply:'220 mx.example LMTP' say:'LHLO c.example' reply:250 \
		    say:'MAIL FROM:<a@c.example>' reply:250 \
		    say:'RCPT TO:<b@mx.example>' reply:250 \
		    say:'RCPT TO:<c@mx.example>' reply:250 say:DATA reply:354 \
		    say:. reply:250 reply:250 say:QUIT reply:221 eof
	done
	dial "${addr[2]}" reply:'220 mx.example ESMTP' say:'LHLO x' reply:500 \
	    say:QUIT reply:221 eof
	keeps 2
}

@test "a hook's 421 for one recipient closes the session, as over SMTP" {
	options=("${lmtp[@]}" --mda 'echo 421 4.3.2 Enough; exit 1;')
	say 'LHLO c.example' "${to_bob[@]:1}" DATA 'A: b' . NOOP
	[[ $codes == '220 250 250 250 354 421' ]]
}

@test "a Maildir shared by two mailboxes has no Delivered-To of a rejected one" {
	local refuse domain
	users bob eve
	for refuse in 'exit 67' 'echo DISCARD=x' 'exit 75'; do
		rm -f "$base"/*/new/*
		options=("${lmtp[@]}" --domain '*' --mda "[ \$DOMAIN != b.example ] || $refuse")
		say 'LHLO c.example' "${to_bob[1]}" 'RCPT TO:<bob@b.example>' "${to_bob[2]}" \
		    'RCPT TO:<eve@mx.example>' DATA 'Subject: x' '' body . QUIT
		[[ $codes == '220 250 250 250 250 250 354 '???' 250 250 221' ]]
		keeps 1 "$base/bob"
		keeps 1 "$base/eve"
		[[ $(header Delivered-To "$(message "$base/bob")") == bob@mx.example ]]
		[[ $(header Delivered-To "$(message "$base/eve")") == eve@mx.example ]]
		[[ $(tail -n 1 "$(message "$base/bob")") == body ]]
		# its name has its new size
		[[ $(message "$base/bob") == *,S=$(wc -c <"$(message "$base/bob")"),* ]]
	done
	# both are rejected: nothing is kept
	rm -f "$base"/*/new/*
	options=("${lmtp[@]}" --domain '*' --mda '[ "$LOCAL" != bob ] || exit 67')
	say 'LHLO c.example' "${to_bob[1]}" 'RCPT TO:<bob@b.example>' "${to_bob[2]}" \
	    'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 354 550 550 250 221' ]]
	keeps 0 "$base/bob"
	# a mail loop of one of them
	options=("${lmtp[@]}" --domain '*')
	say 'LHLO c.example' "${to_bob[1]}" 'RCPT TO:<bob@b.example>' "${to_bob[2]}" \
	    'RCPT TO:<eve@mx.example>' DATA 'Delivered-To: bob@b.example' \
	    'Received: by mx.example; x' 'Subject: x' '' x . QUIT
	[[ $codes == '220 250 250 250 250 250 354 554 250 250 221' ]]
	[[ $(header Delivered-To "$(message "$base/bob")" | head -n 1) == bob@mx.example ]]
	[[ $(header Delivered-To "$(message "$base/bob")" | wc -l) == 2 ]]
}
