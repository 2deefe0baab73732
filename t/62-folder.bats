# FOLDER=name of a hook: the message goes into that Maildir++ folder, which is
# created if it is missing and is on disk before the 250.

load helpers

# folder PATH: it is a folder by Maildir++, and complete
folder() {
	[[ -d $1/cur && -d $1/new && -d $1/tmp && -f $1/maildirfolder ]]
	[[ -z $(find "$1/tmp" "$1/cur" -type f) ]]
}

# broken OPTION NAME: FOLDER= with this name, in escapes of printf, is a failure
# of the hook, and nothing is kept
broken() {
	: >"$log"
	options=("--$1" "printf 'FOLDER=$2\\n'")
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == *' 451 '* ]]
	[[ $(events hook-failed) == *' error="invalid folder in FOLDER="'* ]]
	keeps 0
	[[ -z $(find "$dir" -name '.?*') && $(ls "$dir") == $'cur\nnew\ntmp' ]]
}

@test "FOLDER= at --on-recipient or --on-message stores the message in that folder" {
	local event
	for event in on-recipient on-message; do
		rm -rf "$dir"
		: >"$log"
		options=("--$event" 'echo FOLDER=Junk;')
		deliver 'Subject: x' '' body
		deliver 'Subject: y' '' body
		folder "$dir/.Junk"
		keeps 0
		(($(kept "$dir/.Junk") == 2))
		[[ $(events message) == *" file=\"$dir/.Junk/new/"* ]]
		[[ $(ls -A "$dir") == $'.Junk\ncur\nnew\ntmp' ]]
	done
}

@test "FOLDER= at --on-message overrides FOLDER= at --on-recipient" {
	users bob eve
	options=(--on-recipient '[ "$LOCAL" = bob ] || echo FOLDER=Lists.smtpd')
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' . QUIT
	keeps 1 "$base/bob"
	keeps 0 "$base/eve"
	folder "$base/eve/.Lists.smtpd"
	[[ $(header Delivered-To "$(message "$base/eve/.Lists.smtpd")") == eve@mx.example ]]
	options+=(--on-message 'echo FOLDER=no; echo FOLDER=Junk')
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' . QUIT
	keeps 1 "$base/bob"
	[[ $(header Delivered-To "$(message "$base/bob/.Junk")") == bob@mx.example ]]
	[[ $(header Delivered-To "$(message "$base/eve/.Junk")") == eve@mx.example ]]
	[[ ! -e $base/eve/.no ]]
	# INBOX is no folder, but the Maildir itself
	options+=(--on-message 'echo FOLDER=Inbox;')
	say "${to_bob[@]:0:2}" 'RCPT TO:<eve@mx.example>' DATA 'Subject: x' . QUIT
	keeps 1 "$base/eve"
	[[ ! -e $base/eve/.Inbox && ! -e $base/eve/.INBOX ]]
}

@test "with a single Maildir each folder has a copy that names its recipients" {
	local mode
	for mode in '' --hardlink; do
		rm -rf "$dir"
		options=(${mode:+"$mode"} --on-recipient '[ -z "$EXTENSION" ] || echo "FOLDER=$EXTENSION"')
		say "${to_bob[@]}" 'RCPT TO:<bob+a@mx.example>' 'RCPT TO:<eve+a@mx.example>' \
		    'RCPT TO:<Bob@mx.example>' 'RCPT TO:<eve@mx.example>' DATA x . QUIT
		[[ $codes == '220 250 250 250 250 250 250 250 354 250 221' ]]
		keeps 1
		keeps 1 "$dir/.a"
		[[ $mode ]] || [[ $(header Delivered-To) == $'bob@mx.example\neve@mx.example' ]]
		[[ $mode ]] || [[ $(header Delivered-To "$(message "$dir/.a")") == \
		    $'bob+a@mx.example\neve+a@mx.example' ]]
		[[ -z $mode ]] || [[ $(message) -ef $(message "$dir/.a") ]]
	done
}

@test "with --hardlink the folders of many users share one file" {
	local i names
	mapfile -t names < <(printf 'u%d\n' {1..40})
	users "${names[@]}"
	options=(--hardlink --on-message 'echo FOLDER=Junk;')
	mapfile -t rcpt < <(printf 'RCPT TO:<%s@mx.example>\n' "${names[@]}")
	say "${to_bob[@]:0:2}" "${rcpt[@]}" DATA x . QUIT
	[[ $codes == *' 354 250 221' ]]
	(($(find "$base" -path '*/.Junk/new/*' -type f -links 40 | wc -l) == 40))
	options=(--on-message 'echo FOLDER=Junk;')
	say "${to_bob[@]:0:2}" "${rcpt[@]}" DATA x . QUIT
	for i in "${names[@]}"; do
		keeps 2 "$base/$i/.Junk"
		keeps 0 "$base/$i"
	done
}

