# The result of a command: a reply on standard output, or else the exit status.
# A broken command never rejects for good, and no output puts the session out
# of step.

load helpers

# verdict STATUS STDOUT [STDERR]: have RCPT judged by a command that writes
# these, escapes undone, and exits so; answer is the reply, its lines joined
# with |
verdict() {
	printf '%b' "$2" >"$tmp/stdout"
	printf '%b' "${3:-}" >"$tmp/stderr"
	cat >"$tmp/hook" <<-EOT
		#!/bin/sh
		cat $tmp/stderr >&2
		cat $tmp/stdout
		exit $1
	EOT
	ask "$tmp/hook"
}

# ask COMMAND: have RCPT judged by it, with the options of soft[]
soft=()
ask() {
	[[ ! -f $tmp/hook ]] || chmod 755 "$tmp/hook"
	options=(--on-recipient "$1" "${soft[@]}")
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@mx.example>' QUIT
	[[ ${lines[2]} == '250 2.1.0 Ok' && ${lines[-1]} == '221 '* ]]
	printf -v answer '%s|' "${lines[@]:3:${#lines[@]}-4}"
	answer=${answer%|}
	echo "answer: $answer"
}

# verdicts STATUS STDOUT ...: the same for several of them in one session;
# answers[] are replies of one line each
verdicts() {
	local rcpt=() n=0
	printf '#!/bin/sh\ncase $LOCAL in\n' >"$tmp/hook"
	while (($#)); do
		printf "%d) printf '%s'; exit %d ;;\n" $((n++)) "$2" "$1"
		rcpt+=("RCPT TO:<$((n - 1))@mx.example>")
		shift 2
	done >>"$tmp/hook"
	echo 'esac' >>"$tmp/hook"
	chmod 755 "$tmp/hook"
	options=(--on-recipient "$tmp/hook" --max-errors 0)
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' "${rcpt[@]}" QUIT
	((${#lines[@]} == n + 4))
	answers=("${lines[@]:3:n}")
}

# is REPLY: that was the answer
is() {
	[[ $answer == "$1" ]]
}

broken='451 4.3.0 Local error, try again later'
ok='250 2.1.5 Ok'

# failed_with KEY=VALUE: the log says so of the command, once
failed_with() {
	[[ $(events hook-failed | wc -l) == 1 ]]
	[[ $(events hook-failed) == *" hook=on-recipient command="*" $1" ]]
}

@test "no output and status 0 accepts" {
	verdict 0 ''
	is "$ok"
	[[ -z $(events hook-failed) ]]
}

@test "output that is not a reply is ignored" {
	verdict 0 'all is well\n550 5.1.1 not the first line\n'
	is "$ok"
	verdict 0 ' 550 5.1.1 not at the beginning\n'
	is "$ok"
	verdict 0 '5500 5.1.1 no code\n'
	is "$ok"
	verdict 0 '550: no\n'
	is "$ok"
	verdict 0 '5.1.1 not with status 0\n'
	is "$ok"
	verdict 0 'HEADING=1\nOTHER=2\n'
	is "$ok"
	[[ -z $(events hook-failed) ]]
}

@test "a reply with an enhanced code counts, whatever the exit status below 126" {
	verdicts 0 '550 5.1.6 Moved' 1 '550 5.1.6 Moved' 77 '550 5.1.6 Moved' \
	    99 '550 5.1.6 Moved' 100 '550 5.1.6 Moved' 125 '550 5.1.6 Moved'
	lacks -vxF '550 5.1.6 Moved' <(printf '%s\n' "${answers[@]}")
	verdict 1 '452 4.2.2 Full\n' 'a complaint\n'
	is '452 4.2.2 Full'
	[[ -z $(events hook-failed) ]]
}

@test "each code that a hook may use reaches the client" {
	local c replies=() given=()
	for c in 45{0..9} 521 55{0..9}; do
		replies+=("$c ${c:0:1}.1.1 No")
		given+=(0 "$c ${c:0:1}.1.1 No")
	done
	verdicts "${given[@]}"
	[[ "${answers[*]}" == "${replies[*]}" ]]
}

@test "any other code gets 451 and is logged, such as curl's 502" {
	local c given=()
	for c in 000 100 200 220 221 235 251 252 334 354 400 420 422 449 460 \
	    500 501 502 503 504 520 522 530 535 549 560 599 600 999; do
		given+=(0 "$c Bad Gateway")
	done
	verdicts "${given[@]}"
	lacks -vxF "$broken" <(printf '%s\n' "${answers[@]}")
	(($(events hook-failed | grep -c ' status=0$') == ${#answers[@]}))
}

@test "a reply may end in LF, in CR LF or without a line end" {
	verdict 0 '550 5.1.1 No'
	is '550 5.1.1 No'
	verdict 0 '550 5.1.1 No\r\n'
	is '550 5.1.1 No'
	verdict 0 '550-5.1.1 No\r\n550 5.1.1 Never\r\n'
	is '550-5.1.1 No|550 5.1.1 Never'
}

@test "a reply without an enhanced code gets the one of its class (RFC 2034 4)" {
	verdict 0 '550 No\n'
	is '550 5.7.1 No'
	verdict 0 '450 Later\n'
	is '450 4.7.1 Later'
	verdict 0 '250 Fine\n'
	is '250 2.0.0 Fine'
}

@test "an invalid enhanced code, or one of another class, is replaced" {
	verdict 0 '550 4.7.1 No\n'
	is '550 5.7.1 No'
	verdict 0 '450 5.1.1 Later\n'
	is '450 4.7.1 Later'
	verdict 0 '550 2.0.0 No\n'
	is '550 5.7.1 No'
	verdict 0 '550 5.1 No\n'
	is '550 5.7.1 5.1 No'
	verdict 0 '550 5.1.1.1 No\n'
	is '550 5.7.1 5.1.1.1 No'
	verdict 0 '550 5.1234.1 No\n'
	is '550 5.7.1 5.1234.1 No'
	verdict 0 '550 5.123.123 No\n'
	is '550 5.123.123 No'
	verdict 0 '550 55.1.1 No\n'
	is '550 5.7.1 55.1.1 No'
}

@test "a code alone is a reply" {
	verdict 0 '550'
	is '550 5.7.1'
	verdict 0 '450\n'
	is '450 4.7.1'
	verdict 0 '550 5.1.1\n'
	is '550 5.1.1'
	verdict 0 '550 \n'
	is '550 5.7.1'
}

@test "several lines make one reply, each with the enhanced code (RFC 5321 4.2.1)" {
	verdict 0 '550-5.1.1 Nobody\n550-here has\n550 that name\n550 5.7.7 not this\n'
	is '550-5.1.1 Nobody|550-5.1.1 here has|550 5.1.1 that name'
	verdict 0 '450-One\n450 Two\n'
	is '450-4.7.1 One|450 4.7.1 Two'
}

@test "a reply of several lines ends where the code changes, or the lines end" {
	verdict 0 '550-5.1.1 One\n450 4.1.1 Two\n'
	is '550 5.1.1 One'
	verdict 0 '550-5.1.1 One\nTwo\n'
	is '550 5.1.1 One'
	verdict 0 '550-5.1.1 One\n'
	is '550 5.1.1 One'
	verdict 0 '550-5.1.1 One\n\n550 5.1.1 Three\n'
	is '550 5.1.1 One'
}

@test "a reply has ten lines at most" {
	verdict 0 "$(printf '550-5.1.1 %d\\n' {1..12})550 5.1.1 end\n"
	(($(grep -o '|' <<<"$answer" | wc -l) == 9))
	[[ $answer == '550-5.1.1 1|'*'|550 5.1.1 10' ]]
}

@test "long lines are cut to 512 bytes (RFC 5321 4.5.3.1.5)" {
	local x
	printf -v x '%3000s' ''
	verdict 0 "550 5.1.1 ${x// /x}\n"
	[[ $answer =~ ^550\ 5\.1\.1\ x+$ ]]
	((${#answer} == 510))
	verdict 0 "550 ${x// /y}\n"
	[[ $answer =~ ^550\ 5\.7\.1\ y+$ ]]
	((${#answer} <= 510))
}

@test "a reply whose first line exceeds the output buffer is that reply" {
	local long
	long=$(printf '%070000d' 0 | tr 0 x)
	verdict 0 "550 5.7.1 $long"
	[[ $answer == "550 5.7.1 xxx"* ]]
	verdict 0 "550 5.7.1 $long\n"
	[[ $answer == "550 5.7.1 xxx"* ]]
	verdict 0 "451 $long"
	[[ $answer == "451 4.7.1 xxx"* ]]
	verdict 1 "5.1.1 $long"
	[[ $answer == "550 5.1.1 xxx"* ]]
	verdict 0 "550-5.7.1 first\n550 5.7.1 $long"
	[[ $answer == *550?5.7.1\ first* ]]
	[[ -z $(events hook-failed) ]]
}

@test "a first line that is too long is a failure if it begins with HEADER= or MAILBOX=" {
	local long
	long=$(printf '%020000d' 0 | tr 0 x)
	verdict 0 "HEADER=X-Long: $long"
	is "$broken"
	verdict 0 "MAILBOX=$long@mx.example"
	is "$broken"
	(($(events hook-failed | wc -l) == 2))
	verdict 0 "$long\n"
	is "$ok"
}

@test "a long reply is truncated, and each line left has its code" {
	local x line last
	printf -v x '%200s' ''
	verdict 0 "$(printf "550-5.1.1 %d${x// /x}\\\\n" {1..9})550 5.1.1 end\n"
	while IFS= read -r line; do
		[[ $line =~ ^550[\ -]5\.1\.1( |$) ]]
		last=$line
	done < <(tr '|' '\n' <<<"$answer")
	[[ $last == '550 '* ]]
	# every length at which the last line could be cut
	for x in 1011 1012 1013 1014 1015 1020; do
		printf -v x "%$((x - 506 - 12))s" ''
		verdict 0 "$(printf '550-5.1.1 %496s\\n550-5.1.1 %s\\n550 5.1.1 end\\n' '' "$x" | tr ' ' x | sed 's/5.1.1x/5.1.1 /g; s/550x/550 /')"
		while IFS= read -r line; do
			[[ $line =~ ^550[\ -]5\.[17]\.1( |$) ]]
		done < <(tr '|' '\n' <<<"$answer")
	done
}

@test "control bytes, CR, NUL and non-ASCII bytes never reach the client" {
	# read_replies has looked at each byte
	verdict 0 '550 5.1.1 a\rb\n'
	is '550 5.1.1 a'
	verdict 0 '550 5.1.1 a\tb\033[31mc\007\177\303\251d\n'
	is '550 5.1.1 ab[31mcd'
	verdict 0 '550 5.1.1 a\r\n250 2.1.5 Ok\r\n'
	is '550 5.1.1 a'
	verdict 0 '550 5.1.1 a\0000250 b\n'
	is '550 5.1.1 a'
	verdict 0 '550-5.1.1 a\r550 5.1.1 b\n550 5.1.1 c\n'
	is '550-5.1.1 a|550 5.1.1 c'
	verdict 67 '5.1.1 a\r250 b\033\n'
	is '550 5.1.1 a'
}

@test "250 sets the text of the reply, and counts only with status 0 and 99" {
	verdict 0 '250 2.1.5 Welcome\n'
	is '250 2.1.5 Welcome'
	verdict 99 '250 2.1.5 Welcome\n'
	is '250 2.1.5 Welcome'
	verdict 1 '250 2.1.5 Welcome\n'
	is '550 5.1.1 No such user here'
	verdict 77 '250 2.1.5 Welcome\n'
	is '550 5.7.1 Rejected'
	verdict 75 '250 2.1.5 Welcome\n'
	is "$broken"
}

@test "with a status other than 0, a line may begin with the enhanced code" {
	verdicts 1 '5.2.1 Closed\nand more\n' 2 '5.2.1 Closed' \
	    67 '5.2.1 Closed' 100 '5.2.1 Closed' 125 '5.2.1 Closed'
	lacks -vxF '550 5.2.1 Closed' <(printf '%s\n' "${answers[@]}")
	verdicts 1 '4.2.2 Full' 2 '4.2.2 Full' 67 '4.2.2 Full' \
	    125 '4.2.2 Full\n'
	lacks -vxF '451 4.2.2 Full' <(printf '%s\n' "${answers[@]}")
	verdict 1 '5.2.1 Closed\n' 'with a complaint\n'
	is '550 5.2.1 Closed'
	verdict 67 '2.1.5 No verdict\n'
	is '550 5.1.1 No such user here'
	verdict 67 '5.2 none either\n'
	is '550 5.1.1 No such user here'
}

@test "status 1 rejects even without output on standard error" {
	verdict 1 ''
	is '550 5.1.1 No such user here'
	verdict 1 'some text\n'
	is '550 5.1.1 No such user here'
	[[ -z $(events hook-failed) ]]
}

@test "status 1 with output on standard error is a failure and is logged" {
	verdict 1 '' 'Traceback\n'
	is "$broken"
	failed_with status=1
	: >"$log"
	verdict 1 'some text\n' x
	is "$broken"
	failed_with status=1
}

@test "grep as a hook rejects if nothing matches, and defers if its file is missing" {
	echo bob@mx.example >"$tmp/list"
	ask 'grep -qixF -e "$RECIPIENT" '"$tmp/list"
	is "$ok"
	echo eve@mx.example >"$tmp/list"
	ask 'grep -qixF -e "$RECIPIENT" '"$tmp/list"
	is '550 5.1.1 No such user here'
	rm "$tmp/list"
	ask 'grep -qixF -e "$RECIPIENT" '"$tmp/list"
	is "$broken"
	failed_with status=2
}

@test "status 65, 67, 68, 77 and 100 reject, with output on standard error or not" {
	local complaint
	for complaint in '' 'text\n'; do
		verdict 65 '' "$complaint"
		is '550 5.6.0 Message content rejected'
		verdict 67 '' "$complaint"
		is '550 5.1.1 No such user here'
		verdict 68 '' "$complaint"
		is '550 5.1.2 No such domain here'
		verdict 77 '' "$complaint"
		is '550 5.7.1 Rejected'
		verdict 100 '' "$complaint"
		is '550 5.7.1 Rejected'
	done
	[[ -z $(events hook-failed) ]]
}

@test "every other status gets 451 and is logged" {
	local s given=()
	for s in 2 3 64 66 69 70 71 73 74 75 76 78 98 101 111 125 126 127 128 \
	    255; do
		given+=("$s" text)
	done
	verdicts "${given[@]}"
	lacks -vxF "$broken" <(printf '%s\n' "${answers[@]}")
	[[ $(events hook-failed | sed 's/.* status=//' | paste -sd ' ') == \
	    '2 3 64 66 69 70 71 73 74 75 76 78 98 101 111 125 126 127 128 255' ]]
}

@test "with status 126 and above no reply counts" {
	verdicts 126 '550 5.1.1 No' 127 '550 5.1.1 No' 129 '550 5.1.1 No' \
	    255 '550 5.1.1 No' 126 '5.1.1 No' 127 '5.1.1 No' 137 '5.1.1 No' \
	    255 '5.1.1 No'
	lacks -vxF "$broken" <(printf '%s\n' "${answers[@]}")
}

@test "a command that the shell does not find gets 451" {
	ask 'no-such-command-anywhere; exit'
	is "$broken"
	failed_with status=127
	[[ $(events hook-said) == *'not found'* ]]
	: >"$log"
	ask "$tmp/stdout; exit"
	is "$broken"
}

@test "a command that is killed yields 451, whatever its output" {
	local s
	for s in KILL SEGV TERM PIPE ABRT; do
		: >"$log"
		ask "ulimit -c 0; echo 550 5.1.1 No; kill -$s \$\$"
		is "$broken"
		failed_with "error=\"killed by a signal\" signal=$(kill -l "$s")"
	done
}

@test "99 accepts and skips the later commands of this event only" {
	options=(--on-recipient 'exit 99;' --on-recipient "touch $tmp/asked"
	    --on-data "touch $tmp/data")
	deliver x
	[[ ! -e $tmp/asked && -e $tmp/data ]]
}

@test "commands run in order until one rejects" {
	options=(--on-recipient "echo 1 >>$tmp/asked;"
	    --on-recipient "echo 2 >>$tmp/asked; exit 77"
	    --on-recipient "echo 3 >>$tmp/asked;")
	say "${to_bob[@]}" QUIT
	[[ ${lines[3]} == '550 5.7.1 Rejected' ]]
	[[ $(paste -sd ' ' "$tmp/asked") == '1 2' ]]
}

@test "an accepting command's text replaces that of an earlier one" {
	options=(--on-recipient 'echo 250 2.1.5 One;'
	    --on-recipient 'echo 250 2.1.5 Two;' --on-recipient true)
	say "${to_bob[@]}" QUIT
	[[ ${lines[3]} == '250 2.1.5 Two' ]]
}

# refusal EVENT COMMAND: what the client gets at each command of a dialogue
refusal() {
	options=("--on-$1" "$2")
	command_line
	printf '%s\r\n' 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@mx.example>' DATA . QUIT |
	    timeout 60 "${cmd[@]}" 2>>"$log" >"$tmp/replies"
	read_replies "$tmp/replies"
}

@test "each event has its own default reply for a rejection" {
	refusal new-connection false
	[[ $codes == 554 && ${lines[0]} == '554 5.7.1 '* ]]
	refusal hello false
	[[ $codes == '220 550 503 503 503 500 221' && ${lines[1]} == '550 5.7.1 '* ]]
	refusal new-mail false
	[[ $codes == '220 250 550 503 503 500 221' && ${lines[2]} == '550 5.7.1 '* ]]
	refusal recipient false
	[[ $codes == '220 250 250 550 554 500 221' && ${lines[3]} == '550 5.1.1 '* ]]
	refusal data false
	[[ $codes == '220 250 250 250 554 500 221' && ${lines[4]} == '554 5.7.1 '* ]]
}

@test "an exit status or enhanced code gets the reply code of its event" {
	refusal new-mail 'exit 65;'
	[[ ${lines[2]} == '550 5.6.0 Message content rejected' ]]
	refusal data 'exit 65;'
	[[ ${lines[4]} == '554 5.6.0 Message content rejected' ]]
	refusal data 'echo 5.6.1 What is this; exit 1'
	[[ ${lines[4]} == '554 5.6.1 What is this' ]]
	refusal hello 'echo 5.7.1 Nobody is called that; exit 1'
	[[ ${lines[1]} == '550 5.7.1 Nobody is called that' ]]
}

@test "a rejection at connect replaces the banner and closes the connection (RFC 5321 3.1)" {
	local command
	for command in false 'echo 554 5.7.1 Not you' 'echo 521 5.7.1 No mail' \
	    'echo 5.7.1 No; exit 77'; do
		options=(--on-new-connection "$command")
		talk reply:5 eof exit:0
		[[ ${#lines[@]} == 1 && ${lines[0]} == 5[25][14]' 5.7.1 '* ]]
	done
	[[ $(events refused | wc -l) == 4 ]]
	[[ $(events refused) == *' command=connect reply='* ]]
}

@test "a temporary rejection at connect is 421 (RFC 5321 3.8)" {
	local command
	for command in 'exit 75;' 'echo 450 4.7.1 Later' 'echo 4.7.1 Later; exit 1' \
	    'kill -KILL $$' 'echo 421 4.7.1 Later'; do
		options=(--on-new-connection "$command")
		talk reply:'421 4.' eof exit:0
		[[ ${#lines[@]} == 1 ]]
	done
}

@test "421 closes the session at every event (RFC 5321 3.8)" {
	local event n
	while read -r n event; do
		refusal "$event" 'echo 421 4.7.1 Enough'
		((${#lines[@]} == n))
		[[ ${lines[-1]} == '421 4.7.1 Enough' ]]
	done <<-'EOT'
		1 new-connection
		2 hello
		3 new-mail
		4 recipient
		5 data
	EOT
}

@test "the text of an accepting command counts at MAIL and RCPT only" {
	local event
	options=()
	for event in new-connection hello new-mail recipient data; do
		options+=("--on-$event" 'echo 250 2.0.0 Text')
	done
	deliver x
	[[ ${lines[0]} == '220 mx.example'* && ${lines[1]} == '250 mx.example' ]]
	[[ ${lines[2]} == '250 2.0.0 Text' && ${lines[3]} == '250 2.0.0 Text' ]]
	[[ ${lines[5]} == '250 2.0.0 Ok'* ]]
}

@test "after a rejected HELO the client must send another" {
	options=(--on-hello '[ "$SMTP_HELO" != bad.example ]')
	say 'HELO bad.example' 'MAIL FROM:<a@c.example>' 'EHLO bad.example' \
	    NOOP 'HELO c.example' 'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 550 503 550 250 250 250 221' ]]
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' 'HELO bad.example' \
	    'RCPT TO:<bob@mx.example>' 'MAIL FROM:<a@c.example>' QUIT
	[[ $codes == '220 250 250 550 503 503 221' ]]
}

@test "pipelined commands stay in step after a rejected MAIL (RFC 2920 3.1)" {
	options=(--on-new-mail '[ "$SENDER" != bad@c.example ]')
	say 'EHLO c.example' 'MAIL FROM:<bad@c.example>' \
	    'RCPT TO:<bob@mx.example>' 'RCPT TO:<eve@mx.example>' DATA RSET \
	    "${to_bob[@]:1}" DATA 'Subject: x' '' body . QUIT
	[[ $codes == '220 250 550 503 503 503 250 250 250 354 250 221' ]]
	keeps 1
}

@test "pipelined commands stay in step after a rejected RCPT (RFC 2920 3.1)" {
	options=(--on-recipient 'case $LOCAL in later) exit 75 ;; no) exit 67 ;; esac')
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<no@mx.example>' 'RCPT TO:<bob@mx.example>' \
	    'RCPT TO:<later@mx.example>' DATA 'Subject: x' '' body . QUIT
	[[ $codes == '220 250 250 550 250 451 354 250 221' ]]
	keeps 1
	[[ $(header Delivered-To) == bob@mx.example ]]
}

@test "DATA gets 554 if hooks rejected all recipients" {
	options=(--on-recipient false)
	say 'EHLO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<bob@mx.example>' 'RCPT TO:<eve@mx.example>' DATA NOOP QUIT
	[[ $codes == '220 250 250 550 550 554 250 221' ]]
	keeps 0
}

@test "a rejected DATA ends the transaction, and the session goes on" {
	options=(--on-data '[ "$SENDER" != bad@c.example ]')
	say 'EHLO c.example' 'MAIL FROM:<bad@c.example>' \
	    'RCPT TO:<bob@mx.example>' DATA 'RCPT TO:<bob@mx.example>' \
	    "${to_bob[@]:1}" DATA 'Subject: x' '' body . QUIT
	[[ $codes == '220 250 250 250 554 503 250 250 354 250 221' ]]
	keeps 1
}

@test "limits and policy are checked first, and no command overrides them" {
	options=(--on-recipient "echo \$RECIPIENT >>$tmp/asked;"
	    --on-new-mail 'echo 250 2.1.0 Yes' --domain one.example
	    --max-recipients 1 --max-size 1000)
	say 'EHLO c.example' 'MAIL FROM:<a@c.example> SIZE=2000' \
	    'MAIL FROM:<a@c.example>' 'RCPT TO:<bob@else.example>' \
	    'RCPT TO:<bob@one.example>' 'RCPT TO:<eve@one.example>' QUIT
	[[ $codes == '220 250 552 250 550 250 452 221' ]]
	[[ $(<"$tmp/asked") == bob@one.example ]]
}

@test "rejections count as errors, failures do not" {
	options=(--max-errors 2 --on-hello false)
	say 'HELO c.example' 'HELO c.example' NOOP
	[[ $codes == '220 550 421' ]]
	options=(--max-errors 2 --on-hello 'exit 75;')
	say 'HELO c.example' 'HELO c.example' 'HELO c.example' QUIT
	[[ $codes == '220 451 451 451 221' ]]
}

@test "a rejection is logged with its text" {
	verdict 0 '550 5.1.6 Moved "away"\n'
	[[ $(events refused) == *' command=RCPT reply="550 5.1.6 Moved \"away\""'* ]]
}

@test "--soft-bounce turns each 5xx of a command into 4xx, enhanced codes too" {
	soft=(--soft-bounce)
	verdict 1 ''
	is '450 4.1.1 No such user here'
	verdict 0 '554-5.7.1 One 5.1.1\n554 5.7.1 Two\n'
	is '454-4.7.1 One 5.1.1|454 4.7.1 Two'
	verdict 67 '5.2.1 Closed\n'
	is '450 4.2.1 Closed'
	verdict 0 '452 4.2.2 Full\n'
	is '452 4.2.2 Full'
	verdict 0 '250 2.1.5 Welcome\n'
	is '250 2.1.5 Welcome'
	verdict 75 ''
	is "$broken"
}

@test "--soft-bounce turns a rejection at connect into 421, and keeps smtpd's own 5xx" {
	refusal new-connection false
	options=(--soft-bounce --on-new-connection false)
	talk reply:'421 4.7.1 ' eof exit:0
	options=(--soft-bounce --domain one.example --on-data false)
	say "${to_bob[@]}" 'RCPT TO:<bob@one.example>' DATA BOGUS QUIT
	[[ $codes == '220 250 250 550 250 454 500 221' ]]
}

@test "a full disk is reported before --on-sender runs" {
	options=(--min-free 900000G --on-new-mail "echo >$tmp/asked;")
	say 'HELO c.example' 'MAIL FROM:<a@c.example>' NOOP QUIT
	[[ $codes == '220 250 452 250 221' ]]
	[[ ! -e $tmp/asked ]]
}
