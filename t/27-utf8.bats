# Addresses in UTF-8 (SMTPUTF8, RFC 6531): accepted only with the parameter,
# stored as they came, and compared by their A-labels.

load helpers

ehlo='EHLO c.example'
from='MAIL FROM:<a@c.example> SMTPUTF8'

# judge MAIL|RCPT: the reply to each path of the lines "CODE PATH" on standard
# input, in a mail with SMTPUTF8
judge() {
	local codes_wanted=() dialogue=("$ehlo") code path
	while read -r code path; do
		codes_wanted+=("$code")
		if [[ $1 == MAIL ]]; then
			dialogue+=("MAIL FROM:$path SMTPUTF8" RSET)
			codes_wanted+=(250)
		else
			dialogue+=("$from" "RCPT TO:$path" RSET)
			codes_wanted[-1]=250
			codes_wanted+=("$code" 250)
		fi
	done
	options+=(--max-errors 0 --max-mails 0 --domain '*')
	say "${dialogue[@]}" QUIT
	[[ $codes == "220 250 ${codes_wanted[*]} 221" ]]
}

@test "EHLO offers SMTPUTF8, and 8BITMIME with it (RFC 6531 3.1)" {
	say "$ehlo" QUIT
	printf '%s\n' "${lines[@]}" >"$tmp/offered"
	grep -qx '250.SMTPUTF8' "$tmp/offered"
	grep -qx '250.8BITMIME' "$tmp/offered"
}

@test "with SMTPUTF8 both addresses may be in UTF-8 (RFC 6531 3.3)" {
	say "$ehlo" 'MAIL FROM:<grüße@bücher.example> SMTPUTF8' \
	    'RCPT TO:<"jürgen ß"@mx.example>' DATA 'Subject: ü' '' ü . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Return-Path) == '<grüße@bücher.example>' ]]
	[[ $(header Delivered-To) == '"jürgen ß"@mx.example' ]]
	[[ $(header Received) == *'for <"jürgen ß"@mx.example>;'* ]]
	printf 'Subject: ü\n\nü\n' >"$tmp/expected"
	stored "$tmp/expected"
}

@test "without SMTPUTF8 they get 553 5.6.7, whatever EHLO offered (RFC 6531 3.5)" {
	say "$ehlo" 'MAIL FROM:<ü@c.example>' 'MAIL FROM:<ü@c.example> BODY=8BITMIME' \
	    'MAIL FROM:<a@c.example>' 'RCPT TO:<ü@mx.example>' QUIT
	[[ $codes == '220 250 553 553 250 553 221' ]]
	(($(printf '%s\n' "${lines[@]}" | grep -c '^553 5\.6\.7 ') == 3))
}

@test "SMTPUTF8 applies to one transaction (RFC 6531 3.4)" {
	say "$ehlo" "$from" RSET 'MAIL FROM:<a@c.example>' \
	    'RCPT TO:<ü@mx.example>' RSET 'MAIL FROM:<ü@c.example>' QUIT
	[[ $codes == '220 250 250 250 250 553 250 553 221' ]]
}

@test "SMTPUTF8 of a rejected MAIL has no effect (RFC 6531 3.4)" {
	say "$ehlo" 'MAIL FROM:<a@c.example> SMTPUTF8 SIZE=x' \
	    'MAIL FROM:<ü@c.example>' QUIT
	[[ $codes == '220 250 501 553 221' ]]
}

@test "SMTPUTF8 takes no value, is allowed once, and only in MAIL (RFC 6531 3.4)" {
	say "$ehlo" 'MAIL FROM:<> SMTPUTF8=' 'MAIL FROM:<> SMTPUTF8=1' \
	    'MAIL FROM:<> SMTPUTF8 smtputf8' 'MAIL FROM:<> smtpUTF8' \
	    'RCPT TO:<bob@mx.example> SMTPUTF8' QUIT
	[[ $codes == '220 250 501 501 501 250 555 221' ]]
}

@test "SMTPUTF8 is accepted after HELO, too" {
	say 'HELO c.example' "$from" 'RCPT TO:<ü@mx.example>' QUIT
	[[ $codes == '220 250 250 250 221' ]]
}

