# A Maildir for each recipient: --maildir with {mailbox} and {domain}.  Mail
# never goes to another recipient, and a store that is unavailable never makes a
# recipient unknown.

load helpers


# to RECIPIENT...: a message to these, from the MAIL on
to() {
	local r
	dialogue=('HELO c.example' 'MAIL FROM:<alice@c.example>')
	for r; do
		dialogue+=("RCPT TO:<$r>")
	done
}

@test "each recipient's mail goes to the recipient's own Maildir" {
	users bob eve
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA 'Subject: x' '' body . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	keeps 1 "$base/bob"
	keeps 1 "$base/eve"
	printf 'Subject: x\n\nbody\n' >"$tmp/expected"
	stored "$tmp/expected" "$(message "$base/bob")"
	stored "$tmp/expected" "$(message "$base/eve")"
}

@test "each copy has one Delivered-To, which does not name other recipients" {
	users bob eve
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $(header Delivered-To "$(message "$base/bob")") == bob@mx.example ]]
	[[ $(header Delivered-To "$(message "$base/eve")") == eve@mx.example ]]
	lacks eve@ "$(message "$base/bob")"
	lacks bob@ "$(message "$base/eve")"
}

@test "the sizes in each name are those of each copy" {
	users b eleanor
	to b@mx.example eleanor@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	local name file
	for name in b eleanor; do
		file=$(message "$base/$name")
		[[ $file == *,S=$(wc -c <"$file"),W=$(sed 's/$/\r/' "$file" | wc -c) ]]
		[[ $(stat -c %a "$file") == 600 ]]
	done
}

@test "a recipient without a Maildir gets 550 5.1.1, and the others get their mail (RFC 5321 3.3)" {
	users bob
	to nobody@mx.example bob@mx.example bobby@mx.example bo@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 550 250 550 550 354 250 221' ]]
	[[ ${lines[3]} == '550 5.1.1 '* ]]
	keeps 1 "$base/bob"
	[[ $(ls "$base") == bob ]]
}

@test "DATA gets 554 5.5.1 if all recipients are unknown" {
	users bob
	to nobody@mx.example
	say "${dialogue[@]}" DATA QUIT
	[[ $codes == '220 250 250 550 554 221' ]]
}

@test "{mailbox} is the local part in lower case" {
	users bob
	to Bob@mx.example BOB@MX.EXAMPLE
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	(($(kept "$base/bob") >= 1))
	[[ $(ls "$base") == bob ]]
}

@test "{mailbox} has no extension: + and the text after it are removed" {
	users bob
	to bob+lists@mx.example
	say "${dialogue[@]}" DATA x . "${dialogue[@]:1:1}" \
	    'RCPT TO:<bob+@mx.example>' 'RCPT TO:<bob+a+b@mx.example>' QUIT
	[[ $codes == '220 250 250 250 354 250 250 250 250 221' ]]
	keeps 1 "$base/bob"
	[[ $(header Delivered-To "$(message "$base/bob")") == bob+lists@mx.example ]]
}

@test "--recipient-delimiter sets the characters that begin an extension" {
	users bob
	options=(--recipient-delimiter -)
	to bob-lists@mx.example bob+lists@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 250 550 221' ]]
	options=(--recipient-delimiter +-)
	to bob-lists@mx.example bob+lists@mx.example bob=lists@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 250 250 550 221' ]]
	options=(--recipient-delimiter '')
	users bob+x
	to bob@mx.example bob+lists@mx.example bob+x@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 250 550 250 221' ]]
}

@test "{domain} is the domain in lower case" {
	base=$tmp/mail dir=$tmp/mail/{domain}/{mailbox}
	mkdir -p "$base"/one.example/bob/{tmp,new,cur} \
	    "$base"/two.example/bob/{tmp,new,cur}
	to bob@ONE.example Bob@two.Example bob@three.example eve@one.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 550 550 354 250 221' ]]
	keeps 1 "$base/one.example/bob"
	keeps 1 "$base/two.example/bob"
}

@test "{domain} alone is a Maildir for each domain" {
	base=$tmp/mail dir=$tmp/mail/{domain}/Maildir
	mkdir -p "$base"/one.example/Maildir
	to anyone@one.example someone@one.example anyone@two.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 550 354 250 221' ]]
	[[ -e $base/one.example/Maildir/new ]]
}

@test "<postmaster> without a domain is postmaster of the hostname" {
	base=$tmp/mail dir=$tmp/mail/{domain}/{mailbox}
	mkdir -p "$base"/mx.example/postmaster/{tmp,new,cur}
	to Postmaster
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	keeps 1 "$base/mx.example/postmaster"
}

@test "{mailbox} may be part of a path component, with the Maildir below it" {
	base=$tmp/mail dir=$tmp/mail/user-{mailbox}.d/Maildir
	mkdir -p "$base"/user-bob.d/Maildir/{tmp,new,cur}
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 550 354 250 221' ]]
	keeps 1 "$base/user-bob.d/Maildir"
}

