# Delivery status notifications (DSN): the parameters (RFC 3461), and the report
# that a message was delivered (RFC 3464, RFC 6533).

load helpers

ehlo='EHLO c.example'
from='MAIL FROM:<alice@c.example>'
bob='RCPT TO:<bob@mx.example>'

# offer [OPTION...]: a server whose reports are left in $tmp/report, with the
# environment of who sent them in $tmp/told, and one a line in $tmp/reports
offer() {
	hook send <<-'EOT'
		cat >$tmp/report
		env -0 | tr '\n\0' '\001\n' | sort >$tmp/told
		echo "$SMTP_ID" >>$tmp/reports
	EOT
	options=(--dsn "$tmp/send" --spool "$tmp" "$@")
}

# told NAME: what the variable was
told() {
	sed -n "s/^$1=//p" "$tmp/told"
}

# judge MAIL|RCPT: the code for each of the lines "CODE PARAMETERS" on standard
# input
judge() {
	local wanted=() dialogue=("$ehlo") code parameters
	while read -r code parameters; do
		if [[ $1 == MAIL ]]; then
			dialogue+=("$from $parameters" RSET)
			wanted+=("$code" 250)
		else
			dialogue+=("$from" "$bob $parameters" RSET)
			wanted+=(250 "$code" 250)
		fi
	done
	options+=(--max-errors 0 --max-mails 0)
	say "${dialogue[@]}" QUIT
	[[ $codes == "220 250 ${wanted[*]} 221" ]] || {
		paste -d ' ' <(printf '%s\n' "${wanted[@]}") \
		    <(printf '%s\n' "${dialogue[@]:1}")
		return 1
	}
	! printf '%s\n' "${lines[@]}" | grep '^501' | grep -v '^501 5\.5\.4 '
}

# ask RCPT-PARAMETERS [MAIL-PARAMETERS]: a mail with them, to bob
ask() {
	rm -f "$tmp/report"
	say "$ehlo" "$from ${2-}" "$bob $1" DATA 'Subject: x' 'X: 1' '' body . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
}

# part TYPE: that part of the report, with its own header
part() {
	local boundary
	boundary=$(sed -n 's/^\tboundary="\(.*\)"$/\1/p;/^$/q' "$tmp/report")
	[[ $boundary ]] || return
	awk -v b="--$boundary" -v t="$1" '
		index($0, b) == 1 {
			if (p ~ "\nContent-Type: " t "[;\n]") {
				found = 1
				printf "%s", substr(p, 2, length(p) - 2)
			}
			p = "\n"
			next
		}
		{ p = p $0 "\n" }
		END { exit !found }' "$tmp/report"
}

# holds TYPE LINE...: that part is these lines
holds() {
	part "$1" >"$tmp/part" || return
	sed '1,/^$/d' "$tmp/part" | diff - <(printf '%s\n' "${@:2}")
}

@test "DSN is offered only with --dsn (RFC 3461 3)" {
	say "$ehlo" QUIT
	lacks DSN "$tmp/replies"
	offer
	say "$ehlo" QUIT
	grep -qx '250.DSN' "$tmp/replies"
}

@test "without --dsn its parameters get 555 (RFC 5321 4.1.1.11)" {
	say "$ehlo" "$from RET=FULL" "$from ENVID=x" "$from" "$bob NOTIFY=NEVER" \
	    "$bob ORCPT=rfc822;b@c.example" QUIT
	[[ $codes == '220 250 555 555 250 555 555 221' ]]
}

@test "RET and ENVID are parameters of MAIL, NOTIFY and ORCPT of RCPT, each allowed once (RFC 3461 4)" {
	offer
	judge MAIL <<-'EOT'
		250 RET=FULL
		250 ret=hdrs
		250 ENVID=x RET=HDRS
		501 RET=FULL RET=HDRS
		501 ENVID=x ENVID=x
		501 RET
		501 RET=
		501 RET=BODY
		501 RET=FULL,HDRS
		501 ENVID
		501 ENVID=
		555 NOTIFY=NEVER
		555 ORCPT=rfc822;x
	EOT
	judge RCPT <<-'EOT'
		250 NOTIFY=NEVER ORCPT=rfc822;b@c.example
		501 NOTIFY=NEVER NOTIFY=NEVER
		501 ORCPT=rfc822;b@c.example ORCPT=rfc822;b@c.example
		555 RET=FULL
		555 ENVID=x
	EOT
}

