# What the tests with real programs share: a daemon of each test's own, on a
# free port of loopback, that keeps mail in the test's directory; and a few
# words to look at that mail with.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0

root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
smtpd=${SMTPD:-$root/smtpd}
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL=C
within=()
others=()	# processes that teardown kills
servers=()	# and those that it ends in good order, for they have children

# Some readers and Postfix insist on a path that any user can search.
setup() {
	chmod 711 "$BATS_RUN_TMPDIR"
	cd "$BATS_TEST_TMPDIR" || return
}

# start [OPTION...]: run the daemon as nobody (or as $user), with its log in
# ./log.  Sets $pid and $port.  $within is a command to run it by.
start() {
	local address
	mkfifo ready
	# shellcheck disable=SC2094 # one end each
	"${within[@]}" "$smtpd" --listen 127.0.0.1:0 --ready-fd 9 \
		--user "${user:-nobody}" "$@" \
		</dev/null 9>ready >>log 2>&1 3>&- 4>&- &
	pid=$!
	# to its end, when all addresses are in the log, too
	{ read -r -t 60 address && while read -r -t 60 _; do :; done; } <ready || {
		echo "the daemon did not start"
		wait "$pid" || true
		unset pid
		return 1
	}
	rm ready
	port=${address##*:}
}

# gone PID SECONDS: wait for a process to end.
gone() {
	timeout "$2" tail -s 0.05 -f --pid="$1" /dev/null
}

# stop: end the daemon, which has to leave in good order.
stop() {
	local daemon=$pid
	unset pid
	kill "$daemon"
	gone "$daemon" 60 || {
		echo 'the daemon did not end'
		kill -9 "$daemon"
		return 1
	}
	wait "$daemon"
}

# end: what each test leaves running; prints the log, which bats shows only
# for a test that failed.
end() {
	local status=0 other running
	running=$(jobs -pr)	# the number of one that is gone may be another's
	for other in "${others[@]}"; do
		! grep -qx "$other" <<<"$running" || kill -9 "$other" || true
	done
	for other in "${servers[@]}"; do
		kill "$other" 2>/dev/null && gone "$other" 60 || status=1
	done
	[[ ! ${pid-} ]] || stop || status=1
	[[ ! -e log ]] || tail -n 40 log
	return "$status"
}

# await SECONDS COMMAND...: until the command succeeds.
await() {
	local until=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < until)) || {
			echo "in vain: $*"
			return 1
		}
		sleep 0.05
	done
}

# count DIR: the number of files there.
count() {
	find "$1" -type f | wc -l
}

# kept N [MAILDIR]: there are N new mails, and nothing is left in tmp/.
kept() {
	local maildir=${2:-Maildir}
	(($(count "$maildir/new") == $1)) || {
		find "$maildir/new" -type f | head -n 5
		return 1
	}
	(($(count "$maildir/tmp") == 0)) || {
		find "$maildir/tmp" -type f | head -n 5
		return 1
	}
}

# mail [MAILDIR]: the one new mail.
mail() {
	kept 1 "$@" >&2 && find "${1:-Maildir}/new" -type f
}

# as_sent FILE: a mail without what was put above its first field, X-First.
as_sent() {
	sed -n '/^X-First:/,$p' "$1"
}

# body FILE: a mail from the empty line on.
body() {
	sed -n '/^$/,$p' "$1"
}

# make_maildirs DIR...: Maildirs of nobody's, in a directory that all may search.
make_maildirs() {
	local dir
	for dir; do
		mkdir -p "$dir"/{tmp,new,cur}
		chown -R nobody "$dir"
	done
}

# send [OPTION...]: a short mail by swaks.
send() {
	timeout 60 swaks --server 127.0.0.1 --port "$port" --from a@c.example \
		--to b@d.example --helo c.example --suppress-data "$@"
}

# write_hard_mail: ./hard is a mail that is easily spoiled on its way: dots,
# bytes above 127, long lines, white space at the end of lines.
write_hard_mail() {
	{
		printf 'X-First: 1\nFrom: <a@c.example>\nTo: <b@d.example>\n'
		printf 'Date: Mon, 6 Jul 2026 12:00:00 +0000\n'
		printf 'Message-ID: <hard@c.example>\nSubject: hard\n'
		printf 'MIME-Version: 1.0\nContent-Type: text/plain\n'
		printf 'Content-Transfer-Encoding: 8bit\n\n'
		printf '.\n..\n.dot\n..dots\n. \n.\n\n'
		printf 'From here\n>From there\n  white space \t\n'
		printf 'Gr\303\274\303\237e, \344\366\374, \200\377\n'
		printf '%05000d\n.%01500d\n' 0 0
		printf 'QUIT\nRSET\n\n\n.'
		printf '\n\n'
	} >hard
}

# prepare_hooks: the hooks of contrib/, and a spool, where any user can have
# them; $hooks and $spool.
prepare_hooks() {
	hooks=$PWD/hooks spool=$PWD/spool
	cp -R "$root/contrib/hooks" "$hooks"
	mkdir spool
	chown nobody spool
	printf 'From: <a@c.example>\nSubject: hello\n\nHello.\n' >mail
}

# converse LINE...: the lines, each ended by CR LF, to a server in inetd mode
# with $options, whose client is $client; the replies are in ./replies.
converse() {
	printf '%s\r\n' "$@" >dialogue
	# shellcheck disable=SC2002 # it is to be a pipe
	cat dialogue | PROTO=TCP TCPREMOTEIP=${client-192.0.2.3} timeout 60 \
		"${within[@]}" "$smtpd" -i --user nobody -H mx.example \
		"${options[@]}" 2>>log | tr -d '\r' >replies
	cat replies
}

