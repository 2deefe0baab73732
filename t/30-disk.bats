# A disk that is full, broken or gone.  The client gets 4xx and nothing is
# stored, or it gets 250 and the whole message is (RFC 5321 6.1).  The next
# message is accepted when the disk works again.

load helpers
unset BATS_NO_PARALLELIZE_WITHIN_FILE

# Two messages: the disk breaks before the data of the first, after its 354,
# and is whole for the second.
broken_then_whole() {
	shim "$1"
	disarm
	mkdir -p "$dir"/{tmp,new,cur}
	talk "${data_bob[@]}" send:'Subject: 1\r\n\r\n' settle \
	    run:"printf 1 1<>'$tmp/armed'" send:'first\r\n.\r\n' "reply:$2" \
	    run:"test -z \"\$(find '$dir/new' '$dir/tmp' -type f)\"" \
	    run:"printf 0 1<>'$tmp/armed'" "${data_bob[@]:3}" \
	    send:'Subject: 2\r\n\r\nsecond\r\n.\r\n' reply:250 \
	    say:QUIT reply:221 eof
	cat "$tmp/failed"
	[[ -s $tmp/failed ]]
	keeps 1
	grep -qx second "$(message)"
}

@test "ENOSPC: 452 4.3.1, nothing stored, and the next message is accepted (RFC 5321 4.2.2)" {
	broken_then_whole write:1+:ENOSPC '452 4.3.1 '
	failed write file
}

@test "EDQUOT: 452 4.2.2, nothing stored, and the next message is accepted" {
	broken_then_whole write:1+:EDQUOT '452 4.2.2 '
}

@test "EIO on write: 451 4.3.0, nothing stored, and the next message is accepted" {
	broken_then_whole write:1+:EIO '451 4.3.0 '
}

@test "EIO on the file's fsync: 451 4.3.0, and the fsync is not repeated" {
	broken_then_whole fsync:1+:EIO '451 4.3.0 '
	failed fsync file
	(($(grep -c '^fsync file' "$tmp/failed") == 1))
}

@test "ENOSPC and EDQUOT on the file's fsync: 452" {
	broken_then_whole fsync:1+:ENOSPC '452 4.3.1 '
	rm -r "$dir"
	broken_then_whole fsync:1+:EDQUOT '452 4.2.2 '
}

@test "EIO on the fsync of new/: 451, and the name is removed again" {
	broken_then_whole fsync@dir:1+:EIO '451 4.3.0 '
	failed fsync dir
}

@test "ENOSPC for the name in new/: 4xx" {
	broken_then_whole rename:1+:ENOSPC '452 4.3.1 '
	rm -r "$dir"
	broken_then_whole rename:1+:EIO '451 4.3.0 '
	rm -r "$dir"
	broken_then_whole rename:1+:EROFS 451
}

@test "a short write is continued" {
	local size
	shim write:1+:short
	mkdir -p "$dir"/{tmp,new,cur}
	printf 'Subject: x\n\n%0200000d\n' 0 >"$tmp/expected"
	talk "${data_bob[@]}" send:'Subject: x\r\n\r\n' repeat:200000:0 \
	    send:'\r\n.\r\n' reply:250 say:QUIT eof
	failed write file
	stored "$tmp/expected"
}

@test "a write that a signal interrupts is repeated" {
	shim write:1:EINTR,write:3:EINTR,fsync:9:EINTR
	mkdir -p "$dir"/{tmp,new,cur}
	printf 'Subject: x\n\n%0400000d\n' 0 >"$tmp/expected"
	talk "${data_bob[@]}" send:'Subject: x\r\n\r\n' repeat:400000:0 \
	    send:'\r\n.\r\n' reply:250 say:QUIT eof
	failed write file
	stored "$tmp/expected"
}

@test "ENOSPC late in a long message: the data is read to its end, then 452" {
	shim write:3+:ENOSPC
	mkdir -p "$dir"/{tmp,new,cur}
	talk "${data_bob[@]}" repeat:20000:'0123456789012345678901234567890123456789\r\n' \
	    send:'QUIT\r\n.\r\n' reply:'452 4.3.1 ' say:NOOP reply:250 \
	    say:QUIT reply:221 eof
	failed write
	keeps 0
}