@test "a local part that is empty, begins with a dot or has a slash gets 550" {
	users bob .hidden a/b ...
	mkdir -p "$tmp"/{tmp,new,cur} "$base"/{tmp,new,cur}
	to '+tag@mx.example' '"+"@mx.example' '""@mx.example' '"."@mx.example' \
	    '".."@mx.example' '"../mail/bob"@mx.example' '"..."@mx.example' \
	    '".hidden"@mx.example' '"a/b"@mx.example' '"bob/"@mx.example' \
	    '"/"@mx.example' '"bob/../bob"@mx.example' '"/etc"@mx.example' \
	    '"\..\/"@mx.example' bob@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == "220 250 250 $(printf '550 %.0s' {1..14})250 221" ]]
}

@test "a domain that begins with a dot or has a slash gets 550" {
	base=$tmp/mail dir=$tmp/mail/{domain}
	mkdir -p "$base"/{tmp,new,cur} "$base/mx.example"
	to 'x@[127.0.0.1]' x@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 550 250 221' ]]
}

@test "quoted and unquoted local parts are the same mailbox (RFC 5321 4.1.2)" {
	users bob 'b ob'
	to '"bob"@mx.example' '"b\ob"@mx.example' '"b ob"@mx.example' \
	    '"bob+x y"@mx.example'
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 250 250 250 250 221' ]]
}

@test "a mailbox whose name is too long for a directory gets 550" {
	users bob
	to "$(printf '%0240d' 0)@mx.example" bob@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 550 250 221' ]]
}

@test "a recipient gets 451, not 550, if the directory of the Maildirs is gone" {
	users bob
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 run:"mv '$base' '$base.away'" \
	    say:'RCPT TO:<nobody@mx.example>' reply:451 \
	    say:'RCPT TO:<bob@mx.example>' reply \
	    run:"mv '$base.away' '$base'" say:'RCPT TO:<nobody@mx.example>' \
	    reply:'550 5.1.1 ' say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:QUIT reply:221 eof
}

@test "a recipient gets 451, not 550, if that directory was replaced, as by an unmount" {
	users bob
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 run:"mv '$base' '$base.away' && mkdir '$base'" \
	    say:'RCPT TO:<nobody@mx.example>' reply:451 say:QUIT reply:221 eof
	lacks '^550' "$tmp/replies"
}

@test "a Maildir with any other error than being missing gets 451" {
	users bob
	echo >"$base/file"
	ln -s loop "$base/loop"
	to file@mx.example loop@mx.example bob@mx.example
	say "${dialogue[@]}" QUIT
	[[ $codes == '220 250 250 451 451 250 221' ]]
}

@test "a Maildir without search permission gets 451" {
	users bob eve/box
	dir=$base/{mailbox}/box
	mkdir -p "$base"/{bob,eve}/box/{tmp,new,cur}
	chmod -R a+rwX "$base"
	chmod 0 "$base/eve"
	user=("${nobody[@]}")
	chmod 755 "$tmp" "$BATS_RUN_TMPDIR" "${tmp%/*}"
	to eve@mx.example bob@mx.example
	say "${dialogue[@]}" QUIT
	chmod 755 "$base/eve"
	[[ $codes == '220 250 250 451 250 221' ]]
}

