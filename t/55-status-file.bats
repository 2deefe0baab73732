# --status, a file for Prometheus that the master keeps, and --show, which
# prints it as a table.

load helpers

# file: $file is one that any user can make, in $elsewhere
file() {
	elsewhere=$(mktemp -d)
	mkdir -m 777 "$elsewhere/run"
	chmod 755 "$elsewhere"
	file=$elsewhere/run/smtpd.prom
}

# value NAME: of a metric
value() {
	awk -v n="$1" '$1 == n { print $2 }' "$file"
}

# shows NAME VALUE: a metric has it
shows() {
	[[ $(value "$1") == "$2" ]]
}

# shown PATTERN: a line of the table
shown() {
	NO_COLOR=1 ./smtpd --show "$file" | tee "$tmp/table" | grep -E "$1"
}

@test "--status has totals and the state of each busy worker, within seconds" {
	file
	serve --listen 127.0.0.1:0 --workers 3 --status "$file"
	shows smtpd_workers 3
	shows smtpd_workers_busy 0
	shows smtpd_sessions_total 0
	dial "${addr[0]}" "${data_bob[@]}" say:x say:. reply:250 say:FROB \
	    reply:500 say:QUIT reply:221 eof
	eventually shows smtpd_messages_total 1
	dial "${addr[0]}" "${data_bob[@]}" send:'12345678\r\n' settle \
	    run:"t/until grep -q '^# worker .* DATA .* 10 ' '$file'" \
	    run:"cp '$file' '$tmp/busy'" say:. reply:250 say:QUIT reply:221 eof
	grep -Ex "# worker [1-3] $(children "$master" | paste -sd '|' |
	    sed 's/.*/(&)/') DATA 127\.0\.0\.1 [0-9]{10,} 10 1 0" "$tmp/busy"
	grep -qx 'smtpd_workers_busy 1' "$tmp/busy"
	eventually shows smtpd_messages_total 2
	eventually shows smtpd_workers_busy 0
	shows smtpd_sessions_total 2
	shows smtpd_message_bytes_total 13
	shows 'smtpd_replies_total{class="5xx"}' 1
	lacks '# worker' "$file"
	(($(value smtpd_start_time_seconds) <= $(date +%s)))
}

@test "each metric has one HELP and one TYPE line before it" {
	file
	serve --listen 127.0.0.1:0 --workers 1 --status "$file"
	sed -nE 's/^# HELP ([a-z_]+) .*\.$/\1/p' "$file" >"$tmp/help"
	sed -nE 's/^# TYPE ([a-z_]+) (gauge|counter)$/\1/p' "$file" >"$tmp/type"
	sed -nE 's/^([a-z_]+)(\{[a-z]+="[a-z0-9-]+"\})? [0-9]+$/\1/p' "$file" |
	    uniq >"$tmp/name"
	diff "$tmp/help" "$tmp/type"
	diff "$tmp/help" "$tmp/name"
	(($(wc -l <"$tmp/name") >= 10))
	[[ $(sort -u "$tmp/name") == "$(sort "$tmp/name")" ]]
}

@test "the status file is readable by all, whatever --umask is, and no other file is left" {
	file
	serve --listen 127.0.0.1:0 --workers 1 --status "$file" --umask 077
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	eventually shows smtpd_sessions_total 1
	[[ $(stat -c %a "$file") == 644 ]]
	[[ $(ls -A "$elsewhere/run") == smtpd.prom ]]
}

# watched_more N: the manager has been told N times that all is well
watched_more() {
	(($(grep -cx "$master WATCHDOG=1" "$told") >= $1))
}

@test "the status file is replaced as a whole, and only when something changed" {
	local inode watched
	file
	manage "$tmp/notify"
	environment+=(WATCHDOG_USEC=3000000)
	serve --listen 127.0.0.1:0 --workers 2 --status "$file"
	inode=$(stat -c %i "$file")
	exec {old}<"$file"
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	eventually shows smtpd_sessions_total 1
	[[ $(stat -c %i "$file") != "$inode" ]]
	grep -qx 'smtpd_sessions_total 0' <&"$old"
	exec {old}<&-
	eventually shows smtpd_workers_busy 0
	inode=$(stat -c %i "$file")
	# it has looked again, twice, when the manager has been told twice more
	watched=$(grep -cx "$master WATCHDOG=1" "$told") || true
	eventually watched_more $((watched + 2))
	[[ $(stat -c %i "$file") == "$inode" ]]
}

@test "the status file is removed when smtpd stops, and stays during a restart" {
	file
	serve --listen 127.0.0.1:0 --workers 1 --status "$file"
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	eventually shows smtpd_sessions_total 1
	kill -HUP "$master"
	eventually shows smtpd_restarts_total 1
	shows smtpd_sessions_total 1
	end_daemon
	[[ -z $(ls -A "$elsewhere/run") ]]
}

