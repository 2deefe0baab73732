# A stored message on disk: its place, name, owner and mode, and the order in
# which it gets there (maildir(5)).

load helpers

name='^([0-9]+)\.M[0-9]+P[0-9]+Q[0-9]+R[0-9a-f]+\.mx\.example,S=([0-9]+),W=([0-9]+)$'

@test "a missing Maildir is created, with tmp/, new/ and cur/" {
	[[ ! -e $dir ]]
	deliver x
	[[ -d $dir/tmp && -d $dir/new && -d $dir/cur ]]
	keeps 1
}

@test "missing parts of a Maildir are created" {
	mkdir -p "$dir/new"
	deliver x
	[[ -d $dir/tmp && -d $dir/cur ]]
	keeps 1
}

@test "a slash after the name of the Maildir makes no difference" {
	dir+=/
	deliver x
	dir=${dir%/}
	keeps 1
}

@test "files are 0600 and directories 0700" {
	umask 0
	deliver x
	[[ $(stat -c %a "$(message)") == 600 ]]
	[[ $(stat -c %a "$dir" "$dir"/* | sort -u) == 700 ]]
}

@test "--umask changes the modes of files and directories" {
	options=(--umask 027)
	deliver x
	[[ $(stat -c %a "$(message)") == 640 ]]
	[[ $(stat -c %a "$dir" "$dir"/* | sort -u) == 750 ]]
}

@test "a file name has time, host and Dovecot's sizes: S= of the file, W= with CR LF" {
	local file before
	before=$(date +%s)
	deliver 'Subject: x' '' 'some text' '' 'and more'
	file=$(message)
	echo "$file"
	[[ ${file##*/} =~ $name ]]
	((BASH_REMATCH[1] >= before && BASH_REMATCH[1] <= $(date +%s)))
	((BASH_REMATCH[2] == $(wc -c <"$file")))
	((BASH_REMATCH[3] == $(sed 's/$/\r/' "$file" | wc -c)))
}

