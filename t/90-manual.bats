# The manual pages and the README agree with the program: options, defaults,
# exit statuses, events and examples are read from them and compared.

load helpers

page=man/smtpd.8
log_page=man/smtpd-log.5
protocol_page=man/smtpd-protocol.7
examples_page=man/smtpd-examples.7

# section NAME [PAGE]: the lines of a section of the page
section() {
	sed -n "/^\\.Sh $1\$/,/^\\.Sh /{/^\\.Sh /!p;}" "${2-$page}"
}

# page_options: a line for each option of the page: letter, name, argument
page_options() {
	section OPTIONS |
	    sed -nE 's/^\.It (Fl (.) , )?Fl -([a-z-]+)( Ar ([a-z]+).*)?$/\2 \3 \5/p' |
	    sort
}

# help_options: the same from --help
help_options() {
	./smtpd --help |
	    sed -nE 's/^  (-(.),|   ) --([a-z-]+)( ([A-Z]+)[^ ]*)? .*/\2 \3 \L\5/p' |
	    sort
}

# help_defaults: the name and the default of each option that has one
help_defaults() {
	./smtpd --help |
	    sed -nE 's/^  .{4}--([a-z-]+) .* \(([^()]+)\)$/\1 \2/p'
}

# page_defaults: the same from the page, where they stand in parentheses
page_defaults() {
	section OPTIONS |
	    sed -nE 's/^\.It .*Fl -([a-z-]+) .*Pq (.*)$/\1 \2/p' | sort
}

# same FILE FILE: they are the same, and not empty
same() {
	[[ -s $2 ]] && diff "$1" "$2"
}

@test "the page and --help have the same options, letters and arguments" {
	page_options >"$tmp/page"
	help_options >"$tmp/help"
	same "$tmp/help" "$tmp/page"
	(($(./smtpd --help | grep -cE '^  (-.,|   ) --') == $(wc -l <"$tmp/help")))
	(($(section OPTIONS | grep -c '^\.It ') == $(wc -l <"$tmp/page")))
}

@test "the page and --help have the same headings, and the same order" {
	section OPTIONS | sed -nE -e 's/^\.Ss //p' \
	    -e 's/^\.It (Fl . , )?Fl -([a-z-]+).*/--\2/p' >"$tmp/page"
	./smtpd --help | sed -nE -e '/^Options with/q' -e 's/^([A-Z][^.]*)$/\1/p' \
	    -e 's/^  .{4}(--[a-z-]+).*/\1/p' >"$tmp/help"
	same "$tmp/help" "$tmp/page"
	(($(grep -vc '^--' "$tmp/help") == 12))
}

@test "--help fits into 80 columns, and its two examples would start" {
	local line n=0
	./smtpd --help >"$tmp/help"
	lacks -E '.{81}' "$tmp/help"
	mkdir -p "$tmp/srv/mail"
	((EUID != 0)) || chown nobody "$tmp/srv/mail"
	while IFS= read -r line; do
		line=$(adapt "$line")
		echo "$line"
		(cd "$tmp" && eval "${line/--ready-fd 5/--explain --user nobody}") >"$tmp/said"
		grep -qx 'smtpd would start\.' "$tmp/said"
		n=$((n + 1))
	done < <(sed '1,/^Examples$/d; s/^ *//' "$tmp/help")
	((n == 2))
}

@test "the page's synopsis has every option with a letter" {
	local letters
	section SYNOPSIS | sed -nE 's/^\.Op Fl ([A-Za-z]+).*/\1/p' |
	    fold -w 1 | sort >"$tmp/page"
	help_options | sed -nE 's/^([A-Za-z]) .*/\1/p' | sort >"$tmp/help"
	same "$tmp/help" "$tmp/page"
}

@test "the page and --help have the same defaults" {
	page_defaults >"$tmp/page"
	help_defaults | sort >"$tmp/help"
	same "$tmp/help" "$tmp/page"
}

@test "the program accepts every option of the page" {
	local letter name argument
	while IFS=' ' read -r letter name argument; do
		[[ $name ]] || name=$letter
		# it goes no further than to look for that user
		run ./smtpd --user no-such-user --"$name" </dev/null
		((status >= 64))
		[[ $output != *'unknown option'* ]]
	done < <(page_options | sed -E 's/^ /- /' | grep -v -e help -e version)
}

