# smtpd-milter, the MTA's side of the milter protocol, with t/milterd in place
# of a milter; t/real has the real ones.

load helpers

# milter [OPTION...] RULE...: start a milter with these rules; what it is told is
# in $told, and $milter is the hook that asks it
milter() {
	local args=()
	while [[ $1 == -* ]]; do
		args+=("$1" "$2")
		shift 2
	done
	told=$tmp/told
	rm -f "$tmp"/{milter,told,told.body,listens}
	[[ ! ${milterd-} ]] || kill "$milterd"
	t/milterd "${args[@]}" "${address-$tmp/milter}" "$told" "$@" \
	    >"$tmp/listens" 3>&- 4>&- &
	milterd=$!
	stray "$milterd"
	eventually test -s "$tmp/listens"
	milter="contrib/milter/smtpd-milter $(<"$tmp/listens")"
}

# filtered LINE...: send a message through the filter to bob, and accept it
filtered() {
	options=(--filter "$milter")
	deliver "$@"
}

# refused REPLY: a message gets this reply, and nothing is kept
refused() {
	options=(--filter "$milter")
	say "${to_bob[@]}" DATA 'Subject: x' '' body . QUIT
	# shellcheck disable=SC2053 # it may be a pattern
	[[ ${lines[5]} == $1* && ${#lines[@]} == 7 ]]
	[[ ! -d $dir ]] || keeps 0
}

# ours: the message that was kept, without our trace fields
ours() {
	sed '1,/^	for <bob@mx.example>/d' "$(message "$dir")"
}

# has LINE...: the message that was kept has these lines below our trace fields
has() {
	printf '%s\n' "$@" | diff - <(ours)
}

@test "a filter tells a milter of the session, the envelope and the message, in order" {
	milter
	environment=(PROTO=TCP TCPREMOTEIP=192.0.2.3 TCPREMOTEPORT=4711
	    TCPLOCALIP=192.0.2.25 TCPLOCALPORT=25)
	options=(--filter "$milter")
	say 'EHLO c.example' 'MAIL FROM:<alice@c.example> BODY=8BITMIME' \
	    'RCPT TO:<bob@mx.example>' 'RCPT TO:<Carol+x@mx.example>' DATA \
	    'Subject: x' 'To: bob,' '  carol' '' one '..two' . QUIT
	[[ $codes == *' 354 250 221' ]]
	grep -v -e '^D' "$told" >"$tmp/steps"
	printf '%s\n' 'O |||\x06|||\x13|\x1f\xf7\xff' \
	    'C unknown|4\x12g192.0.2.3|' 'H c.example|' \
	    'M <alice@c.example>|SIZE=42|BODY=8BITMIME|' \
	    'R <bob@mx.example>|' 'R <Carol+x@mx.example>|' 'T ' \
	    'L Subject|x|' 'L To|bob,\x0a  carol|' 'N ' \
	    'B one\x0d\x0a.two\x0d\x0a' 'E ' 'Q ' |
	    sed 's/SIZE=42/SIZE=0/; s/^O.*/O/' >"$tmp/want"
	sed -i 's/SIZE=[0-9]*/SIZE=0/; s/^O.*/O/' "$tmp/steps"
	diff "$tmp/want" "$tmp/steps"
}

@test "a milter gets the usual macros" {
	milter
	environment=(PROTO=TCP TCPREMOTEIP=2001:db8::3 TCPREMOTEPORT=4711
	    TCPREMOTEHOST=c.example TCPLOCALIP=2001:db8::25 TCPLOCALPORT=25)
	filtered 'Subject: x' '' body
	id=$(header Received | sed 's/.*id \([^ 	]*\).*/\1/')
	grep -q '^C c\.example|6.*2001:db8::3|$' "$told"
	sed -n 's/^D//p' "$told" >"$tmp/macros"
	given "$tmp/macros" ' Cj|mx.example|{daemon_name}|smtp|{daemon_addr}|2001:db8::25|{daemon_port}|25|{client_addr}|2001:db8::3|{client_port}|4711|_|c.example [2001:db8::3]|{client_name}|c.example|v|'"$(./smtpd --version)|" \
	    ' H' " Mi|$id|{mail_addr}|alice@c.example|" \
	    " Ri|$id|{rcpt_addr}|bob@mx.example|"
}

@test "a milter gets the macros of AUTH and TLS" {
	printf '#!/bin/sh\ncat <&3 >/dev/null\n' >"$tmp/auth"
	chmod 755 "$tmp/auth"
	milter
	options=(--filter "$milter" --tls 't/tlsd -d 5 3 4' --auth "$tmp/auth")
	talk reply say:'EHLO c.example' reply:250 say:STARTTLS reply:220 \
	    hello:mx.example say:'EHLO c.example' reply:250 \
	    say:'AUTH PLAIN AGpvZQBwYXNz' reply:235 \
	    say:'MAIL FROM:<joe@c.example>' reply:250 \
	    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354 \
	    say:'Subject: x\r\n\r\nbody\r\n.' reply:250 say:QUIT reply:221
	grep -q '^D H{tls_version}|TLSv1\.3|{cipher}|MASK|' "$told"
	grep -q '^D M.*|{auth_type}|PLAIN|{auth_authen}|joe|' "$told"
}

@test "a message that a milter does not change stays the same, byte for byte" {
	milter
	printf 'Subject: x\r\n\tfolded\r\nX:  two spaces \r\nno colon\r\n\r\n\344\r\n..\r\n%0999d\r\n.\r\n' 0 >"$tmp/data"
	{ printf '%s\r\n' "${to_bob[@]}" DATA; cat "$tmp/data"; } >"$tmp/with"
	options=(--filter "$milter")
	feed "$tmp/with"
	tr -d '\r' <"$tmp/data" | sed '$d; s/^\.\././' | cmp - <(ours)
	# the body begins where the header ends
	printf 'no colon\r\n\r\n\344\r\n.\r\n%0999d\r\n' 0 | cmp - "$told.body"
}

@test "steps that a milter declines are skipped, and replies that it won't send are not awaited" {
	milter -s 0x37f
	filtered 'Subject: x' '' body
	grep -v '^[OD]' "$told" >"$tmp/steps"
	given "$tmp/steps" 'E ' 'Q '
	milter -s 0xff080
	rm -r "$dir"
	filtered 'Subject: x' '' body
	grep -v '^[OD]' "$told" | cut -c 1 | paste -sd '' >"$tmp/steps"
	given "$tmp/steps" CHMRTLNBEQ
}

@test "a milter of version 2 gets no DATA" {
	milter -v 2
	filtered 'Subject: x' '' body
	grep -v '^[OD]' "$told" | cut -c 1 | paste -sd '' >"$tmp/steps"
	given "$tmp/steps" CHMRLNBEQ
	keeps 1
}

@test "a milter that asks for leading spaces gets and sets the space before values" {
	milter -s 0x100000 E='hX-A\0 one\0' E='hX-B\0two\0' E=c
	filtered 'Subject:  x' 'To:bob' '' body
	grep -qx 'L Subject|  x|' "$told"
	grep -qx 'L To|bob|' "$told"
	has 'Subject:  x' 'To:bob' 'X-A: one' 'X-B:two' '' body
	milter E='hX-A\0 one\0' E=c
	rm -r "$dir"
	filtered 'Subject:  x' 'To:bob' '' body
	grep -qx 'L Subject| x|' "$told"
	grep -qx 'L To|bob|' "$told"
	has 'Subject:  x' 'To:bob' 'X-A:  one' '' body
}

@test "fields are added at the end, inserted by position, replaced and deleted by name and number" {
	milter E='hX-Last\0z\0' E='i\0\0\0\x00X-Top\0t\0' E='i\0\0\0\x02X-First\0f\0' \
	    E='m\0\0\0\x02x-a\0new\0' E='m\0\0\0\x01X-A\0\0' \
	    E='m\0\0\0\x07X-None\0n\0' E='m\0\0\0\x09X-B\0\0' E='i\0\0\0\x63X-Far\0y\0' E=c
	filtered 'X-A: 1' 'X-A: 2' 'X-A: 3' 'X-B: 1' '' body
	has 'X-First: f' 'x-a: new' 'X-A: 3' 'X-B: 1' 'X-Last: z' 'X-None: n' \
	    'X-Far: y' '' body
	# above our Received, below what is not of the session
	sed -n '/^Delivered-To/{n;p;n;p}' "$(message)" | cut -c 1-14 >"$tmp/top"
	given "$tmp/top" 'X-Top: t' 'Received: from'
}

@test "a value of several lines is folded, and an invalid field name is a failure" {
	milter E='hX-A\0one\r\n\ttwo\nthree\n\nfour\0' E=c
	filtered 'X-B: 1' '' body
	has 'X-B: 1' $'X-A: one' $'\ttwo' $'\tthree' $'\t' $'\tfour' '' body
	rm -r "$dir"
	for name in '' 'a b' 'a:b' 'a\nb' '\xe4'; do
		milter E="h$name\0x\0" E=c
		refused '451 4.3.0 '
	done
	grep -q 'hook-said.* text=".*an invalid name of a field"' "$log"
}

@test "a milter does not get smtpd's own trace fields and can't change them" {
	milter E='m\0\0\0\x01Received\0\0' E='m\0\0\0\x01Return-Path\0\0' \
	    E='m\0\0\0\x01Delivered-To\0gone\0' E='i\0\0\0\x00X\0y\0' \
	    E='m\0\0\0\x01Received\0\0' E=c
	filtered 'Received: by other.example' 'X-B: 1' '' body
	lacks -e 'for <bob' -e 'L Return-Path' "$told"
	(($(grep -c '^L Received' "$told") == 1))
	has 'X-B: 1' 'Delivered-To: gone' '' body
	[[ $(header Return-Path) == '<alice@c.example>' ]]
	[[ $(header Delivered-To) == bob@mx.example$'\n'gone ]]
}

@test "a second filter gets the fields that the first inserted" {
	milter E='i\0\0\0\x00X-One\0first\0' E=c
	options=(--filter "$milter" --filter "$milter")
	deliver 'Subject: x' '' body
	grep -v '^D' "$told" | grep '^L' >"$tmp/fields"
	given "$tmp/fields" 'L Subject|x|' 'L X-One|first|' 'L Subject|x|'
	(($(header X-One | wc -l) == 2))
}

@test "a new body may come in pieces, is stored with LF, and ends with a line end" {
	milter E='bone\r' E='b\ntwo\r\nthr' E='hX-A\01\0' E='bee\r\rfour' E=c
	filtered 'Subject: x' '' body
	has 'Subject: x' 'X-A: 1' '' one two $'three\r\rfour'
	rm -r "$dir"
	milter E='b' E=c
	filtered 'Subject: x' '' body
	has 'Subject: x' ''
	rm -r "$dir"
	# no empty line before it was there
	milter E='bnew\r\n' E=c
	filtered 'Subject: x' 'no colon'
	has 'Subject: x' '' new
}

@test "a new body without an end is a failure, not a full disk" {
	milter E="!flood:b$(printf '%030000d' 0)"
	printf 'Subject: x\n\nbody\n' >"$tmp/mail"
	# shellcheck disable=SC2086 # words
	run -75 $milter <"$tmp/mail"
	[[ $output == *'the new body is too large' ]]
}

@test "a milter may accept at any step, and the message is unchanged" {
	local step
	for step in C H M R T L N B E; do
		milter "$step=a" E='hX-A\0b\0' E=r
		[[ $step != E ]] || milter E=a E='hX-A\0b\0'
		filtered 'Subject: x' '' body
		has 'Subject: x' '' body
		rm -r "$dir"
	done
}

@test "a milter may reject or defer at any step, with or without its own text" {
	local step
	for step in C H M R T L N B E; do
		milter "$step=r"
		refused '55[04] 5.7.1 '
		milter "$step=t"
		refused '451 4.7.1 '
		milter "$step=y550 5.7.1 No 100%% of it\\0"
		refused '550 5.7.1 No 100% of it'
	done
}

@test "a reply of several lines is passed on, and unsupported codes are mapped" {
	milter E='y554-5.7.1 one\r\n554 5.7.1 two\0'
	options=(--filter "$milter")
	say "${to_bob[@]}" DATA '' . QUIT
	[[ ${lines[5]} == '554-5.7.1 one' && ${lines[6]} == '554 5.7.1 two' ]]
	milter E='y571 5.7.1 no\0'
	refused '550 5.7.1 no'
	milter E='y432 4.7.12 later\0'
	refused '450 4.7.12 later'
	milter E='y421 4.7.0 gone\0'
	options=(--filter "$milter")
	say "${to_bob[@]}" DATA '' . NOOP
	[[ ${lines[-1]} == '421 4.7.0 gone' ]]
}

@test "an invalid reply from a milter is a failure" {
	local reply
	for reply in '250 2.0.0 Ok' 'hello' '55' '550 4.7.1 x' '550-5.7.1 a\r\n551 5.7.1 b' '' '5500 x'; do
		milter E="y$reply\\0"
		refused '451 4.3.0 '
	done
	milter E='y550 5.7.1 without a NUL'
	refused '451 4.3.0 '
}

@test "shutdown and connection failure close the connection" {
	local letter
	for letter in 4 f; do
		milter "M=$letter"
		options=(--filter "$milter")
		say "${to_bob[@]}" DATA '' . NOOP
		[[ ${lines[-1]} == '421 4.7.0 '* ]]
	done
}

@test "SMFIR_PROGRESS prolongs the wait, and SMFIR_SKIP skips the rest of the body" {
	milter E=p E=p E='hX-A\0b\0' E=p E=c
	filtered 'Subject: x' '' body
	has 'Subject: x' 'X-A: b' '' body
	rm -r "$dir"
	milter -s 0x400 B=s
	# shellcheck disable=SC2046 # words
	filtered 'Subject: x' '' $(printf '%0998d ' {1..200})
	(($(grep -c '^B' "$told") == 1))
	[[ $(stat -c %s "$told.body") == 6553[45] ]]
	(($(ours | wc -l) == 202))
}

@test "a large body is sent in chunks, which may divide a CR LF" {
	milter
	{
		printf '%s\r\n' "${to_bob[@]}" DATA 'Subject: x' ''
		# a line feed at each place around the border
		yes "$(printf '%077d\r' 0)" | head -n 20000
		printf '.\r\n'
	} >"$tmp/big"
	options=(--filter "$milter")
	feed "$tmp/big"
	yes "$(printf '%077d\r' 0)" | head -n 20000 | cmp - "$told.body"
	yes "$(printf '%077d' 0)" | head -n 20000 | cmp - <(ours | sed 1,2d)
}

@test "a milter that is down, disconnects or sends wrong lengths: 451, and nothing stored" {
	local rule
	milter
	kill "$milterd"
	eventually gone "$milterd"
	milterd=''
	refused '451 4.3.0 '
	grep -q 'hook-said.* text="smtpd-milter: unix:.*/milter: Connection refused"' "$log"
	for rule in 'O=!close' 'E=!close' 'M=!raw:\xff\xff\xff\xff' \
	    'E=!raw:\0\0\0\0' 'E=!raw:\x7f\0\0\0h' 'E=!raw:\0\x10\0\x01h' \
	    'E=hX-A' 'E=hX-A\0b' 'E=i\0\0' 'E=m\0\0\0\x01X' 'O=O\0\0' \
	    'O=c' 'O=O\0\0\0\x07\0\0\0\0\0\0\0\0' 'O=O\0\0\0\x01\0\0\0\0\0\0\0\0'; do
		milter "$rule"
		refused '451 4.3.0 '
	done
	# more than it may add
	rule=$(printf 'E=hX-A\\0%0100000d\\0' 0)
	milter "$rule" "$rule" "$rule" "$rule" "$rule" "$rule" "$rule" "$rule" \
	    "$rule" "$rule" "$rule" E=c
	refused '451 4.3.0 '
	grep -q 'text=".*it adds too much to the header"' "$log"
	grep -q 'text=".*it has closed the connection"' "$log"
	grep -q 'text=".*a frame of invalid length"' "$log"
	grep -q 'text=".*an unsupported version of the protocol"' "$log"
}

@test "an unexpected answer and a change that was not negotiated are failures" {
	local rule
	for rule in 'M=hX-A\0b\0' 'L=s' 'E=O' 'C=bx' 'E=Z' 'E=+<eve@c.example>\0' \
	    'E=-<bob@mx.example>\0' 'E=e<eve@c.example>\0' 'E=qreason\0'; do
		milter "$rule"
		refused '451 4.3.0 '
	done
	grep -q 'text=".*an answer out of order"' "$log"
	grep -q 'text=".*it wants to change the envelope or to quarantine' "$log"
}

@test "a milter that disconnects without quarantine is offered it, and using it is a failure" {
	milter -a 0xff E='hX-A\0b\0' E=c
	filtered 'Subject: x' '' body
	has 'Subject: x' 'X-A: b' '' body
	(($(grep -c '^O' "$told") == 2))
	rm -r "$dir"
	milter -a 0xff E='qinfected\0' E=c
	refused '451 4.3.0 '
	grep -q 'text=".*it wants to change the envelope or to quarantine' "$log"
	# it claims more than was offered, as rspamd does
	milter 'O=O\0\0\0\x06\0\0\0\xff\0\0\0\0'
	filtered 'Subject: x' '' body
	keeps 1
	rm -r "$dir"
	# what it insists on is nothing that there is
	milter -a 0x8000
	refused '451 4.3.0 '
	(($(grep -c '^O' "$told") == 2))
}

@test "a milter that hangs or sends single bytes fails after the timeout" {
	local rule
	for rule in 'O=!hang' 'C=!hang' 'E=!hang' 'E=!drip:\0\0\0\xffabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz'; do
		milter "$rule"
		milter=${milter/ / -t 1,1,1 }
		refused '451 4.3.0 '
	done
	(($(grep -c 'text=".*no answer, timeout"' "$log") == 4))
}

@test "the address of a milter by TCP is PORT@HOST or HOST:PORT" {
	local port
	address=0 milter E='hX-A\0b\0' E=c
	port=${milter##*:}
	port=${port%@*}
	for each in "inet:$port@127.0.0.1" "inet:127.0.0.1:$port" \
	    "inet:$port@[127.0.0.1]" "inet6:$port@::ffff:127.0.0.1" \
	    "inet:[::ffff:127.0.0.1]:$port"; do
		milter="contrib/milter/smtpd-milter $each"
		filtered 'Subject: x' '' body
		has 'Subject: x' 'X-A: b' '' body
		rm -r "$dir"
	done
}

@test "an invalid address or option is reported, and mail is deferred" {
	local bad
	for bad in '' 25 inet:25 inet:25@ inet:@host unix: x:y '-t x unix:y' \
	    '-t 1, unix:y' '-t 1,2,3,4 unix:y' '-x unix:y' 'unix:a unix:b' \
	    "unix:$(printf '%0200d' 0)"; do
		# shellcheck disable=SC2086 # words
		run -64 contrib/milter/smtpd-milter $bad </dev/null
		[[ $output == *smtpd-milter* ]]
	done
	SMTP_EVENT=deliver run -64 contrib/milter/smtpd-milter unix:x </dev/null
	[[ $output == *'no hook for this event' ]]
}

@test "smtpd-milter can be run by hand, on a file or a pipe" {
	milter E='hX-A\0b\0' E=c
	printf 'Subject: x\n\nbody\n' >"$tmp/mail"
	# shellcheck disable=SC2002 # it must be a pipe
	for how in '<"$tmp/mail"' '< <(cat "$tmp/mail")'; do
		eval "$milter $how" >"$tmp/out"
		given "$tmp/out" 'Subject: x' 'X-A: b' '' body
	done
	# without a line end, or without anything
	printf 'Subject: x' | $milter >"$tmp/out"
	given "$tmp/out" 'Subject: x' 'X-A: b'
	$milter </dev/null >"$tmp/out"
	given "$tmp/out" 'X-A: b'
}

@test "hooks at earlier events send the steps up to theirs and use the verdict" {
	local event
	for event in on-new-connection on-hello on-new-mail on-recipient on-data; do
		milter
		options=("--$event" "$milter")
		deliver 'Subject: x' '' body
		grep -v '^[OD]' "$told" | cut -c 1 | paste -sd '' >"$tmp/$event"
	done
	given "$tmp/on-new-connection" CQ
	given "$tmp/on-hello" CHQ
	given "$tmp/on-new-mail" CHMAQ
	given "$tmp/on-recipient" CHMRAQ
	given "$tmp/on-data" CHMRTAQ
	milter C='y554 5.7.1 not you\0'
	options=(--on-new-connection "$milter")
	talk reply:'554 5.7.1 not you' eof
	milter R='y550 5.1.1 not here\0'
	options=(--on-recipient "$milter")
	say "${to_bob[@]}" QUIT
	[[ ${lines[3]} == '550 5.1.1 not here' ]]
}

@test "at RCPT a verdict about an earlier recipient is not repeated" {
	milter R=c
	options=(--on-recipient "$milter")
	say "${to_bob[@]}" 'RCPT TO:<carol@mx.example>' QUIT
	[[ $codes == "$to_bob_codes 250 221" ]]
	grep '^R' "$told" >"$tmp/recipients"
	given "$tmp/recipients" 'R <bob@mx.example>|' 'R <bob@mx.example>|' \
	    'R <carol@mx.example>|'
}

@test "with --on-message fields are added, and other changes are logged as left out" {
	milter E='hX-A\0one\n\ttw\x01o\0' E='i\0\0\0\x00X-Top\0t\0' E=c
	options=(--on-message "$milter")
	deliver 'Subject: x' '' body
	has 'X-Top: t' 'X-A: one tw o' 'Subject: x' '' body
	lacks -q hook-said "$log"
	rm -r "$dir"
	milter E='hX-A\0one\0' E='m\0\0\0\x01Subject\0y\0' E=c
	options=(--on-message "$milter")
	deliver 'Subject: x' '' body
	has 'X-A: one' 'Subject: x' '' body
	grep -q 'hook-said.* text=".*only new header fields are applied' "$log"
}

@test "a header that milters can't read is rejected" {
	milter
	{
		printf '%s\r\n' "${to_bob[@]}" DATA
		printf 'X-A:%065600d\r\n\r\n.\r\n' 0
	} >"$tmp/long"
	options=(--filter "$milter")
	feed "$tmp/long"
	[[ $codes == *' 354 554' ]]
	{
		printf '%s\r\n' "${to_bob[@]}" DATA
		yes $'X:\r' | head -n 65600
		printf '\r\n.\r\n'
	} >"$tmp/many"
	feed "$tmp/many"
	[[ $codes == *' 354 554' ]]
	keeps 0
}

@test "a milter may discard a message: 250, nothing stored, and logged" {
	local step
	for step in C M R B E; do
		milter "$step=d"
		options=(--filter "$milter" --filter "cat >$tmp/second")
		deliver 'Subject: x' '' body
		[[ ! -d $dir ]] || keeps 0
		[[ ! -e $tmp/second ]]
	done
	(($(events discarded | grep -c 'reason=unix:') == 5))
	milter E=d
	options=(--on-message "$milter")
	deliver 'Subject: x' '' body
	milter R=d
	options=(--on-recipient "$milter")
	deliver 'Subject: x' '' body
	[[ ! -d $dir ]] || keeps 0
	(($(events discarded | grep -c 'reason=unix:') == 7))
}

@test "if a new body does not fit, or the message can't be read or written, the hook fails" {
	milter E='bnew\r\n' E=c
	printf 'Subject: x\n\nbody\n' >"$tmp/mail"
	# shellcheck disable=SC2086 # words
	TMPDIR=$tmp/none run -75 $milter <"$tmp/mail"
	[[ $output == *'no temporary file for the body' ]]
	run -75 bash -c "$milter <'$tmp'"
	run -75 bash -c "$milter >/dev/full" <"$tmp/mail"
	# what is larger than a file may be
	milter E="b$(printf '%04096d' 0)" E=c
	run -75 bash -c "ulimit -f 2; trap '' XFSZ; $milter" <"$tmp/mail"
	[[ $output == *"the body can't be written"* ]]
}
