#!/usr/bin/env bats
# The lines of README.md, run unchanged in a copy of the tree, in network and
# process namespaces of their own, so that port 2525 is free and nothing is left
# behind.  Only apt-get is replaced.

load helpers

# line_with WORDS: the one line with them in README.md's fenced blocks.
line_with() {
	awk -v words="$1" '
		/^```/ { inside = !inside; next }
		inside && index($0, words)' "$root/README.md" >line
	(($(wc -l <line) == 1)) || {
		cat line
		return 1
	}
	cat line
}

# shape HOSTNAME: what a terminal shows or a mail is, without colours and with X
# for what differs from one time to the next
shape() {
	sed -E -e 's/\x1b\[[0-9;]*m//g' -e 's/^[0-9:]{8} /X /' \
		-e 's/ (id|size|took_ms|file)=[^ ]+/ \1=X/g' \
		-e 's/(mail goes to).*( Press)/\1 X.\2/' \
		-e 's/ id [^ ]+$/ id X/' -e 's/>; .*/>; X/' \
		-e "s/(by |@)$1( |>)/\1X\2/"
}

# shown FIRST LAST: the indented lines of the README from one to the other
shown() {
	sed -n "/^    $1/,/^    $2/p" "$root/README.md" | sed 's/^    //'
}

# copy: the tree in ./home/smtpd, without what was built
copy() {
	mkdir -p -m 700 home
	mkdir home/smtpd
	tar -C "$root" --exclude=./.git --exclude=./t/real/cache -c . |
		tar -C home/smtpd -x
	make -s -C home/smtpd clean
}

@test "the lines of the README build smtpd, send a mail to it and show it" {
	copy
	mkdir bin
	printf '#!/bin/sh\n' >bin/apt-get
	chmod 755 bin/apt-get
	start_line=$(line_with './smtpd --user')
	cat >script <<-EOT
		ip link set lo up
		PATH=$PWD/bin:$PATH
		cd home/smtpd
		script -qefc '($start_line)' $PWD/terminal >/dev/null 2>&1 </dev/null &
		until grep -q 'SIGHUP could not' $PWD/terminal; do
			sleep 0.1
			kill -0 \$!
		done 2>/dev/null
		$(line_with /dev/tcp/)
		$(line_with 'cat Maildir') >$PWD/mails
		until grep -q 'message .*client=' $PWD/terminal; do
			sleep 0.1
		done
		pkill -INT -xf 'smtpd: master'
		wait
	EOT
	timeout 120 unshare --net --pid --fork --kill-child --mount-proc \
		bash -eu script 3>&- 4>&-
	# they look as the README shows them
	shown Return-Path Hello | shape mx.example.org >shown
	(($(wc -l <shown) == 8))
	expand mails | shape "$(uname -n)" | diff shown -
	shown '# .\/smtpd' '.* stopped' | sed -e 1d -e '/^^C$/d' |
		shape mx.example.org >shown
	(($(wc -l <shown) == 6))
	# in a directory that is root's, there is a second warning
	tr -d '\r' <terminal | grep -v 'SIGHUP could not' | shape "$(uname -n)" |
		sed -n '/^smtpd listens/,/ stopped /p' | uniq | diff shown -
}

# send_file ADDRESS FILE: a mail from this address
send_file() {
	timeout 60 swaks --server 127.0.0.1 --port "$port" --from "$1" \
		--to you@example.org --helo c.example --data "@$2" --suppress-data
}

@test "the README's program gets each message, as a line of JSON" {
	local line file
	line=$(line_with json-lines)
	[[ $line == './smtpd --listen 127.0.0.1:2525 --maildir none --deliver '* ]]
	line=${line#*--deliver \'contrib/examples/json-lines }
	file=${line%\'}
	[[ $file == mail.json ]]
	chmod 777 .
	start --maildir none --deliver "$root/contrib/examples/json-lines $file"
	line=$(line_with /dev/tcp/)
	eval "${line/2525/"$port"}"
	shown '{"from"' '$' | sed '/^$/,$d' | diff - "$file"
	# the null sender, a character set that does not exist, and no text
	printf 'Subject: =?utf-8?q?caf=C3=A9?=\nContent-Type: text/plain; charset=x-y\n\nn\303\251\n' >mail
	send_file '<>' mail
	printf 'Content-Type: image/png\n\nx\n' >mail
	send_file '<>' mail
	python3 - "$file" <<-'EOT'
		import json, sys
		mails = [json.loads(line) for line in open(sys.argv[1])]
		assert len(mails) == 3
		assert mails[1]["from"] == "" and mails[1]["to"] == ["you@example.org"]
		assert mails[1]["subject"] == "caf\xe9" and mails[1]["text"].startswith("n\xe9\n")
		assert mails[2]["subject"] is None and mails[2]["text"] is None
	EOT
	stop
	# no part of a line stays that did not fit
	printf 'Subject: %04000d\n\n' 0 >large
	(
		export SENDER='' SMTP_RECIPIENTS=you@example.org
		ulimit -f $(($(wc -c <"$file") / 1024 + 2))
		run -1 "$root/contrib/examples/json-lines" "$file" <large
		"$root/contrib/examples/json-lines" "$file" <mail
	)
	(($(wc -l <"$file") == 4))
	python3 -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1])]' "$file"
	# nor does one that a crash has left spoil the next
	printf '{"from": "x' >>"$file"
	SENDER='' SMTP_RECIPIENTS=you@example.org \
		"$root/contrib/examples/json-lines" "$file" <mail
	(($(wc -l <"$file") == 6))
	tail -n 1 "$file" | python3 -c 'import json, sys; json.load(sys.stdin)'
	# 250 only if the line is there
	start --maildir none --deliver "$root/contrib/examples/json-lines /dev/full"
	run ! send_file me@example.org mail
	[[ $output == *'<** 451 4.3.0 '* ]]
}