@test "--version prints what the page says" {
	local said
	said=$(./smtpd --version)
	[[ $said =~ ^smtpd\ [0-9]+(\.[0-9]+)+$ ]]
	grep -Fqx ".Os $said" "$page"
	section OPTIONS | grep -Fqx ".Dq $said"
}

@test "the exit statuses of the page are those of the code, and of sysexits.h" {
	local number name
	section 'EXIT STATUS' |
	    sed -nE 's/^\.It ([0-9]+) Pq Dv (EX_[A-Z]+)$/\1 \2/p' >"$tmp/page"
	# those of lib/text/verdict.c are what commands exit with
	cat ./*.c {server,smtp,mail,lib}/*.c lib/{text/[!v]*,net/*,proc/*}.c | grep -oE 'EX_[A-Z]+' | grep -vx EX_OK |
	    sort -u >"$tmp/code"
	cut -d' ' -f2 "$tmp/page" | sort >"$tmp/named"
	same "$tmp/code" "$tmp/named"
	while read -r number name; do
		printf '#include <sysexits.h>\nint x[%s == %s ? 1 : -1];\n' \
		    "$name" "$number"
	done <"$tmp/page" >"$tmp/x.c"
	"${CC:-cc}" -fsyntax-only "$tmp/x.c"
}

@test "start-up errors exit with the statuses of the page" {
	local want here=(--listen "$tmp/sock" --maildir "$dir") more
	# no name server is asked for a label of 64 bytes
	local label
	printf -v label '%64s' ''
	label=${label// /x}
	touch "$tmp/file"
	while read -r want more; do
		eval "more=($more)"
		run -"$want" timeout 60 ./smtpd "${user[@]}" "${here[@]}" \
		    "${more[@]}" </dev/null
		echo "$output"
		((${#lines[@]} == 1))
		[[ $output == 'smtpd: '* ]]
		section 'EXIT STATUS' | grep -q "^\\.It $want Pq Dv EX_"
	done <<-'EOT'
		64 --bogus
		64 --listen nowhere
		67 --user no-such-user
		67 --listen "$tmp/other,group=no-such-group"
		68 --listen "$label:0"
		69 --listen "$tmp/file"
		73 --maildir "$tmp/none/Maildir"
	EOT
}

# sources: all that the program is made of, with spaces for line breaks, and
# its strings in one piece
sources() {
	cat ./*.c {server,smtp,mail,lib,lib/*}/*.c | tr -s ' \t\n' ' ' |
	    sed 's/" "//g'
}

@test "the events of the log and their keys are those of the page" {
	local key
	sources >"$tmp/code"
	grep -oE '(LEVEL_[A-Z]+,|log_errno\() ?"[a-z-]+"' "$tmp/code" |
	    sed -E 's/.*"(.*)"/\1/' | sort -u >"$tmp/events"
	section EVENTS "$log_page" | sed -nE 's/^\.It Cm //p' |
	    tr -s ' ,' '\n' | grep -vx Cm | sort >"$tmp/page"
	same "$tmp/events" "$tmp/page"
	grep -oE 'log_(str|num)\(&?l(ine)?, "[a-z_]+"' "$tmp/code" |
	    sed -E 's/.*"(.*)"/\1/' | sort -u >"$tmp/keys"
	[[ -s $tmp/keys ]]
	while read -r key; do
		echo "$key"
		[[ $key == time || $key == event ]] ||
		    section EVENTS "$log_page" |
		    grep -Eq "^\\.(Cm|Pq Cm|It Cm) $key( |\$)"
	done <"$tmp/keys"
}

@test "the start-up errors that the page explains are in the program" {
	local item part
	sources >"$tmp/code"
	section 'ERRORS AT THE START' "$log_page" | sed -n 's/^\.It //p' \
	    >"$tmp/items"
	(($(wc -l <"$tmp/items") > 5))
	while IFS= read -r item; do
		echo "$item"
		# the system's own words end an item, or are followed by ours
		item=$(sed -E 's/(Permission|Address|No such).*(denied|in use|directory)//' <<<"$item")
		while IFS= read -r part; do
			grep -qFe "$part" "$tmp/code"
		done < <(sed "s/--listen/listen/; s/--on-/on-/; s/'*[.][.][.]'*[: ]*/\n/g" <<<"$item" |
		    grep '[a-z]')
	done <"$tmp/items"
}

