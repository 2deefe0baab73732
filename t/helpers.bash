# Functions that the tests share.  A test sends lines to a server on a pipe with
# say, or exact bytes to one on a socket with talk; both set lines[] to the lines
# of the replies and $codes to their codes.  A test of the daemon starts it with
# serve.  Each test has a directory of its own, and all processes that it started
# are ended after it.

bats_require_minimum_version 1.5.0

# bats traces each command, which takes longer than most commands; not those of
# the functions that a function calls after "set +T".
setup() {
	local -
	set +T
	prepare
}

prepare() {
	cd "${SUITE_TREE:-$BATS_TEST_DIRNAME/..}" || return
	tmp=$BATS_TEST_TMPDIR
	dir=$tmp/Maildir	# the argument of --maildir
	log=$tmp/log		# standard error of the server
	options=()		# more options for the server
	environment=()		# NAME=value for the server
	via=-s			# how talk connects: see t/smtpc.c
	user=() nobody=()	# root must give --user
	if ((EUID == 0)); then
		user=(--user root)
		nobody=(--user nobody)
	fi
	lines=() codes='' master='' addr=()
	strays=()		# see stray
	unset "${!SMTP_@}" "${!TCP@}" RELAYCLIENT DATABYTES MAXRCPTS REMOTE_HOST
	export LC_ALL=C
	: >"$log"
}

teardown() {
	local -
	set +T
	clean_up
}

clean_up() {
	local pid
	for pid in "${!strays[@]}"; do
		[[ $(started "$pid") != "${strays[pid]:-none}" ]] ||
		    kill -KILL "$pid"
	done
	[[ -z $master ]] || end_daemon
	[[ -z ${elsewhere:-} ]] || rm -rf "$elsewhere"
	# shown only if the test failed
	echo "--- log"
	mapfile -n 50 lines <"$log"
	printf %s "${lines[@]}"
}

