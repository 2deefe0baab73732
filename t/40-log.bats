# The log: one line for each event, key=value or JSON.  Input from a client is
# escaped, so that it can't add a line or look like an event.

load helpers

# a line of the text log: keys, and values bare or in quotes
line='^(time=[^ "]+ )?event=[a-z-]+( [a-z_-]+=("([^"\\]|\\.)*"|[^ "=]*))*$'

# well_formed: every line is one, and plain ASCII
well_formed() {
	[[ -s $log ]]
	lacks -Evn "$line" "$log"
	lacks -n '[^ -~]' "$log"
	(($(wc -L <"$log") < 4096))
}

# value KEY LINE: what a key has in a line of the text log, without quotes
value() {
	sed -nE "s/.* $1=(\"(([^\"\\]|\\\\.)*)\"|([^ ]*)).*/\2\4/p" <<<"$2"
}

@test "a stored message is one line: id, from, to, size, client, helo, protocol, time, file" {
	local l
	say 'EHLO c.example' "${to_bob[@]:1}" DATA 'Subject: x' '' body . QUIT
	well_formed
	l=$(events message)
	[[ $(wc -l <<<"$l") == 1 ]]
	[[ $l =~ (^|\ )event=message\ client=local\ session=[A-Za-z0-9]+\  ]]
	[[ $(value from "$l") == alice@c.example ]]
	[[ $(value to "$l") == bob@mx.example ]]
	# 12 + 2 + 6 with CR LF, or more with our header
	(($(value size "$l") >= 20))
	[[ $(value helo "$l") == c.example ]]
	[[ $(value protocol "$l") == ESMTP ]]
	[[ $(value file "$l") == "$(message)" ]]
	[[ $l =~ \ (took|time|ms|took_ms|seconds)=[0-9] ]]
	[[ $(value id "$l") == "$(value session "$l")".* ]]
}