@test "the page has every metric of the status file" {
	# its user can write there, and search what is above
	nobody=("${user[@]}")
	serve -l 127.0.0.1:0 --status "$tmp/status.prom"
	eventually grep -q smtpd_ "$tmp/status.prom"
	grep -oE '^smtpd_[a-z_]+' "$tmp/status.prom" | sort -u >"$tmp/code"
	section 'STATUS FILE' "$log_page" | grep -E '^\.(It )?Cm smtpd_' |
	    grep -oE 'smtpd_[a-z_]+' | sort >"$tmp/page"
	same "$tmp/code" "$tmp/page"
}

@test "the signals of the page are those of the program" {
	# the others are for its children, or from them or their sockets
	grep -ohwE 'SIG[A-Z]+[0-9]?' ./*.c {server,smtp,mail,lib,lib/*}/*.c |
	    grep -vxE 'SIG(ALRM|CHLD|IO|KILL|NALS?)' | sort -u >"$tmp/code"
	section SIGNALS | grep -owE 'SIG[A-Z]+[0-9]?' | grep -vx SIGNALS |
	    sort -u >"$tmp/page"
	same "$tmp/code" "$tmp/page"
}

@test "the variables that the program reads are those of the page" {
	grep -ohE '(getenv|[a-z_]*(limit|descriptor|port)[a-z_]*)\("[A-Z_]+"' ./*.c {server,smtp,mail,lib,lib/*}/*.c |
	    sed -E 's/.*"(.*)"/\1/' | sort -u >"$tmp/code"
	echo TZ >>"$tmp/code"	# localtime_r does
	section ENVIRONMENT | grep '^\.It Ev ' | grep -oE '[A-Z_]{2,}' |
	    sort -u >"$tmp/page"
	same <(sort "$tmp/code") "$tmp/page"
}

@test "STANDARDS has each RFC of the sources, and each that the pages name" {
	# 5737 has the addresses of examples
	grep -ohE 'RFC [0-9]+' ./*.[ch] {server,smtp,mail,lib,lib/*}/*.[ch] man/* | grep -vx 'RFC 5737' |
	    sort -u >"$tmp/named"
	section STANDARDS "$protocol_page" | grep '^\.It RFC' | grep -oE 'RFC [0-9]+' |
	    sort >"$tmp/page"
	same "$tmp/named" "$tmp/page"
}

@test "each option that the page compares with other servers exists" {
	local word
	section 'COMING FROM ANOTHER SERVER' "$examples_page" |
	    grep -oE 'Fl -[a-z-]+' | sed 's/^Fl -//' | sort -u >"$tmp/options"
	(($(wc -l <"$tmp/options") > 20))
	while read -r word; do
		echo "$word"
		help_options | cut -d' ' -f2 | grep -qxFe "$word"
	done <"$tmp/options"
}

@test "EHLO offers exactly the extensions of the page" {
	say 'EHLO c.example' QUIT
	printf '%s\n' "${lines[@]:2}" | sed -nE 's/^250[ -]([A-Z0-9]+).*/\1/p' |
	    sort >"$tmp/offered"
	section DESCRIPTION "$protocol_page" | tr '\n' ' ' | sed -E 's/.*EHLO offers ([^;]*);.*/\1/' |
	    grep -oE '[A-Z0-9]{4,}' | sort >"$tmp/page"
	same "$tmp/offered" "$tmp/page"
}

# commands: the rows of the table of commands
commands() {
	sed -n '/commands\[\] = {/,/^}/p' proto.c | sed -nE 's/^	\{ "([A-Z]+)", .*/\1/p'
}

