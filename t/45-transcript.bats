# --transcript: the dialogue of a session in a file.  t/replay repeats it.

load helpers

# recorded: $file is the only transcript
recorded() {
	local files=("$tmp"/said/*)
	[[ ${#files[@]} == 1 && -f ${files[0]} ]] || return
	file=${files[0]}
	cat "$file"
}

# dialogue [WHO]: what was said, without the times
dialogue() {
	sed -nE "s/^[0-9]+\\.[0-9]{6} ([${1:-CcS#}] .*)/\\1/p" "$file"
}

# has LINE...: the transcript has these, in this order
has() {
	local line
	{
		for line; do
			while IFS= read -r got && [[ $got != "$line" ]]; do :; done
			[[ $got == "$line" ]] || { echo "lacks: $line"; return 1; }
		done
	} < <(dialogue)
}

# again: replay it with a new server, which has the options
again() {
	local cmd
	command_line
	run t/replay "$file" "$via" -e "$log" "${cmd[@]}"
	echo "$output"
}

# same_again: and no reply has another code
same_again() {
	again
	[[ $status == 0 && ! $output ]]
}

# elsewhere: $elsewhere is a directory that any user can come by, with one in
# it, theirs/, of the user that a daemon runs as
elsewhere() {
	elsewhere=$(mktemp -d)
	chmod 755 "$elsewhere"
	mkdir -m 777 "$elsewhere/theirs"
}

# ended N: so many transcripts of a daemon have come to their end
ended() {
	(($(cat "$elsewhere"/theirs/said/* | grep -c '# closed') == $1))
}

# holds PID FDS: these are its descriptors
holds() {
	[[ $(ls "/proc/$1/fd") == "$2" ]]
}

# said: with it the server of say and talk writes transcripts
said() {
	options+=(--transcript "$tmp/said")
}

@test "a transcript has each line with its time and sender" {
	local from=$SECONDS
	said
	talk reply:220 say:'HELO c.example' reply:250 say:FROB reply:500 \
	    say:QUIT reply:221 eof exit:0
	recorded
	(($(dialogue | wc -l) == $(wc -l <"$file")))
	given <(dialogue | sed 1,2d) 'S 220 mx.example ESMTP smtpd' \
	    'C HELO c.example' 'S 250 mx.example' 'C FROB' \
	    'S 500 5.5.1 Unknown command' 'C QUIT' \
	    'S 221 2.0.0 mx.example closing connection' '# closed'
	[[ $(dialogue | head -n 1) == '# smtpd '*', session '*Z ]]
	cut -d' ' -f1 "$file" | sort -nc
	# a microsecond counts from the beginning of the session
	grep -Eq '^0\.[0-9]{6} # smtpd ' "$file"
	((10#$(tail -n 1 "$file" | cut -d. -f1) <= SECONDS - from + 1))
}

@test "a transcript is named after the session; only its user can read it and its directory" {
	options=(--umask 000)
	said
	say "${hello[@]}" FROB QUIT
	recorded
	[[ $(events refused) == *" session=${file##*/} "* ]]
	[[ $(dialogue | head -n 1) == *", session ${file##*/}, "* ]]
	[[ $(stat -c %a "$file") == 600 && $(stat -c %a "$tmp/said") == 700 ]]
}

@test "pipelined replies have one time and follow their commands" {
	said
	talk reply:220 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>\r\nRCPT TO:<bob@mx.example>\r\nRSET' \
	    reply:250 reply:250 reply:250 say:QUIT reply:221 eof exit:0
	recorded
	has 'C MAIL FROM:<a@c.example>' 'C RCPT TO:<bob@mx.example>' 'C RSET' \
	    'S 250 2.1.0 Ok' 'S 250 2.1.5 Ok' 'S 250 2.0.0 Ok' 'C QUIT'
	(($(grep ' S 250 2' "$file" | cut -d' ' -f1 | sort -u | wc -l) == 1))
}

