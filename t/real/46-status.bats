#!/usr/bin/env bats
# Monitoring with other programs: promtool and node_exporter of Prometheus, ps
# and watch; and s6, which waits until smtpd is ready.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

cache=$BATS_TEST_DIRNAME/cache

# start_with_status [OPTION...]: a daemon that keeps $PWD/run/smtpd.prom
start_with_status() {
	mkdir -p -m 777 run
	chmod 777 run
	start --status run/smtpd.prom "$@"
}

# shows METRIC VALUE: the file has it
shows() {
	grep -qx "$1 $2" run/smtpd.prom
}

@test "promtool has no warning about the status file, idle and busy" {
	start_with_status
	"$cache/prometheus/usr/bin/promtool" check metrics <run/smtpd.prom
	send
	"$root/t/smtpc" -c "127.0.0.1:$port" -- reply idle:20 say:'HELO c' reply \
		run:'for i in $(seq 200); do
			[ "$(grep -c "^# worker" run/smtpd.prom)" = 21 ] && exit
			sleep 0.05; done; exit 1' \
		run:"'$cache/prometheus/usr/bin/promtool' check metrics \
			<run/smtpd.prom >said 2>&1" say:QUIT reply eof
	[[ ! -s said ]]
}

@test "promtool knows the expressions of smtpd-log(5), which are of the status file" {
	local metric
	sed -n '/^Alert on/,$ s/^\.Ql \(.* > [0-9.]*\).*/\1/p' \
		"$root/man/smtpd-log.5" >expressions
	(($(wc -l <expressions) == 2))
	{ printf 'groups: [{name: a, rules: [\n'
	  sed "s/.*/{alert: A, expr: '&'},/" expressions
	  printf ']}]\n'; } >rules
	"$cache/prometheus/usr/bin/promtool" check rules rules
	start_with_status
	grep -o 'smtpd_[a-z_]*\({[^}]*}\)\?' expressions >metrics
	while read -r metric; do
		grep -F "$metric " run/smtpd.prom
	done <metrics
}

@test "node_exporter's textfile collector reads the status file unchanged" {
	local at
	start_with_status
	send
	await 60 shows smtpd_messages_total 1
	# by a link, as the page has it for Debian
	mkdir collected
	ln -s "$PWD/run/smtpd.prom" collected/
	"$cache/prometheus-node-exporter/usr/bin/prometheus-node-exporter" \
		--collector.disable-defaults --collector.textfile \
		--collector.textfile.directory "$PWD/collected" \
		--web.listen-address 127.0.0.1:0 >exporter 2>&1 3>&- 4>&- &
	others+=($!)
	address() {
		at=$(sed -n 's/.*[Ll]istening on.*address=\(127[0-9.:]*\).*/\1/p' exporter)
		[[ $at ]]
	}
	await 60 address
	curl -sS "http://$at/metrics" >metrics
	grep -x 'smtpd_messages_total 1' metrics
	grep -x 'smtpd_replies_total{class="5xx"} 0' metrics
	grep -F '# HELP smtpd_workers Size of the pool.' metrics
	grep -x 'node_textfile_scrape_error 0' metrics
	# what it shows of us is what we wrote
	grep '^smtpd_' metrics | grep -v _seconds | sort >theirs
	grep '^smtpd_' run/smtpd.prom | grep -v _seconds | sort | diff - theirs
}

@test "watch shows the table on a terminal of 80 columns" {
	start_with_status --workers 7
	send
	await 60 shows smtpd_messages_total 1
	TERM=xterm script -qfc "stty cols 80 rows 24; exec watch -n 1 \
		'$smtpd' --show run/smtpd.prom" screen >/dev/null 2>&1 \
		</dev/null 3>&- 4>&- &
	others+=($!)
	await 60 grep -aqF 'of 7 workers busy' screen
	await 60 grep -aq message_bytes screen
}

@test "ps shows the workers, and pgrep finds the master" {
	start --workers 3
	[[ $(ps -o args= -p "$pid") == 'smtpd: master' ]]
	[[ $(pgrep -fx 'smtpd: master') == *"$pid"* ]]
	waiting() {
		# shellcheck disable=SC2009 # the whole title is meant
		(($(ps -o args= --ppid "$pid" |
			grep -cx 'smtpd: worker [123] waiting') == 3))
	}
	await 60 waiting
}

@test "s6 gets the readiness notification by --ready-fd" {
	local service=$PWD/service
	mkdir service
	echo 3 >service/notification-fd
	cat >service/run <<-EOT
		#!/bin/sh
		exec >>$PWD/log 2>&1
		exec $smtpd --listen 127.0.0.1:0 --ready-fd 3 --user nobody \\
			--maildir $PWD/Maildir --workers 2
	EOT
	chmod 755 service/run
	s6-supervise "$service" 3>&- 4>&- &
	others+=($!)
	await 60 test -p service/supervise/control
	s6-svwait -U -t 20000 "$service"
	grep event=listening log
	s6-svstat "$service" | grep -F ', ready '
	s6-svc -xd "$service"
	gone "${others[0]}" 60
	cat log
	grep event=stopped log
}