@test "no inodes, or a file can't be created: 4xx, and the next message is accepted" {
	local error
	for error in ENOSPC EDQUOT EROFS EMFILE EIO EACCES; do
		rm -rf "$dir"
		mkdir -p "$dir"/{tmp,new,cur}
		shim "open:1+:$error"
		disarm
		talk reply say:'HELO c.example' reply:250 \
		    run:"printf 1 1<>'$tmp/armed'" \
		    say:'MAIL FROM:<a@c.example>' reply:250 \
		    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:4 \
		    run:"printf 0 1<>'$tmp/armed'" say:RSET reply:250 \
		    "${data_bob[@]:3}" send:'second\r\n.\r\n' reply:250 \
		    say:QUIT reply:221 eof
		failed open
		keeps 1
	done
}

@test "a file name that exists already loses no message" {
	shim open:1:EEXIST
	mkdir -p "$dir"/{tmp,new,cur}
	say "${to_bob[@]}" DATA x . QUIT
	failed open
	# another name, or a temporary refusal; never somebody else's file
	if [[ $codes == "$to_bob_codes 354 250 221" ]]; then
		keeps 1
	else
		[[ ${lines[4]} == 4* ]]
		keeps 0
	fi
}

@test "if the free space can't be read: 4xx or 250, and nothing is lost" {
	shim statvfs:1+:EIO
	mkdir -p "$dir"/{tmp,new,cur}
	say "${to_bob[@]}" DATA x . QUIT
	if [[ ${lines[2]} == 250* ]]; then
		keeps 1
	else
		[[ ${lines[2]} == 4* ]]
		keeps 0
	fi
}

@test "a Maildir that is moved away: 4xx, and 250 again when it is back" {
	talk reply say:'HELO c.example' reply:250 run:"mv '$dir' '$dir.away'" \
	    say:'MAIL FROM:<a@c.example>' reply say:'RCPT TO:<bob@mx.example>' \
	    reply say:DATA reply run:"mv '$dir.away' '$dir'" send:'x\r\n.\r\n' \
	    reply say:NOOP reply say:RSET reply:250 "${data_bob[@]:3}" \
	    send:'second\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	# a message may have got its 250 meanwhile, but then it is there
	local promised
	promised=$(grep -c '^250 2\.[06]\.0 .*Ok: ' "$tmp/replies")
	[[ $(kept) == "$promised" ]]
}

@test "a Maildir whose new/ and tmp/ are removed before the dot: 4xx, nothing stored" {
	talk "${data_bob[@]}" send:'some\r\n' settle run:"rm -r '$dir'" \
	    send:'more\r\n.\r\n' reply:4 say:NOOP reply:250 \
	    say:QUIT reply:221 eof
	[[ ! -e $dir ]]
}

@test "mail goes to the Maildir that replaced another, not to the one moved away" {
	talk reply say:'HELO c.example' reply:250 \
	    run:"mv '$dir' '$dir.away' && mkdir -p '$dir/tmp' '$dir/new' '$dir/cur'" \
	    "${data_bob[@]:3}" send:'x\r\n.\r\n' reply say:QUIT reply:221 eof
	if [[ $codes == *' 354 250 221' ]]; then
		# either is durable; both would be a copy too many
		[[ $(find "$dir/new" "$dir.away/new" -type f | wc -l) == 1 ]]
	else
		[[ -z $(find "$dir/new" "$dir.away/new" -type f) ]]
	fi
}