@test "input from the client is escaped and can't forge lines of the transcript" {
	said
	talk reply:220 send:'NOOP \xc3\xa4\\[7 bytes] \r\n' reply:250 \
	    say:'NOOP\tx' reply:250 send:'NOOP\n0.1 S 250 Ok' reply:500 \
	    send:'\r\n' say:'A\0B\x1b' reply:500 say:'' reply:500 \
	    send:'NOOP \rx\r\n' reply:500 say:QUIT reply:221 eof exit:0
	recorded
	has 'C NOOP \xc3\xa4\\[7 bytes]\x20' 'C NOOP\tx' 'c NOOP\n' \
	    'C \[12 bytes]' 'c A\x00' 'C \[2 bytes]' 'C ' 'c NOOP \rx' 'C '
	lacks -P '[^ -~]' "$file"
	(($(dialogue S | wc -l) == 8))
	same_again
}

@test "a line that ends in CR CR LF is recorded exactly" {
	said
	talk reply:220 send:'HELO c\r\r\n' reply:500 say:QUIT reply:221 eof exit:0
	recorded
	has 'c HELO c\r\r' 'c \n' 'C QUIT'
	same_again
}

@test "a line that is too long is recorded by its beginning and its length" {
	said
	talk reply:220 send:'NOOP ' repeat:20000:x say:'' reply:500 \
	    say:QUIT reply:221 eof exit:0
	recorded
	has "C NOOP $(head -c 2043 /dev/zero | tr '\0' x)\\[17957 bytes]"
	same_again
}

@test "of a message only the numbers of bytes and lines are recorded" {
	said
	talk "${data_bob[@]}" say:'Subject: secret\r\n\r\n..body\r\n.' reply:250 \
	    say:'MAIL FROM:<>' reply:250 say:'RCPT TO:<bob@mx.example>' \
	    reply:250 say:DATA reply:354 say:. reply:250 say:QUIT reply:221 eof \
	    exit:0
	recorded
	has 'C DATA' 'S 354 End data with <CR><LF>.<CR><LF>' \
	    'c \[27 bytes, 3 lines]' 'C .' 'C DATA' 'C .' 'C QUIT'
	lacks -e secret -e body "$file"
	same_again
	keeps 4
}

@test "data sent before its 354 is recorded after it" {
	said
	talk "${data_bob[@]:0:7}" send:'DATA\r\nabc\r\n.' reply:354 send:'\r\n' \
	    reply:250 say:QUIT reply:221 eof exit:0
	recorded
	has 'C DATA' 'S 354 End data with <CR><LF>.<CR><LF>' \
	    'c \[5 bytes, 1 lines]' 'C .' 'C QUIT'
	same_again
	keeps 2
}

@test "bare CR and LF in a message are recorded and replayed" {
	said
	talk "${data_bob[@]}" say:'a\nb\rc\r\n.' reply:'550 5.6.11' say:QUIT \
	    reply:221 eof exit:0
	recorded
	has 'c \[7 bytes, 2 lines, bare CR, bare LF]' 'C .'
	same_again
	keeps 0
}

@test "LF . LF that ended a message is replayed" {
	lenient
	said
	talk "${data_bob[@]}" send:'a\nb\rc\n.\n' reply:250 say:QUIT \
	    reply:221 eof exit:0
	recorded
	has 'c \[6 bytes, 2 lines, bare CR, only bare LF]' 'c .\n'
	same_again
	keeps 2
}

@test "chunks, rejected ones too, are recorded by their length (RFC 3030)" {
	said
	talk reply:220 say:'EHLO c.example' reply:250 say:'BDAT 3' send:'a\r\n' \
	    reply:503 say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:'BDAT 6' \
	    send:'Body\r\n' reply:250 say:'BDAT 0 LAST' reply:250 say:QUIT \
	    reply:221 eof exit:0
	recorded
	has 'C BDAT 3' 'c \[3 bytes, 1 lines]' 'C BDAT 6' \
	    'c \[6 bytes, 1 lines]' 'C BDAT 0 LAST' 'C QUIT'
	same_again
	keeps 2
}

@test "in LMTP the reply for each recipient is recorded (RFC 2033)" {
	options=(--listen lmtp@-)
	said
	talk reply:220 say:'LHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 say:DATA reply:354 \
	    say:'x\r\n.' reply:250 reply:250 say:QUIT reply:221 eof exit:0
	recorded
	(($(dialogue S | grep -c '250 2\.0\.0 Ok: stored') == 2))
	same_again
}

