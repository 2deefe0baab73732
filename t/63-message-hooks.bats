# The commands that get the whole message: their input, their order, and what
# they change.  None of it weakens the promise: 250 and the whole message, or
# nothing.

load helpers

# post LINE...: send bob a message of these lines; answer is the reply to it
post() {
	say "${to_bob[@]}" DATA "$@" . NOOP QUIT
	[[ $codes == "$to_bob_codes 354 "???' 250 221' ]]
	answer=${lines[5]}
	echo "answer: $answer"
}

# post_both LINE...: the same to bob and eve
post_both() {
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA "$@" . QUIT
	[[ $codes == "$to_bob_codes 250 354 "???' 221' ]]
	answer=${lines[6]}
	echo "answer: $answer"
}

# refused REPLY: that was the answer, and nothing was kept
refused() {
	[[ $answer == "$1"* ]]
	keeps 0
}

broken='451 4.3.0 Local error, try again later'

# sizes FILE: its name tells its size, with LF and with CR LF
sizes() {
	[[ $1 == *,S=$(wc -c <"$1"),W=$(sed 's/$/\r/' "$1" | wc -c) ]]
}

# All the hooks after the dot, each leaving its name and what is where then.
log_all() {
	local event
	hook note <<-'EOT'
		echo "$1 tmp $(ls "$tmp/Maildir/tmp" | wc -l)" \
		    "new $(ls "$tmp/Maildir/new" | wc -l)" >>"$tmp/order"
		[ "$1" != filter ] || cat
	EOT
	for event in on-delivered mda deliver on-message filter; do
		options+=("--$event" "$tmp/note $event")
	done
}

@test "standard input is the message as it will be stored: a regular, read-only file, at offset 0" {
	local event
	hook look <<-'EOT'
		stat -L -c %F /dev/stdin >"$tmp/$1.type"
		sed -n '/^pos/p; /^flags/p' /proc/self/fdinfo/0 >"$tmp/$1.fd"
		cat >"$tmp/$1.in"
		[ "$1" != filter ] || cat "$tmp/$1.in"
	EOT
	for event in filter on-message deliver mda on-delivered; do
		options+=("--$event" "$tmp/look $event")
	done
	deliver 'Subject: x' '' '..dot' end
	file=$(message)
	printf 'Subject: x\n\n.dot\nend\n' >"$tmp/expected"
	stored "$tmp/expected"
	for event in filter on-message deliver mda on-delivered; do
		given "$tmp/$event.type" 'regular file'
		grep -Eqx $'pos:\t0' "$tmp/$event.fd"
		# the last digit is how it is open: 0, for reading
		grep -Eqx $'flags:\t0[0-7]*0' "$tmp/$event.fd"
		cmp "$tmp/$event.in" "$file"
	done
	sed '/^Subject/,$d; s/: .*//' "$file" | grep -v $'^\t' >"$tmp/names"
	given "$tmp/names" Return-Path Delivered-To Received
}

@test "each command reads it from its beginning, and need not read it" {
	local i
	for i in 1 2; do
		options+=(--on-message "head -c 5 >$tmp/head.$i"
		    --deliver "tail -c 2 >$tmp/tail.$i" --deliver true)
	done
	deliver 'Subject: x' '' "$(printf '%0900d' 0)"
	for i in 1 2; do
		[[ $(<"$tmp/head.$i") == Retur ]]
		[[ $(<"$tmp/tail.$i") == 0 ]]
	done
}

@test "a command can't write to the message" {
	options=(--on-message 'echo X-Evil: y 1>&0;' --deliver 'echo X-Evil: y >&0;')
	post 'Subject: x' '' body
	refused "$broken"
}

@test "with a single Maildir commands get Delivered-To for all recipients" {
	options=(--on-message "cat >$tmp/in")
	post_both x
	[[ $answer == 250* ]]
	[[ $(header Delivered-To "$tmp/in") == $'bob@mx.example\neve@mx.example' ]]
	cmp "$tmp/in" "$(message)"
}

