# Start-up errors: one line, and an exit status of sysexits(3), before any
# client is served.

load helpers

# refused STATUS ARGUMENT...: the server does not start, and says why in one
# line on standard error
refused() {
	local want=$1 cmd
	shift
	cmd=(timeout 60 ./smtpd "$@")
	echo "\$ ${cmd[*]}"
	status=0
	"${cmd[@]}" </dev/null >"$tmp/out" 2>"$tmp/err" || status=$?
	sed 's/^/E: /' "$tmp/err"
	echo "status $status"
	[[ $status == "$want" ]] || return
	[[ ! -s $tmp/out ]] || return
	[[ $(wc -l <"$tmp/err") == 1 ]] || return
	[[ $(<"$tmp/err") == 'smtpd: '?* ]]
}

# one listener that would do
listen=(--listen 127.0.0.1:0)

@test "--help lists the options on standard output and exits 0" {
	local option
	run -0 --separate-stderr timeout 60 ./smtpd --help
	[[ -z $stderr ]]
	[[ $output == *$'\n\nListening\n  '*$'\n\nIdentity\n  '* ]]
	[[ $output != *$'\n\n\n'* ]]
	for option in listen inetd hostname maildir hardlink recipient-delimiter \
	    workers user umask read-timeout write-timeout max-size domain trust \
	    max-recipients max-mails max-errors max-hops recycle-after \
	    session-timeout min-rate min-free drain-timeout backlog \
	    lenient-from disable strict log verbose syslog ready-fd help version; do
		echo "$option"
		grep -Eq -- "--$option( |,|\$)" <<<"$output"
	done
}

@test "--version writes name and version to standard output and exits 0" {
	run -0 --separate-stderr timeout 60 ./smtpd --version
	[[ -z $stderr ]]
	[[ $output =~ ^smtpd\ [0-9][0-9A-Za-z.-]*$ ]]
}

@test "-h and -V are --help and --version" {
	diff <(./smtpd -h) <(./smtpd --help)
	diff <(./smtpd -V) <(./smtpd --version)
}

@test "as root --user must be given: 64" {
	((EUID == 0)) || skip 'this is for root'
	refused 64 -m "$dir" "${listen[@]}"
	refused 64 -m "$dir" -i
	[[ ! -e $dir ]]
}

@test "only root can become another user" {
	((EUID != 0)) || skip 'this is for other users'
	refused 77 -m "$dir" "${listen[@]}" --user root
}

@test "only root can change its group: 77" {
	local group
	((EUID != 0)) || skip 'this is for other users'
	group=$(id -gn)
	serve "${listen[@]}" --workers 1 --user "$(id -un):$group"
	end_daemon
	for group in root daemon; do
		[[ $group == "$(id -gn)" ]] ||
		    refused 77 -m "$dir" "${listen[@]}" --user "$(id -un):$group"
	done
}

@test "a user or a group that does not exist: 67" {
	((EUID == 0)) || skip 'only root can name a user'
	refused 67 -m "$dir" "${listen[@]}" --user no-such-user-here
	refused 67 -m "$dir" "${listen[@]}" --user root:no-such-group-here
}

@test "a misspelt option gets a suggestion if there is a similar one" {
	refused 64 "${user[@]}" "${listen[@]}" --maxsize 3
	grep -q 'unknown option --maxsize; did you mean --max-size?' "$tmp/err"
	refused 64 "${user[@]}" "${listen[@]}" --mialdir=/tmp
	grep -q 'did you mean --maildir?' "$tmp/err"
	refused 64 "${user[@]}" "${listen[@]}" --list :25
	grep -q 'did you mean --listen?' "$tmp/err"
	refused 64 "${user[@]}" "${listen[@]}" --xyzzy
	lacks 'did you mean' "$tmp/err"
	refused 64 "${user[@]}" "${listen[@]}" --max
	lacks 'did you mean' "$tmp/err"
	refused 64 "${user[@]}" "${listen[@]}" "--$(printf '%5000s' | tr ' ' x)"
}

@test "an unknown option is a usage error: 64" {
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --frobnicate
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --frobnicate=1
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" -Z
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" -
	[[ ! -e $dir ]]
}

