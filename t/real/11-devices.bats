#!/usr/bin/env bats
# Clients with wrong line ends, by nc and swaks, inside and outside a lenient
# network; and Postfix, which works in both.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers
load postfix

device=127.0.0.7	# is in --lenient-from
lenient=(--lenient-from "$device/32" --domain d.example)

# by_nc ADDRESS LINE...: the lines from there, each ended by LF; the replies
# are in ./said
by_nc() {
	printf '%s\n' "${@:2}" |
		timeout 60 nc -N -s "$1" 127.0.0.1 "$port" >said
	cat said
}

@test "nc with LF only can send a mail from the lenient network only" {
	local dialogue=(HELO 'MAIL FROM:<UPS <ups@c.example>>'
		'RCPT TO:<b@d.example>' DATA 'Subject: battery' '' ..low. . QUIT)
	start "${lenient[@]}"
	by_nc "$device" "${dialogue[@]}"
	[[ $(grep -c '^250 ' said) == 4 ]]
	grep -q '^221 ' said
	[[ $(body "$(mail)") == $'\n.low.' ]]
	grep -qx 'Return-Path: <ups@c.example>' "$(mail)"
	by_nc 127.0.0.8 "${dialogue[@]}"
	grep -q '^500 5\.5\.2 ' said
	kept 1
	grep 'client=127\.0\.0\.8 .*--lenient-from' log
}

# by_swaks ADDRESS: ./wire as the data from there
by_swaks() {
	send --local-interface "$1" --data @wire --no-data-fixup >said
}

@test "data that ends in LF . LF is accepted from the lenient network only" {
	start "${lenient[@]}" --read-timeout 2s
	printf 'Subject: scan\n\nPage 1\n.\n' >wire
	by_swaks "$device"
	[[ $(body "$(mail)") == $'\nPage 1' ]]
	run ! by_swaks 127.0.0.8
	grep 'reply="421 4\.4\.2 .*LF \. LF.*--lenient-from' log
	printf 'Subject: scan\r\n\r\nPage\n.\n1\r\n.' >wire
	run ! by_swaks 127.0.0.8
	grep -q '550 5\.6\.11 ' said
	kept 1
}

# by_postfix NET: a mail by Postfix beside that lenient network, or within it
by_postfix() {
	write_hard_mail
	start --lenient-from "$1" --domain d.example
	start_postfix smtp_line_length_limit=0
	submit b@d.example <hard
	await 60 queue_is_empty
	cmp <(body hard) <(body "$(mail)")
}

@test "Postfix outside a lenient network is served as usual" {
	by_postfix "$device/32"
}

@test "Postfix within a lenient network is served as usual" {
	by_postfix 127.0.0.0/8
}