@test "with per-user Maildirs commands get Delivered-To only for a single recipient" {
	users bob eve
	options=(--on-message "cat >$tmp/in" --deliver "cat >$tmp/handed")
	deliver x
	[[ $(header Delivered-To "$tmp/in") == bob@mx.example ]]
	cmp "$tmp/in" "$(message "$base/bob")"
	post_both x
	[[ $answer == 250* ]]
	lacks ^Delivered-To "$tmp/in"
	cmp "$tmp/in" "$tmp/handed"
	[[ $(header Return-Path "$tmp/in") == '<alice@c.example>' ]]
	[[ $(header Received "$tmp/in") == 'from c.example'* ]]
}

@test "the order is filter, on-message, deliver, mda, the name in new/, on-delivered" {
	log_all
	deliver x
	given "$tmp/order" 'filter tmp 2 new 0' 'on-message tmp 1 new 0' \
	    'deliver tmp 1 new 0' 'mda tmp 1 new 0' 'on-delivered tmp 0 new 1'
	keeps 1
}

@test "no hook runs if the data is rejected or incomplete" {
	log_all
	options+=(--max-size 1000)
	post "$(printf '%01000d' 0)" "$(printf '%01000d' 0)"
	refused 552
	talk "${data_bob[@]}" send:'x\r\n' close exit:0
	keeps 0
	[[ ! -e $tmp/order ]]
}

@test "--deliver and --mda run after the fsync of the content and before the rename" {
	options=(--deliver "echo deliver >>$tmp/trace" --mda "echo mda >>$tmp/trace")
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_TRACE="$tmp/trace")
	: >"$tmp/trace"
	# the commands inherit the shim, and must not trace
	options=("${options[@]//echo/unset FAIL_TRACE; echo}")
	deliver x
	grep -E '^(fsync|rename|deliver|mda)' "$tmp/trace" | tail -n 5 >"$tmp/order"
	given "$tmp/order" 'fsync file' deliver mda 'rename -' 'fsync dir'
}

@test "with per-user Maildirs they run after the fsync of all copies and before the renames" {
	users bob eve
	options=(--deliver "unset FAIL_TRACE; echo deliver >>$tmp/trace")
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_TRACE="$tmp/trace")
	: >"$tmp/trace"
	post_both x
	[[ $answer == 250* ]]
	grep -E '^(fsync|rename|deliver)' "$tmp/trace" | tail -n 7 >"$tmp/order"
	given "$tmp/order" 'fsync file' 'fsync file' deliver 'rename -' 'rename -' \
	    'fsync dir' 'fsync dir'
}

@test "a message whose fsync fails is not passed to --deliver" {
	users bob eve
	shim fsync:2:EIO
	mkdir -p "$base"/{bob,eve}
	options=(--deliver "unset FAIL; echo deliver >>$tmp/handed")
	post_both x
	failed fsync
	[[ $answer == 451* && ! -e $tmp/handed ]]
	keeps 0 "$base/bob"
	keeps 0 "$base/eve"
}

@test "a filter's output is the message, and the file name has its size" {
	options=(--filter "sed 's/^Subject: .*/Subject: new/; s/body/a longer body/'")
	deliver 'Subject: old' '' body
	printf 'Subject: new\n\na longer body\n' >"$tmp/expected"
	stored "$tmp/expected"
	sizes "$(message)"
	keeps 1
	[[ $(stat -c %a "$(message)") == 600 ]]
}

@test "with status 0 no text of a filter's output is read as a reply" {
	options=(--filter "sed 's/^Return-Path.*/550 5.7.1 no/'")
	deliver x
	[[ $(head -n 1 "$(message)") == '550 5.7.1 no' ]]
}