@test "the sizes are exact for every kind of message" {
	local body file
	for body in x 'Subject: x' ' folded' ''; do
		rm -rf "$dir"
		deliver "$body" ..dots "$(printf '%05000d' 1)" ''
		file=$(message)
		[[ ${file##*/} =~ $name ]]
		((BASH_REMATCH[2] == $(wc -c <"$file")))
		((BASH_REMATCH[3] == $(wc -c <"$file") + $(wc -l <"$file")))
	done
	rm -rf "$dir"
	lenient
	talk "${data_bob[@]}" send:'a\nb\n\nc\r\n.\r\n' reply:250 say:QUIT eof
	file=$(message)
	[[ ${file##*/} =~ $name ]]
	((BASH_REMATCH[3] == $(wc -c <"$file") + $(wc -l <"$file")))
}

@test "lines end with LF on disk" {
	deliver 'Subject: x' '' 'text'
	lacks $'\r' "$(message)"
	[[ -z $(tail -c 1 "$(message)") ]]
}

@test "a hostname with unsafe bytes makes a safe file name" {
	options=(--hostname 'a/b:c')
	cmd=(./smtpd -i -m "$dir" "${user[@]}" --hostname 'a/b:c')
	run timeout 60 "${cmd[@]}" < <(printf '%s\r\n' "${to_bob[@]}" DATA x . QUIT)
	# it may be refused at once; if not, the name has neither
	if ((status == 0)); then
		keeps 1
		[[ $(message) == "$dir"/new/* ]]
		[[ $(message) != *:* ]]
	else
		((status >= 64 && status <= 78))
	fi
}

@test "no two names are the same" {
	local dialogue=("${hello[@]}") i
	for i in {1..50}; do
		dialogue+=("${to_bob[@]:1}" DATA "$i" .)
	done
	say "${dialogue[@]}" QUIT
	keeps 50
}

# steps COUNT: a message for bob and eve; the first COUNT steps of keeping it,
# from its dot on
steps() {
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_TRACE="$tmp/steps"
	    "${environment[@]}")
	via=-p
	talk "${data_bob[@]:0:7}" say:'RCPT TO:<eve@mx.example>' reply:250 \
	    say:DATA reply:354 run:": >'$tmp/steps'" send:'x\r\n.\r\n' \
	    reply:250 say:QUIT eof
	order=$(sed -n '/^write file/p;/^fsync/p;/^rename/p;/^write pipe/p' \
	    "$tmp/steps" | head -n "$1" | paste -sd,)
	echo "$order"
}

@test "data, fsync, name in new/, fsync of new/, and only then 250 (RFC 5321 6.1)" {
	mkdir -p "$dir"/{tmp,new,cur}
	steps 5
	[[ $order == 'write file,fsync file,rename -,fsync dir,write pipe' ]]
	keeps 1
}

@test "on btrfs the file is fsynced again under its name, instead of new/" {
	mkdir -p "$dir"/{tmp,new,cur}
	environment=(FAIL_FS=0x9123683e)
	steps 5
	[[ $order == 'write file,fsync file,rename -,fsync file,write pipe' ]]
	keeps 1
}

@test "on unknown file systems both the renamed file and new/ are fsynced" {
	mkdir -p "$dir"/{tmp,new,cur}
	environment=(FAIL_FS=0x794c7630)
	steps 6
	[[ $order == 'write file,fsync file,rename -,fsync file,fsync dir,write pipe' ]]
	keeps 1
}

@test "on XFS only new/ is fsynced after the rename, as on ext4" {
	mkdir -p "$dir"/{tmp,new,cur}
	environment=(FAIL_FS=0x58465342)
	steps 5
	[[ $order == 'write file,fsync file,rename -,fsync dir,write pipe' ]]
}

@test "all copies are fsynced before the first is renamed, and all names before 250" {
	local base=$tmp/mail expected
	mkdir -p "$base"/{bob,eve}/{tmp,new,cur}
	dir=$base/{mailbox}
	steps 99
	# what is written first is what both copies are made of
	expected='write file,write file,write file,fsync file,fsync file'
	expected+=',rename -,rename -,fsync dir,fsync dir,write pipe'
	[[ $order == "$expected",* ]]
}

@test "with --hardlink both names are fsynced before 250" {
	local base=$tmp/mail
	mkdir -p "$base"/{bob,eve}/{tmp,new,cur}
	dir=$base/{mailbox} options=(--hardlink)
	steps 99
	[[ $order == 'write file,fsync file,'*',write pipe,'* ]]
	order=${order%%,write pipe*}
	(($(grep -o 'fsync file' <<<"$order" | wc -l) == 1))
	(($(grep -o 'fsync dir' <<<"$order" | wc -l) >= 2))
	[[ $order == *',fsync dir' ]]
}

@test "a Maildir that was just created is fsynced before the first 250" {
	environment=(LD_PRELOAD="$PWD/t/fail.so" FAIL_TRACE="$tmp/trace")
	deliver x
	# the directory above it and the Maildir itself, before anything else
	(($(sed '/^write file/q' "$tmp/trace" | grep -c '^mkdir') == 4))
	(($(sed '/^write file/q' "$tmp/trace" | grep -c '^fsync dir') >= 2))
}

@test "new/ is empty before the end of data, and tmp/ after it" {
	talk "${data_bob[@]}" send:'some\r\n' settle \
	    run:"test -z \"\$(ls '$dir/new')\"" send:'more\r\n.\r\n' reply:250 \
	    run:"test -z \"\$(ls '$dir/tmp')\"" \
	    run:"test -n \"\$(ls '$dir/new')\"" say:QUIT reply:221 eof
	keeps 1
}

@test "nothing else in the Maildir is touched" {
	mkdir -p "$dir"/{tmp,new,cur,.Sent/cur}
	touch "$dir/cur/1:2,S" "$dir/tmp/other" "$dir/.Sent/cur/2" "$dir/dovecot.index"
	deliver x
	[[ -e $dir/cur/1:2,S && -e $dir/tmp/other && -e $dir/.Sent/cur/2 ]]
	[[ -e $dir/dovecot.index ]]
	[[ $(kept) == 1 ]]
}

@test "smtpd's files in tmp/ older than 36 hours are removed, others are not" {
	local old
	deliver x
	old=$(basename "$(message)")
	old=${old%%,*}
	touch -d '37 hours ago' "$dir/tmp/$old" "$dir/tmp/someone-else"
	touch -d '35 hours ago' "$dir/tmp/${old/M/M1}"
	deliver x
	[[ $(kept) == 2 ]]
	[[ ! -e $dir/tmp/$old ]]
	[[ -e $dir/tmp/${old/M/M1} && -e $dir/tmp/someone-else ]]
}

@test "old files in tmp/ are removed at the start and each time a worker is recycled" {
	local old=1000000000.M1P1Q1R1.mx.example
	mkdir -p "$dir"/{tmp,new,cur}
	touch -d '37 hours ago' "$dir/tmp/$old"
	((EUID != 0)) || chown -R nobody "$dir"
	serve --listen 127.0.0.1:0 --workers 1 --recycle-after 1
	[[ ! -e $dir/tmp/$old ]]
	touch -d '37 hours ago' "$dir/tmp/$old"
	dial "$addr" reply:220 say:QUIT reply:221 eof
	eventually [ ! -e "$dir/tmp/$old" ]
}

@test "the default Maildir is ./Maildir" {
	local here=$PWD
	cd "$tmp"
	run timeout 60 "$here/smtpd" -i -H mx.example "${user[@]}" \
	    < <(printf '%s\r\n' "${to_bob[@]}" DATA x . QUIT)
	cd "$here"
	((status == 0))
	keeps 1 "$tmp/Maildir"
}

@test "a Maildir below a directory that --user can't search is usable" {
	((EUID == 0)) || skip 'only root can drop privileges'
	mkdir -m 0700 "$tmp/home"
	dir=$tmp/home/Maildir user=(--user nobody)
	deliver x
	keeps 1
	[[ $(stat -c %U "$(message)") == nobody ]]
	[[ $(stat -c %U "$dir" "$dir"/{tmp,new,cur} | sort -u) == nobody ]]
}

@test "no descriptor is left open by a message" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	talk "${data_bob[@]}" say:x say:. reply:250 \
	    run:'ls /proc/$SMTPC_PID/fd | wc -l >'"$tmp/1" \
	    "${data_bob[@]:3}" say:x say:. reply:250 "${data_bob[@]:3}" \
	    send:'a\nb\r\n.\r\n' reply:550 "${data_bob[@]:3:4}" say:RSET reply:250 \
	    run:'ls /proc/$SMTPC_PID/fd | wc -l >'"$tmp/2" say:QUIT eof
	(($(<"$tmp/1") > 2))
	(($(<"$tmp/1") == $(<"$tmp/2")))
}

@test "failed messages to per-user Maildirs leave no descriptor open" {
	((EUID == 0)) || skip 'only root sees what a process that is not dumpable does'
	local i actions=(reply say:'HELO c.example' reply:250)
	mkdir -p "$dir"/bob/{tmp,new,cur}
	dir=$dir/{mailbox}
	shim open:1+:EACCES
	for i in {1..30}; do
		actions+=("${data_bob[@]:3:5}" reply:451 say:RSET reply:250)
		((i != 1)) ||
		    actions+=(run:'ls /proc/$SMTPC_PID/fd | wc -l >'"$tmp/1")
	done
	talk "${actions[@]}" run:'ls /proc/$SMTPC_PID/fd | wc -l >'"$tmp/2" \
	    say:QUIT reply:221 eof
	(($(grep -c '^open' "$tmp/failed") == 30))
	(($(<"$tmp/1") > 2))
	(($(<"$tmp/1") == $(<"$tmp/2")))
}
