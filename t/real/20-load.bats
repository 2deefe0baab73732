#!/usr/bin/env bats
# Many senders at once: Postfix's smtp-source, beside idle clients.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

@test "smtp-source in 64 sessions sends 5,000 mails, and each is there once" {
	start
	timeout 200 smtp-source -N -s 64 -m 5000 -l 2000 -f a@c.example \
		-t b@d.example "127.0.0.1:$port"
	kept 5000
	grep -rh '^Delivered-To: ' Maildir/new | sort -u >recipients
	(($(wc -l <recipients) == 5000))
	(($(grep -c event=message log) == 5000))
}

@test "smtp-source sends 500 mails to 20 recipients each over lasting connections" {
	start --workers 8
	timeout 100 smtp-source -d -r 20 -s 8 -m 500 -l 20000 -f a@c.example \
		-t b@d.example "127.0.0.1:$port"
	kept 500
}

@test "smtp-source with more sessions than workers is served in turn" {
	start --workers 2
	timeout 100 smtp-source -s 40 -m 200 -f a@c.example -t b@d.example \
		"127.0.0.1:$port"
	kept 200
}

@test "recycled workers lose no mail" {
	start --workers 8 --recycle-after 5
	timeout 100 smtp-source -s 16 -m 500 -f a@c.example -t b@d.example \
		"127.0.0.1:$port"
	kept 500
}

# start_idlers N: clients that stop somewhere in a transaction (see t/real/idle).
start_idlers() {
	local answer
	mkfifo idlers
	"$BATS_TEST_DIRNAME/idle" "$port" "$1" >idlers 3>&- 4>&- &
	others+=($!)
	read -r -t 60 answer <idlers
	[[ $answer == "$1 idle" ]]
}

@test "swaks delivers beside 200 clients that are idle in every phase" {
	start --workers 256
	start_idlers 200
	send --body Hello.
	(($(count Maildir/new) == 1))
	kill "${others[0]}"
	send --body Hello.
	kept 2
}

begun() {
	(($(count Maildir/tmp) > 0))
}

@test "200 clients that leave in every phase leave nothing behind" {
	start --workers 256
	start_idlers 200
	await 60 begun
	kill "${others[0]}"
	await 60 kept 0
	send --body Hello.
	kept 1
}