@test "several filters run in order, each on the output of the one before" {
	options=(--filter "sed 's/body/body one/'" --filter "sed 's/one/one two/'"
	    --filter "sed 's/two/two three/'" --on-message "cat >$tmp/in")
	deliver 'Subject: x' '' body
	[[ $(tail -n 1 "$(message)") == 'body one two three' ]]
	cmp "$tmp/in" "$(message)"
	sizes "$(message)"
	keeps 1
}

@test "a filter's output has each recipient's own header, and the right sizes" {
	local name
	users bob eleanor
	options=(--filter "sed 's/body/a longer body/'")
	say "${to_bob[@]}" 'RCPT TO:<eleanor@mx.example>' DATA 'Subject: x' '' \
	    body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	printf 'Subject: x\n\na longer body\n' >"$tmp/expected"
	for name in bob eleanor; do
		keeps 1 "$base/$name"
		stored "$tmp/expected" "$(message "$base/$name")"
		[[ $(header Delivered-To "$(message "$base/$name")") == "$name@mx.example" ]]
		[[ $(header Return-Path "$(message "$base/$name")") == '<alice@c.example>' ]]
		sizes "$(message "$base/$name")"
	done
}

@test "with --hardlink a filtered message is one file with many names" {
	local name
	users bob eve
	options=(--hardlink --filter "sed 's/body/a longer body/'"
	    --on-message 'echo HEADER=X-Late: y')
	post_both 'Subject: x' '' body
	[[ $answer == 250* ]]
	for name in bob eve; do
		keeps 1 "$base/$name"
		sizes "$(message "$base/$name")"
		grep -qx 'a longer body' "$(message "$base/$name")"
		[[ $(header X-Late "$(message "$base/$name")") == y ]]
		lacks ^Delivered-To "$(message "$base/$name")"
	done
	[[ $(message "$base/bob") -ef $(message "$base/eve") ]]
}

@test "a filter's output without our Received gets 451 and is logged" {
	local filter
	for filter in 'false | cat' 'true' 'echo Subject: other;' \
	    "sed '/^Received/,/^\tfor/d'"; do
		options=(--filter "$filter")
		post 'Subject: x' '' body
		refused "$broken"
		[[ $(events refused | tail -n 1) == *' error="filter: its output '* ]]
	done
}

@test "our id in the body only does not count as our Received" {
	# the id of the second transaction can't be known, but the filter sees it
	options=(--filter "echo Subject: x; echo; grep ' id '")
	post 'Subject: x' '' body
	refused "$broken"
}

@test "a message without a body passes filters" {
	options=(--filter cat)
	deliver 'Subject: x'
	printf 'Subject: x\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "if a hook's output can't be read to its end: 451, and no truncated message" {
	local event
	for event in filter on-message deliver; do
		options=("--$event" 'cat; echo x >&2')
		shim read@pipe:1:EIO
		talk "${data_bob[@]}" send:'x\r\n.\r\n' reply:'451 4.3.0 ' \
		    say:QUIT eof
		failed read pipe
		keeps 0
		[[ $(events hook-failed | tail -n 1) == *" hook=$event "*' error="cannot read its output"' ]]
	done
}

@test "signals while a filter's output is read don't truncate it" {
	local rule
	options=(--filter cat)
	for rule in read@pipe:{1..5}:{EINTR,EAGAIN} ioctl:{1,2}:EINTR; do
		rm -rf "$dir"
		shim "$rule"
		talk "${data_bob[@]}" repeat:1000:'0123456789\r\n' \
		    send:'the end\r\n.\r\n' reply say:QUIT eof
		echo "$rule"
		if [[ $codes == *' 250 221' ]]; then
			[[ $(tail -n 1 "$(message)") == 'the end' ]]
		else
			[[ $codes == *' 451 221' ]]
			keeps 0
		fi
	done
}