@test "a status file that can't be written is a start-up error: 73" {
	mkdir -m 755 "$tmp/closed"
	((EUID == 0)) || chmod 555 "$tmp/closed"
	mkdir "$tmp/dir"
	for file in "$tmp/closed/x" "$tmp/no/such" "$tmp/dir" ''; do
		run -73 timeout 60 ./smtpd -m "$dir" "${nobody[@]}" \
		    --listen 127.0.0.1:0 --status "$file"
		((${#lines[@]} == 1))
		[[ $output == "smtpd: --status $file: "* ]]
	done
}

@test "a status file that fails later is logged once and tried again" {
	file
	serve --listen 127.0.0.1:0 --workers 1 --status "$file"
	mv "$elsewhere/run" "$elsewhere/away"
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	eventually events status-failed
	dial "${addr[0]}" reply say:QUIT reply:221 eof
	mv "$elsewhere/away" "$elsewhere/run"
	eventually shows smtpd_sessions_total 2
	(($(events status-failed | wc -l) == 1))
}

@test "--status does not follow a symbolic link of another user" {
	file
	echo precious >"$tmp/precious"
	ln -s "$tmp/precious" "$file"
	serve --listen 127.0.0.1:0 --workers 1 --status "$file"
	[[ ! -L $file ]]
	given "$tmp/precious" precious
}

@test "--show prints it as a table in 80 columns" {
	file
	serve --listen 127.0.0.1:0 --workers 3 --status "$file"
	dial "${addr[0]}" "${data_bob[@]}" send:'12345678\r\n' settle \
	    run:"t/until grep -q '^# worker .* DATA .* 10 ' '$file'" \
	    run:"./smtpd --show '$file' >'$tmp/table'" \
	    say:. reply:250 say:QUIT reply:221 eof
	cat "$tmp/table"
	grep -Ex 'smtpd: 1 of 3 workers busy, up [0-9]+s' "$tmp/table"
	grep -Eq '^sessions +1 +messages +0 +message_bytes +0$' "$tmp/table"
	grep -Ex ' +[1-3] +[0-9]+ +[0-9]+s +10 DATA +127\.0\.0\.1' "$tmp/table"
	lacks $'\033' "$tmp/table"
	(($(wc -L <"$tmp/table") <= 80))
}

@test "--show accepts several spaces between words" {
	printf '%s\n' '# smtpd-status 1' 'smtpd_start_time_seconds 1' \
	    'smtpd_workers 3' 'smtpd_workers_busy 1' 'smtpd_sessions_total 5' \
	    '# worker 1 7 DATA 192.0.2.1 1 10' >"$tmp/file"
	sed '1!s/ /  /2g' "$tmp/file" >"$tmp/wide"
	./smtpd --show "$tmp/file" >"$tmp/table"
	grep -q '^smtpd: 1 of 3 ' "$tmp/table"
	diff "$tmp/table" <(./smtpd --show "$tmp/wide")
}

@test "an invalid number in the status file is 0 in the table" {
	local value
	file
	for value in -1 +1 1x 18446744073709551616; do
		printf '%s\n' '# smtpd-status 1' 'smtpd_workers 3' \
		    'smtpd_workers_busy 0' "smtpd_restarts_total $value" >"$file"
		shown '^restarts  *0 *$'
	done
}

@test "the table with the widest values fits into 80 columns" {
	file
	{
		printf '# smtpd-status 1\n'
		printf 'smtpd_%s 18446744073709551615\n' workers workers_busy
		printf 'smtpd_hook_failures_total{x="18446744073709551615"} %s\n' \
		    18446744073709551615 18446744073709551615 18446744073709551615
		printf '# worker 100000 4194304 on-new-connection %s 1 %s 1 1\n' \
		    2001:0db8:1111:2222:3333:4444:5555:6666 18446744073709551615
	} >"$file"
	shown '2001:0db8:1111:2222:3333:4444:5555:6666$'
	(($(wc -L <"$tmp/table") <= 80))
}

@test "--show has colours on a terminal, and none with NO_COLOR" {
	file
	printf '# smtpd-status 1\nsmtpd_workers 2\nsmtpd_workers_busy 1\n' >"$file"
	command -v script >/dev/null || skip 'script is not installed'
	TERM=xterm script -qec "./smtpd --show '$file'" /dev/null >"$tmp/tty"
	grep -F $'\033[1m' "$tmp/tty"
	NO_COLOR=1 script -qec "./smtpd --show '$file'" /dev/null >"$tmp/tty"
	lacks $'\033' "$tmp/tty"
}

@test "--show rejects a file of another kind: 65, and a missing one: 66" {
	local f
	file
	for f in /bin/sh /dev/null README.md "$tmp"; do
		run -65 --separate-stderr timeout 60 ./smtpd --show "$f"
		[[ ! $output && $stderr == "smtpd: --show $f: "'not a status file of smtpd' ]]
	done
	run -66 timeout 60 ./smtpd --show "$tmp/no/such"
	[[ $output == "smtpd: --show $tmp/no/such: "* ]]
}

@test "--show writes only words and numbers of the file to the terminal" {
	file
	printf '%s\n' '# smtpd-status 1' 'smtpd_workers 1' 'smtpd_workers_busy x' \
	    $'smtpd_a\033[2Jb_total 1' $'# worker 1 2 \033[2J \033]0;x\a 1 2 3 4' \
	    'smtpd_workers_busy 1' >"$file"
	head -c 3000 /dev/zero | tr '\0' x >>"$file"
	shown 'workers busy'
	lacks $'[^ -~]' "$tmp/table"
}

@test "in inetd mode --status has no effect" {
	file
	options=(--status "$file")
	say QUIT
	[[ ! -e $file ]]
}

@test "output of --show, --explain, --help or --version that can't be written: 74" {
	local words
	file
	serve --workers 1 --listen 127.0.0.1:0 --status "$file"
	for words in "--show $file" --help --version \
	    "--explain -i -m $tmp/box ${user[*]}"; do
		status=0
		# shellcheck disable=SC2086 # two words
		./smtpd $words >/dev/full 2>"$tmp/said" || status=$?
		given "$tmp/said" 'smtpd: standard output: No space left on device'
		((status == 74))
	done
}