@test "NOTIFY is NEVER or a list of SUCCESS, FAILURE and DELAY (RFC 3461 4.1)" {
	offer
	judge RCPT <<-'EOT'
		250 NOTIFY=never
		250 NOTIFY=SUCCESS
		250 NOTIFY=Failure
		250 NOTIFY=DELAY,SUCCESS
		250 NOTIFY=SUCCESS,FAILURE,DELAY
		501 NOTIFY
		501 NOTIFY=
		501 NOTIFY=,
		501 NOTIFY=SUCCESS,
		501 NOTIFY=,SUCCESS
		501 NOTIFY=SUCCESS,,DELAY
		501 NOTIFY=NEVER,SUCCESS
		501 NOTIFY=DELAY,NEVER
		501 NOTIFY=ALWAYS
		501 NOTIFY=SUCCES
		501 NOTIFY=SUCCESSFUL
		501 NOTIFY=SUCCESS;FAILURE
	EOT
}

@test "ENVID is xtext of at most 100 bytes of printable ASCII (RFC 3461 4, 4.4)" {
	local x
	offer
	printf -v x '%0100d' 0
	judge MAIL <<-EOT
		250 ENVID=QQ314159
		250 ENVID=a+2Bb+3Dc+20d+3Ce
		250 ENVID=$x
		501 ENVID=${x}0
		501 ENVID=a+
		501 ENVID=a+2
		250 ENVID=a+2bb+3Dc+3c
		501 ENVID=a+2
		501 ENVID=a+2g
		501 ENVID=a+0db
		501 ENVID=a+7fb
		501 ENVID=a+G0
		501 ENVID=a=b
		501 ENVID=a+00
		501 ENVID=a+0D+0AX-Injected:1
		501 ENVID=a+0Ab
		501 ENVID=a+0Db
		501 ENVID=a+09b
		501 ENVID=a+1Bb
		501 ENVID=a+7Fb
		501 ENVID=a+85b
		501 ENVID=+C3+BC
		501 ENVID=ü
	EOT
}

@test "ORCPT is a type, a semicolon and xtext, of at most 500 bytes (RFC 3461 4.2)" {
	local x
	offer
	printf -v x '%0492d' 0
	judge RCPT <<-EOT
		250 ORCPT=rfc822;bob+2Bx@c.example
		250 ORCPT=RFC822;+22a+20b+22@c.example
		250 ORCPT=x400;/S+3Dbob/
		250 ORCPT=rfc822;0$x
		501 ORCPT=rfc822;00$x
		501 ORCPT
		501 ORCPT=
		501 ORCPT=bob@c.example
		501 ORCPT=rfc822
		501 ORCPT=rfc822;
		501 ORCPT=;bob@c.example
		501 ORCPT=rfc+38;b
		501 ORCPT=rfc 822;b
		501 ORCPT=rfc822;b+
		501 ORCPT=rfc822;b+0
		250 ORCPT=rfc822;bob+2bx+40c.example
		501 ORCPT=rfc822;b+0A+0DX:1
		501 ORCPT=rfc822;b+0D
		501 ORCPT=rfc822;b+00c
		501 ORCPT=rfc822;b+08
		501 ORCPT=rfc822;b+C3+BC
		501 ORCPT=rfc822;b=c
	EOT
}