@test "an existing folder keeps its contents and gets missing directories" {
	mkdir -p "$dir/.Junk/cur"
	echo old >"$dir/.Junk/cur/old:2,S"
	echo 1 >"$dir/.Junk/dovecot-uidvalidity"
	options=(--on-message 'echo FOLDER=Junk;')
	deliver x
	[[ -f $dir/.Junk/maildirfolder && $(<"$dir/.Junk/cur/old:2,S") == old ]]
	[[ $(<"$dir/.Junk/dovecot-uidvalidity") == 1 ]]
	keeps 1 "$dir/.Junk"
}

@test "a folder name that is invalid or could leave the Maildir is a hook failure" {
	local event name long
	long=$(printf '%0300d' 0)
	deliver x
	rm "$dir"/new/*
	for event in on-recipient on-message; do
		for name in '' . .. .Junk a/b ../x /x x/ a..b 'a.' 'a\0b' '\0' \
		    'J\303\274nk' 'a\rb' 'a\tb' 'Junk\r' 'a\033' "$long" \
		    "${long:0:255}" 'ok\nFOLDER=../x' 'a\0/../../b'; do
			broken "$event" "$name"
		done
	done
	options=(--on-message "echo FOLDER=${long:0:254};")
	deliver x
	folder "$dir/.${long:0:254}"
}

@test "a rejection and DISCARD= override FOLDER=, which other events ignore" {
	options=(--on-message 'echo 550 5.7.1 No; echo FOLDER=Junk')
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 550 221" ]]
	options=(--on-recipient 'echo FOLDER=Junk; echo DISCARD=x')
	deliver x
	options=(--on-message 'echo FOLDER=Junk; echo DISCARD=x')
	deliver x
	options=(--on-message 'echo FOLDER=../x; echo DISCARD=x')
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 451 221" ]]
	keeps 0
	options=(--on-data 'echo FOLDER=../x;')
	deliver x
	keeps 1
	[[ $(ls -A "$dir") == $'cur\nnew\ntmp' ]]
}

@test "a folder that can't be created gets 451, and no recipient or command gets the message" {
	users bob eve
	echo file >"$base/eve/.Junk"
	options=(--on-message 'echo FOLDER=Junk;' --deliver "touch $tmp/asked; :")
	say "${to_bob[@]}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 354 451 221" ]]
	[[ $(events refused) == *' error="folder: Not a directory"'* ]]
	[[ -z $(cd "$base" && find . -path './*/new/*' -o -path './*/tmp/*') ]]
	[[ ! -e $tmp/asked ]]
	# over LMTP the others have it
	options=(--listen lmtp@- --on-message 'echo FOLDER=Junk;')
	say 'LHLO c.example' "${to_bob[@]:1}" 'RCPT TO:<eve@mx.example>' DATA x . QUIT
	[[ $codes == "$to_bob_codes 250 354 250 451 221" ]]
	keeps 1 "$base/bob/.Junk"
	[[ $(<"$base/eve/.Junk") == file && -z $(find "$base/eve/tmp" -type f) ]]
}

@test "a folder on another file system gets 451" {
	[[ -w /dev/shm && $(stat -c %d /dev/shm) != $(stat -c %d "$tmp") ]]
	elsewhere=$(mktemp -d /dev/shm/folder.XXXXXX)
	deliver x
	ln -s "$elsewhere" "$dir/.Junk"
	options=(--on-message 'echo FOLDER=Junk;')
	say "${to_bob[@]}" DATA x . QUIT
	[[ $codes == "$to_bob_codes 354 451 221" ]]
	[[ -z $(find "$elsewhere" "$dir/tmp" -type f ! -name maildirfolder) ]]
}

@test "many clients at once create one folder" {
	local i
	serve -l 127.0.0.1:0 -n 8 --on-message 'echo FOLDER=Junk;'
	for ((i = 0; i < 8; i++)); do
		t/smtpc -c "${addr[0]}" -- "${data_bob[@]}" say:x say:. reply:250 \
		    say:QUIT reply:221 >/dev/null 3>&- 4>&- &
		strays[$!]=$(started $!)
	done
	for i in "${!strays[@]}"; do wait "$i"; done
	folder "$dir/.Junk"
	(($(kept "$dir/.Junk") == 8))
}

@test "a confined worker creates folders, for users and in a single Maildir" {
	local pid
	if grep -qE '__(asan|gcov)_' smtpd; then
		skip 'built with what needs more calls'
	fi
	users bob
	serve -l 127.0.0.1:0 -n 1 --user "$(id -un)" --on-message 'echo FOLDER=Lists.new;'
	pid=$(children "$master")
	grep -qx $'Seccomp:\t2' "/proc/${pid%%$'\n'*}/status" || [[ $(uname -m) != x86_64 ]]
	dial "${addr[0]}" "${data_bob[@]}" say:x say:. reply:250 say:QUIT reply:221 eof
	folder "$base/bob/.Lists.new"
	keeps 1 "$base/bob/.Lists.new"
	[[ $(children "$master" | head -n 1) == "${pid%%$'\n'*}" ]]
}