@test "a filter that fails without a reply gets 451, and none of its output is stored" {
	local n
	for n in 1 2 126 127; do
		options=(--filter "cat; exit $n")
		post 'Subject: x' '' body
		refused "$broken"
	done
	[[ $(events hook-failed | wc -l) == 4 ]]
	[[ $(events hook-failed | tail -n 1) == *' hook=filter command="cat; exit 127" status=127' ]]
	options=(--filter 'cat; kill -SEGV $$')
	post 'Subject: x' '' body
	refused "$broken"
	[[ $(events hook-failed | tail -n 1) == *' error="killed by a signal" signal='* ]]
}

@test "a filter rejects by a reply or by its status" {
	options=(--filter 'echo 550 5.7.1 That is spam; exit 1')
	post x
	refused '550 5.7.1 That is spam'
	options=(--filter 'echo 5.6.1 No; exit 2')
	post x
	refused '554 5.6.1 No'
	options=(--filter 'echo 451 4.7.1 Later; exit 1')
	post x
	refused '451 4.7.1 Later'
	[[ -z $(events hook-failed) ]]
	options=(--filter 'exit 77;')
	post x
	refused '554 5.7.1 '
	options=(--soft-bounce --filter 'exit 100;')
	post x
	refused '454 4.7.1 '
}

@test "status 99 leaves the message unchanged and skips only the later filters" {
	options=(--filter "sed 's/body/body one/'" --filter 'echo junk; exit 99'
	    --filter 'exit 77;' --on-message "echo asked >$tmp/asked")
	deliver 'Subject: x' '' body
	[[ $(tail -n 1 "$(message)") == 'body one' ]]
	given "$tmp/asked" asked
}

@test "output that exceeds --max-size gets 451, and the filter is ended" {
	options=(--max-size 10000 --filter "cat; echo \$\$ >$tmp/pid; exec head -c 50000000 /dev/zero")
	post 'Subject: x' '' body
	refused "$broken"
	eventually gone "$(<"$tmp/pid")"
	[[ $(events hook-failed) == *' error="its output is too large"' ]]
}

@test "with --max-size 0 the output of a filter has no limit" {
	options=(--max-size 0 --filter 'cat; head -c 200000 /dev/zero')
	deliver 'Subject: x' '' x
	(($(stat -c %s "$(message)") > 200000))
}

@test "a message of exactly --max-size passes a filter that adds a header" {
	options=(--max-size 2000 --filter "sed 's/^Subject/X-Checked: yes\nSubject/'")
	# with its line ends these are 2,000 bytes
	deliver 'Subject: x' '' "$(printf '%0900d' 0)" "$(printf '%01080d' 0)"
	[[ $(header X-Checked) == yes ]]
	say "${to_bob[@]}" DATA 'Subject: x' '' "$(printf '%0900d' 0)" \
	    "$(printf '%01083d' 0)" . QUIT
	[[ $codes == "$to_bob_codes 354 552 221" ]]
}

@test "a large message passes filters whole" {
	printf '%0100d\r\n' {1..20000} >"$tmp/in"
	options=(--filter cat --filter cat)
	talk "${data_bob[@]}" send:'X: y\r\n\r\n' file:"$tmp/in" \
	    send:'.\r\n' reply:250 say:QUIT reply:221 eof
	{
		printf 'X: y\n\n'
		tr -d '\r' <"$tmp/in"
	} >"$tmp/expected"
	keeps 1
	stored "$tmp/expected"
}

@test "a rejection after the dot leaves nothing in new/ and tmp/, and the session goes on" {
	local event
	for event in filter on-message deliver mda; do
		options=("--$event" 'echo 554 5.7.1 No; exit 1'
		    --on-delivered "echo told >$tmp/told")
		post x
		refused '554 5.7.1 No'
		[[ $(events refused | tail -n 1) == *' command=DATA reply="554 5.7.1 No" '* ]]
		options[1]='exit 3;'
		post x
		refused "$broken"
	done
	[[ ! -e $tmp/told ]]
}