@test "file is the whole path with per-user Maildirs, too" {
	mkdir -p "$tmp"/mail/{bob,eve}/Maildir
	dir=$tmp/mail/{mailbox}/Maildir
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	[[ $(value file "$(events message)") == "$(message "$tmp/mail/bob/Maildir")" ]]
	: >"$log"
	options=(--hardlink)
	say "${to_bob[@]:0:2}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ -f $(value file "$(events message)") ]]
	[[ $(value file "$(events message)") == "$tmp"/mail/eve/Maildir/new/* ]]
}

@test "a message to several recipients names them all" {
	local l
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	l=$(events message)
	[[ $(wc -l <<<"$l") == 1 ]]
	[[ $(value to "$l") == *bob@mx.example*eve@mx.example* ]]
}

@test "a message to a thousand recipients is one line of at most 4,096 bytes" {
	local rcpt
	mapfile -t rcpt < <(printf 'RCPT TO:<some-longer-name-%d@mx.example>\n' \
	    {1..1000})
	say "${to_bob[@]:0:2}" "${rcpt[@]}" DATA x . QUIT
	[[ $codes == *' 354 250 221' ]]
	well_formed
	[[ $(events message | wc -l) == 1 ]]
	[[ $(value to "$(events message)") == some-longer-name-1@mx.example* ]]
}

# letters N: a local part of N letters, each two bytes of UTF-8
letters() {
	printf 'ü%.0s' $(seq "$1")
}

@test "with the longest addresses the line still has id, recipients, size and file" {
	local form key rcpt=() long=$tmp i
	# a path of 900 bytes
	for i in 1 2 3 4; do long+=/$(printf '%0200d' 0); done
	mkdir -p "$long"
	dir=$long/M
	for i in {1..40}; do rcpt+=("RCPT TO:<$(letters 110)$i@mx.example>"); done
	for form in text json; do
		: >"$log"
		options=(--log "$form")
		say 'EHLO c.example' \
		    "MAIL FROM:<$(letters 115)@c.example> SMTPUTF8" \
		    "${rcpt[@]}" DATA x . QUIT
		[[ $codes == *' 354 250 221' ]]
		for key in id recipients size took_ms protocol helo file from to; do
			[[ " $(<"$log")" =~ [\ ,\"]${key}[=\"] ]]
		done
		# and in this order: nothing of the client's is before our own
		[[ $(<"$log") =~ id[=\"].*recipients[=\"].*size[=\"].*file[=\"].*from[=\"].*to[=\"] ]]
		(($(wc -L <"$log") < 4096))
	done
	t/json <"$log"
	[[ $(t/json recipients <"$log") == 40 ]]
	# cut between two characters
	[[ $(t/json from <"$log") == "$(letters 115)@c.example" ]]
	[[ $(t/json to <"$log") =~ ^((ü)+[0-9]+@mx.example,)*(ü)*[.]{3}$ ]]
}

@test "a value is cut at 1,000 bytes, not within an escape" {
	local text
	hook long <<-'EOT'
		head -c 400 /dev/zero | tr '\0' '\377' >&2; echo >&2
		head -c 999 /dev/zero | tr '\0' x >&2; echo '""' >&2
	EOT
	options=(--user "$(id -un)" --on-hello "$tmp/long")
	say "${hello[@]}" QUIT
	well_formed
	mapfile -t text < <(events hook-said | sed 's/.* text="\(.*\)"$/\1/')
	[[ ${text[0]} =~ ^(\\xff){250}\.\.\.$ ]]
	[[ ${text[1]} =~ ^x{999}\.\.\.$ ]]
}

@test "from is in the first rejection of a transaction, to in the rejection of its data" {
	local l
	options=(--domain mx.example --user "$(id -un)" --on-message 'exit 100;')
	say "${to_bob[@]}" 'RCPT TO:<a@else.example>' 'RCPT TO:<b@else.example>' \
	    DATA x . 'MAIL FROM:<eve@c.example>' 'RCPT TO:<c@else.example>' QUIT
	[[ $codes == "$to_bob_codes 550 550 354 554 250 550 221" ]]
	mapfile -t l < <(events refused | sed -E 's/.* reply="[^"]*" (hint="[^"]*" )?//')
	[[ ${l[0]} == id=*.1\ helo=c.example\ from=alice@c.example\ line=*a@else.example* ]]
	[[ ${l[1]} == id=*.1\ helo=c.example\ line=*b@else.example* ]]
	[[ ${l[2]} == hook=on-message\ hook_command='"exit 100;"'\ id=*.1\ helo=c.example\ to=bob@mx.example ]]
	[[ ${l[3]} == id=*.2\ helo=c.example\ from=eve@c.example\ line=* ]]
}

# amplifies FILE: the log is at most ten times what the client sent
amplifies() {
	local sent written
	sent=$(wc -c <"$1")
	: >"$log"
	feed "$1" >/dev/null
	[[ $codes == 220\ 250* ]]
	written=$(wc -c <"$log")
	echo "$written bytes of log for $sent bytes: $((written * 10 / sent)) tenths"
	((written <= 10 * sent))
}

@test "a client can't cause ten times as many bytes of log as it sends" {
	local form i
	{
		printf '%s\r\n' 'EHLO c' \
		    "MAIL FROM:<$(letters 115)@c.example> SMTPUTF8"
		for i in 1 2 3 4 5; do
			printf 'RCPT TO:<%s%d@mx.example>\r\n' "$(letters 110)" $i
		done
		printf 'RCPT TO:<b@c>\r\n%.0s' {1..300}
	} >"$tmp/refused"
	{
		printf 'EHLO c\r\n'
		printf 'X\r\n%.0s' {1..300}
	} >"$tmp/short"
	{
		printf 'EHLO c\r\n'
		printf 'AUTH PLAIN !\r\n%.0s' {1..300}
	} >"$tmp/auth"
	{
		printf 'EHLO c\r\n'
		printf 'MAIL FROM:<>\r\nRCPT TO:<a@mx.example>\r\nDATA\r\n.\r\n%.0s' {1..300}
	} >"$tmp/mails"
	for form in text json; do
		options=(--log "$form" --domain mx.example --max-errors 0 --auth false
		    --plain-auth)
		for i in refused short auth mails; do
			echo "$form $i"
			amplifies "$tmp/$i"
			[[ $i == mails ]] || grep disconnected "$log" |
			    grep -E 'refused"?[=:]300'
		done
	done
}

@test "a client whose messages or recipients are discarded can't flood the log" {
	{
		printf 'EHLO c\r\n'
		printf 'MAIL FROM:<>\r\nRCPT TO:<a@mx.example>\r\nDATA\r\n.\r\n%.0s' {1..300}
	} >"$tmp/messages"
	{
		printf 'EHLO c\r\nMAIL FROM:<>\r\n'
		printf 'RCPT TO:<a%d@mx.example>\r\n' {1..300}
		printf 'DATA\r\n.\r\n'
	} >"$tmp/recipients"
	options=(--on-new-mail 'echo DISCARD=unwanted;')
	amplifies "$tmp/messages"
	[[ $(events discarded | wc -l) == 300 ]]
	options=(--on-recipient 'echo "DISCARD=$LOCAL is unwanted"')
	amplifies "$tmp/recipients"
	(($(events discarded | wc -l) > 20))
	options=(--on-recipient 'echo "DISCARD=unwanted"')
	amplifies "$tmp/recipients"
	[[ $(events discarded | wc -l) == 1 ]]
}

@test "a client that makes hooks fail can't flood the log, and the failures are logged" {
	{
		printf 'EHLO c\r\nMAIL FROM:<>\r\n'
		printf 'RCPT TO:<a@mx.example>\r\n%.0s' {1..600}
	} >"$tmp/refused"
	options=(--max-errors 0 --on-recipient 'echo hi >&2; exit 3')
	amplifies "$tmp/refused"
	(($(events hook-failed | wc -l) > 20))
	(($(events hook-said | wc -l) > 20))
}

@test "a rejection is one line with its reply, which begins with event=refused client=IP" {
	local l
	via=-t options=(--domain mx.example)
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@else.example>' reply:550 say:QUIT eof
	well_formed
	l=$(events refused)
	[[ $(wc -l <<<"$l") == 1 ]]
	[[ $l =~ ^(time=[^ ]+ )?event=refused\ client=127\.0\.0\.1\ session= ]]
	[[ $(value command "$l") == RCPT ]]
	[[ $(value reply "$l") == "${lines[3]}" ]]
}

@test "every rejected command is logged" {
	local l
	options=(--domain mx.example --max-size 10)
	say FROB '' 'HELO' 'MAIL FROM:<>' 'HELO c.example' 'MAIL FROM:<<>' \
	    'MAIL FROM:<> SIZE=99' 'MAIL FROM:<>' 'RCPT TO:<x@y.example>' \
	    'RCPT TO:<b@mx.example>' DATA 'far too long' . 'EXPN x' QUIT
	well_formed
	[[ $codes == '220 500 500 501 503 250 501 552 250 550 250 354 552 502 221' ]]
	l=$(events refused | sed -nE 's/.* reply="([0-9]{3}) .*/\1/p' | paste -sd ' ')
	[[ $l == '500 500 501 503 501 552 550 552 502' ]]
}

@test "after 200 rejections in a session they are only counted, in its last line" {
	local noise
	options=(--max-errors 0)
	mapfile -t noise < <(yes 'FROB the widget with some force' | head -n 200)
	say "${noise[@]}" QUIT
	[[ $(events refused | wc -l) == 200 ]]
	[[ -z $(events disconnected) ]]
	: >"$log"
	say "${noise[@]}" FROB "${to_bob[@]}" DATA x . FROB QUIT
	well_formed
	[[ $(events refused | wc -l) == 200 ]]
	[[ $(value refused "$(events disconnected)") == 202 ]]
	[[ $(value mails "$(events disconnected)") == 1 ]]
	events message
}

@test "an accepted command is not logged as rejected" {
	say "${to_bob[@]}" DATA x . NOOP RSET HELP 'VRFY x' QUIT
	[[ -z $(events refused) ]]
}

@test "the client's IPv6 address is logged without brackets" {
	grep -q '^0*1 ' /proc/net/if_inet6 || skip 'this machine has no ::1'
	via=-6
	talk reply say:FROB reply:500 say:QUIT eof
	[[ $(events refused) =~ (^|\ )event=refused\ client=::1\  ]]
}

@test "connections are logged with --verbose only" {
	local quiet
	say QUIT
	quiet=$(wc -l <"$log")
	options=(--verbose)
	say QUIT
	(($(wc -l <"$log") > quiet + quiet))
	well_formed
	: >"$log"
	options=(-v)
	say QUIT
	[[ -s $log ]]
}

@test "each session has its own id in all its lines" {
	options=(-v)
	say FROB "${to_bob[@]}" DATA x . QUIT
	say FROB QUIT
	[[ $(grep -o ' session=[^ ]*' "$log" | sort -u | wc -l) == 2 ]]
	lacks -Ev ' session=[A-Za-z0-9]+' <(grep -E 'event=(refused|message)' "$log")
}

@test "unsafe bytes from a client are escaped" {
	talk reply say:'FROB \x1b[2Jx \xff\xfe"quoted" back\\\\slash a=b' reply:500 \
	    say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<"a \\"b\\\\ event=message"@c.example>' reply:250 \
	    say:'RCPT TO:<"bob= \\"x"@mx.example>' reply:250 say:DATA reply:354 \
	    say:x say:. reply:250 say:QUIT reply:221 eof
	well_formed
	[[ $(grep -cE '(^| )event=message ' "$log") == 1 ]]
}

@test "a client can't add a line to the log, or an event to a line" {
	local evil='event=refused client=192.0.2.66'
	talk reply send:"FROB\n$evil\r\n" reply:500 send:"FROB\r$evil\r\n" \
	    reply:500 say:" $evil" reply:500 say:"x $evil" reply:500 \
	    say:"HELO x\ttime=1 event=message" reply:250 \
	    say:"MAIL FROM:<\"x\\\\\" $evil \"@c.example>" reply \
	    say:RSET reply:250 say:"MAIL FROM:<\" $evil \"@c.example>" reply:250 \
	    say:"RCPT TO:<\"\\\\\" $evil client=\"@mx.example>" reply \
	    say:"RCPT TO:<\" $evil \"@mx.example> $evil" reply \
	    say:"RCPT TO:<\" $evil \"@mx.example>" reply:250 \
	    say:DATA reply:354 say:"$evil" say:. reply:250 say:QUIT reply:221 eof
	well_formed
	lacks -E '^(time=[^ ]+ )?event=[a-z-]+ client=192' "$log"
	# without what is quoted nothing of it is left
	sed -E 's/"([^"\\]|\\.)*"//g' "$log" >"$tmp/bare"
	lacks -F 192.0.2.66 "$tmp/bare"
}

@test "the longest lines of a client cause no log line over 4,096 bytes" {
	local long
	long=$(printf '%0200d' 0)
	options=(--max-errors 0)
	talk reply send:'FROB ' repeat:2000:'\xff' send:'\r\n' reply:500 \
	    send:'HELO ' repeat:1900:x send:'\r\n' reply:250 \
	    send:'MAIL FROM:<"' repeat:240:'\\"' send:'"@c.example>\r\n' reply \
	    send:"MAIL FROM:<\"$long\"@c.example>\r\n" reply \
	    send:'RCPT TO:<"' repeat:900:'\\"' send:'"@mx.example>\r\n' reply \
	    send:'MAIL FROM:<> ' repeat:1900:'\x80' send:'\r\n' reply \
	    say:QUIT reply:221 eof
	well_formed
}

@test "random bytes and NUL leave the log well formed" {
	talk reply send:'\0\0\x01\xff\r\nMAIL\0FROM\r\n' repeat:4000:'\xf0\x9f' \
	    send:'\r\n\xc3\r\n\xe2\x82\xac\r\n' shut eof exit:0
	well_formed
}

@test "--log json writes one flat JSON object per line, in UTF-8" {
	options=(--log json -v --domain mx.example --max-errors 0)
	talk reply say:'FROB \x1b \xff\xc3\xb8"quoted" back\\\\slash \x7f' \
	    reply:500 say:'\xff\xfe' reply:500 say:'HELO c.example' reply:250 \
	    say:'MAIL FROM:<"a \\"b\\\\ c"@c.example>' reply:250 \
	    say:'RCPT TO:<x@else.example>' reply:550 \
	    say:'RCPT TO:<\xff\xe2\x82@mx.example>' reply:501 \
	    say:'RCPT TO:<"b\\"x"@mx.example>' reply:250 say:DATA reply:354 \
	    say:x say:. reply:250 send:'NOOP ' repeat:4000:'\x01"' send:'\r\n' \
	    reply:500 say:QUIT reply:221 eof
	t/json <"$log"
	[[ $(t/json event <"$log" | grep -cx message) == 1 ]]
	[[ $(t/json client <"$log" | sort -u) == local ]]
	[[ $(t/json to <"$log") == '"b\"x"@mx.example' ]]
	[[ $(grep '"event":"message"' "$log" | t/json from) == '"a \"b\\ c"@c.example' ]]
	t/json reply <"$log" | grep -q '^550 5\.7\.1 '
	(($(wc -L <"$log") < 4096))
}

@test "--log json leaves UTF-8 unchanged and replaces invalid bytes by U+FFFD" {
	options=(--log json --user "$(id -un)"
	    --on-hello "printf '\\303\\274 \\342\\200\\256 \\342\\202 \\360\\237\\223\\254\\n' >&2;")
	say 'EHLO c.example' 'MAIL FROM:<jürgen@bücher.example> SMTPUTF8' \
	    'RCPT TO:<嗨@mx.example>' DATA x . $'FROB \xfc' QUIT
	[[ $codes == '220 250 250 250 354 250 500 221' ]]
	t/json <"$log"
	[[ $(grep event...message "$log" | t/json from) == jürgen@* ]]
	[[ $(grep event...message "$log" | t/json to) == 嗨@mx.example ]]
	grep -qF '"from":"jürgen@' "$log"
	[[ $(t/json line <"$log") == $'FROB \xef\xbf\xbd' ]]
	# what turns around what is shown is escaped
	grep -qF '"text":"ü \u202e ' "$log"
	[[ $(t/json text <"$log") == $'\xc3\xbc \xe2\x80\xae \xef\xbf\xbd\xef\xbf\xbd 📬' ]]
}

@test "--log json has the same events, keys and values as --log text" {
	say FROB "${to_bob[@]}" DATA x . QUIT
	sed -E 's/"([^"\\]|\\.)*"//g' "$log" | grep -oE '[a-z_-]+=' |
	    tr -d = | sort >"$tmp/text"
	: >"$log"
	options=(--log json)
	say FROB "${to_bob[@]}" DATA x . QUIT
	grep -oE '"[a-z_-]+":' "$log" | tr -d '":' | sort >"$tmp/json"
	cmp "$tmp/text" "$tmp/json"
	grep -q . "$tmp/json"
	t/json size <"$log" | grep -qx '[0-9]*'
}

@test "with --log json, input from a client can't end its string" {
	options=(--log json)
	say 'FROB","event":"message","x":"' "FROB\\" 'FROB\u0022' QUIT
	t/json <"$log"
	[[ $(t/json event <"$log" | sort -u) == refused ]]
}

@test "--log accepts text and json, nothing else" {
	options=(--log text)
	say FROB QUIT
	well_formed
	options=(--log xml)
	command_line
	run -64 timeout 60 "${cmd[@]}" </dev/null
}

@test "nothing is logged to a standard error that is a socket, as it may be the client" {
	local cmd
	command_line
	t/smtpc -s -e - "${cmd[@]}" --verbose -- "${data_bob[@]}" say:x say:. \
	    reply:250 say:FROB reply:500 say:QUIT reply:221 eof exit:0 \
	    >"$tmp/replies"
	lacks event= "$tmp/replies"
	keeps 1
}

@test "no start-up error is written to a standard error that is a socket" {
	local cmd
	command_line
	t/smtpc -s -e - "${cmd[@]}" --no-such-option -- eof exit:64 \
	    >"$tmp/replies"
	[[ ! -s $tmp/replies ]]
}

@test "with --syslog nothing is logged to standard error, whether syslogd runs or not" {
	options=(--syslog -v)
	say FROB "${to_bob[@]}" DATA x . QUIT
	[[ $codes == '220 500 250 250 250 354 250 221' ]]
	[[ ! -s $log ]]
	keeps 1
}

@test "with --syslog /dev/log gets the lines, with the pid of the worker" {
	local worker
	unshare --mount true 2>/dev/null ||
	    skip 'this needs root and a mount namespace'
	mkdir "$tmp/dev"
	: >"$tmp/dev/null"
	t/manager notify "$tmp/dev/log" "$tmp/told" </dev/null >/dev/null \
	    3>&- 4>&- &
	stray $!
	eventually test -S "$tmp/dev/log"
	chmod 666 "$tmp/dev/log"
	# shellcheck disable=SC2016 # the other shell's
	environment=(unshare --mount sh -ec 'mount --bind /dev/null "$1/null"
	    mount --bind "$1" /dev; shift; exec "$@"' sh "$tmp/dev")
	serve --listen 127.0.0.1:0 --workers 1 --syslog
	worker=$(children "$master")
	dial "${addr[0]}" reply:220 say:NO reply:500 say:QUIT reply:221 eof
	eventually grep -q "smtpd\[$worker\]: event=refused" "$tmp/told"
	[[ ! -s $log ]]
}

@test "with --syslog start-up errors are written to standard error, unless it is a socket" {
	local cmd
	dir=$tmp/no/such options=(--syslog)
	command_line
	run -73 --separate-stderr timeout 60 "${cmd[@]}" </dev/null
	[[ -z $output && $stderr == 'smtpd: '*"$dir"* ]]
	t/smtpc -s -e - "${cmd[@]}" -- eof exit:73 >"$tmp/replies"
	[[ ! -s $tmp/replies ]]
}

@test "mail is accepted even if the log can't be written" {
	local cmd
	command_line
	printf '%s\r\n' FROB "${to_bob[@]}" DATA x . QUIT >"$tmp/in"
	timeout 60 "${cmd[@]}" <"$tmp/in" >"$tmp/replies" 2>/dev/full
	read_replies "$tmp/replies"
	[[ $codes == '220 500 250 250 250 354 250 221' ]]
	timeout 60 "${cmd[@]}" <"$tmp/in" >"$tmp/replies" 2>&-
	read_replies "$tmp/replies"
	[[ $codes == '220 500 250 250 250 354 250 221' ]]
	keeps 2
}

@test "error messages of libc don't reach a client on descriptor 2" {
	local cmd
	environment=(LD_PRELOAD="$PWD/t/escape.so" ESCAPE=complain
	    ESCAPE_LOG="$tmp/escape")
	command_line
	t/smtpc -s -e - "${cmd[@]}" -- "${data_bob[@]}" send:'x\r\n.\r\n' \
	    reply:250 say:QUIT reply:221 eof >"$tmp/replies"
	lacks -F abc "$tmp/replies"
	grep '^complain ' "$tmp/escape"
}

@test "the user and the mechanism of AUTH are in message, refused, discarded and disconnected" {
	local event
	options=(-v --plain-auth --auth 'exit 0; : "$@"' --domain mx.example
	    --on-data '[ "$SENDER" = alice@c.example ] || echo DISCARD=x')
	say 'EHLO c.example' FIRST "AUTH PLAIN $(printf '\0j o\303\274\0secret' | base64)" \
	    "${to_bob[@]:1}" DATA x . 'MAIL FROM:<>' "${to_bob[2]}" DATA x . FROB QUIT
	[[ $codes == '220 250 500 235 250 250 354 250 250 250 354 250 500 221' ]]
	well_formed
	for event in message discarded disconnected 'refused .*bytes"'; do
		[[ $(events "$event") == *' mechanism=PLAIN user="j o\xc3\xbc"'* ]]
	done
	lacks 'line=FIRST.*user=' "$log"
	grep -q 'line=FIRST' "$log"
}

@test "a rejection by a hook names its event and its command, other rejections don't" {
	local event l
	for event in on-new-connection on-hello on-new-mail on-recipient on-data \
	    filter on-message deliver mda; do
		: >"$log"
		options=("--$event" cat "--$event" 'echo "450 4.7.1 Not now"; exit 1')
		say "${to_bob[@]}" DATA x . QUIT || true
		l=$(events refused | grep 'Not now')
		[[ $(value hook "$l") == "$event" ]]
		[[ $(value hook_command "$l") == 'echo \"450 4.7.1 Not now\"; exit 1' ]]
		[[ $(value reply "$l") == *' 4.7.1 Not now' ]]
		[[ $(grep -c hook= "$log") == $(grep -c 'Not now.*hook=' "$log") ]]
	done
	: >"$log"
	options=(--listen lmtp@- --mda '[ "$LOCAL" != bob ] || exit 67' --mda '[ "$LOCAL" != eve ] || exit 77')
	say 'LHLO c.example' "${to_bob[@]:1}" 'RCPT TO:<eve@mx.example>' \
	    'RCPT TO:<ann@mx.example>' DATA x . QUIT
	[[ $(value hook_command "$(events refused | grep ' to=bob')") == *67 ]]
	[[ $(value hook_command "$(events refused | grep ' to=eve')") == *77 ]]
	# one that fails is there, too
	: >"$log"
	options=(--on-data 'exit 75;')
	say "${to_bob[@]}" DATA QUIT
	[[ $(value hook_command "$(events refused)") == 'exit 75;' ]]
}

@test "helo is in each rejection after HELO" {
	options=(--domain mx.example)
	say FROB "${hello[@]}" FROB 'MAIL FROM:<>' 'RCPT TO:<b@else.example>' QUIT
	events refused | sed 's/.*reply="\([0-9]*\)/\1/' >"$tmp/refused"
	grep -c helo=c.example "$tmp/refused" | grep -qx 2
	lacks helo= <(head -n 1 "$tmp/refused")
}

@test "message_id is the Message-ID as received, escaped and truncated" {
	local l
	deliver 'message-id:' ' <"a b"@c.example>' 'Message-ID: <2@c.example>' '' 'Message-ID: <3@c.example>'
	[[ $(value message_id "$(events message)") == '<\"a b\"@c.example>' ]]
	: >"$log"
	deliver 'Subject: none' '' 'Message-ID: <3@c.example>'
	[[ $(events message) != *message_id* ]]
	: >"$log"
	say 'EHLO c.example' "${to_bob[@]:1}" \
	    $'BDAT 7\r\nnofieldBDAT 34 LAST\r\n\r\n\r\nMessage-ID: <3@c.example>\r\nx\r\nQUIT'
	[[ $(events message) ]]
	[[ $(events message) != *message_id* ]]
	: >"$log"
	deliver "Message-ID: <$(printf '%0900d' 1)>" ''
	[[ $(value message_id "$(events message)") =~ ^\<0{254}$ ]]
	: >"$log"
	# a filter's own is not
	options=(--filter "sed 's/^Message-ID: .*/Message-ID: <new@mx.example>/'")
	deliver 'Message-ID: <old@c.example>' '' x
	[[ $(value message_id "$(events message)") == '<old@c.example>' ]]
	[[ $(grep -c '^Message-ID: <new@' "$(find "$dir/new" -type f -newer "$tmp/dialogue")") == 1 ]]
}

@test "TLS on a clear-text port is logged as that, and other noise is not" {
	talk reply send:'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' shut reply:421 eof
	[[ $(value command "$(events refused)") == tls ]]
	[[ $(value reply "$(events refused)") == '421 4.7.0 TLS handshake on a port that begins in clear text' ]]
	: >"$log"
	talk reply send:'\x15\x03\x01\r\n' reply:421 eof
	[[ $(value command "$(events refused)") == '?' ]]
	: >"$log"
	talk reply say:'HELO c.example' reply:250 send:'\x16\x03\r\n' reply:500 say:QUIT reply:221 eof
	[[ $(value command "$(events refused)") == '?' ]]
}