# ask OPTION...: ./mail from $from to $to, by a client that says $helo, to a server with these options; it
# keeps what was taken in $spool/kept, if the options don't say how.
ask() {
	local lines
	options=(--maildir none --spool spool --domain d.example "$@")
	[[ " $*" == *' --deliver '* || " $*" == *' --mda '* ]] ||
		options+=(--deliver "cat >$spool/kept")
	rm -f spool/kept
	mapfile -t lines < <(sed 's/^\./../' mail)
	converse "EHLO ${helo-c.example}" "MAIL FROM:<${from-a@c.example}>" \
		"RCPT TO:<${to-b@d.example}>" DATA "${lines[@]}" . QUIT
}

# says REPLY: one of the replies begins so.
says() {
	grep -Eq "^$1" replies
}

# taken: the mail was, and refused REPLY: it was not.
taken() {
	says '250 2\.0\.0 ' && [[ -s spool/kept ]]
}

refused() {
	says "$1" && ! says '250 2\.0\.0 ' && [[ ! -e spool/kept ]]
}

# hostile: local parts that want to be a header field, a reply, a command, an
# option, a file's name, or several words.
hostile() {
	cat <<-'EOT'
		"x\nHEADER=X-Forged: yes"
		"x\012HEADER=X-Forged: yes"
		"x; y) HEADER=X-Forged: yes"
		"HEADER=X-Forged: yes"
		"MAILBOX=eve"
		"\c"
		"250 2.0.0 x"
		"$(touch forged)"
		"`touch forged`"
		"; touch forged; x"
		"| touch forged"
		--help
		"-f x"
		"../../x"
		"*"
		"%s%n"
		"\""
		"a@b"
	EOT
}

# withstands OPTION COMMAND: a hook that takes ./mail from c.example is asked
# about hostile senders, recipients, HELO names and header fields.  It never
# breaks, runs nothing of theirs, and adds no field of theirs.
withstands() {
	local word from to helo
	cp mail good
	while IFS= read -r word; do
		printf '%s: %s\n' 'Message-ID' "<$word@c.example>" \
			Subject "$word" To "$word <b@d.example>" \
			DKIM-Signature "v=1; a=$word; d=c.example; s=$word" \
			X-Spam-Score "$word" >mail
		cat good >>mail
		for from in "$word@c.example" a@c.example; do
			to=${word}@d.example helo=$word@c.example ask "$@"
			says '250 2\.0\.0 ' || says '[45][05][0-9] '
			[[ ! -e spool/kept ]] || sed '/^Message-ID/Q' spool/kept >fields
			! grep -a -e '^X-Forged' -e '^ *HEADER=' fields || return
			[[ ! -e forged && ! -e spool/forged ]]
		done
	done < <(hostile)
	! grep 'event=hook-failed' log || return
	mv good mail
}

# fails_torn COMMAND...: a hook fails, so that the client gets 451, where
# reading ./mail breaks off; or it ends by --hook-timeout, as rspamc may.
fails_torn() {
	local status=0
	setpriv --reuid nobody --regid nogroup --clear-groups \
		env SMTP_ID=1.1 SMTP_HOSTNAME=mx.example SMTP_HELO=c.example \
		SENDER=a@c.example RECIPIENT=bob@d.example LOCAL=bob \
		SMTP_MAILBOX=bob DOMAIN=d.example TCPREMOTEIP=192.0.2.3 \
		SMTP_RECIPIENTS=bob@d.example TMPDIR="$spool" \
		"$root/t/real/torn" mail timeout 20 "$@" || status=$?
	echo "status $status"
	[[ ! $status =~ ^(0|1|65|67|68|77|99|100)$ ]]
}

# serve_dns: a network namespace, for $within, with a name server that knows
# ./zone; $dns is its process.
serve_dns() {
	echo 'nameserver 127.0.0.1' >resolv.conf
	unshare --net --mount sh -c "ip link set lo up
		mount --bind resolv.conf /etc/resolv.conf
		exec '$root/t/real/dns' zone" >dns.log 2>&1 3>&- 4>&- &
	dns=$!
	others+=("$dns")
	await 60 logged ready dns.log
	within=(nsenter --net --mount --target "$dns" "--wd=$PWD")
}

# network COMMANDS: a network namespace of the test's own, made by these; sets
# $network, which runs a command in it.
network() {
	unshare --net sh -c "ip link set lo up
		$1
		echo ready
		exec sleep infinity" >network 2>&1 3>&- 4>&- &
	others+=("$!")
	network=(nsenter --net --target "$!")
	await 60 logged ready network
}

# logged WORDS FILE: they are in a log.
logged() {
	grep -Eq -- "$1" "$2"
}

# in_dovecot COMMAND...: what doveadm says; it has to have nothing to complain of.
in_dovecot() {
	cat >dovecot.conf <<-EOT
		mail_location = maildir:$PWD/Maildir
		mail_uid = nobody
		mail_gid = nogroup
		base_dir = $PWD/dovecot
		state_dir = $PWD/dovecot
		ssl = no
		protocols =
	EOT
	USER=nobody HOME=$PWD timeout 60 \
		doveadm -f flow -c dovecot.conf "$@" 2>complaints
	diff /dev/null complaints >&2
}

teardown() {
	end
}
