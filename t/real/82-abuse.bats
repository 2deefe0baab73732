#!/usr/bin/env bats
# Expensive clients: the short form of t/bench/abuse, in which a well-behaved
# client must be served meanwhile, and no worker grows.

load helpers

# endures WORDS ATTACK...: so it does, and this is how it goes
endures() {
	SMTPD=$smtpd TMPDIR=$PWD timeout 600 \
		"$root/t/bench/abuse" short "${@:2}" >report || {
		cat report
		return 1
	}
	cat report
	(($(grep -Ec "$1.*; well-behaved: [1-9]" report) == $# - 1))
}

@test "clients that are idle, trickle input or don't read replies don't keep others out" {
	endures '64 clients, [1-9][0-9]* times turned away' \
		silence commands data deaf sips handshakes
}

@test "a hundred sessions without mail, from 2 or 100 addresses, don't keep others out" {
	endures '100 clients from (2|100) addresses, [1-9][0-9]* times turned away' \
		chatter-2 chatter-100 upload-2 upload-100
}

@test "twenty thousand recipients, in one session or several, all get a reply" {
	endures '221: (1|8) 250: (20041|16040)' recipients recipients-8
}

@test "a client with a thousand recipients beyond the limit is disconnected" {
	endures '421: 1 452: 1019' excess
}

@test "a message with 100,000 header lines, or one of 10 MB, is accepted" {
	endures '250: 4 354: 1' lines line folds loops
}

@test "a message with thousands of Received is rejected, and the session goes on" {
	endures '221: 1 250: 3 354: 1 554: 1' received
}

@test "a client that guesses passwords is disconnected each time" {
	endures '220: 16 250: 16 421: 16 535: 32' guesses
}

@test "many clients with a slow hook run one hook per worker, and none after they left" {
	endures '64 clients, at most [1-9][0-9]* hooks at a time' hooks
	(($(sed -n 's/.*at most \([0-9]*\) hooks.*/\1/p' report) <= 32))
}