@test "responses to AUTH, and lines that may be one, are not recorded" {
	local secret
	secret=$(printf '\0user\0secret' | base64)
	options=(--auth true --plain-auth)
	said
	talk reply:220 say:"AUTH PLAIN $secret" reply:503 \
	    say:"AUTH $secret" reply:503 say:'EHLO c.example' \
	    reply:250 say:"AUTH PLAIN $secret\\0" reply:500 say:"$secret" \
	    reply:500 say:'AUTH LOGIN' reply:334 say:dXNlcg== reply:334 \
	    say:'*' reply:501 say:"AUTH  plain  $secret" reply:235 \
	    say:"$secret" reply:500 say:QUIT reply:221 eof exit:0
	recorded
	has 'C AUTH PLAIN \[16 bytes]' 'C AUTH \[16 bytes]' \
	    'c AUTH PLAIN \[17 bytes, malformed]' 'C ' 'C \[16 bytes]' 'C AUTH LOGIN' \
	    'S 334 VXNlcm5hbWU6' 'C \[8 bytes]' 'C \[1 bytes]' \
	    'C AUTH  plain  \[16 bytes]' 'C \[16 bytes]' 'C QUIT'
	lacks -e "$secret" -e dXNlcg "$file" "$log"
	same_again
}

@test "a response on a line of its own is not recorded" {
	options=(--auth true --plain-auth)
	said
	talk reply:220 say:'EHLO c.example' reply:250 say:'AUTH PLAIN' \
	    reply:334 say:AHUAcA== reply:235 say:QUIT reply:221 eof exit:0
	recorded
	has 'C AUTH PLAIN' 'S 334 ' 'C \[8 bytes]' 'S 235 2.7.0 Authentication successful'
	same_again
}

@test "a client that leaves within a line or within data is recorded" {
	said
	talk "${data_bob[@]}" say:'x' send:'yz' settle shut eof exit:0
	recorded
	has 'c \[5 bytes, 1 lines]' '# lost'
	rm "$file"
	talk reply:220 send:'HELO c' shut eof exit:0
	recorded
	has 'c HELO c' '# lost'
}

@test "a partial response of a client that leaves is not recorded" {
	options=(--auth true --plain-auth)
	said
	talk reply:220 say:'EHLO c.example' reply:250 send:'AUTH PLAIN AHUA' \
	    settle shut eof exit:0
	recorded
	has 'c AUTH PLAIN \[4 bytes]' '# lost'
	lacks AHUA "$file" "$log"
}

@test "a transcript ends before it exceeds 1 MiB, and the session goes on" {
	options=(--max-errors 0)
	said
	yes "$(head -c 1999 /dev/zero | tr '\0' x)"$'\r' | head -n 600 >"$tmp/much"
	talk reply:220 file:"$tmp/much" say:'HELO c.example' say:QUIT eof exit:0
	[[ ${lines[-1]} == '221 '* ]]
	file=$(echo "$tmp"/said/*)
	(($(stat -c %s "$file") <= 1048576 && $(stat -c %s "$file") > 1000000))
	[[ $(tail -n 1 "$file") == '# truncated: '* ]]
	[[ ! $(events transcript-failed) ]]
}

@test "a disk that is full ends the transcript, and neither mail nor session" {
	said
	shim write@file:5:ENOSPC
	deliver 'Subject: x' '' body
	failed write file
	keeps 1
	file=$(echo "$tmp"/said/*)
	(($(wc -l <"$file") == 4))
	[[ $(events transcript-failed) == *" session=${file##*/} "*'error="No space'* ]]
	(($(events transcript-failed | wc -l) == 1))
}

@test "no transcript is begun if less than --min-free is free, or a file can't be created" {
	options=(--min-free 1000000G)
	said
	say "${hello[@]}" QUIT
	[[ $codes == '220 250 221' && -d $tmp/said && ! $(ls "$tmp/said") ]]
	[[ $(events transcript-failed) == *'error="No space'* ]]
	options=()
	said
	shim open:1:EMFILE
	deliver 'Subject: x' '' body
	keeps 1
	[[ ! $(ls "$tmp/said") && $(events transcript-failed) == *'error="Too many'* ]]
}