@test "the page has every command" {
	# LHLO and XCLIENT are for those that a section is about
	section DESCRIPTION "$protocol_page" | tr '\n' ' ' |
	    sed -E 's/.*The commands are ([^.]*)\..*/\1/' |
	    grep -oE '[A-Z]{4,}' | sort >"$tmp/page"
	commands | grep -vx -e LHLO -e XCLIENT | sort >"$tmp/code"
	same "$tmp/code" "$tmp/page"
	section PROXIES "$protocol_page" | grep -qx '.Ss XCLIENT'
	section DETAILS "$protocol_page" | grep -q LHLO
}

@test "every reply of the program is on the page, and every reply of the page in the program" {
	local code text
	sources >"$tmp/code"
	# reply_make(421, "4.7.0 ..."), and "554 5.7.1 ..." of a hook
	{
		grep -oE 'reply_make\([^;"]*[0-9]{3}[^;"]*"[245]\.[0-9]\.[0-9]+' "$tmp/code" |
		    sed -E 's/.*[^0-9]([0-9]{3})[^"]*"/\1 /'
		grep -oE '"[245][0-9]{2} [245]\.[0-9]\.[0-9]+' "$tmp/code" |
		    tr -d '"'
	} | sort -u >"$tmp/replies"
	(($(wc -l <"$tmp/replies") > 30))
	tr '\n' ' ' <"$protocol_page" |
	    grep -oE '[2-5][0-9]{2} [245]\.[0-9]{1,2}\.[0-9]{1,2}' | sort -u \
	    >"$tmp/page"
	comm -23 "$tmp/replies" "$tmp/page" | tee "$tmp/missing"
	[[ ! -s $tmp/missing ]]
	# some are put together from parts
	comm -13 "$tmp/replies" "$tmp/page" >"$tmp/more"
	while read -r code text; do
		echo "$code $text"
		grep -qE "\\b$code\\b" "$tmp/code"
		grep -qF "\"$text" "$tmp/code"
	done <"$tmp/more"
}

@test "the page's table of limits has the defaults of --help" {
	section LIMITS "$protocol_page" |
	    sed -nE 's/^\.It Fl -([a-z-]+) Ta (.*) Ta .*/\1 \2/p' >"$tmp/page"
	(($(wc -l <"$tmp/page") > 10))
	while read -r name default; do
		echo "$name $default"
		help_defaults | grep -qxF "$name $default"
	done <"$tmp/page"
}

# example TITLE N: the commands of the Nth display below this title of the
# page's examples, their prompts taken away and continued lines joined
example() {
	awk -v title=".Ss $1" '/^\.S[hs] / { inside = $0 == title } inside' \
	    "$examples_page" | sed -n '/^\.Bd/,/^\.Ed/p' |
	    awk -v n="$2" '/^\.Bd/ { i++; next } /^\.Ed/ { next } i == n' |
	    sed -e 's/\\e$/\\/' | sed -e ':a' -e '/\\$/{' -e N -e 's/\\\n *//' \
	    -e ta -e '}' -e 's/^# //'
}

