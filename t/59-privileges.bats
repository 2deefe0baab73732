# The privileges of the processes: no capabilities, no core, few descriptors.
# Root gives away no file that another user put in place of its own.

load helpers

# confined PID: it is
confined() {
	local field
	for field in CapInh CapPrm CapEff CapAmb; do
		grep -Eq "^$field:[[:space:]]*0+$" /proc/"$1"/status || return
	done
	grep -Eq '^NoNewPrivs:[[:space:]]*1$' /proc/"$1"/status &&
	    grep -Eq '^Max core file size +0 +0 ' /proc/"$1"/limits &&
	    grep -Eq '^Max open files +1024 +1024 ' /proc/"$1"/limits &&
	    [[ $(stat -c %u /proc/"$1"/status) == 0 ]]
}

# all_confined: master and workers are
all_confined() {
	local pid pids
	mapfile -t pids < <(children "$master")
	((${#pids[@]} == 2)) || return
	for pid in "$master" "${pids[@]}"; do
		confined "$pid" 2>/dev/null || return
	done
}

@test "master and workers have no capabilities, no core, 1,024 descriptors and can't be traced" {
	((EUID == 0)) || skip 'only root sees all of it'
	ulimit -Sc unlimited
	serve --workers 2 --listen 127.0.0.1:0
	all_confined
	kill -HUP "$master"
	restarted() {
		(($(events listening | wc -l) == 2))
	}
	eventually restarted
	eventually all_confined
}

@test "a capability that a user other than root has at the start is dropped" {
	((EUID == 0)) || skip 'only root can give one'
	local as=(setpriv --reuid nobody --regid nogroup --clear-groups
	    --inh-caps +net_bind_service --ambient-caps +net_bind_service)
	"${as[@]}" grep -E '^CapAmb:[[:space:]]*0*400$' /proc/self/status
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test"
	chmod 777 "$tmp"
	environment=("${as[@]}")
	nobody=()
	serve --workers 1 --listen 127.0.0.1:0 \
	    --on-hello "grep ^Cap /proc/self/status >$tmp/caps"
	confined "$master"
	confined "$(children "$master")"
	dial "${addr[0]}" reply say:'HELO c.example' reply:250 say:QUIT reply:221 eof
	lacks -E '^Cap(Inh|Prm|Eff|Amb):.*[1-9a-f]' "$tmp/caps"
	grep -E '^CapPrm:' "$tmp/caps"
}

@test "hooks have no core and 1,024 descriptors, and can be traced" {
	options=(--on-hello "ulimit -c >$tmp/core; ulimit -n >$tmp/files; readlink /proc/\$\$/exe >$tmp/exe")
	say "${hello[@]}" QUIT
	given "$tmp/core" 0
	(($(<"$tmp/files") <= 1024))
	[[ -s $tmp/exe ]]
}

@test "a lower limit of descriptors is kept" {
	environment=(bash -c 'ulimit -n 100; exec "$@"' bash)
	options=(--on-hello "ulimit -n >$tmp/files")
	say "${hello[@]}" QUIT
	given "$tmp/files" 100
}

@test "--allow-setuid lets commands gain privileges, and nothing else" {
	((EUID == 0)) || skip 'only root sees all of it'
	serve --workers 1 --listen 127.0.0.1:0 --allow-setuid
	run ! confined "$master"
	grep -Eq '^NoNewPrivs:[[:space:]]*0$' /proc/"$master"/status
	grep -Eq '^Max core file size +0 +0 ' /proc/"$master"/limits
}

@test "the suites pass below a directory that only root can search" {
	((EUID == 0)) || skip 'only root becomes another user'
	mkdir -m 700 "$tmp/private"
	tar c --exclude=./.git --exclude=./t/real/cache . | tar x -C "$tmp/private"
	chmod 700 "$tmp/private"
	run env -i PATH="${PATH#*/libexec/bats-core:}" TMPDIR="${TMPDIR:-/tmp}" \
	    bats -f 'SIGHUP starts new workers with the same master' "$tmp/private/t/58-restart.bats"
	echo "$output"
	((status == 0))
	[[ $output == *'ok 1 SIGHUP starts new workers'* ]]
}

@test "a world-writable Maildir is used, with a warning" {
	local part
	mkdir -p "$dir"/{tmp,new,cur}
	chmod 777 "$dir"/{tmp,new,cur}
	((EUID != 0)) || chown -R nobody "$dir"
	serve --workers 1 --listen 127.0.0.1:0
	events warning | grep -F "add mail to the Maildir or remove it; chmod o-w $dir\""
	end_daemon
	for part in "" /tmp /new; do
		chmod -R 700 "$dir"
		: >"$log"
		serve --workers 1 --listen 127.0.0.1:0
		events warning | lacks 'add mail'
		end_daemon
		chmod 707 "$dir$part"
		serve --workers 1 --listen 127.0.0.1:0
		events warning | grep 'add mail'
		end_daemon
	done
}

@test "a Maildir of another owner that --user can't write: 73, with advice" {
	((EUID == 0)) || skip 'only root can make one'
	mkdir -p "$dir"/{tmp,new,cur}
	chown -R daemon "$dir"
	run -73 timeout 60 ./smtpd -m "$dir" "${nobody[@]}" --listen 127.0.0.1:0
	[[ $output == "smtpd: maildir $dir: Permission denied for uid "*"; chown it to that user"* ]]
	((${#lines[@]} == 1))
}

# swapped RULE COMMAND OPTION...: a start as root in which, behind the call of
# RULE, somebody runs COMMAND; it must fail
swapped() {
	((EUID == 0)) || skip 'only root gives anything away'
	mkdir "$tmp/precious"
	echo secret >"$tmp/precious/key"
	run ! timeout 60 env LD_PRELOAD="$PWD/t/fail.so" FAIL="$1:after" FAIL_RUN="$2" \
	    FAIL_LOG="$tmp/swapped" ./smtpd -m "$dir" "${nobody[@]}" "${@:3}"
	[[ -s $tmp/swapped ]]
	((status >= 64 && status <= 78))
	[[ -z $(find "$tmp" -name 'key*' ! -user root) ]]
	[[ -z $(find "$tmp" -name 'precious*' ! -user root) ]]
}

@test "root does not chown what another user puts in place of a new Maildir" {
	swapped mkdir:1 "mv $dir $dir.away; mv $tmp/precious $dir" --listen 127.0.0.1:0
	[[ $(stat -c %U "$dir") == root && $(<"$dir/key") == secret ]]
}

@test "root does not chown a symbolic link in place of a new Maildir, with a final slash or without" {
	swapped mkdir:1 "mv $dir $dir.away; ln -s precious $dir" --listen 127.0.0.1:0
	rm -r "$dir" "$dir.away" "$tmp/precious" "$tmp/swapped"
	dir+=/
	swapped mkdir:1 "mv ${dir%/} $tmp/away; ln -s precious ${dir%/}" --listen 127.0.0.1:0
}

@test "root does not chown what is put in place of the new tmp/" {
	swapped mkdir:2 "mv $dir/tmp $dir/away; mv $tmp/precious $dir/tmp" \
	    --listen 127.0.0.1:0
	[[ $(stat -c %U "$dir/tmp") == root ]]
}

@test "root does not chown what is put in place of a new Unix socket" {
	swapped bind:1 "rm $tmp/socket; ln $tmp/precious/key $tmp/socket" \
	    --listen "$tmp/socket"
	rm -rf "$tmp/precious" "$tmp/swapped" "$dir"
	swapped bind:1 "rm $tmp/socket; ln -s precious/key $tmp/socket" \
	    --listen "$tmp/socket"
	rm -rf "$tmp/precious" "$tmp/swapped" "$dir"
	mkdir "$tmp/run"
	swapped socket:1 "mv $tmp/run $tmp/away; ln -s precious $tmp/run" \
	    --listen "$tmp/run/socket"
	[[ $(stat -c %U "$tmp/precious/socket") == root ]]
}

@test "--explain as root removes its own socket, and nothing put in its place" {
	((EUID == 0)) || skip 'only root may remove what is another user'"'"'s'
	mkdir "$tmp/run" "$tmp/precious"
	timeout 60 ./smtpd --explain -m "$dir" "${nobody[@]}" --listen "$tmp/run/socket"
	[[ ! -e $tmp/run/socket && -d $tmp/run ]]
	timeout 60 env LD_PRELOAD="$PWD/t/fail.so" FAIL=listen:1:after \
	    FAIL_RUN="mv $tmp/run $tmp/away; ln -s precious $tmp/run; chown -h nobody $tmp/run; echo secret >$tmp/precious/socket" \
	    ./smtpd --explain -m "$dir" "${nobody[@]}" --listen "$tmp/run/socket"
	given "$tmp/precious/socket" secret
}

# leads OWNER: $tmp/link/path is a symbolic link of that user's to $tmp/roots
leads() {
	((EUID == 0)) || skip 'only root can make one for another user'
	chmod 711 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$tmp"
	mkdir -p "$tmp/roots/deep" "$tmp/link"
	ln -s ../roots "$tmp/link/path"
	chown -h "$1" "$tmp/link/path"
}

@test "root creates no Maildir or socket through another user's symbolic link" {
	local where
	leads nobody
	for where in link/path/Maildir link/path/deep/Maildir/; do
		run -73 timeout 60 ./smtpd -m "$tmp/$where" "${nobody[@]}" --listen 127.0.0.1:0
		[[ $output == *"symbolic link"* && ${#lines[@]} == 1 ]]
	done
	run -77 timeout 60 ./smtpd -m "$dir" "${nobody[@]}" \
	    --listen "$tmp/link/path/socket"
	[[ $output == *"symbolic link of another user"* ]]
	[[ $(find "$tmp/roots" | wc -l) == 2 ]]
}

@test "an existing Maildir behind another user's link is used, its parts created as --user" {
	leads nobody
	mkdir "$tmp/roots/Maildir"
	dir=$tmp/link/path/Maildir
	run -73 timeout 60 ./smtpd -m "$dir" "${nobody[@]}" --listen 127.0.0.1:0
	[[ ! -e $dir/tmp ]]
	chown nobody "$tmp/roots/Maildir"
	serve --workers 1 --listen 127.0.0.1:0
	[[ $(stat -c %U "$tmp/roots/Maildir/new") == nobody ]]
}

@test "root follows its own symbolic links, a chain of them, too, for the Maildir and a socket" {
	leads root
	ln -s "$tmp/link/path/./deep/.." "$tmp/chain"
	dir=$tmp/chain/Maildir
	serve --workers 1 --listen "$tmp/chain/socket"
	[[ $(stat -c %U "$tmp/roots/Maildir/new" "$tmp/roots/socket" | uniq) == nobody ]]
}

@test "a loop of symbolic links and a path too long are start-up errors" {
	((EUID == 0)) || skip 'others leave it to the kernel'
	ln -s circle "$tmp/circle"
	run -73 timeout 60 ./smtpd -m "$tmp/circle/Maildir" "${nobody[@]}" --listen 127.0.0.1:0
	[[ ${#lines[@]} == 1 && $output == *"Too many levels of symbolic links"* ]]
	run -73 timeout 60 ./smtpd -m "$tmp/$(printf '%0300d' 0)/Maildir" "${nobody[@]}" --listen 127.0.0.1:0
	[[ ${#lines[@]} == 1 && $output == *"File name too long"* ]]
}

# links PID: what its descriptors lead to, without those that have no name
links() {
	find /proc/"$1"/fd -mindepth 1 -printf '%l\n' | sort
}

@test "workers inherit no descriptor of the parent, no standard input, no manager's socket" {
	local pid
	((EUID == 0)) || skip 'only root sees what a process has open'
	manage "$tmp/notify"
	echo secret >"$tmp/secret"
	exec 7<"$tmp/secret" 1007<"$tmp/secret"
	# shellcheck disable=SC2016 # the other shell's
	environment+=(sh -c 'exec "$0" "$@" <"$secret"')
	secret=$tmp/secret serve --workers 1 --listen 127.0.0.1:0
	exec 7<&- 1007<&-
	pid=$(children "$master")
	links "$pid" >"$tmp/open"
	cat "$tmp/open"
	lacks -F "$tmp/secret" "$tmp/open"
	(($(grep -c '^socket:' "$tmp/open") == 1))	# the listener
	[[ $(readlink "/proc/$pid/fd/0") == /dev/null ]]
	(($(links "$master" | grep -c '^socket:') == 2))
}

@test "the log is always appended to, even if its offset was moved" {
	local flags
	exec 8>"$tmp/file"
	printf 'QUIT\r\n' | ./smtpd -i -m "$dir" -H mx.example "${user[@]}" 2>&8 >/dev/null
	flags=0$(sed -n "s/^flags:[[:space:]]*0*//p" /proc/$BASHPID/fdinfo/8)
	exec 8>&-
	echo "flags $flags"
	((flags & 02000))
}
