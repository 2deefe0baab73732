#!/usr/bin/env bats
# Programs that read the Maildir.

# shellcheck disable=SC2154 # helpers set pid and port
load helpers

# Four mails, one of them hard to keep.
deliver() {
	start
	for n in 1 2 3; do
		send --header "Subject: number $n" --body "Body of $n."
	done
	write_hard_mail
	timeout 60 msmtp --file=/dev/null --host=127.0.0.1 --port="$port" \
		--from=a@c.example b@d.example <hard
	kept 4
}

# in_mutt KEYS: what mutt shows is in ./screen.
in_mutt() {
	cat >muttrc <<-'EOT'
		set folder=. tmpdir=. mbox_type=Maildir sort=subject
		set index_format="%C subject %s, from %f"
		set pager="cat >shown" pipe_sep=""
		unset header_cache wait_key prompt_after
	EOT
	HOME=$PWD TERM=xterm timeout 60 script -qefc \
		"mutt -n -F muttrc -f Maildir -e 'push \"$1\"'" \
		screen </dev/null >/dev/null
}

@test "Dovecot lists the mails with their subjects" {
	deliver
	in_dovecot fetch hdr.subject ALL | sort >subjects
	diff subjects - <<-EOT
		hdr.subject=hard
		hdr.subject=number 1
		hdr.subject=number 2
		hdr.subject=number 3
	EOT
}

@test "Dovecot reads correct sizes from the file names" {
	deliver
	in_dovecot fetch 'size.physical size.virtual' ALL | sort >sizes
	for file in Maildir/new/*; do
		bytes=$(wc -c <"$file")
		with_cr=$((bytes + $(wc -l <"$file")))
		[[ $file == *,S=$bytes,W=$with_cr ]]
		echo "size.physical=$bytes size.virtual=$with_cr"
	done | sort >expected
	diff expected sizes
	# Of a wrong size Dovecot complains as it reads on, and renames the file.
	names=$(echo Maildir/new/*)
	in_dovecot fetch text ALL >all
	in_dovecot fetch 'hdr body' ALL >all
	[[ $(echo Maildir/new/*) == "$names" ]]
}

@test "Dovecot reads difficult mail byte for byte" {
	deliver
	file=$(grep -lrx 'Subject: hard' Maildir/new)
	in_dovecot fetch text SUBJECT hard >all
	# flow: the text stands between "text=" and empty lines.
	cmp "$file" <(tail -c +6 all | head -c "$(wc -c <"$file")")
}

@test "Dovecot finds mails by their text, and flags them as read" {
	deliver
	[[ $(in_dovecot fetch hdr.subject BODY 'Body of 2.') == 'hdr.subject=number 2' ]]
	in_dovecot flags add '\Seen' SUBJECT 'number 2'
	[[ $(in_dovecot fetch hdr.subject SEEN) == 'hdr.subject=number 2' ]]
	[[ $(grep -rl 'Body of 2' Maildir/{new,cur}) == *:2,S ]]
}

@test "Dovecot reads a binary message byte for byte, with correct sizes (RFC 3030 3)" {
	{ printf 'Subject: binary\r\nMIME-Version: 1.0\r\n'
		printf 'Content-Type: application/octet-stream\r\n'
		printf 'Content-Transfer-Encoding: binary\r\n\r\n'
		head -c 50000 "$smtpd"; } >wire
	start
	python3 - "$port" <<'END'
import smtplib, sys
wire = open('wire', 'rb').read()
s = smtplib.SMTP('127.0.0.1', int(sys.argv[1]), 'c.example')
s.ehlo()
assert s.has_extn('chunking') and s.has_extn('binarymime')
assert s.mail('a@c.example', ['BODY=BINARYMIME'])[0] == 250
assert s.rcpt('b@d.example')[0] == 250
for i in range(0, len(wire), 7000):
    s.send(b'BDAT %d\r\n' % len(wire[i:i + 7000]) + wire[i:i + 7000])
    assert s.getreply()[0] == 250
assert s.docmd('BDAT', '0 LAST')[0] == 250
s.quit()
END
	file=$(mail)
	cmp wire <(tail -c "$(wc -c <wire)" "$file")
	[[ $file =~ ,S=([0-9]+),W=([0-9]+)$ ]]
	in_dovecot fetch 'size.physical size.virtual text' ALL >all
	grep -aq "^size.physical=${BASH_REMATCH[1]} size.virtual=${BASH_REMATCH[2]} text=" all
	cmp "$file" <(sed '1s/^.* text=//' all | head -c "$(wc -c <"$file")")
	[[ -e $file ]]		# of a wrong size it complains, and renames it
}

# listed: the folders that Dovecot has, beside those that are always there
listed() {
	in_dovecot mailbox list | sed "s/^mailbox=//" | sort | grep -vx INBOX
}

@test "Dovecot serves the folders that FOLDER= creates, nested ones, too" {
	make_maildirs Maildir
	# shellcheck disable=SC2016 # the hook's
	start --hostname mx.example --on-recipient \
		'case $LOCAL in inbox) ;; *) printf "FOLDER=%s\n" "$LOCAL" ;; esac'
	for folder in Junk Lists.smtpd 'Sent Items' inbox; do
		send --to "\"$folder\"@d.example" --header "Subject: in $folder" --body x
	done
	kept 1
	listed >folders
	printf '%s\n' Junk Lists Lists.smtpd 'Sent Items' | diff - folders
	for folder in Junk Lists.smtpd 'Sent Items'; do
		[[ $(in_dovecot fetch hdr.subject MAILBOX "$folder") == "hdr.subject=in $folder" ]]
		kept 1 "Maildir/.$folder"
	done
	# Dovecot moved none, and smtpd adds to what it has opened
	send --to Junk@d.example --header 'Subject: again' --body x
	[[ $(in_dovecot fetch hdr.subject MAILBOX Junk | sort | paste -sd ,) == 'hdr.subject=again,hdr.subject=in Junk' ]]
	# and to one that Dovecot made
	in_dovecot mailbox create Made
	chown -R nobody Maildir
	send --to Made@d.example --header 'Subject: made' --body x
	[[ $(in_dovecot fetch hdr.subject MAILBOX Made) == hdr.subject=made ]]
}

@test "mutt lists the mails" {
	deliver
	in_mutt '<exit>'
	grep -q 'Msgs:4 New:4' screen
	for n in 1 2 3; do
		grep -q "subject number $n, from a@c.example" screen
	done
}

@test "mutt shows a mail and marks it as read" {
	deliver
	in_mutt '/number 2<enter><display-message><quit>'
	grep -q '^Body of 2\.$' shown
	[[ $(grep -rl 'Body of 2' Maildir/{new,cur}) == *:2,S ]]
	[[ $(find Maildir/new Maildir/cur -type f | wc -l) == 4 ]]
}

@test "mutt pipes difficult mail byte for byte" {
	deliver
	file=$(grep -lrx 'Subject: hard' Maildir/new)
	in_mutt '/hard<enter><pipe-message>cat >piped<enter><exit>'
	cmp "$file" piped
}
