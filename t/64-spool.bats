# --maildir none: nothing is stored.  The message is in a file without a name
# while commands read it, and the 250 depends only on them.

load helpers

# post OPTION...: send bob a message to a server with these; answer is the
# reply to it
post() {
	spool=$tmp/spool
	mkdir -p "$spool"
	options=(--maildir none --spool "$spool" "$@")
	say "${to_bob[@]}" DATA 'Subject: x' '' body . NOOP QUIT
	[[ $codes == "$to_bob_codes 354 "???' 250 221' ]]
	answer=${lines[5]}
	echo "answer: $answer"
	# no Maildir, and nothing left
	[[ ! -e $dir && ! -e none ]]
	[[ -z $(find "$spool" -mindepth 1) ]]
}

@test "--deliver gets the whole message, and nothing is stored" {
	local how
	for how in --deliver --mda; do
		post "$how" "cat >$tmp/handed"
		[[ $answer == '250 2.0.0 '* ]]
		[[ $(header Return-Path "$tmp/handed") == '<alice@c.example>' ]]
		[[ $(header Delivered-To "$tmp/handed") == bob@mx.example ]]
		[[ $(header Received "$tmp/handed") == 'from c.example'* ]]
		printf 'Subject: x\n\nbody\n' >"$tmp/expected"
		stored "$tmp/expected" "$tmp/handed"
		rm "$tmp/handed"
	done
}

@test "the spool file has no name and is regular, read-only and at offset 0" {
	post --deliver "ls -A $tmp/spool >$tmp/names; stat -L -c '%F %h' /dev/stdin >$tmp/type; cat /proc/self/fdinfo/0 >$tmp/fd"
	[[ $answer == 250* ]]
	[[ -e $tmp/names && ! -s $tmp/names ]]
	[[ $(<"$tmp/type") == 'regular file 0' ]]
	grep -Eqx $'pos:\t0' "$tmp/fd"
	grep -Eqx $'flags:\t0[0-7]*0' "$tmp/fd"
}

@test "only --user can read the spool file" {
	post --umask 0 --deliver "stat -L -c '%a %u' /dev/stdin >$tmp/mode;"
	[[ $(<"$tmp/mode") == "600 $EUID" ]]
}

@test "the client gets 250 only if the command's status is 0" {
	post --deliver false
	[[ $answer == '451 4.3.0 '* ]]
	post --mda 'exit 75;'
	[[ $answer == '451 4.3.0 '* ]]
	post --deliver 'exit 77;'
	[[ $answer == '554 5.7.1 '* ]]
	post --mda 'exit 67;'
	[[ $answer == '550 5.1.1 '* ]]
	post --deliver true --deliver false
	[[ $answer == '451 4.3.0 '* ]]
	post --deliver true --mda false
	[[ $answer == '451 4.3.0 '* ]]
	post --deliver 'kill -KILL $$'
	[[ $answer == '451 4.3.0 '* ]]
	[[ -z $(events message) ]]
	post --deliver true
	[[ $answer == '250 2.0.0 '* ]]
	[[ $(events message | wc -l) == 1 ]]
}

@test "the 250 has the command's text" {
	post --deliver 'echo 250 2.0.0 Queued as 4711;'
	[[ $answer == '250 2.0.0 Queued as 4711' ]]
}

@test "checks, filters, headers and --on-delivered work as with a Maildir" {
	post --on-data 'echo HEADER=X-Data: y' --filter "sed 's/body/body one/'" \
	    --on-message 'echo HEADER=X-Late: z' --deliver "cat >$tmp/handed" \
	    --on-delivered "cat >$tmp/told; echo \${SMTP_FILE-unset} >$tmp/file"
	[[ $answer == 250* ]]
	[[ $(header X-Data "$tmp/handed") == y && $(header X-Late "$tmp/handed") == z ]]
	[[ $(tail -n 1 "$tmp/handed") == 'body one' ]]
	cmp "$tmp/handed" "$tmp/told"
	[[ $(<"$tmp/file") == unset ]]
	post --filter false --deliver "echo >$tmp/never"
	[[ $answer == 451* && ! -e $tmp/never ]]
}

@test "a message to several recipients has no Delivered-To" {
	mkdir "$tmp/spool"
	options=(--maildir none --spool "$tmp/spool" --deliver "cat >$tmp/handed")
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 221" ]]
	lacks -E 'Delivered-To|bob@|eve@' "$tmp/handed"
	[[ $(header Return-Path "$tmp/handed") == '<alice@c.example>' ]]
}

@test "a client that leaves leaves no file behind" {
	mkdir "$tmp/spool"
	options=(--maildir none --spool "$tmp/spool" --deliver "echo >$tmp/never")
	talk "${data_bob[@]}" repeat:20000:'0123456789\r\n' close exit:0
	[[ -z $(find "$tmp/spool" -mindepth 1) && ! -e $tmp/never ]]
}