# adapt COMMAND: the same below our own directory, on a free port of loopback,
# saying when it is ready; and as ourselves where we can't be anybody else
adapt() {
	local line=$1
	line=${line//\/srv\//"$tmp/srv/"}
	line=$(sed -E 's/(--user|-i?u|-o) smtpd/\1 nobody/g' <<<"$line")
	((EUID == 0)) || line=${line//--user nobody/}
	((EUID == 0)) || line=${line//-iu nobody/-i}
	((EUID == 0)) || line=${line//-u nobody/}
	((EUID == 0)) || line=${line//-o nobody/}
	if [[ $line == smtpd\ *' --listen '* ]]; then
		line=$(sed -E 's/ --listen [^ ]+/ --listen 127.0.0.1:0/' <<<"$line")
	elif [[ $line == smtpd\ * ]]; then
		line+=' --listen 127.0.0.1:0'
	fi
	printf '%s\n' "${line/#smtpd /"$PWD/smtpd --ready-fd 5 "}"
}

# start COMMAND: run what adapt made of the last line of an example; addr is
# where it listens
start() {
	mkfifo "$tmp/ready"
	echo "\$ $1"
	(cd "$tmp" && eval "exec $1") \
	    5>"$tmp/ready" 2>>"$log" </dev/null 3>&- 4>&- &
	master=$!
	read -rt 10 addr <"$tmp/ready"
}

# start_example TITLE N: carry out its commands; the last one is the server's
start_example() {
	local commands command i
	mapfile -t commands < <(example "$@")
	((${#commands[@]} > 0))
	mkdir -p "$tmp/srv/mail"
	for ((i = 0; i < ${#commands[@]} - 1; i++)); do
		command=$(adapt "${commands[i]}")
		echo "\$ $command"
		(cd "$tmp" && eval "$command")
	done
	[[ ${commands[i]} == 'smtpd '* ]]
	start "$(adapt "${commands[i]}")"
}

# offer CODE RECIPIENT: a mail for this one; CODE answers RCPT
offer() {
	local actions=(reply:220 say:'EHLO c.example' reply:250
	    say:'MAIL FROM:<alice@c.example>' reply:250 say:"RCPT TO:<$2>"
	    reply:"$1")
	[[ $1 != 250 ]] || actions+=(say:DATA reply:354 say:x say:. reply:250)
	dial "${addr[0]}" "${actions[@]}" say:QUIT reply:221 eof
}

# the others need programs of others: t/real/76-manual.bats runs all of them
@test "the page's options for devices reject other clients before the banner" {
	start_example 'Receive from printers and other devices' 1
	dial "${addr[0]}" reply:'554 5.7.1' eof
	[[ ! -e $tmp/srv/mail ]] || keeps 0 "$tmp/srv/mail"
}

@test "the page's per-user Maildirs get each user's mail" {
	start_example 'Keep a mailbox for each user, for Dovecot to read' 1
	offer '550 5.1.1' bob@example.org
	offer 250 postmaster
	offer '550 5.7.1' alice@example.net
	offer 250 Alice+news@Example.ORG
	keeps 1 "$tmp/srv/mail/example.org/alice"
	keeps 1 "$tmp/srv/mail/mx.example.org/postmaster"
}

@test "the page's line for inetd serves a connection" {
	local line
	mkdir -p "$tmp/srv"
	line=$(adapt "$(example 'Run under inetd' 1)")
	echo "$line"
	[[ $line != *$'\n'* ]]
	[[ $line == 'smtp stream tcp nowait.10000 root /usr/local/sbin/smtpd smtpd '* ]]
	line=${line#*/sbin/smtpd smtpd }
	read -ra args <<<"$line"
	# as inetd does: descriptors 0, 1 and 2 are the connection
	t/smtpc -e - -t ./smtpd "${args[@]}" -- reply:220 \
	    say:'HELO c.example' reply:250 say:'MAIL FROM:<a@c.example>' \
	    reply:250 say:"RCPT TO:<postmaster>" reply:250 say:DATA reply:354 \
	    say:x say:. reply:250 say:QUIT reply:221 eof exit:0
	keeps 1 "$tmp/srv/mail"
}

# one_line N: the Nth one-line example of smtpd(8), adapted, and kept away
# from /run
one_line() {
	local line
	line=$(section EXAMPLES | sed -n 's/^\.Dl # //p' | sed -n "$1p")
	line=${line//\/run\//"$tmp/"}
	adapt "$line"
}

@test "each one-line example of smtpd(8) does what it says" {
	local line
	mkdir -p "$tmp/srv/mail/alice"
	((EUID != 0)) || chown -R nobody "$tmp/srv/mail"
	(($(section EXAMPLES | grep -c '^\.Dl # smtpd') == 6))
	start "$(one_line 1)"
	offer 250 you@anywhere.example
	keeps 1 "$tmp/Maildir"
	end_daemon
	rm "$tmp/ready"
	start "$(one_line 2)"
	offer '550 5.7.1' you@example.com
	offer 250 you@example.net
	keeps 1 "$tmp/srv/mail/all"
	end_daemon
	rm "$tmp/ready"
	line=$(one_line 3)
	(cd "$tmp" && eval "$line" 5>/dev/null) >"$tmp/said"
	grep -qw 'RCPT' "$tmp/said"
	start "$(one_line 4)"
	offer '550 5.1.1' bob@example.org
	offer 250 alice@example.org
	keeps 1 "$tmp/srv/mail/alice"
	end_daemon
	rm "$tmp/ready"
	start "$(one_line 5)"
	offer 250 you@example.org
	end_daemon
	rm "$tmp/ready"
	start "$(one_line 6)"
	dial "$tmp/smtpd.lmtp" reply:220 say:'LHLO c.example' reply:250 \
	    say:'MAIL FROM:<a@c.example>' reply:250 \
	    say:'RCPT TO:<you@example.org>' reply:250 say:DATA reply:354 \
	    say:x say:. reply:250 say:QUIT reply:221 eof
	keeps 2 "$tmp/srv/mail/all"
}

# readme PATTERN: the only line of code of the README that matches
readme() {
	local line
	line=$(sed -n '/^```$/,/^```$/{/^```$/!p;}' README.md | grep -e "$1")
	[[ $line && $line != *$'\n'* ]]
	printf '%s\n' "$line"
}

@test "the README's first command starts a server, and its message arrives" {
	local line
	line=$(readme '^apt-get .* && make && ./smtpd ')
	start "$(adapt "${line#* && make && ./}")"
	line=$(readme dev/tcp)
	[[ $line == *127.0.0.1/2525* ]]
	run -0 eval "${line/127.0.0.1\/2525/"${addr[0]/://}"}"
	grep -Eq '^250 2\.0\.0 Ok' <<<"$output"
	keeps 1 "$tmp/Maildir"
	grep -qx Hello. "$(message "$tmp/Maildir")"
}

@test "the README's table names sections that exist" {
	local page name
	sed -n 's/^| .* | \[.*\](\(man\/.*\)) | \(.*\) |$/\1 \2/p' README.md \
	    >"$tmp/rows"
	(($(wc -l <"$tmp/rows") > 9))
	while read -r page name; do
		echo "$page: $name"
		grep -qxE "\.S[hs] $name" "$page"
	done <"$tmp/rows"
}

@test "the README's second command, below its mark, runs these tests" {
	local line
	line=$(grep -A 2 -Fx '<!-- test -->' README.md | tail -n 1)
	[[ $line == apt-get\ *' && make check' ]]
	[[ $line == "$(readme 'make check$')" ]]
}

@test "each section that a file refers to exists in its page" {
	local file title name
	grep -rhoE '("[^"]+"|[A-Z][A-Z ]+) in smtpd(-[a-z]+)?\([578]\)' ./*.md \
	    ./*.[ch] server smtp mail lib contrib | sort -u >"$tmp/named"
	(($(wc -l <"$tmp/named") > 3))
	while IFS= read -r name; do
		echo "$name"
		title=${name% in smtpd*}
		title=${title//\"/}
		file=${name##* in }
		file=${file//[()]/.}
		grep -qxE "\\.S[hs] $title" "man/${file%.}"
	done <"$tmp/named"
}

@test "no page exceeds its limit of rendered lines (this test needs mandoc)" {
	local page lines
	command -v mandoc >/dev/null || skip 'mandoc is not installed; make check-real has it'
	while read -r page lines; do
		mandoc -T utf8 "man/$page" >"$tmp/rendered" 2>"$tmp/said" || true
		echo "$page: $(wc -l <"$tmp/rendered") of $lines lines"
		(($(wc -l <"$tmp/rendered") <= lines))
	done <<-'EOT'
		smtpd.8 650
		smtpd-hooks.7 450
		smtpd-examples.7 450
		smtpd-log.5 350
		smtpd-protocol.7 300
	EOT
	(($(printf '%s\n' man/*.[578] | wc -l) == 5))
}

@test "mandoc has no warning about any page (this test needs mandoc)" {
	local each pages=(man/*.[578] contrib/{tls,milter}/*.8)
	command -v mandoc >/dev/null || skip 'mandoc is not installed; make check-real has it'
	((${#pages[@]} > 3))
	for each in "${pages[@]}"; do
		# which other pages there are is up to the machine
		mandoc -T lint -W style "$each" >"$tmp/lint" 2>/dev/null || true
		lacks -v 'STYLE: referenced manual not found' "$tmp/lint"
	done
}