# command: cmd[] becomes the command line of a server in inetd mode
command_line() {
	cmd=(./smtpd -i -m "$dir" -H mx.example "${user[@]}" "${options[@]}")
	((${#environment[@]} == 0)) || cmd=(env "${environment[@]}" "${cmd[@]}")
}

# find_codes: set $codes from lines[]: of each reply, the code of its last line
find_codes() {
	local line
	codes=
	for line in "${lines[@]}"; do
		[[ ! $line =~ ^[0-9]*' ' ]] || codes+=${line%%[!0-9]*}' '
	done
	codes=${codes% }
}

# take_replies FILE: set lines[] and $codes from a file of replies
take_replies() {
	local -
	mapfile -t lines <"$1"
	set +T
	find_codes
	((${#lines[@]} == 0)) || printf 'S: %s\n' "${lines[@]}"
}

# read_replies FILE: check and read replies.  Every line must be a line of a
# reply, end with CR LF and have at most 512 bytes with it (RFC 5321 4.2,
# 4.5.3.1.5).
read_replies() {
	tr -d '\r' <"$1" >"$tmp/lines"
	take_replies "$tmp/lines"
	lacks -vE $'^[2-5][0-9][0-9][ -][ -~]*\r$' "$1" || return
	(($(wc -L <"$tmp/lines") <= 510)) || return
	[[ ! -s $1 || -z $(tail -c 1 "$1") ]]
}

# feed FILE: send the bytes of FILE to a server through a pipe; t/smtpc checks the
# lines of the replies
feed() {
	local cmd
	command_line
	echo "\$ ${cmd[*]}"
	status=0
	t/smtpc -x -p -e "$log" "${cmd[@]}" -- "file:$1" shut eof \
	    >"$tmp/replies" || status=$?
	take_replies "$tmp/replies"
	((status < 124)) || echo "status $status"
	((status < 124)) || return
	[[ ${lines[0]} == '220 mx.example'* ]]
}

# say LINE...: send the lines, each ended by CR LF, all at once
say() {
	local -
	set +T
	printf 'C: %s\n' "$@"
	printf '%s\r\n' "$@" >"$tmp/dialogue"
	feed "$tmp/dialogue"
}

# talk ACTION...: run the actions of t/smtpc with a new server
talk() {
	local - cmd
	set +T
	command_line
	status=0
	t/smtpc "$via" -e "$log" "${cmd[@]}" -- "$@" >"$tmp/replies" ||
	    status=$?
	collect
}

# dial ADDRESS ACTION...: the same with the server that listens there; options
# of t/smtpc may precede the address
dial() {
	local - args=()
	set +T
	while [[ $1 == -* ]]; do
		args+=("$1" "$2")
		shift 2
	done
	status=0
	t/smtpc "${args[@]}" -c "$1" -- "${@:2}" >"$tmp/replies" || status=$?
	collect
}

# collect: read the output of t/smtpc, which has checked the lines
collect() {
	take_replies "$tmp/replies"
	((status == 0)) || echo "smtpc: status $status"
	((status == 0))
}

# the beginning of most dialogues, and the codes of its replies
hello=('HELO c.example')
to_bob=('HELO c.example' 'MAIL FROM:<alice@c.example>'
    'RCPT TO:<bob@mx.example>')
to_bob_codes='220 250 250 250'
# the same for talk, up to the 354
data_bob=(reply say:'HELO c.example' reply:250
    say:'MAIL FROM:<alice@c.example>' reply:250
    say:'RCPT TO:<bob@mx.example>' reply:250 say:DATA reply:354)
export hello to_bob to_bob_codes data_bob

# for run: wait until the server waits
asleep='t/until grep -q "^[^)]*) S" /proc/$SMTPC_PID/stat'

# deliver LINE...: send a message of these lines, with stuffed dots, to bob
deliver() {
	local -
	set +T
	say "${to_bob[@]}" DATA "$@" . QUIT || return
	[[ $codes == '220 250 250 250 354 250 221' ]]
}

# kept [MAILDIR]: print the number of messages in new/
kept() (
	cd "${1:-$dir}/new" || return
	shopt -s nullglob dotglob
	set -- *
	echo $#
)

# keeps N [MAILDIR]: there are N messages in new/, and tmp/ is empty
keeps() {
	local - n left
	set +T
	n=$(kept "${2:-$dir}") || return
	left=$(ls -A "${2:-$dir}/tmp") || return
	echo "kept $n, in tmp/: $left"
	[[ $n == "$1" && -z $left ]]
}

# message [MAILDIR]: print the path of the only message
# shellcheck disable=SC2120 # in helpers alone
message() {
	local files=("${1:-$dir}"/new/*)
	[[ ${#files[@]} == 1 && -f ${files[0]} ]] || return
	printf '%s\n' "${files[0]}"
}

# stored FILE [MESSAGE]: the message is our header followed by the bytes of FILE
stored() {
	local file=${2:-} size
	[[ $file ]] || file=$(message "$dir") || return
	size=$(stat -c %s "$1")
	tail -c "$size" "$file" | cmp - "$1" || return
	head -c -"$size" "$file" >"$tmp/trace"
	[[ -s $tmp/trace ]] || return
	lacks -Evn $'^(Return-Path|Delivered-To|Received): |^[ \t]' "$tmp/trace"
}

# header NAME [MESSAGE]: print the values of a header field, unfolded
header() {
	local file=${2:-}
	[[ $file ]] || file=$(message "$dir") || return
	sed -n -e '/^$/q' -e :a -e '$!N' -e 's/\n\([ 	]\)/\1/' -e ta -e h \
	    -e 's/\n.*//' -e "s/^$1: //p" -e g -e '/\n$/q' -e D "$file"
}

# lacks GREP-ARGUMENTS...: grep finds nothing, and has no error
lacks() {
	local rc=0
	grep "$@" || rc=$?
	((rc == 1))
}

# events NAME: print the log lines of an event
events() {
	grep -E "(^| )event=$1( |\$)" "$log"
}

# shim RULES: make calls of libc fail by the rules of t/fail.c while armed, which
# it is from now on
shim() {
	printf 1 >"$tmp/armed"
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL="$1"
	    FAIL_WHEN="$tmp/armed" FAIL_LOG="$tmp/failed")
	rm -f "$tmp/failed"
	[[ -f t/fail.so ]]
}

arm() {
	printf 1 1<>"$tmp/armed"
}

disarm() {
	printf 0 1<>"$tmp/armed"
}

# failed NAME [KIND]: the shim made a call fail
failed() {
	grep -q "^$1 ${2:-}" "$tmp/failed"
}

# pause: a moment between two looks
pause() {
	[[ -p $BATS_SUITE_TMPDIR/never ]] ||
	    mkfifo "$BATS_SUITE_TMPDIR/never" 2>/dev/null || true
	read -rt 0.02 <>"$BATS_SUITE_TMPDIR/never" || true
}

# eventually COMMAND...: wait until it succeeds, for at most a minute
eventually() {
	local - end=$((SECONDS + 60))
	set +T
	until "$@"; do
		if ((SECONDS >= end)); then
			echo "never: $*"
			return 1
		fi
		pause
	done
}

# gone PID...: these processes have ended, or are zombies
gone() {
	local pid stat
	for pid; do
		{ read -r stat </proc/"$pid"/stat; } 2>/dev/null || continue
		[[ ${stat##*) } == [ZX]* ]] || return 1
	done
}

# started PID: print its start time, by which it differs from a later process
# with the same number; nothing if it is gone
started() {
	local stat
	{ read -r stat </proc/"$1"/stat; } 2>/dev/null || return 0
	read -ra stat <<<"${stat##*) }"
	echo "${stat[19]}"
}

# stray PID...: kill these when the test ends, if they still run
stray() {
	local pid
	for pid; do
		strays[pid]=$(started "$pid")
	done
}

# children PID: print its children that have not ended, one per line
children() {
	local pid stat pids=()
	if [[ -r /proc/$$/task/$$/children ]]; then
		{ read -ra pids <"/proc/$1/task/$1/children"; } 2>/dev/null || true
	else	# this kernel has no such file
		pids=(/proc/[0-9]*)
		pids=("${pids[@]#/proc/}")
	fi
	for pid in "${pids[@]}"; do
		{ read -r stat </proc/"$pid"/stat; } 2>/dev/null || continue
		stat=${stat##*) }
		[[ $stat != [ZX]* ]] || continue
		stat=${stat#* }
		[[ ${stat%% *} != "$1" ]] || echo "$pid"
	done
}

# launcher PID: print the only child of a process: the launcher of a worker
launcher() {
	local pids
	mapfile -t pids < <(children "$1")
	((${#pids[@]} == 1)) && echo "${pids[0]}"
}

# replaced WORKER: print the launcher that the master has started for it
replaced() {
	local pid title
	for pid in $(children "$master"); do
		{ read -r title </proc/"$pid"/cmdline; } 2>/dev/null || true
		[[ $title != "smtpd: launcher of $1" ]] || echo "$pid"
	done | grep .
}

# running DIR: print the processes of smtpd that have a file below DIR open, such
# as their log, one per line
running() {
	find /proc/[0-9]*/fd -lname "$1/*" 2>/dev/null | cut -d/ -f3 | sort -u |
	    while read -r pid; do
		    [[ ! /proc/$pid/exe -ef smtpd ]] || echo "$pid"
	    done
}

# lenient: the client of a server in inetd mode is in --lenient-from
lenient() {
	options=(--lenient-from 192.0.2.0/24)
	environment=(TCPREMOTEIP=192.0.2.7)
}

# serve OPTION...: start a daemon, and set addr[] to its addresses and $master to
# its pid.  If we are root it runs as nobody.
serve() {
	local - line rc=0
	set +T
	mkfifo "$tmp/ready"
	env "${environment[@]}" ./smtpd -m "$dir" -H mx.example \
	    "${nobody[@]}" --ready-fd 5 "$@" \
	    5>"$tmp/ready" 2>>"$log" >"$tmp/stdout" </dev/null 3>&- 4>&- &
	master=$!
	addr=()
	while read -rt 60 line || { rc=$?; false; }; do
		addr+=("$line")
	done <"$tmp/ready"
	((rc == 1)) || return	# all processes have closed it
	rm "$tmp/ready"
	echo "listening on ${addr[*]}"
	((${#addr[@]} > 0))
}

# end_daemon: end the daemon and its workers, by force if necessary
end_daemon() {
	local pids pid
	mapfile -t pids < <(children "$master")
	pids+=("$master")
	kill -TERM "$master" 2>/dev/null || true
	if ! eventually gone "${pids[@]}"; then
		for pid in "${pids[@]}"; do
			gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
		done
		return 1
	fi
	wait "$master" 2>/dev/null || true
	master=''
}

# users NAME...: create a Maildir for each, and set dir to their template
users() {
	local name
	base=$tmp/mail
	dir=$base/{mailbox}
	for name; do
		mkdir -p "$base/$name"/{tmp,new,cur}
	done
}

# hook NAME: create an executable script $tmp/NAME from standard input
hook() {
	{
		printf '#!/bin/sh\ntmp=%s\n' "$tmp"
		cat
	} >"$tmp/$1"
	chmod 755 "$tmp/$1"
}

# manage ADDRESS: start a service manager at ADDRESS, which writes what it
# receives to $told
manage() {
	told=$tmp/told
	: >"$told"
	t/manager notify "$1" "$told" </dev/null >/dev/null 3>&- 4>&- &
	manager=$!
	stray "$manager"
	environment+=(NOTIFY_SOCKET="$1")
	eventually bound "$1"
}

# bound ADDRESS: a Unix socket is bound to this address
bound() {
	grep -Fq " $1" /proc/net/unix
}

# hold: with the options of holding[], HELO gets its reply when $tmp/go exists; an
# idle client would be dropped under pressure
hold() {
	echo 'until [ -e "$tmp/go" ]; do sleep 0.02; done' | hook hold
	holding=(--user "$(id -un)" --on-hello "$tmp/hold")
}

# given FILE LINE...: the file has exactly these lines
given() {
	printf '%s\n' "${@:2}" | diff - "$1"
}

# find_values: add the values of the variables in $told, as in $tmp/env, to got[]
find_values() {
	local name value
	for name in "${told[@]}"; do
		value=$(sed -n "s/^$name=//p" "$tmp/env")
		got+=("${value:--}")
	done
}

# is_client VALUE...: a hook, whose environment is in $tmp/env, got these values
# of the variables in $told; "-" means unset
is_client() {
	local - got=()
	set +T
	find_values
	echo "client ${got[*]}"
	[[ ${got[*]} == "$*" ]]
}