@test "the directory is tested at the start as --user" {
	touch "$tmp/file"
	run -73 ./smtpd -i "${user[@]}" -m "$dir" --transcript "$tmp/file" </dev/null
	[[ $output == "smtpd: --transcript $tmp/file: Not a directory "* ]]
	run -73 ./smtpd -i "${user[@]}" -m "$dir" --transcript "$tmp/a/b" </dev/null
	[[ $output == "smtpd: --transcript $tmp/a/b: No such file or directory "* ]]
	elsewhere
	chmod 555 "$elsewhere/theirs"
	run -73 ./smtpd --explain "${nobody[@]}" -m "$tmp/box" --listen 127.0.0.1:0 \
	    --transcript "$elsewhere/theirs"
	[[ $output == *"start: --transcript $elsewhere/theirs: Permission denied "* ]]
}

@test "a relative path is below STATE_DIRECTORY" {
	mkdir "$tmp/state"
	environment=(STATE_DIRECTORY="$tmp/state")
	options=(--transcript said)
	say "${hello[@]}" QUIT
	[[ $codes == '220 250 221' ]]
	(($(find "$tmp/state/said" -type f | wc -l) == 1))
}

@test "in a pool each session has its own file, closed at its end" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local worker before
	elsewhere
	serve --listen 127.0.0.1:0 --workers 1 --transcript "$elsewhere/theirs/said"
	dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	worker=$(children "$master")
	eventually ended 1
	before=$(ls "/proc/$worker/fd")
	for _ in 1 2 3; do
		dial "${addr[0]}" reply:220 say:QUIT reply:221 eof
	done
	eventually ended 4
	eventually holds "$worker" "$before"
}

@test "an encrypted session is recorded and replayed in clear text" {
	options=(--tls 't/tlsd -d 5 3 4')
	said
	talk reply:220 say:'EHLO c.example' reply:250 say:STARTTLS \
	    'reply:220 2.0.0 ' hello:mx.example say:'EHLO d.example' reply:250 \
	    say:NOOP reply:250 say:QUIT reply:221 eof exit:0
	recorded
	has 'C STARTTLS' 'S 220 2.0.0 Ready to start TLS' '# encrypted, TLSv1.3 MASK' \
	    'C EHLO d.example' 'C NOOP' 'C QUIT'
	options=()
	same_again
}

@test "a proxy is recorded, and XCLIENT continues in the same file" {
	local here
	options=(--proxy-from 127.0.0.1 --xclient-from 192.0.2.0/24)
	said
	via=-t
	talk say:'PROXY TCP4 192.0.2.7 127.0.0.1 4711 25' reply:220 \
	    say:'XCLIENT ADDR=192.0.2.9' reply:220 say:'HELO c.example' \
	    reply:250 say:QUIT reply:221 eof exit:0
	recorded
	has '# client 192.0.2.7 via 127.0.0.1, listener smtp 127.0.0.1 25' \
	    'C XCLIENT ADDR=192.0.2.9' 'C HELO c.example' '# closed'
}

@test "a replay reports replies that differ, and fails" {
	said
	say "${to_bob[@]}" QUIT
	recorded
	same_again
	options=(--domain a.example)
	again
	[[ $status == 1 && ${#lines[@]} == 1 ]]
	[[ $output == 'reply 4, behind '*': was 250 2.1.5 Ok, is 550 5.7.1 '* ]]
	options=(--on-new-connection false)
	again
	[[ $status == 1 && $output == *'was 220 '*', is 554 '* ]]
	cp t/replay "$tmp"
	run -69 "$tmp/replay" "$file" -s true
	[[ $output == *'; make t/smtpc' ]]
	run -64 t/replay "$file"
	run -64 t/replay "$tmp/none" -s true
	run -65 t/replay /dev/null -s true
}

# Bug reports, with the codes as they ought to be (CONTRIBUTING.md)
@test "replaying each transcript of t/transcripts gives the same codes" {
	local more n=0
	for file in t/transcripts/*; do
		echo "$file"
		more=$(sed -n 's/^# options: //p' "$file")
		eval "options=($more)"
		same_again
		((++n))
	done
	((n > 0))
}