@test "a new/ that was removed and created again gets the mail in progress and the next" {
	local anew="rmdir '$dir/new' && mkdir '$dir/new'"
	user=("${nobody[@]}")
	[[ $EUID != 0 ]] || anew+=" && chown nobody '$dir/new'"
	talk reply say:'HELO c.example' reply:250 run:"$anew" \
	    "${data_bob[@]:3}" send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1
	rm "$dir"/new/*
	talk "${data_bob[@]}" send:'some\r\n' settle run:"$anew" \
	    send:'more\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	keeps 1
}

@test "a Maildir that becomes read-only: 4xx, and 250 again when it is writable" {
	user=("${nobody[@]}")
	talk reply say:'HELO c.example' reply:250 run:"chmod 500 '$dir/tmp'" \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:4 \
	    say:RSET reply:250 run:"chmod 700 '$dir/tmp'; chmod 500 '$dir/new'" \
	    "${data_bob[@]:3}" send:'x\r\n.\r\n' reply:4 \
	    run:"chmod 700 '$dir/new'" "${data_bob[@]:3}" send:'x\r\n.\r\n' \
	    reply:250 say:QUIT reply:221 eof
	keeps 1
}

@test "a file size limit (RLIMIT_FSIZE) gets 4xx and does not kill the worker" {
	local cmd
	command_line
	mkdir -p "$dir"/{tmp,new,cur}
	(
		ulimit -f 100
		t/smtpc -s "${cmd[@]}" -- "${data_bob[@]}" \
		    repeat:20000:'0123456789012345678901234567890123456789\r\n' \
		    send:'.\r\n' reply:4 "${data_bob[@]:3}" \
		    send:'x\r\n.\r\n' reply:250 say:QUIT reply:221 eof
	)
	keeps 1
}

rest=()		# of the message

# sweep FUNCTION[@KIND] ERRNO: in the session, fail the first call of it, then
# the second, and so on, until there are no more; the promise must hold each
# time: 250 and all the messages, whole, or none at all.
sweep() {
	local k=0 fired=1 n wanted=1
	via=-p
	while ((fired)); do
		((++k < 200))
		rm -rf "$tmp/mail"
		mkdir -p "$tmp"/mail/{bob,eve}/{tmp,new,cur}
		shim "$1:$k:$2"
		disarm
		talk reply:220 run:"printf 1 1<>'$tmp/armed'" \
		    send:'HELO c.example\r\nMAIL FROM:<a@c.example>\r\n' \
		    send:'RCPT TO:<bob@mx.example>\r\n' \
		    send:'RCPT TO:<eve@mx.example>\r\nDATA\r\n' \
		    send:'Subject: x\r\n\r\nbody\r\n' "${rest[@]}" \
		    send:'.\r\nQUIT\r\n' eof >/dev/null
		fired=0
		[[ ! -s $tmp/failed ]] || fired=1
		echo "$1:$k:$2: fired $fired: $codes"
		[[ -z $(find "$tmp"/mail/*/tmp -type f) ]]
		n=$(find "$tmp"/mail/*/new -type f | wc -l)
		if grep -q '^250 .*\.1$' "$tmp/replies"; then
			# a copy for each recipient that was accepted
			[[ $dir != *{* ]] ||
			    wanted=$(grep -c '^250 2\.1\.5 ' "$tmp/replies")
			((n == wanted))
			[[ $(grep -lx body "$tmp"/mail/*/new/* | wc -l) == "$n" ]]
		else
			((n == 0))
		fi
	done
	echo "$k calls of $1"
	((k > 1))
}

@test "whatever single call fails, for one Maildir, the promise holds" {
	dir=$tmp/mail/bob
	sweep open EMFILE
	sweep write ENOSPC
	sweep fsync EIO
	sweep fsync@dir EIO
	sweep rename EIO
	sweep close EIO
	sweep statvfs EIO
}

@test "whatever single call fails, for two Maildirs, the promise holds" {
	dir=$tmp/mail/{mailbox}
	sweep open EMFILE
	sweep write ENOSPC
	sweep fsync EIO
	sweep fsync@dir EIO
	sweep rename EIO
	sweep close EIO
	rest=(repeat:1000:"$(printf %076d 0)\\r\\n")	# small ones are written
	sweep copy EIO
}

@test "whatever single call fails, with --hardlink, the promise holds" {
	dir=$tmp/mail/{mailbox}
	options=(--hardlink)
	sweep open EMFILE
	sweep write ENOSPC
	sweep fsync EIO
	sweep fsync@dir EIO
	sweep rename EIO
	sweep link EIO
	sweep link EMLINK
}

# bats test_tags=native
@test "whichever allocation fails, the promise holds" {
	dir=$tmp/mail/{mailbox}
	sweep malloc ENOMEM
}

@test "names in new/ are removed again even if no directory can be opened" {
	local k=-4 fired=1 box boxes=({a..q}) to=() expected
	for box in "${boxes[@]}"; do
		to+=(say:"RCPT TO:<$box@mx.example>" reply:250)
	done
	dir=$tmp/mail/{mailbox}
	while ((fired)); do
		(((k += 5) < 300))
		rm -rf "$tmp/mail"
		mkdir -p "$tmp"/mail/{a..q}/{tmp,new,cur}
		shim "open_old:$k+:EMFILE"
		disarm
		talk "${data_bob[@]:0:5}" "${to[@]}" say:DATA reply:354 \
		    run:"printf 1 1<>'$tmp/armed'" send:'x\r\n.\r\n' reply \
		    run:"printf 0 1<>'$tmp/armed'" say:QUIT eof
		fired=0
		[[ ! -s $tmp/failed ]] || fired=1
		echo "open_old $k: $codes"
		[[ -z $(find "$tmp"/mail/*/tmp -type f) ]]
		expected=0
		[[ $codes == *' 354 451 221' ]] || expected=1
		((expected == 0)) || [[ $codes == *' 354 250 221' ]]
		for box in "${boxes[@]}"; do
			keeps "$expected" "$tmp/mail/$box"
		done
	done
	((k > 100))
}