@test "a rejection after the dot leaves nothing in the Maildirs of several users" {
	local event name links
	users bob eve
	for links in '' --hardlink; do
		for event in filter on-message deliver; do
			options=(${links:+$links} "--$event" 'exit 77;')
			post_both x
			[[ $answer == '554 5.7.1 '* ]]
			for name in bob eve; do
				keeps 0 "$base/$name"
			done
		done
	done
}

@test "each event has its own default text for a rejection" {
	options=(--on-message false)
	post x
	refused '554 5.7.1 Message rejected'
	options=(--deliver false)
	post x
	refused "$broken"
	options=(--mda 'exit 67;')
	post x
	refused '550 5.1.1 '
}

@test "a later command does not run if an earlier one rejected" {
	options=(--on-message 'exit 77;' --on-message "echo x >>$tmp/asked"
	    --deliver "echo x >>$tmp/asked" --mda "echo x >>$tmp/asked")
	post x
	refused 554
	[[ ! -e $tmp/asked ]]
}

@test "the 250 has the text of the last command that accepted" {
	options=(--on-message 'echo 250 2.0.0 Clean;')
	post x
	[[ $answer == '250 2.0.0 Clean' ]]
	options+=(--on-message true --deliver 'echo 250 2.6.0 Queued as 4711;'
	    --deliver true)
	post x
	[[ $answer == '250 2.6.0 Queued as 4711' ]]
	options+=(--mda 'echo 250 2.1.5 In the mailbox;')
	post x
	[[ $answer == '250 2.1.5 In the mailbox' ]]
	keeps 3
}

# headers FILE: the names of the fields, in order, up to the Subject
headers() {
	sed '/^Subject/,$d; /^[ \t]/d; s/: .*//' "$1" | paste -sd ' '
}

@test "HEADER= of each event is added above the message and below our Received" {
	local event n=0
	for event in on-new-connection on-hello on-new-mail on-recipient on-data \
	    on-message; do
		options+=("--$event" "echo 'HEADER=X-$((++n)): $event'")
	done
	deliver 'Subject: x' '' body
	[[ $(headers "$(message)") == 'Return-Path Delivered-To Received X-6 X-1 X-2 X-3 X-4 X-5' ]]
	[[ $(header X-6) == on-message ]]
	sizes "$(message)"
	tail -n 3 "$(message)" >"$tmp/tail"
	given "$tmp/tail" 'Subject: x' '' body
}

@test "later commands read the headers of earlier events" {
	options=(--on-data 'echo HEADER=X-Data: y' --filter "tee $tmp/filter"
	    --on-message "echo HEADER=X-Late: z; cat >$tmp/message"
	    --deliver "cat >$tmp/deliver")
	deliver 'Subject: x' '' body
	[[ $(headers "$tmp/filter") == 'Return-Path Delivered-To Received X-Data' ]]
	cmp "$tmp/filter" "$tmp/message"
	[[ $(headers "$tmp/deliver") == 'Return-Path Delivered-To Received X-Late X-Data' ]]
	cmp "$tmp/deliver" "$(message)"
}

