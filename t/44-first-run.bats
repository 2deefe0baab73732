# On a terminal a start prints two lines of advice, and a log for people to
# read; elsewhere the log is as usual.

load helpers

# at_terminal [NAME=value...] COMMAND: run a command whose standard error is a
# terminal; its output is in $tmp/tty
at_terminal() {
	env -u NO_COLOR "${@:1:$#-1}" timeout 60 script -qefc "${!#}" \
	    /dev/null </dev/null >"$tmp/tty" 2>&1
}

# one_session: a command that serves QUIT, and logs that
one_session() {
	printf 'HELO c.example\r\nDATA\r\nQUIT\r\n' >"$tmp/dialogue"
	echo "./smtpd -i -m '$dir' -H mx.example ${user[*]} $1" \
	    "<'$tmp/dialogue' >'$tmp/replies'"
}

# greeted OPTION...: start a daemon at a terminal, and wait for the line to try;
# its process is $pid
greeted() {
	: >"$tmp/tty"
	cat >"$tmp/start" <<-END
		echo \$\$ >'$tmp/pid'
		exec ./smtpd -H mx.example -n 2 ${nobody[*]} ${*@Q}
	END
	at_terminal "sh '$tmp/start'" 3>&- 4>&- &
	strays=($!)
	eventually grep -q '^Try: .' "$tmp/tty"
	pid=$(<"$tmp/pid")
	sed 's/^/T: /' "$tmp/tty"
}

# ended: stop it
ended() {
	kill -TERM "$pid"
	wait "${strays[0]}"
	eventually gone "$pid"
}

# try ADDRESS: run the line that is to be tried, which connects to this address
try() {
	local line
	line=$(sed -n 's/^Try: //p' "$tmp/tty" | tr -d '\r')
	[[ $line == "bash -c 'exec 3<>/dev/tcp/$1/"* ]]
	run -0 env -i PATH="$PATH" sh -c "$line"
	grep -q '^250 2\.0\.0 Ok' <<<"$output"
}

@test "a relative Maildir is named by its absolute path, at a terminal and in the log" {
	local relative
	relative=$(realpath -m --relative-to=. "$dir")
	greeted "${user[@]}" -m "././$relative" -l 127.0.0.1:0
	grep -Fq "; mail goes to $PWD/$relative.  Press" "$tmp/tty"
	ended
	dir=./$relative
	serve "${user[@]}" -l 127.0.0.1:0
	events listening | grep -F " maildir=$PWD/$relative "
}

@test "a daemon at a terminal says where it listens, where mail goes, what to try" {
	greeted -m "$dir" -l 127.0.0.1:0 -d one.example
	# a build with sanitizers can't be confined, and warns of that
	[[ $(grep -vc 'workers are not confined' "$tmp/tty") == 2 ]]
	grep -Eq "^smtpd listens on 127\\.0\\.0\\.1:[0-9]+; mail goes to $dir\\.  Press Ctrl-C to stop\\." \
	    "$tmp/tty"
	try 127.0.0.1
	keeps 1
	grep -qx 'Delivered-To: you@one.example' "$(message)"
	ended
}

@test "the "Try:" command works for IPv6 and for wildcard addresses" {
	greeted -m "$dir" -l '[::1]:0'
	try ::1
	ended
	greeted -m "$dir" -l '[::]:0'
	try ::1
	ended
	greeted -m "$dir" -l 0.0.0.0:0
	try 127.0.0.1
	ended
	keeps 3
}

@test "the "Try:" command uses a listener that accepts mail, or else --explain" {
	local option
	greeted -m "$dir" -l lmtp@127.0.0.1:0 -l 127.0.0.2:0
	try 127.0.0.2
	ended
	for option in '--require-tls --tls true' '--require-auth --auth true --plain-auth' \
	    '--proxy-from 127.0.0.1' '--greet-delay 1s'; do
		# shellcheck disable=SC2086 # options
		greeted -m "$dir" -l 127.0.0.1:0 $option
		grep -q '^Try: smtpd --explain you@mx\.example, with the same options' \
		    "$tmp/tty"
		ended
	done
	users bob
	chmod -R a+rwx "$base"
	greeted -m "$dir" -l 127.0.0.1:0
	grep -q '^Try: smtpd --explain ' "$tmp/tty"
	ended
}

@test "without a terminal the start prints no advice, and logs its listeners" {
	serve -l 127.0.0.1:0
	lacks -e 'Try:' -e 'listens on' "$log"
	events listening | grep -q '^time=[^ ]*Z event=listening address='
}

@test "the log of a terminal has columns, and colours" {
	at_terminal TZ=UTC "$(one_session -v)"
	cat -v "$tmp/tty"
	grep -Eq $'^[0-9:]{8} \033\\[2mconnected       \033\\[0m client=' "$tmp/tty"
	grep -Eq $'^[0-9:]{8} \033\\[1mrefused         \033\\[0m reply=' "$tmp/tty"
	lacks -e 'time=' -e 'event=' "$tmp/tty"
}

@test "on a terminal a line begins with the reply, from and to, and is short" {
	local id='[A-Z0-9]+\.1'
	printf '%s\r\n' 'HELO c.example' 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<b@else.example>' 'RCPT TO:<b@mx.example>' DATA x . FROB QUIT \
	    >"$tmp/dialogue"
	session="./smtpd -i -H mx.example -d mx.example ${user[*]} <'$tmp/dialogue' >'$tmp/replies' -m"
	at_terminal NO_COLOR=1 "$session '$dir'"
	cat "$tmp/tty"
	grep -Eq "refused +reply=\"550 [^\"]*\" from=a@c.example client=local command=RCPT hint=.* id=$id " "$tmp/tty"
	grep -Eq "message +from=a@c.example to=b@mx.example client=local id=$id .* file=\"new/[^/\"]+\"" "$tmp/tty"
	grep -Eq 'refused +reply="500 [^"]*" client=local session=[^ .]+ command=\?' "$tmp/tty"
	[[ $(grep -c session= "$tmp/tty") == 1 ]]
	users b
	at_terminal NO_COLOR=1 "$session '$dir/'"
	grep -Eq ' file="b/+new/[^/"]+"' "$tmp/tty"
}

@test "NO_COLOR, if it is not empty, turns colours off" {
	at_terminal NO_COLOR=1 "$(one_session -v)"
	lacks $'\033' "$tmp/tty"
	grep -Eq '^[0-9:]{8} connected        client=' "$tmp/tty"
	at_terminal NO_COLOR= "$(one_session -v)"
	grep -q $'\033' "$tmp/tty"
}

@test "JSON, and a log that is not on the terminal, look as usual" {
	at_terminal "$(one_session '-v --log json')"
	grep -q '^{"time":' "$tmp/tty"
	lacks $'\033' "$tmp/tty"
	at_terminal "$(one_session -v) 2>'$tmp/err'"
	[[ ! -s $tmp/tty ]]
	grep -q '^time=[^ ]*Z event=connected ' "$tmp/err"
}

@test "input from a client can't colour the terminal" {
	printf 'HELO c.example\r\nMAIL FROM:<a@b> \302\233\r\nQUIT\r\n' \
	    >"$tmp/dialogue"
	at_terminal NO_COLOR=1 "./smtpd -i -m '$dir' ${user[*]} -H mx.example \
	    <'$tmp/dialogue' >'$tmp/replies'"
	grep -q 'refused .*xc2.x9b' "$tmp/tty"
	LC_ALL=C lacks -P '[^\x20-\x7e\r]' "$tmp/tty"
}