@test "a long option is never abbreviated: 64" {
	local option
	for option in --host --list --max --mai --workers=1x --verb --inet --vers; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" "$option" 1
	done
	refused 64 --hel
	refused 64 --versio
}

@test "an unexpected argument is a usage error: 64" {
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" extra
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" -- extra
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --strict=yes
}

@test "an option without its argument is a usage error: 64" {
	refused 64 "${user[@]}" "${listen[@]}" --maildir
	refused 64 "${user[@]}" "${listen[@]}" -m
	refused 64 "${user[@]}" -m "$dir" --listen
	refused 64 "${user[@]}" --maildir --strict
	grep -q -- '--maildir requires a value: --maildir DIR' "$tmp/err"
	refused 64 "${user[@]}" -m --strict
	grep -q -- '-m requires a value: -m DIR' "$tmp/err"
	options=(--recipient-delimiter=--x)
	say QUIT
	[[ ${lines[1]} == '221 '* ]]
}

@test "an argument may follow =, a blank or the letter" {
	local form
	for form in "--max-size 2k" "--max-size=2k" "-s 2k" "-s2k" "-vs2k"; do
		# shellcheck disable=SC2206 # words are what is wanted
		options=($form)
		say 'EHLO c.example' QUIT
		grep -qx '250[ -]SIZE 2048' "$tmp/replies"
	done
}

@test "sizes take k, M and G in either case" {
	local size
	for size in 2K:2048 3m:3145728 3M:3145728 1g:1073741824 1G:1073741824; do
		options=(--max-size "${size%:*}" --min-free 0)
		say 'EHLO c.example' QUIT
		grep -qx "250[ -]SIZE ${size#*:}" "$tmp/replies"
	done
}

@test "--disable takes the name of an extension: 64" {
	local name
	for name in '' PIPELINE BDAT ' SIZE' SIZE,DSN; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --disable "$name"
		grep -q -e '--disable requires an extension' "$tmp/err"
	done
}

@test "an invalid number is a usage error: 64" {
	local n
	for n in x 1x '' ' ' -1 +1 1.5 0x10 99999999999999999999 1k; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --max-errors "$n"
	done
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --workers 0
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --workers x
}

@test "a size that is invalid or would overflow is a usage error: 64" {
	local n
	for n in x 1x 1kk k -1 1T 1.5k 99999999999999999999 9007199254740993k \
	    99999999999G 17179869184G; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --max-size "$n"
	done
}

@test "an invalid time is a usage error: 64" {
	local n
	for n in x 5x 5ms s -1 1d 1.5h 99999999999999999999 9223372036854775807s \
	    99999999999999999h; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --read-timeout "$n"
	done
}

@test "a umask is octal: 64" {
	local n
	for n in 9 08 0x7 u=rwx 1000 77777 ''; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --umask "$n"
	done
}

@test "an unknown --log format or an invalid --lenient-from network: 64" {
	local net
	for net in printers 192.0.2.0/33 192.0.2 '' unix ::/129; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" \
		    --lenient-from "$net"
		grep -q -e "--lenient-from requires a network" "$tmp/err"
	done
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --log xml
}

@test "an invalid address to listen on is a usage error: 64" {
	local a
	for a in foo 127.0.0.1 '' : 127.0.0.1: 127.0.0.1:x 127.0.0.1:65536 \
	    127.0.0.1:-1 127.0.0.1:25x '[::1]' '[::1]25' '[::1' '[]:25' \
	    "$(printf '%03000d' 0):25" \
	    ftp@127.0.0.1:0 SMTP2@127.0.0.1:0 @127.0.0.1:0 'smtp@' \
	    "$tmp/sock,mode=9" "$tmp/sock,mode=" "$tmp/sock,colour=red"; do
		refused 64 -m "$dir" "${user[@]}" --listen "$a"
	done
	[[ ! -e $tmp/sock ]]
}

@test "a group for a socket that does not exist is an error" {
	refused 67 -m "$dir" "${user[@]}" --listen "$tmp/sock,group=no-such-group"
	[[ ! -e $tmp/sock ]]
}