@test "VRFY and EXPN accept SMTPUTF8 and UTF-8 (RFC 6531 3.7.4)" {
	say "$ehlo" 'VRFY ü@mx.example SMTPUTF8' 'VRFY bob SMTPUTF8' \
	    'EXPN ü SMTPUTF8' QUIT
	[[ $codes == '220 250 252 252 502 221' ]]
}

@test "invalid UTF-8 gets 501 with SMTPUTF8, too (RFC 3629 3)" {
	local bad path table=''
	for bad in '\xff' '\x80' '\xc3' '\xc3(' '\xc0\xaf' '\xc1\xbf' '\xe2\x82' \
	    '\xe0\x80\xaf' '\xe0\x9f\xbf' '\xed\xa0\x80' '\xed\xbf\xbf' \
	    '\xf0\x80\x80\xaf' '\xf0\x8f\xbf\xbf' '\xf4\x90\x80\x80' \
	    '\xf8\x88\x80\x80\x80' '\xfe'; do
		for path in "b${bad}b@mx.example" "\"b$bad\"@mx.example" \
		    "bob@m${bad}x.example" "@r$bad.example:bob@mx.example"; do
			table+="501 <$path>\n"
		done
	done
	printf '%b' "$table" >"$tmp/table"
	judge RCPT <"$tmp/table"
	judge MAIL <"$tmp/table"
}

@test "the first and the last character of each length are accepted (RFC 3629 3)" {
	local good table=''
	for good in '\xc2\xa0' '\xdf\xbf' '\xe0\xa0\x80' '\xed\x9f\xbf' \
	    '\xee\x80\x80' '\xef\xbf\xbd' '\xf0\x90\x80\x80' '\xf4\x8f\xbf\xbd'; do
		table+="250 <b${good}b@mx.example>\n"
	done
	judge RCPT <<<"$(printf '%b' "${table%\\n}")"
}

@test "control characters, line separators and bidirectional controls get 501 (RFC 6531 3.3)" {
	local bad table=''
	for bad in '\xc2\x80' '\xc2\x85' '\xc2\x9f' '\xe2\x80\xa8' '\xe2\x80\xa9' \
	    '\xe2\x80\xaa' '\xe2\x80\xae' '\xe2\x81\xa6' '\xe2\x81\xa9'; do
		table+="501 <b$bad@mx.example>\n501 <\"b$bad\"@mx.example>\n"
		table+="501 <bob@m$bad.example>\n"
	done
	judge RCPT <<<"$(printf '%b' "${table%\\n}")"
}

@test "a label may have at most 63 bytes as an A-label (RFC 5890 2.3.2.1)" {
	judge RCPT <<-EOT
		250 <b@$(printf 'x%.0s' {1..55})ü.example>
		501 <b@$(printf 'x%.0s' {1..56})ü.example>
		250 <b@$(printf '中%.0s' {1..40}).example>
	EOT
}

@test "Received says UTF8SMTP, with S and A as ESMTP has them (RFC 6531 4.3)" {
	local auth
	auth=$(printf '\0bob\0secret' | base64)
	options=(--auth 'cat <&3 >/dev/null; true' --plain-auth)
	say "$ehlo" "$from" 'RCPT TO:<b@mx.example>' DATA 'X: 1' . \
	    'MAIL FROM:<>' 'RCPT TO:<b@mx.example>' DATA 'X: 2' . \
	    "AUTH PLAIN $auth" "$from" 'RCPT TO:<b@mx.example>' DATA 'X: 3' . QUIT
	[[ $codes == '220 250 250 250 354 250 250 250 354 250 235 250 250 354 250 221' ]]
	[[ $(header Received "$(grep -lx 'X: 1' "$dir"/new/*)") == *' with UTF8SMTP id '* ]]
	[[ $(header Received "$(grep -lx 'X: 2' "$dir"/new/*)") == *' with ESMTP id '* ]]
	[[ $(header Received "$(grep -lx 'X: 3' "$dir"/new/*)") == *' with UTF8SMTPA id '* ]]
	events message | grep -F ' protocol=UTF8SMTP '
}