@test "ORCPT of the type utf-8 has its own encoding, and needs SMTPUTF8 for UTF-8 (RFC 6533 3)" {
	offer
	judge RCPT <<-'EOT'
		250 ORCPT=utf-8;b@c.example
		250 ORCPT=UTF-8;\x{FC}@c.example
		250 ORCPT=utf-8;a\x{2B}b\x{3D}c\x{5C}\x{20}@c.example
		250 ORCPT=utf-8;\x{1F600}\x{10FFFD}@c.example
		501 ORCPT=utf-8;ü@c.example
		501 ORCPT=utf-8;b+2B@c.example
		501 ORCPT=utf-8;\x{d}
		501 ORCPT=utf-8;\x{D}
		501 ORCPT=utf-8;\x{0D}\x{0A}
		501 ORCPT=utf-8;\x{00}
		501 ORCPT=utf-8;\x{85}
		501 ORCPT=utf-8;\x{2028}
		501 ORCPT=utf-8;\x{202E}
		501 ORCPT=utf-8;\x{D800}
		501 ORCPT=utf-8;\x{110000}
		501 ORCPT=utf-8;\x{fc}
		501 ORCPT=utf-8;\x{FC
		501 ORCPT=utf-8;\xFC
		501 ORCPT=utf-8;\u{FC}
		501 ORCPT=utf-8;a\
		501 ORCPT=utf-8;\x{}
		501 ORCPT=utf-8;\x{0000FC0}
	EOT
	from+=' SMTPUTF8'
	judge RCPT <<<$'250 ORCPT=utf-8;\xc3\xbc\\x{FC}@b\xc3\xbccher.example
501 ORCPT=utf-8;\xc3\x28
501 ORCPT=utf-8;\xc0\x8d
501 ORCPT=utf-8;\xed\xa0\x80
501 ORCPT=utf-8;\xe2\x80\xa8
501 ORCPT=rfc822;\xc3\xbc'
}

@test "a recipient whose ORCPT exceeds the memory for all of them gets 452 4.5.3" {
	local x dialogue=("$ehlo" "$from") k
	offer --max-recipients 0
	printf -v x '%0480d' 0
	for ((k = 0; k < 210; k++)); do
		dialogue+=("RCPT TO:<u$k@mx.example> ORCPT=rfc822;$x")
	done
	say "${dialogue[@]}" RSET "$from" "$bob ORCPT=rfc822;$x" QUIT
	[[ $codes == '220 250 250 250 '*' 250 452 '*' 250 250 250 221' ]]
	grep -q '^452 4\.5\.3 ' "$tmp/replies"
}

@test "hooks get SMTP_RET, ENVID, SMTP_NOTIFY and ORIGINAL_RECIPIENT, decoded" {
	offer
	hook look <<-'EOT'
		printf '%s\n' "${SMTP_RET-unset}" "${ENVID-unset}" \
		    "${SMTP_NOTIFY-unset}" "${ORIGINAL_RECIPIENT-unset}" >>$tmp/seen
	EOT
	options+=(--on-recipient "$tmp/look")
	say "$ehlo" "$from ret=full ENVID=a+2Bb+20c+6a+6f+4A+4F+39" \
	    "$bob notify=delay,success ORCPT=rfc822;bob+2B1@c.example" \
	    'RCPT TO:<eve@mx.example> ORCPT=utf-8;\x{FC}@c.example' RSET \
	    "$from" "$bob NOTIFY=NEVER" QUIT
	given "$tmp/seen" FULL 'a+b cjoJO9' SUCCESS,DELAY 'rfc822;bob+1@c.example' \
	    FULL 'a+b cjoJO9' unset 'utf-8;ü@c.example' unset unset NEVER unset
}

@test "--mda gets the DSN values of its own recipient, not of one rejected later" {
	offer
	hook mda <<<'echo "$RECIPIENT $ORIGINAL_RECIPIENT $SMTP_NOTIFY" >$tmp/seen'
	options+=(--mda "$tmp/mda")
	say "$ehlo" "$from" "$bob NOTIFY=FAILURE ORCPT=rfc822;b@c.example" \
	    'RCPT TO:<eve@mx.example> NOTIFY=NEVER ORCPT=rfc822;e@c.example' \
	    DATA x . QUIT
	[[ $codes == '220 250 250 250 452 354 250 221' ]]
	given "$tmp/seen" 'bob@mx.example rfc822;b@c.example FAILURE'
}

@test "with NOTIFY=SUCCESS the sender gets a report, after the 250 (RFC 3461 5.2.2)" {
	offer
	ask NOTIFY=SUCCESS
	[[ $(told SENDER) == alice@c.example ]]
	[[ $(told SMTP_EVENT) == dsn ]]
	[[ $(told SMTP_REPLY) == '250 2.0.0 '* ]]
	[[ -z $(told RECIPIENT) ]]
	sed '/^$/q' "$tmp/report" >"$tmp/head"
	grep -qx 'From: Mail Delivery System <postmaster@mx\.example>' "$tmp/head"
	grep -qx 'To: <alice@c\.example>' "$tmp/head"
	grep -qx 'Auto-Submitted: auto-replied' "$tmp/head"
	grep -qx 'MIME-Version: 1.0' "$tmp/head"
	grep -Eqx 'Message-ID: <[^ ]+@mx\.example>' "$tmp/head"
	grep -Eqx 'Date: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} 20[0-9]{2} [0-9:]{8} [-+][0-9]{4}' "$tmp/head"
	grep -qx 'Content-Type: multipart/report; report-type=delivery-status;' "$tmp/head"
	lacks Content-Transfer-Encoding "$tmp/report"
}

@test "the report has a text part and a message/delivery-status part (RFC 3464 2)" {
	offer
	ask 'NOTIFY=SUCCESS ORCPT=rfc822;Bob+2B1@mx.example' ENVID=QQ+20314
	part text/plain | grep -F '<bob@mx.example>'
	part message/delivery-status | sed '1,/^$/d' |
	    sed 's/^\(Arrival-Date:\) .*[-+][0-9]*$/\1/' >"$tmp/status"
	given "$tmp/status" 'Reporting-MTA: dns; mx.example' \
	    'Original-Envelope-Id: QQ 314' 'Arrival-Date:' '' \
	    'Original-Recipient: rfc822;Bob+1@mx.example' \
	    'Final-Recipient: rfc822; bob@mx.example' 'Action: delivered' \
	    'Status: 2.0.0'
}

@test "the report returns the header of the mail, without the fields that smtpd added (RFC 3461 4.3)" {
	local ret
	offer
	for ret in '' RET=HDRS; do
		ask NOTIFY=SUCCESS "$ret"
		holds text/rfc822-headers 'Subject: x' 'X: 1'
	done
}

@test "with RET=FULL the report returns the whole mail" {
	offer
	ask NOTIFY=SUCCESS RET=FULL
	holds message/rfc822 'Subject: x' 'X: 1' '' body
}

@test "no report is sent without NOTIFY=SUCCESS, nor for mail from <> (RFC 3461 6.1)" {
	local notify
	offer
	for notify in '' NOTIFY=NEVER NOTIFY=FAILURE NOTIFY=FAILURE,DELAY; do
		ask "$notify" RET=FULL
	done
	say "$ehlo" 'MAIL FROM:<> RET=FULL' "$bob NOTIFY=SUCCESS" DATA x . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	[[ ! -e $tmp/reports ]]
	keeps 5
}

@test "no report is sent for mail that was rejected or never arrived" {
	offer --on-message 'grep -q ^Good'
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" DATA 'Bad: 1' . "$from" \
	    "$bob NOTIFY=SUCCESS" RSET "$from" "$bob NOTIFY=SUCCESS" QUIT
	[[ $codes == '220 250 250 250 354 554 250 250 250 250 250 221' ]]
	[[ ! -e $tmp/reports ]]
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" DATA 'Good: 1' . QUIT
	(($(wc -l <"$tmp/reports") == 1))
}

@test "one report lists all recipients that asked for it, and no others" {
	offer --domain mx.example
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" 'RCPT TO:<eve@mx.example>' \
	    'RCPT TO:<dan@mx.example> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;dan@c.example' \
	    'RCPT TO:<x@else.example> NOTIFY=SUCCESS' \
	    'RCPT TO:<fay@mx.example> NOTIFY=NEVER' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 550 250 354 250 221' ]]
	(($(wc -l <"$tmp/reports") == 1))
	part message/delivery-status | grep Recipient: >"$tmp/recipients"
	given "$tmp/recipients" 'Final-Recipient: rfc822; bob@mx.example' \
	    'Original-Recipient: rfc822;dan@c.example' \
	    'Final-Recipient: rfc822; dan@mx.example'
	lacks -E 'eve|fay|else' "$tmp/report"
}

@test "in LMTP the report lists only recipients whose reply was 250 (RFC 2033 4.2)" {
	offer --listen lmtp@- --mda '[ "$LOCAL" != eve ] || exit 67' \
	    --mda 'echo "$RECIPIENT $ORIGINAL_RECIPIENT $SMTP_NOTIFY" >>'"$tmp/seen"
	say 'LHLO c.example' "$from" "$bob NOTIFY=SUCCESS ORCPT=rfc822;b@c.example" \
	    'RCPT TO:<eve@mx.example> NOTIFY=SUCCESS' \
	    'RCPT TO:<dan@mx.example> NOTIFY=DELAY' \
	    'RCPT TO:<fay@mx.example> NOTIFY=SUCCESS' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 250 354 250 550 250 250 221' ]]
	(($(wc -l <"$tmp/reports") == 1))
	part message/delivery-status | grep Final-Recipient: >"$tmp/recipients"
	given "$tmp/recipients" 'Final-Recipient: rfc822; bob@mx.example' \
	    'Final-Recipient: rfc822; fay@mx.example'
	given "$tmp/seen" 'bob@mx.example rfc822;b@c.example SUCCESS' \
	    'dan@mx.example  DELAY' 'fay@mx.example  SUCCESS'
}

@test "DSN parameters apply to one transaction" {
	offer
	say "$ehlo" "$from RET=FULL ENVID=x" "$bob NOTIFY=SUCCESS ORCPT=rfc822;x" \
	    RSET "$from" "$bob" DATA x . "$from" "$bob NOTIFY=SUCCESS" DATA 'X: 1' . QUIT
	(($(wc -l <"$tmp/reports") == 1))
	lacks -E 'Original-|message/rfc822' "$tmp/report"
}

@test "reports are sent with per-user Maildirs, a filter and --maildir none, too" {
	users bob eve
	offer --filter 'sed "s/^X: 1/X: 2/"'
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" \
	    'RCPT TO:<eve@mx.example> NOTIFY=SUCCESS' DATA 'X: 1' '' x . QUIT
	part text/rfc822-headers | grep -qx 'X: 2'
	lacks -E 'Delivered-To|Return-Path|^Received' "$tmp/report"
	offer --deliver true
	dir=none
	ask NOTIFY=SUCCESS RET=FULL
	part message/rfc822 | grep -qx body
}

@test "the report does not disclose the mailbox that MAILBOX= named" {
	offer --on-recipient 'echo MAILBOX=secret@else.example'
	ask NOTIFY=SUCCESS RET=FULL
	grep -q '^Delivered-To: secret@' "$(message)"
	lacks secret "$tmp/report"
}

@test "a mail without a header is returned in the report, too" {
	offer
	say "$ehlo" "$from RET=FULL" "$bob NOTIFY=SUCCESS" DATA 'just text' . QUIT
	holds message/rfc822 '' 'just text'
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" DATA 'just text' . QUIT
	part text/rfc822-headers
}

@test "non-ASCII bytes make the parts of the report 8bit (RFC 2045 6.4)" {
	offer
	say "$ehlo" "$from RET=FULL" "$bob NOTIFY=SUCCESS" DATA 'X: 1' '' ü . QUIT
	sed '/^$/q' "$tmp/report" | grep -qx 'Content-Transfer-Encoding: 8bit'
	part message/rfc822 | grep -qx 'Content-Transfer-Encoding: 8bit'
	(($(grep -c Content-Transfer-Encoding "$tmp/report") == 2))
	say "$ehlo" "$from RET=HDRS" "$bob NOTIFY=SUCCESS" DATA 'X: 1' '' ü . QUIT
	lacks Content-Transfer-Encoding "$tmp/report"
}

@test "addresses in UTF-8 make it a message/global-delivery-status report (RFC 6533 3, 4)" {
	offer
	say "$ehlo" 'MAIL FROM:<ü@c.example> SMTPUTF8' \
	    'RCPT TO:<jürgen@mx.example> NOTIFY=SUCCESS ORCPT=utf-8;\x{DF}@c.example' \
	    'RCPT TO:<b@mx.example> NOTIFY=SUCCESS' DATA 'Subject: ü' '' x . QUIT
	grep -qx 'To: <ü@c.example>' "$tmp/report"
	[[ $(told SENDER) == ü@c.example ]]
	part message/global-delivery-status >"$tmp/status"
	grep -qx 'Original-Recipient: utf-8;ß@c.example' "$tmp/status"
	grep -qx 'Final-Recipient: utf-8; jürgen@mx.example' "$tmp/status"
	grep -qx 'Final-Recipient: rfc822; b@mx.example' "$tmp/status"
	part message/global-headers | grep -qx 'Subject: ü'
	part text/plain | grep -qx 'Content-Type: text/plain; charset=utf-8'
	say "$ehlo" "$from SMTPUTF8 RET=FULL" "$bob NOTIFY=SUCCESS" DATA 'X: 1' . QUIT
	part message/global | grep -qx 'X: 1'
}

@test "the header of a BINARYMIME message is returned with LF line ends (RFC 3030)" {
	offer
	talk reply say:"$ehlo" reply:250 \
	    say:"$from BODY=BINARYMIME RET=FULL" reply:250 \
	    say:"$bob NOTIFY=SUCCESS" reply:250 \
	    send:'BDAT 14 LAST\r\nX: 1\r\n\r\n\0\n\0\r\n\0' reply:250 say:QUIT eof
	holds text/rfc822-headers 'X: 1'
	lacks -P '\r|\x00' "$tmp/report"
}

@test "no line of a mail can be read as the boundary of the report (RFC 2046 5.1.1)" {
	local boundary other
	offer
	ask NOTIFY=SUCCESS RET=FULL
	boundary=$(sed -n 's/^\tboundary="\(.*\)"$/\1/p' "$tmp/report")
	((${#boundary} <= 70))
	say "$ehlo" "$from RET=FULL" "$bob NOTIFY=SUCCESS" DATA 'X: 1' '' \
	    "--$boundary--" . QUIT
	other=$(sed -n 's/^\tboundary="\(.*\)"$/\1/p' "$tmp/report")
	[[ $other && ${other%%.*} != "${boundary%%.*}" ]]
	(($(grep -cF -- "--$other" "$tmp/report") == 4))
}

@test "input from the client can't add a field to the report" {
	offer
	say 'EHLO x"y' 'MAIL FROM:<"a, b <c@d.example>"@c.example> ENVID=To:+20x' \
	    'RCPT TO:<"bob: x"@mx.example> NOTIFY=SUCCESS ORCPT=rfc822;Action:+20failed' \
	    DATA 'To: x' 'Bcc: victim@c.example' . QUIT
	[[ $codes == '220 250 250 250 354 250 221' ]]
	sed '/^$/q' "$tmp/report" >"$tmp/head"
	[[ $(grep -ci '^\(to\|cc\|bcc\):' "$tmp/head") == 1 ]]
	grep -qxF 'To: <"a, b <c@d.example>"@c.example>' "$tmp/head"
	[[ $(part message/delivery-status | grep -c '^Action: ') == 1 ]]
}

@test "<postmaster> without a domain is reported with the hostname (RFC 3464 2.3.2)" {
	offer
	say "$ehlo" "$from" 'RCPT TO:<Postmaster> NOTIFY=SUCCESS' DATA x . QUIT
	part message/delivery-status |
	    grep -qx 'Final-Recipient: rfc822; Postmaster@mx.example'
}

@test "the manual's --dsn command sends reports to trusted clients only" {
	mkdir "$tmp/bin"
	hook bin/sendmail <<<'cat >$tmp/report; echo "$*" >$tmp/sendmail'
	sed -n '/^\.Ss A command for --dsn/,/^\.S[hs] A/p' man/smtpd-hooks.7 |
	    sed -n '/^#!/,/^\.Ed/p' | sed '$d' >"$tmp/command"
	grep -q '^exec sendmail' "$tmp/command"
	chmod 755 "$tmp/command"
	options=(--dsn "$tmp/command" --domain mx.example)
	environment=(PATH="$tmp/bin:$PATH" TCPREMOTEIP=198.51.100.1)
	ask NOTIFY=SUCCESS
	[[ ! -e $tmp/sendmail ]]
	environment[1]=TCPREMOTEIP=192.0.2.7
	ask NOTIFY=SUCCESS
	given "$tmp/sendmail" '-i -t -f <>'
	part message/delivery-status | grep -qx 'Action: delivered'
	rm "$tmp/sendmail"
	environment[1]=TCPREMOTEIP=198.51.100.1
	options+=(--plain-auth --auth 'cat <&3 >/dev/null; true')
	say "$ehlo" "AUTH PLAIN $(printf '\0bob\0x' | base64)" "$from" \
	    "$bob NOTIFY=SUCCESS" DATA x . QUIT
	[[ -e $tmp/sendmail ]]
}

@test "the report is a file without a name and leaves nothing on disk" {
	mkdir "$tmp/spool"
	hook send <<-'EOT'
		ls -A $tmp/spool >$tmp/names
		stat -L -c '%F %h' /dev/stdin >$tmp/type
		cat /proc/self/fdinfo/0 >$tmp/fd
	EOT
	options=(--dsn "$tmp/send" --spool "$tmp/spool")
	ask NOTIFY=SUCCESS
	[[ -e $tmp/names && ! -s $tmp/names ]]
	grep -qx 'regular file 0' "$tmp/type"
	[[ -z $(find "$tmp/spool" -mindepth 1) ]]
	grep -Eq '^flags:.*0$' "$tmp/fd"
}

@test "the output of the command is ignored, and its failure is logged" {
	options=(--dsn 'echo 550 no; echo complaint >&2; exit 1')
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" DATA 'X: 1' . "$from" QUIT
	[[ $codes == '220 250 250 250 354 250 250 221' ]]
	keeps 1
	events hook-said | grep -F ' hook=dsn ' | grep -F complaint
	options=(--dsn 'exit 75;')
	say "$ehlo" "$from" "$bob NOTIFY=SUCCESS" DATA 'X: 1' . "$from" QUIT
	events hook-failed | grep -F ' hook=dsn '
}

@test "a command that exceeds its timeout is terminated" {
	options=(--dsn 'sleep 300' --hook-timeout 1)
	ask NOTIFY=SUCCESS
	events hook-failed | grep -F ' hook=dsn ' | grep -F 'timed out'
}

@test "if a report can't be written, the mail is stored and the error is logged" {
	mkdir "$tmp/spool"
	options=(--dsn "echo >$tmp/never" --spool "$tmp/spool"
	    --on-data "rmdir $tmp/spool;")
	ask NOTIFY=SUCCESS
	keeps 1
	events report-failed | grep -F 'error="No such file or directory"'
	[[ ! -e $tmp/never ]]
}

@test "a --spool that can't be written and a missing --dsn command are start-up errors" {
	run -73 ./smtpd -i "${user[@]}" -m "$dir" -H mx.example --dsn true \
	    --spool "$tmp/nowhere" </dev/null
	run -69 ./smtpd -i "${user[@]}" -m "$dir" -H mx.example \
	    --dsn "$tmp/nothing" </dev/null
}

# bats test_tags=memory
@test "the report of a 40 MB message is written in bounded memory" {
	offer --max-size 0 --min-free 0
	{
		printf '%s\r\n' "$ehlo" "$from RET=FULL" "$bob NOTIFY=SUCCESS" DATA \
		    'X: 1' ''
		yes "$(printf '%078d\r' 0)" | head -n 500000
		printf '.\r\nQUIT\r\n'
	} >"$tmp/dialogue"
	ulimit -v 60000
	feed "$tmp/dialogue"
	[[ $codes == '220 250 250 250 354 250 221' ]]
	(($(stat -c %s "$tmp/report") > 39000000))
	tail -n 1 "$tmp/report" | grep -q '^--.*--$'
}