@test "an invalid network to trust is a usage error: 64" {
	local net
	for net in foo 1.2.3 1.2.3.4/33 1.2.3.4/-1 1.2.3.4/ 1.2.3.4/x ::/129 \
	    localhost '' /8 1.2.3.4/8/8 2001:db8::/32x; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --trust "$net"
	done
}

@test "an invalid hostname is a usage error: 64" {
	local name
	for name in '' 'a b' 'a..b' '(x)' 'a@b' "$(printf '%0300d' 0)"; do
		refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --hostname "$name"
	done
}

@test "a hostname over 255 bytes is a usage error: 64" {
	local name
	name=$(printf 'a.%.0s' {1..127})
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --hostname "${name}ab"
	refused 64 -m "$dir" "${user[@]}" -i --hostname "$name$name"
	[[ ! -e $dir ]]
	options=(--hostname "${name}a")
	command_line
	run -0 timeout 60 "${cmd[@]}" < <(printf '%s\r\n' "${to_bob[@]}" DATA x . QUIT)
	[[ $output == "220 ${name}a "* ]]
	keeps 1
}

@test "a descriptor for --ready-fd that is not open is a usage error: 64" {
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --ready-fd 77
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --ready-fd x
}

@test "a --ready-fd that is standard input or the log is a usage error: 64" {
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --ready-fd 0
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --ready-fd 2
	[[ ! -e $dir ]]
}

@test "a Maildir that can't be written: 73" {
	mkdir -m 0755 "$tmp/ro"
	mkdir -m 0755 "$tmp"/ro/{tmp,new,cur}
	if ((EUID == 0)); then
		refused 73 -m "$tmp/ro" "${nobody[@]}" "${listen[@]}"
	else
		chmod 0555 "$tmp"/ro/{tmp,new,cur}
		refused 73 -m "$tmp/ro" "${listen[@]}"
	fi
}

@test "a Maildir of which only new/ can't be written: 73" {
	mkdir -m 0777 "$tmp/ro"
	mkdir -m 0777 "$tmp"/ro/{tmp,new,cur}
	chmod 0777 "$tmp"/ro/tmp "$tmp/ro/cur"
	chmod 0555 "$tmp/ro/new"
	refused 73 -m "$tmp/ro" "${nobody[@]}" "${listen[@]}"
}

@test "as root nothing is created in a Maildir that is a link to another user's directory: 73" {
	((EUID == 0)) || skip 'only root could'
	mkdir -m 0700 "$tmp/other"
	chown daemon "$tmp/other"
	chmod 711 "$tmp"
	ln -s other "$dir"
	refused 73 -m "$dir" "${nobody[@]}" "${listen[@]}"
	refused 73 -m "$dir" "${nobody[@]}" -i
	[[ -z $(ls -A "$tmp/other") ]]
	[[ $(stat -c %U "$tmp/other") == daemon ]]
}

@test "a Maildir that is a file or is below one: 73" {
	echo >"$tmp/file"
	refused 73 -m "$tmp/file" "${user[@]}" "${listen[@]}"
	refused 73 -m "$tmp/file/Maildir" "${user[@]}" "${listen[@]}"
	refused 73 -m "$tmp/file/{mailbox}" "${user[@]}" "${listen[@]}"
}

@test "a Maildir below a directory that does not exist: 73" {
	refused 73 -m "$tmp/no/such/Maildir" "${user[@]}" "${listen[@]}"
	[[ ! -e $tmp/no ]]
}

@test "a Maildir whose tmp/ is a file: 73" {
	mkdir -p "$dir/new"
	echo >"$dir/tmp"
	refused 73 -m "$dir" "${user[@]}" "${listen[@]}"
}

@test "tmp/ and new/ on different devices are an error" {
	[[ -d /dev/shm && $(stat -c %d /dev/shm) != "$(stat -c %d "$tmp")" ]] ||
	    skip 'this machine has no second file system'
	elsewhere=$(mktemp -d /dev/shm/smtpd-test-XXXXXX)
	mkdir "$elsewhere/tmp" "$dir" "$dir/new" "$dir/cur"
	ln -s "$elsewhere/tmp" "$dir/tmp"
	refused 78 -m "$dir" "${user[@]}" "${listen[@]}"
}