@test "a missing directory of Maildirs is a start-up error" {
	local cmd
	dir=$tmp/nowhere/{mailbox}
	command_line
	run timeout 60 "${cmd[@]}" </dev/null
	echo "$status: $output"
	((status >= 64 && status <= 78))
	((${#lines[@]} == 1))
}

@test "if one copy can't be stored, the client gets 4xx and no recipient has the message" {
	users bob eve
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 say:DATA reply:354 \
	    say:x settle run:"rm -rf '$base/eve'" say:. reply:4 \
	    say:NOOP reply:250 say:QUIT reply:221 eof
	keeps 0 "$base/bob"
}

@test "a file that can't be removed is logged with its id and name" {
	local id line
	users bob eve
	shim rename:2:EIO,unlink:1+:EROFS
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 354 451 221' ]]
	failed rename
	failed unlink
	id=$(events refused | grep -o ' id=[^ ]*')
	while read -r line; do
		[[ $line == *"$id file="*' error="Read-only file system"' ]]
		line=${line##* file=}
		line=${line%% error=*}
		# a name with sizes has an equals sign, and so quotes
		line=${line//\"/}
		[[ -e $base/bob/new/$line || -e $base/bob/tmp/$line ||
		    -e $base/eve/tmp/$line ]]
	done < <(events discard-failed)
	# as many as there are files that nobody was to find
	[[ $(events discard-failed | wc -l) == $(find "$base" -type f | wc -l) ]]
	[[ -n $(find "$base/bob/new" -type f) ]]
}

@test "a large message is the same in every copy" {
	local name
	users bob eve dan
	printf '%0100d\r\n' {1..30000} >"$tmp/in"
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 \
	    say:'RCPT TO:<dan@mx.example>' reply:250 say:DATA reply:354 \
	    send:'X: y\r\n\r\n' file:"$tmp/in" send:'.\r\n' reply:250 \
	    say:QUIT reply:221 eof
	{
		printf 'X: y\n\n'
		tr -d '\r' <"$tmp/in"
	} >"$tmp/expected"
	for name in bob eve dan; do
		keeps 1 "$base/$name"
		stored "$tmp/expected" "$(message "$base/$name")"
	done
}

@test "no copy is truncated if copy_file_range(2) fails or returns 0 early" {
	local rule name
	users bob eve
	printf '%0100d\r\n' {1..2000} >"$tmp/in"
	{
		printf 'X: y\n\n'
		tr -d '\r' <"$tmp/in"
	} >"$tmp/expected"
	for rule in copy:1+:zero copy:1+:EPERM copy:1:short,copy:2+:zero \
	    copy:1:short,copy:2+:EIO; do
		rm -rf "$base"
		users bob eve
		shim "$rule"
		talk reply say:'HELO c.example' reply:250 \
		    say:'MAIL FROM:<a@c.example>' reply:250 \
		    say:'RCPT TO:<bob@mx.example>' reply:250 \
		    say:'RCPT TO:<eve@mx.example>' reply:250 say:DATA \
		    reply:354 send:'X: y\r\n\r\n' file:"$tmp/in" \
		    send:'.\r\n' reply:250 say:QUIT reply:221 eof
		failed copy
		for name in bob eve; do
			keeps 1 "$base/$name"
			stored "$tmp/expected" "$(message "$base/$name")"
		done
	done
}

@test "a recipient given twice gets one copy" {
	users bob
	to bob@mx.example bob@MX.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	keeps 1 "$base/bob"
}

@test "all spellings of a mailbox share one copy, with one Delivered-To" {
	users bob alice
	to bob@mx.example '"bob"@mx.example' Bob@mx.example BOB+x@MX.example \
	    alice+news@mx.example alice@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 250 250 250 354 250 221' ]]
	keeps 1 "$base/bob"
	keeps 1 "$base/alice"
	[[ $(grep -c '^Delivered-To: ' "$(message "$base/bob")") == 1 ]]
	grep -qx 'Delivered-To: bob@mx.example' "$(message "$base/bob")"
	grep -qx 'Delivered-To: alice+news@mx.example' "$(message "$base/alice")"
}

@test "mailboxes with the same Maildir share one copy" {
	base=$tmp/mail dir=$tmp/mail/{domain}
	mkdir -p "$base/mx.example"/{tmp,new,cur}
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	keeps 1 "$base/mx.example"
	grep '^Delivered-To: ' "$(message "$base/mx.example")" >"$tmp/to"
	[[ $(<"$tmp/to") == $'Delivered-To: bob@mx.example\nDelivered-To: eve@mx.example' ]]
}

@test "--hardlink stores one file with many names, without Delivered-To" {
	users bob eve dan
	options=(--hardlink)
	to bob@mx.example eve@mx.example dan@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 354 250 221' ]]
	local name
	for name in bob eve dan; do
		keeps 1 "$base/$name"
	done
	(($(stat -c %i "$base"/*/new/* | sort -u | wc -l) == 1))
	[[ $(stat -c %h "$(message "$base/bob")") == 3 ]]
	lacks '^Delivered-To' "$(message "$base/bob")"
	[[ $(header Return-Path "$(message "$base/bob")") == '<alice@c.example>' ]]
	lacks ' for <' "$(message "$base/bob")"
}

@test "with --hardlink each name has the right sizes" {
	local file
	users bob eve
	options=(--hardlink)
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	for file in "$base"/*/new/*; do
		[[ $file == *,S=$(wc -c <"$file"),W=$(sed 's/$/\r/' "$file" | wc -c) ]]
	done
	[[ $(basename "$(message "$base/bob")") != "$(basename "$(message "$base/eve")")" ]]
}

@test "--hardlink copies the file if a link can't be made" {
	users bob eve
	options=(--hardlink)
	shim link:1+:EXDEV
	to bob@mx.example eve@mx.example
	say "${dialogue[@]}" DATA x . QUIT
	failed link
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	keeps 1 "$base/bob"
	keeps 1 "$base/eve"
	cmp "$(message "$base/bob")" "$(message "$base/eve")"
}

@test "with --hardlink no recipient has the message if one copy can't be stored" {
	users bob eve
	options=(--hardlink)
	talk reply say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:'RCPT TO:<bob@mx.example>' reply:250 \
	    say:'RCPT TO:<eve@mx.example>' reply:250 say:DATA reply:354 \
	    say:x settle run:"rm -rf '$base/eve'" say:. reply:4 \
	    say:QUIT reply:221 eof
	keeps 0 "$base/bob"
}
