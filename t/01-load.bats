# The benchmarks' tools.  A load generator that counted a rejection or a lost
# connection as a message would make every figure wrong.

load helpers

# load_it OPTION...: t/bench/load against the daemon; $figures is its line and
# $complaints what it said besides
load_it() {
	status=0
	t/bench/load -w 60 "$@" "${addr[0]}" >"$tmp/figures" 2>"$tmp/said" ||
	    status=$?
	figures=$(<"$tmp/figures") complaints=$(<"$tmp/said")
	echo "$figures; $complaints"
}

# counted ACCEPTED FAILED UNTRIED
counted() {
	[[ $figures == "accepted=$1 failed=$2 untried=$3 seconds="* ]]
}

@test "t/bench/load counts messages that are in the Maildir, in each of its modes" {
	local all=0 how
	serve --listen 127.0.0.1:0 --workers 8
	for how in '' -p '-x bdat' '-p -x bdat' -c '-c -p'; do
		# shellcheck disable=SC2086 # options
		load_it -s 4 -m 3 -l 1000 $how
		counted 12 0 0
		((status == 0)) && [[ ! $complaints ]]
		keeps $((all += 12))
	done
}

@test "a message of t/bench/load has the given size" {
	local n
	serve --listen 127.0.0.1:0 --workers 2
	for n in 120 1024 4096 70001; do
		load_it -s 1 -m 1 -l "$n"
		counted 1 0 0
		sed '1,/^	for/d' "$(message)" >"$tmp/sent"
		(($(wc -c <"$tmp/sent") + $(wc -l <"$tmp/sent") == n))
		rm "$dir"/new/*
	done
}

@test "t/bench/load sends to each recipient, and with RSET stores nothing" {
	users b0 b1 b2
	((EUID != 0)) || chown -R nobody "$base"
	serve --listen 127.0.0.1:0 --workers 2
	load_it -s 2 -m 5 -r 3 -p
	counted 10 0 0
	keeps 10 "$base/b0"
	keeps 10 "$base/b2"
	load_it -s 2 -m 5 -r 3 -p -x rset
	counted 10 0 0
	load_it -s 2 -m 5 -x none
	counted 10 0 0
	keeps 10 "$base/b0"
}

@test "t/bench/load reports a 4xx, ends the session and does not count the message" {
	serve --listen 127.0.0.1:0 --workers 2 --max-mails 2 \
	    --on-recipient '[ "$RECIPIENT" != bad@d.example ] || exit 75'
	load_it -s 2 -m 5 -t bad@d.example
	counted 0 2 8
	((status == 1))
	[[ $complaints == *'unexpected: 451 '* ]]
	load_it -s 2 -m 5
	counted 4 2 4
	[[ $complaints == *'unexpected: 421 '* ]]
	((status == 1))
	keeps 4
}

@test "t/bench/load reports a lost connection and a missing server" {
	serve --listen 127.0.0.1:0 --workers 2 --on-message '
		while read -r key value; do
			[ "$key" != PPid: ] || kill -9 "$value"
		done <"/proc/$PPID/status"'
	load_it -s 2 -m 3
	counted 0 2 4
	((status == 1))
	[[ $complaints == *'load: closed by the server'* ||
	    $complaints == *'load: lost: '* ]]
	end_daemon
	load_it -s 1 -m 3
	counted 0 1 2
	((status == 1))
	[[ $complaints == 'load: lost: Connection refused' ]]
}

@test "t/bench/load reports a server that does not reply" {
	serve --listen 127.0.0.1:0 --workers 2 --greet-delay 600
	load_it -s 2 -m 3 -w 1
	counted 0 2 4
	((status == 1))
	[[ $complaints == *'load: the server is silent, after nothing'* ]]
}

@test "t/bench/limit counts its operations and prints no figure after a failure" {
	mkdir -p "$tmp/limit"/{tmp,new}
	run -0 t/bench/limit files 2 3 4096 "$tmp/limit"
	[[ $output == 'done=6 seconds='* ]]
	keeps 6 "$tmp/limit"
	(($(find "$tmp/limit/new" -type f -size 4096c | wc -l) == 6))
	run -1 t/bench/limit files 2 3 4096 "$tmp/nowhere"
	[[ $output != *done=* ]]
	run -0 t/bench/limit spawn 2 3 /bin/true
	[[ $output == 'done=6 seconds='* ]]
	run -1 t/bench/limit spawn 2 3 /bin/false
	[[ $output != *done=* ]]
}