@test "a list with commas: 64, with the advice to repeat the option" {
	local option value
	while read -r option value; do
		refused 64 -m "$dir" "${user[@]}" "$option" "$value"
		grep -Fq -- "$option '$value': only one value is allowed; give $option twice" "$tmp/err"
	done <<-'END'
		--domain a.example,b.example
		--domain a.example b.example
		--trust 192.0.2.0/24,198.51.100.0/24
		--proxy-from 192.0.2.1,unix
		--xclient-from 192.0.2.1, 192.0.2.2
		--listen 127.0.0.1:0,127.0.0.2:0
	END
}

@test "a user that can't write to the current directory is told what to do: 73" {
	((EUID == 0)) || skip 'only root becomes another user'
	chmod 711 "$BATS_RUN_TMPDIR" "${tmp%/*}" "$tmp"
	mkdir -m 755 "$tmp/closed"
	cp smtpd "$tmp"
	cd "$tmp/closed"
	run -73 setpriv --reuid=nobody --regid=nogroup --clear-groups timeout 60 \
	    "$tmp/smtpd" "${listen[@]}"
	[[ $output == "smtpd: maildir $tmp/closed/Maildir: Permission denied for uid $(id -u nobody); start smtpd in a directory that this user can write to, or name one with --maildir" ]]
}

@test "a command that can't be executed: 69, for which user, and why" {
	local as=("${user[@]}") uid=$EUID
	((EUID != 0)) || as=(--user nobody) uid=$(id -u nobody)
	mkdir -m 755 "$tmp/box"
	chmod o+x "$tmp" "${tmp%/*}" "$BATS_RUN_TMPDIR"
	((EUID != 0)) || chown nobody "$tmp/box"
	refused 69 -m "$tmp/box/Maildir" "${as[@]}" "${listen[@]}" --deliver "$tmp/none"
	grep -q ": No such file or directory$" "$tmp/err"
	refused 69 -m "$tmp/box/Maildir" "${as[@]}" "${listen[@]}" --deliver "$tmp/box"
	grep -q ": not a file$" "$tmp/err"
	echo >"$tmp/h.py"
	refused 69 -m "$tmp/box/Maildir" "${as[@]}" "${listen[@]}" --auth "$tmp/h.py"
	grep -q ": not executable for uid $uid ([a-z]*); run chmod a+rx$" "$tmp/err"
	mkdir -m 0 "$tmp/closed"
	if ((EUID == 0)); then
		mkdir "$tmp/closed/bin"
		cp /bin/true "$tmp/closed/bin"
	fi
	refused 69 -m "$tmp/box/Maildir" "${as[@]}" "${listen[@]}" --deliver "$tmp/closed/bin/true"
	grep -q ": uid $uid ([a-z]*) cannot search $tmp/closed; move the program to " "$tmp/err"
	chmod 700 "$tmp/closed"
}

@test "a port that is in use: 69" {
	serve "${listen[@]}" --workers 1
	refused 69 -m "$dir" "${user[@]}" --listen "${addr[0]}"
	grep -q 'address already in use by another server' "$tmp/err" || ((EUID == 0))
}

