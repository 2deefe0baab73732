#!/usr/bin/env bats
# What README.md says that one can do, done to the letter in a copy of the
# tree, in network and process namespaces of its own (so that port 2525 is
# free, and all is gone in the end).  Of apt-get alone there is a stand-in.

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

# shape HOSTNAME: what a terminal shows, without colours and with X for what
# differs from one time to the next
shape() {
	sed -E -e 's/\x1b\[[0-9;]*m//g' -e 's/^[0-9:]{8} /X /' \
		-e 's/ (session|id|size|took_ms|helo|file)=[^ ]+/ \1=X/g' \
		-e "s/@$1 /@X /"
}

@test "the lines of the README build smtpd, send mails to it and show them" {
	mkdir -p -m 700 home bin
	mkdir home/smtpd
	tar -C "$root" --exclude=./.git --exclude=./t/real/cache -c . |
		tar -C home/smtpd -x
	make -C home/smtpd clean
	printf '#!/bin/sh\n' >bin/apt-get
	chmod 755 bin/apt-get

	start_line=$(line_with './smtpd --user')
	swaks_line=$(line_with 'swaks --server')
	curl_line=$(line_with 'curl ')
	bash_line=$(line_with /dev/tcp/)
	ls_line=$(line_with 'ls Maildir')
	cat_line=$(line_with 'cat Maildir')
	cat >script <<-EOT
		ip link set lo up
		PATH=$PWD/bin:$PATH
		cd home/smtpd
		script -qefc '($start_line)' $PWD/terminal >/dev/null 2>&1 </dev/null &
		until (exec 3<>/dev/tcp/127.0.0.1/2525); do
			sleep 0.1
			kill -0 \$!
		done 2>/dev/null
		$swaks_line
		$curl_line
		$bash_line
		$ls_line >$PWD/names
		$cat_line >$PWD/mails
		pkill -INT -xf 'smtpd: master'
		wait
	EOT
	timeout 120 unshare --net --pid --fork --kill-child --mount-proc \
		bash -eu script 3>&- 4>&-
	(($(wc -l <names) == 3))
	(($(grep -c '^Return-Path: <me@example.org>$' mails) == 3))
	(($(grep -c '^Delivered-To: you@example.org$' mails) == 3))
	(($(grep -cx 'Subject: hello' mails) == 2))
	(($(grep -cx 'Hello\.' mails) == 2))
	# it looks as the README shows it
	sed -n '/^    # .\/smtpd/,/^    .* stopped/p' "$root/README.md" |
		sed -e 1d -e '/\^C$/d' -e 's/^    //' | shape mx.example.org >shown
	tr -d '\r' <terminal | shape "$(uname -n)" |
		sed -n '/^smtpd listens/,/ stopped /p' | uniq >seen
	(($(wc -l <shown) == 6))
	diff shown seen
}

@test "the status file of the README is one that its user can make" {
	local install_line start_line
	install_line=$(line_with 'install -d')
	start_line=$(line_with --status)
	mkdir etc
	cp /etc/{passwd,group,shadow,gshadow} etc
	cat >script <<-EOT
		ip link set lo up
		mount --bind etc /etc
		$(line_with 'useradd')
		mount -t tmpfs none /run
		$install_line
		$start_line --explain
	EOT
	cp "$smtpd" smtpd
	timeout 60 unshare --net --mount bash -eu script
}