@test "a killed worker leaves no file behind" {
	local spool=$tmp/spool
	mkdir "$spool"
	chmod 777 "$spool"
	chmod 755 "$tmp" "$BATS_RUN_TMPDIR" "${tmp%/*}"
	serve --listen 127.0.0.1:0 --workers 1 --maildir none --spool "$spool" \
	    --deliver true
	dial "${addr[0]}" "${data_bob[@]}" repeat:20000:'0123456789\r\n' settle \
	    run:"kill -KILL $(children "$master")" eof
	[[ -z $(find "$spool" -mindepth 1) ]]
	eventually grep -q event=worker-died "$log"
}

@test "a full or broken disk: 4xx, no delivery, and the next message is delivered" {
	local rule
	mkdir "$tmp/spool"
	for rule in write:1+:ENOSPC write:1+:EIO; do
		shim "$rule"
		disarm
		options=(--maildir none --spool "$tmp/spool"
		    --deliver "env -u LD_PRELOAD grep Subject >>$tmp/handed")
		talk "${data_bob[@]}" send:'Subject: 1\r\n\r\n' settle \
		    run:"printf 1 1<>'$tmp/armed'" send:'first\r\n.\r\n' reply:45 \
		    run:"printf 0 1<>'$tmp/armed'" "${data_bob[@]:3}" \
		    send:'Subject: 2\r\n\r\nsecond\r\n.\r\n' reply:250 \
		    say:QUIT reply:221 eof
		failed write file
	done
	[[ $(<"$tmp/handed") == $'Subject: 2\nSubject: 2' ]]
	[[ -z $(find "$tmp/spool" -mindepth 1) ]]
}

@test "a file can't be created: 4xx, and the next message is delivered" {
	mkdir "$tmp/spool"
	shim open:1+:EMFILE
	disarm
	options=(--maildir none --spool "$tmp/spool" --deliver true)
	talk "${data_bob[@]:0:7}" run:"printf 1 1<>'$tmp/armed'" say:DATA reply:4 \
	    run:"printf 0 1<>'$tmp/armed'" say:RSET reply:250 \
	    "${data_bob[@]:3}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	failed open
}

@test "too little space in the spool directory gets 452 4.3.1 at MAIL" {
	mkdir "$tmp/spool"
	options=(--maildir none --spool "$tmp/spool" --deliver true
	    --min-free 1000000G)
	say "${to_bob[@]:0:2}" QUIT
	[[ $codes == '220 250 452 221' && ${lines[2]} == '452 4.3.1 '* ]]
}

@test "the default of --spool is /var/tmp" {
	options=(--maildir none --deliver "readlink /proc/self/fd/0 >$tmp/where;")
	deliver x
	# what a file without a name is called there
	[[ $(<"$tmp/where") == /var/tmp/*' (deleted)' ]]
}

@test "--maildir none without --deliver and --mda is a usage error, status 64" {
	local other
	for other in '' '--on-message true' '--filter cat' '--on-delivered true'; do
		# shellcheck disable=SC2086 # two words
		run -64 ./smtpd -i --maildir none --spool "$tmp" "${user[@]}" \
		    $other </dev/null
		[[ ${#lines[@]} == 1 ]]
		[[ $output == 'smtpd: --maildir none '*--deliver*--mda* ]]
	done
}

@test "a spool directory that is missing or can't be written: 73" {
	run -73 ./smtpd -i --maildir none --spool "$tmp/missing" "${user[@]}" \
	    --deliver true </dev/null
	[[ ${#lines[@]} == 1 && $output == "smtpd: --spool $tmp/missing: "* ]]
	mkdir -m 555 "$tmp/shut"
	chmod 755 "$tmp" "$BATS_RUN_TMPDIR" "${tmp%/*}"
	run -73 ./smtpd -i --maildir none --spool "$tmp/shut" "${nobody[@]}" \
	    --deliver true </dev/null
	[[ ${#lines[@]} == 1 && $output == "smtpd: --spool $tmp/shut: "* ]]
	[[ -z $(find "$tmp/shut" -mindepth 1) ]]
}

@test "the pool delivers to commands without a Maildir" {
	local spool=$tmp/spool
	mkdir -m 777 "$spool" "$tmp/out"
	chmod 777 "$spool" "$tmp/out"
	chmod 755 "$tmp" "$BATS_RUN_TMPDIR" "${tmp%/*}"
	serve --listen 127.0.0.1:0 --workers 2 --maildir none --spool "$spool" \
	    --deliver "cat >$tmp/out/handed"
	dial "${addr[0]}" "${data_bob[@]}" send:'Subject: x\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof
	grep -qx 'Subject: x' "$tmp/out/handed"
	[[ -z $(find "$spool" -mindepth 1) && ! -e $dir ]]
}

@test "a spool file that can't be unlinked gets 451 and stays empty" {
	spool=$tmp/spool
	mkdir "$spool"
	shim unlink:2:EIO	# the first is the check at the start
	options=(--maildir none --spool "$spool" --deliver "cat >$tmp/handed")
	say "${to_bob[@]}" DATA NOOP QUIT
	failed unlink
	[[ $codes == "$to_bob_codes 451 250 221" ]]
	[[ $(events refused) == *' error="tmp: '* ]]
	[[ ! -e $tmp/handed ]]
	[[ -z $(find "$spool" -type f -size +0) ]]
}