@test "the process that has the port, or the socket, is named if the system shows it" {
	local address port
	((EUID == 0)) || skip 'only root sees which sockets a process of smtpd has'
	serve "${listen[@]}" --listen "$tmp/sock" --workers 1
	port=${addr[0]##*:}
	for address in "127.0.0.1:$port" ":$port" "0.0.0.0:$port" "$tmp/sock" \
	    "$tmp/sock,mode=0600"; do
		refused 69 -m "$dir" "${user[@]}" --listen "$address"
		grep -Fq "address already in use by $PWD/smtpd (pid $master)" "$tmp/err"
	done
	end_daemon
	serve --listen "[::1]:0" --workers 1
	refused 69 -m "$dir" "${user[@]}" --listen "${addr[0]}"
	grep -Fq "address already in use by $PWD/smtpd (pid $master)" "$tmp/err"
}

@test "if two processes have the port at two addresses, the one at our address is named" {
	local address pids=()
	((EUID == 0)) || skip 'only root sees which sockets a process of smtpd has'
	serve --listen 127.9.8.5:0 --workers 1
	stray "$master"
	pids[5]=$master
	serve --listen "127.9.8.4:${addr[0]##*:}" --workers 1
	pids[4]=$master
	for address in 4 5; do
		refused 69 -m "$dir" "${user[@]}" \
		    --listen "127.9.8.$address:${addr[0]##*:}"
		grep -Fq "in use by $PWD/smtpd (pid ${pids[address]})" "$tmp/err"
	done
	end_daemon
	master=${pids[5]}
}

@test "a process that can't be seen is not guessed at" {
	((EUID == 0)) || skip 'only root has a port that another user can not see'
	serve "${listen[@]}" --workers 1
	chmod 711 "$BATS_RUN_TMPDIR" "${tmp%/*}" "$tmp"
	mkdir -m 777 "$tmp/box"
	run -69 setpriv --reuid=nobody --regid=nogroup --clear-groups timeout 60 \
	    ./smtpd -m "$tmp/box/Maildir" --listen "${addr[0]}"
	[[ $output == *'address already in use by another server; as root, ss -lptx shows which' ]]
}

@test "a port that an earlier option has: 69, not blamed on another process" {
	serve --listen 127.9.8.7:0 --workers 1	# nobody else is there
	end_daemon
	refused 69 -m "$dir" "${user[@]}" --listen "${addr[0]}" --listen "${addr[0]}"
	grep -q 'address already in use by another --listen' "$tmp/err"
}

@test "a port at another address is not blamed on the option before" {
	serve --listen 127.9.8.7:0 --workers 1
	refused 69 -m "$dir" "${user[@]}" --listen "127.9.8.6:${addr[0]##*:}" \
	    --listen "${addr[0]}"
	grep -Eq "address already in use by (another server|$PWD/smtpd .*$master)" "$tmp/err"
}

@test "if one of several listeners fails, the start fails" {
	serve "${listen[@]}" --workers 1
	refused 69 -m "$dir" "${user[@]}" --listen "$tmp/sock" \
	    --listen "${addr[0]}"
}

@test "an address that is not this machine's: 69" {
	refused 69 -m "$dir" "${user[@]}" --listen 203.0.113.254:0
	grep -q 'this host does not have that address' "$tmp/err"
}

@test "a path for a socket that is another kind of file is left alone" {
	echo precious >"$tmp/file"
	mkdir "$tmp/folder"
	refused 69 -m "$dir" "${user[@]}" --listen "$tmp/file" ||
	    refused 73 -m "$dir" "${user[@]}" --listen "$tmp/file"
	[[ $(<"$tmp/file") == precious ]]
	refused 69 -m "$dir" "${user[@]}" --listen "$tmp/folder" ||
	    refused 73 -m "$dir" "${user[@]}" --listen "$tmp/folder"
	[[ -d $tmp/folder ]]
}

@test "a path too long for a socket is a usage error" {
	refused 64 -m "$dir" "${user[@]}" --listen "$tmp/$(printf '%0110d' 0)"
}

@test "a path too long for a Maildir: 73" {
	refused 73 -m "/$(printf '%05000d' 0)/Maildir" "${user[@]}" "${listen[@]}"
}

@test "a datagram socket from inetd: 69" {
	local cmd
	command_line
	run -69 timeout 60 bash -c '"$@" 0<>/dev/udp/127.0.0.1/9' bash "${cmd[@]}"
	[[ $output == 'smtpd: descriptor 0 is not a stream socket'* ]]
}

@test "in inetd mode start-up errors are logged and not sent to the client" {
	local cmd
	dir=$tmp/no/such
	command_line
	run -73 --separate-stderr timeout 60 "${cmd[@]}" </dev/null
	[[ -z $output ]]
	[[ $stderr == 'smtpd: '* ]]
}

@test "a failed start leaves nothing behind" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	refused 64 -m "$dir" "${user[@]}" "${listen[@]}" --frobnicate
	refused 69 -m "$dir" "${user[@]}" --listen 203.0.113.254:0
	[[ -z $(running "$tmp") ]]
	serve "${listen[@]}" --workers 1	# it would have been seen
	[[ $(running "$tmp") == *"$master"* ]]
}