@test "Received says UTF8SMTPS after STARTTLS (RFC 6531 4.3)" {
	options=(--tls 't/tlsd -d 5 3 4')
	talk reply:220 say:"$ehlo" reply:250 say:STARTTLS reply:220 \
	    hello:mx.example say:"$ehlo" reply:250 say:"$from" reply:250 \
	    say:'RCPT TO:<ü@mx.example>' reply:250 say:DATA reply:354 \
	    say:x say:. reply:250 say:QUIT reply:221 eof
	[[ $(header Received) == *' with UTF8SMTPS '* ]]
}

@test "Received says UTF8LMTP in LMTP (RFC 6531 4.3)" {
	options=(--listen lmtp@-)
	say 'LHLO c.example' "$from" 'RCPT TO:<ü@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Received) == *' with UTF8LMTP id '* ]]
}

@test "--domain matches U-labels and A-labels, given in either form (RFC 5890 2.3.2.1)" {
	local ours
	for ours in bücher.example xn--bcher-kva.example XN--BCHER-KVA.Example; do
		options=(--domain "$ours")
		say "$ehlo" "$from" 'RCPT TO:<b@bücher.example>' \
		    'RCPT TO:<b@BüCHER.Example>' 'RCPT TO:<b@xn--bcher-kva.example>' \
		    'RCPT TO:<b@bucher.example>' QUIT
		[[ $codes == '220 250 250 250 250 250 550 221' ]]
	done
}

@test "a label with several non-ASCII letters has the A-label of RFC 3492" {
	options=(--domain 'παράδειγμα.example' --domain '例え.example')
	say "$ehlo" "$from" 'RCPT TO:<b@xn--hxajbheg2az3al.example>' \
	    'RCPT TO:<b@xn--r8jz45g.example>' 'RCPT TO:<b@xn--r8jz45h.example>' QUIT
	[[ $codes == '220 250 250 250 250 550 221' ]]
}

@test "non-ASCII letters are compared byte for byte" {
	options=(--domain bücher.example)
	say "$ehlo" "$from" 'RCPT TO:<b@bÜcher.example>' \
	    $'RCPT TO:<b@bu\xcc\x88cher.example>' QUIT
	[[ $codes == '220 250 250 550 550 221' ]]
}

@test "a recipient domain in U-labels and in A-labels is one recipient" {
	say "$ehlo" "$from" 'RCPT TO:<b@bücher.example>' \
	    'RCPT TO:<b@xn--bcher-kva.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 354 250 221' ]]
	[[ $(header Delivered-To) == b@bücher.example ]]
}

@test "a mailbox in UTF-8 has its Maildir, with ASCII letters in lower case" {
	users jürgen jÜrgen bob
	say "$ehlo" "$from" 'RCPT TO:<JüRGEN+x@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	keeps 1 "$base/jürgen"
	keeps 0 "$base/jÜrgen"
	say "$ehlo" "$from" $'RCPT TO:<ju\xcc\x88rgen@mx.example>' QUIT
	[[ ${lines[-2]} == '550 5.1.1 '* ]]
}

@test "{domain} is in A-labels, whichever form the client gave" {
	base=$tmp/mail
	dir=$base/{domain}/{mailbox}
	mkdir -p "$base/xn--bcher-kva.example/bob"
	say "$ehlo" "$from" 'RCPT TO:<bob@bücher.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Delivered-To "$(message "$base/xn--bcher-kva.example/bob")") == bob@bücher.example ]]
}

@test "hooks get SMTP_UTF8, the addresses as given, and the domain in A-labels" {
	hook look <<-'EOT'
		printf '%s\n' "$SMTP_UTF8" "$SENDER" "$RECIPIENT" "$LOCAL" \
		    "$SMTP_MAILBOX" "$EXTENSION" "$DOMAIN" "$SMTP_PROTOCOL" >$tmp/told
	EOT
	options=(--on-recipient "$tmp/look" --domain '*')
	say "$ehlo" 'MAIL FROM:<ü@bücher.example> SMTPUTF8' \
	    'RCPT TO:<Jürgen+ß@Bücher.example>' QUIT
	given "$tmp/told" 1 ü@bücher.example Jürgen+ß@Bücher.example Jürgen+ß \
	    jürgen ß xn--bcher-kva.example UTF8SMTP
	say "$ehlo" 'MAIL FROM:<u@b.example>' 'RCPT TO:<b@mx.example>' QUIT
	given "$tmp/told" '' u@b.example b@mx.example b b '' mx.example ESMTP
}