@test "headers from connect and HELO last for the session, others for the transaction" {
	options=(--on-new-connection 'echo HEADER=X-Connection: 1;'
	    --on-hello 'echo HEADER=X-Hello: $SMTP_HELO;'
	    --on-new-mail 'echo HEADER=X-Mail: 1;'
	    --on-message 'echo HEADER=X-Message: 1;')
	say "${to_bob[@]}" DATA 'Subject: 1' . 'MAIL FROM:<a@c.example>' \
	    RSET 'HELO d.example' "${to_bob[@]:1}" DATA 'Subject: 2' . QUIT
	[[ $codes == "$to_bob_codes 354 250 250 250 250 250 250 354 250 221" ]]
	keeps 2
	for n in 1 2; do
		file=$(grep -lx "Subject: $n" "$dir"/new/*)
		headers "$file" | tr ' ' '\n' | sort >"$tmp/names"
		given "$tmp/names" Delivered-To Received Return-Path \
		    X-Connection X-Hello X-Mail X-Message
	done
	[[ $(header X-Hello "$file") == d.example ]]
}

@test "each user's copy has the headers, its own Delivered-To and the right sizes" {
	local name
	users bob eleanor
	options=(--on-data 'echo HEADER=X-Data: y' --on-message 'echo HEADER=X-Late: z')
	say "${to_bob[@]}" 'RCPT TO:<eleanor@mx.example>' DATA 'Subject: x' '' \
	    body . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	for name in bob eleanor; do
		keeps 1 "$base/$name"
		file=$(message "$base/$name")
		[[ $(headers "$file") == 'Return-Path Delivered-To Received X-Late X-Data' ]]
		[[ $(header Delivered-To "$file") == "$name@mx.example" ]]
		sizes "$file"
		[[ $(tail -n 1 "$file") == body ]]
	done
}

@test "a long header is folded at spaces and unfolds to the same text (RFC 5322 2.2.3)" {
	local value
	value=$(printf 'word%d ' {1..60})end
	options=(--on-message "echo 'HEADER=X-Long: $value'")
	deliver 'Subject: x' '' body
	sed -n '/^X-Long/,/^Subject/p' "$(message)" >"$tmp/long"
	(($(wc -l <"$tmp/long") > 5))
	(($(expand "$tmp/long" | wc -L) <= 78))
	[[ $(header X-Long | tr '\t' ' ') == "$value" ]]
}

@test "an invalid HEADER= gets 451 and is logged, and nothing of it is stored" {
	local bad
	for bad in 'nothing' ': x' 'X Y: z' 'X: a\001b' 'X: a\rY: b' 'X\001: y' \
	    'X: \177' 'X\303\244: y'; do
		printf '%b\n' "HEADER=$bad" >"$tmp/answer"
		options=(--on-message "cat $tmp/answer;")
		post 'Subject: x' '' body
		refused "$broken"
	done
	[[ $(events hook-failed | grep -c ' error="invalid header field in HEADER=, or too many"$') == 8 ]]
}

@test "headers of 8 kB in all are added, one or many, and more get 451" {
	local one many
	one="printf 'HEADER=X-One: %07900d\\n' 1;"
	# 80 lines of a hundred bytes
	many="for i in \$(seq 80); do printf 'HEADER=X-N: %094d\\n' \$i; done"
	options=(--on-message "$one")
	deliver 'Subject: x' '' body
	[[ $(grep -c '^X-One: 0*1$' "$(message)") == 1 ]]
	rm "$(message)"
	options=(--on-message "$many")
	deliver 'Subject: x' '' body
	[[ $(grep -c '^X-N: ' "$(message)") == 80 ]]
	rm "$(message)"
	options=(--on-data "${one/7900/300}" --on-message "$many")
	post 'Subject: x' '' body
	refused "$broken"
}

@test "HEADER= of a command that rejects is ignored" {
	options=(--on-recipient "echo \"HEADER=X-\$LOCAL: y\"; [ \$LOCAL = bob ]")
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' . QUIT
	[[ $codes == "$to_bob_codes 550 354 250 221" ]]
	[[ $(headers "$(message)") == 'Return-Path Delivered-To Received X-bob' ]]
}

@test "a filter, --deliver and --mda add no headers" {
	options=(--deliver 'echo HEADER=X-A: y' --mda 'echo HEADER=X-B: y'
	    --on-delivered 'echo HEADER=X-C: y')
	deliver 'Subject: x'
	[[ $(headers "$(message)") == 'Return-Path Delivered-To Received' ]]
}

@test "--mda allows one recipient per transaction, and others get 452 4.5.3" {
	hook mda <<-'EOT'
		echo "$RECIPIENT $SMTP_MAILBOX $EXTENSION" >>"$tmp/to"
		grep ^Delivered-To >>"$tmp/to"
		[ "$LOCAL" != eve ] || exit 67
	EOT
	options=(--mda "$tmp/mda" --maildir none --spool "$tmp")
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<Bob+x@mx.example>' 'RCPT TO:<eve@mx.example>' \
	    'RCPT TO:<Bob+x@mx.example>' DATA x . 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 452 452 354 250 250 250 354 550 221' ]]
	[[ ${lines[4]} == '452 4.5.3 '* && ${lines[5]} == '452 4.5.3 '* ]]
	[[ ${lines[11]} == '550 5.1.1 '* ]]
	given "$tmp/to" 'Bob+x@mx.example bob x' 'Delivered-To: Bob+x@mx.example' \
	    'eve@mx.example eve ' 'Delivered-To: eve@mx.example'
}

@test "--mda gets the mailbox of MAILBOX=, and the recipient as the client gave it" {
	options=(--on-recipient 'echo MAILBOX=Alice+x@mx.example;'
	    --mda "echo \"\$RECIPIENT \$LOCAL \$SMTP_MAILBOX\" >$tmp/to; grep ^Delivered-To >>$tmp/to")
	deliver x
	given "$tmp/to" 'bob@mx.example bob alice' \
	    'Delivered-To: Alice+x@mx.example'
}

@test "a rejected recipient does not count as the one that --mda allows" {
	users eve
	options=(--mda true)
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 550 250 354 250 221' ]]
}

@test "--deliver runs once for a message to many recipients" {
	options=(--deliver "echo \"\$SMTP_RECIPIENTS\" >>$tmp/to")
	post_both x
	[[ $answer == 250* ]]
	given "$tmp/to" bob@mx.example eve@mx.example
}

@test "--on-delivered runs after the 250, and its result is ignored" {
	mkfifo "$tmp/go"
	hook told <<-'EOT'
		read -r go <"$tmp/go"
		printf '%s\n' "$SMTP_REPLY" >"$tmp/reply"
		cmp - "$SMTP_FILE" && echo same >"$tmp/same"
		echo 421 4.7.0 Go away
		exit 77
	EOT
	options=(--on-delivered "$tmp/told" --on-delivered "echo second >$tmp/second")
	talk "${data_bob[@]}" send:'x\r\n.\r\n' reply:250 \
	    run:"test ! -e $tmp/reply && echo go >$tmp/go" say:NOOP reply:250 \
	    say:QUIT reply:221 eof
	given "$tmp/reply" "$(grep '^250 2.0.0 Ok: stored' "$tmp/replies")"
	given "$tmp/same" same
	keeps 1
	[[ ! -e $tmp/second ]]
}

@test "with several users SMTP_FILE is the first user's file" {
	users bob eve
	options=(--on-delivered "echo \"\$SMTP_FILE\" >$tmp/file")
	post_both x
	[[ $answer == 250* ]]
	given "$tmp/file" "$(message "$base/bob")"
	[[ $(events message) == *" file=\"$(message "$base/bob")\" "* ]]
	cd "$tmp"
	dir=mail/{mailbox}
	ln -s "$OLDPWD/smtpd" "$OLDPWD/t" .
	rm "$base"/*/new/*
	deliver x
	given "$tmp/file" "mail/bob/new/$(basename "$(message "$base/bob")")"
}

@test "--on-delivered does not run for a message that could not be renamed into new/" {
	options=(--on-delivered "echo told >$tmp/told;")
	shim rename:1+:EIO
	mkdir -p "$dir"/{tmp,new,cur}
	post x
	failed rename
	refused 451
	[[ ! -e $tmp/told ]]
}

@test "--on-delivered can read a message that was already moved from new/" {
	options=(--on-delivered "rm \$SMTP_FILE; cat >$tmp/in")
	deliver 'Subject: x' '' body
	[[ $(tail -n 1 "$tmp/in") == body ]]
	keeps 0
}

@test "--hook-timeout applies to all commands after the dot together" {
	# the filter puts the clock forward, so that ten seconds are left for the rest
	mkfifo "$tmp/never"
	printf 0 >"$tmp/armed"
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_CLOCK=590
	    FAIL_WHEN="$tmp/armed")
	options=(--hook-timeout 10m --filter "printf 1 1<>$tmp/armed; exec cat"
	    --on-message "read x <>$tmp/never;" --deliver "echo >$tmp/handed;")
	post x
	refused "$broken"
	[[ $(events hook-failed) == *' hook=on-message '*' error="timed out"' ]]
	[[ ! -e $tmp/handed ]]
}

@test "a client that leaves ends a check, and its message is not stored" {
	mkfifo "$tmp/up"
	options=(--on-message "echo \$\$ >$tmp/pid; echo up >$tmp/up; exec sleep 60")
	talk "${data_bob[@]}" send:'x\r\n.\r\n' run:"read up <$tmp/up" close exit:0
	eventually gone "$(<"$tmp/pid")"
	keeps 0
}

@test "a client that leaves ends no filter and no delivery, and the message is stored" {
	local event
	mkfifo "$tmp/up" "$tmp/go"
	for event in filter deliver mda on-delivered; do
		rm -rf "$dir" "$tmp/went"
		options=("--$event" "echo up >$tmp/up; read go <$tmp/go; cat; echo x >$tmp/went")
		talk "${data_bob[@]}" send:'x\r\n.\r\n' run:"read up <$tmp/up" \
		    close run:"echo go >$tmp/go" exit:0
		given "$tmp/went" x
		keeps 1
	done
}

# sweep FUNCTION[@KIND] ERRNO: fail the first call of it after the dot, then
# the second, and so on, until there are no more: 250 and all the messages, or
# 4xx and nothing; and the next message is kept.
sweep() {
	local k=0 fired=1 n
	while ((fired)); do
		((++k < 50))
		rm -rf "$tmp/mail"
		mkdir -p "$tmp"/mail/{bob,eve}/{tmp,new,cur}
		shim "$1:$k:$2"
		disarm
		talk "${data_bob[@]:0:7}" say:'RCPT TO:<eve@mx.example>' reply:250 \
		    say:DATA reply:354 settle send:'Subject: x\r\n\r\nbody\r\n' \
		    settle run:"printf 1 1<>'$tmp/armed'" send:'.\r\n' reply \
		    run:"printf 0 1<>'$tmp/armed'" "${data_bob[@]:3}" \
		    send:'Subject: 2\r\n\r\nsecond\r\n.\r\n' reply:250 \
		    say:QUIT reply:221 eof >/dev/null
		fired=0
		[[ ! -s $tmp/failed ]] || fired=1
		echo "$1:$k:$2: fired $fired: $codes"
		[[ -z $(find "$tmp"/mail/*/tmp -type f) ]]
		[[ $(grep -lx second "$tmp"/mail/*/new/* | wc -l) == 1 ]]
		n=$(cat "$tmp"/mail/*/new/* | grep -cx 'body one' || true)
		case $codes in
		"$to_bob_codes 250 354 250 "*) ((n == $3)) ;;
		"$to_bob_codes 250 354 45"[12]\ *) ((n == 0)) ;;
		*) false ;;
		esac
	done
	echo "$k calls of $1"
	((k > 1))
}

@test "whichever call fails while filtering, the promise holds, and the next message is stored" {
	# the shim is the server's alone
	options=(--filter "/usr/bin/env -u LD_PRELOAD sed 's/body/body one/'"
	    --on-message 'echo HEADER=X-Late: y')
	dir=$tmp/mail/bob
	sweep open ENOSPC 1
	sweep write ENOSPC 1
	sweep copy EIO 1
	dir=$tmp/mail/{mailbox}
	sweep open EMFILE 2
	sweep copy ENOSPC 2
	sweep fsync EIO 2
}