@test "MAILBOX= may be in UTF-8 if the mail has SMTPUTF8, and is a failure otherwise" {
	options=(--on-recipient 'echo MAILBOX=ü@mx.example')
	say "$ehlo" "$from" 'RCPT TO:<b@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Delivered-To) == ü@mx.example ]]
	say "$ehlo" 'MAIL FROM:<>' 'RCPT TO:<b@mx.example>' QUIT
	[[ ${lines[-2]} == '451 4.3.0 '* ]]
	events hook-failed | grep -F 'error="invalid address in MAILBOX="'
}

@test "the log escapes bytes outside ASCII" {
	say "$ehlo" 'MAIL FROM:<ü@c.example> SMTPUTF8' 'RCPT TO:<ß@mx.example>' \
	    DATA x . QUIT
	events message | grep -F 'from="\xc3\xbc@c.example" to="\xc3\x9f@mx.example"'
	lacks -P '[^\x00-\x7f]' <(events message)
}

@test "a HELO name in UTF-8 is not in the header (RFC 6531 3.7.1)" {
	say 'EHLO bücher.example' "$from" 'RCPT TO:<b@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ $(header Received) == 'from bcher.example'[[:blank:]]* ]]
}

@test "with --strict a HELO name in UTF-8 gets 501 (RFC 6531 3.7.1)" {
	options=(--strict)
	say 'EHLO bücher.example' 'EHLO xn--bcher-kva.example' QUIT
	[[ $codes == '220 501 250 221' ]]
}

@test "a mail loop is found if the domain comes back in A-labels (RFC 5321 6.3)" {
	say "$ehlo" "$from" 'RCPT TO:<b@xn--bcher-kva.example>' DATA \
	    'Delivered-To: b@bücher.example' 'Received: from x by mx.example with SMTP; x' \
	    '' x . QUIT
	[[ ${lines[-2]} == '554 5.4.6 '* ]]
}

@test "hundreds of recipients and Delivered-To in UTF-8 cost little CPU time" {
	local cmd
	{
		printf '%s\r\n' "$ehlo" "$from"
		awk 'function name(i,	j, c, s) {
			for (j = 0; j < 72; j++) {
				c = (i * 71 + j * 97) % 4096
				s = s (j && j % 18 == 0 ? "." : "") \
				    sprintf("\345%c%c", 128 + c / 64, 128 + c % 64)
			}
			return s
		}
		BEGIN {
			for (i = 0; i < 400; i++)
				printf "RCPT TO:<a@%s>\r\n", name(i)
			printf "DATA\r\n"
			for (i = 1000; i < 2000; i++)
				printf "Delivered-To: a@%s\r\n", name(i)
		}'
		printf '%s\r\n' '' x . QUIT
	} >"$tmp/dialogue"
	options+=(--domain '*')
	command_line
	# shellcheck disable=SC2002 # it is to be a pipe
	cat "$tmp/dialogue" | (
		ulimit -t 1
		"${cmd[@]}"
	) 2>>"$log" >"$tmp/replies"
	read_replies "$tmp/replies"
	[[ $codes == *' 250 354 250 221' && $(wc -w <<<"$codes") == 406 ]]
	[[ $(header Delivered-To | wc -l) == 1400 ]]
}

@test "a --hostname in UTF-8 and a --domain in invalid UTF-8 are start-up errors" {
	local domain
	run -64 ./smtpd -i "${user[@]}" -m "$dir" -H bücher.example </dev/null
	for domain in $'b\xff.example' "$(printf 'x%.0s' {1..60})ü.example"; do
		run -64 ./smtpd -i "${user[@]}" -m "$dir" -H mx.example \
		    --domain "$domain" </dev/null
	done
}
