# smtpd-hooks(7) agrees with the program: its events, variables and numbers are
# compared with the code, and its examples are run.

load helpers

page=man/smtpd-hooks.7

# part NAME [NEXT]: the lines of a section or subsection of the page
part() {
	sed -n "/^\\.S[hs] $1\$/,/^\\.S[hs] /{/^\\.S[hs] /!p;}" "$page"
}

# same FILE FILE: they are the same, and not empty
same() {
	[[ -s $2 ]] && diff "$1" "$2"
}

@test "the events of the page are the options of --help" {
	./smtpd --help | sed -nE 's/^ .* --([a-z-]+) CMD\.\.\. .*/\1/p' |
	    sort >"$tmp/help"
	part Events | sed -nE 's/^\.It Fl -([a-z-]+) Ta .*/\1/p' | sort >"$tmp/page"
	same "$tmp/help" "$tmp/page"
}

@test "the variables of the page are those of the code" {
	grep -ohE '(environment_set|set_unless_empty)\(e, "[A-Z0-9_]+"' smtp/hook*.c |
	    sed -E 's/.*"(.*)"/\1/' | sort -u >"$tmp/code"
	sed -n '/^\.Sh ENVIRONMENT$/,/^\.Sh FILES$/p' "$page" |
	    grep '^\.It Ev ' | grep -oE '[A-Z0-9_]{4,}' | sort -u >"$tmp/page"
	same "$tmp/code" "$tmp/page"
}

@test "the hooks of the page are those that are installed, with their options" {
	local hook options option
	ls contrib/hooks >"$tmp/there"
	part FILES | sed -n 's/^\.It Pa //p' | tr -d ' ' | tr , '\n' | sort \
	    >"$tmp/page"
	same "$tmp/there" "$tmp/page"
	part FILES | awk '/^\.It Pa / { gsub(/[,]|\.It Pa/, ""); hooks = $0 }
		/^\.Fl / { split(hooks, h, " "); for (i in h) print h[i], $2 }' \
	    >"$tmp/options"
	[[ -s $tmp/options ]]
	while read -r hook option; do
		grep -qe "^#.*-$option" "contrib/hooks/$hook"
	done <"$tmp/options"
}

# documented NUMBER CONSTANT FILE: the page has it, as the constant of the code
documented() {
	echo "$*"
	local value=${1%% *}
	grep -qE "\\b$2 = $((${value//,/} + ${4-0}))[ ,]" "$3"
	tr '\n' ' ' <"$page" | grep -qwF "$1"
}

@test "the page's metacharacters, numbers and replies are those of the code" {
	part 'How a command is run' | sed -n '/^\.Bd/,/^\.Ed/p' | sed '1d;$d' |
	    tr -d ' \n' >"$tmp/page"
	sed -nE 's/.*strpbrk\(command, "(.*)\\n\\r"\).*/\1/p' lib/proc/invocation.c |
	    tr -d '\n' >"$tmp/code"
	same "$tmp/code" "$tmp/page"
	documented '16,384 bytes' HOOK_OUTPUT_MAX lib/proc/hook.h
	documented '100 lines' STDERR_LINES_MAX lib/proc/process.h
	documented '1,000 bytes' STDERR_LINE_MAX lib/proc/process.h
	documented '8,192 bytes' FIELDS_MAX smtp/fields.h
	documented '1,023 bytes' REPLY_TEXT_MAX lib/text/reply.h 1
	# a command that only delivers rejects by a status of its own meaning
	part Events | sed -nE 's/^\.It Fl -([a-z-]+) Ta .* Ta ([0-9. ]+)$/\1 \2/p' |
	    sort >"$tmp/page"
	tr -s ' \t\n' ' ' <smtp/hooks.c |
	    grep -oE '"[a-z-]+", "[0-9]+ [0-9.]+ [A-Za-z ]+", (true|false)' |
	    sed -E 's/"([a-z-]+)", "([0-9]+)( [0-9.]+) .*false/\1 \2\3/; s/"([a-z-]+)", "([0-9]+) .*true/\1 \2/' |
	    grep -v -e disconnect -e on-delivered -e '^dsn ' | sort >"$tmp/code"
	same "$tmp/code" "$tmp/page"
}

@test "the page's first program works when it is pasted" {
	command -v python3 >/dev/null || skip 'python3 is not installed; make check-real has it'
	mkdir -p "$tmp/srv/mail"
	part DESCRIPTION | sed -n '/^\.Bd/,/^\.Ed/p' | sed '1d;$d' |
	    sed -e 's/\\e/\\/g' -e "s,/srv/,$tmp/srv/,g" >"$tmp/script"
	[[ $(sed -n 2p "$tmp/script") == '# usage: smtpd '* ]]
	read -ra options <<<"$(sed -n '2s/^# usage: smtpd //p' "$tmp/script")"
	install -m 755 "$tmp/script" "${options[-1]}"
	say "${hello[@]}" 'MAIL FROM:<a@c.example>' 'RCPT TO:<b@mx.example>' \
	    'RCPT TO:<"c d"@mx.example>' DATA 'Subject: =?utf-8?q?caf=C3=A9?=' '' \
	    x . QUIT
	[[ ${lines[-2]} == '250 2.0.0 '* ]]
	[[ $(python3 -c 'import json, sys; print(*json.load(sys.stdin).values())' \
	    <"$tmp/srv/mail/mail.json") == \
	    "a@c.example ['b@mx.example', '\"c d\"@mx.example'] café" ]]
}

# example N: what the Nth display of the page's examples holds, its macros
# taken away, in our own directory
example() {
	part EXAMPLES | sed -n '/^\.Bd/,/^\.Ed/p' |
	    awk -v n="$1" '/^\.Bd/ { i++; next } /^\.Ed/ { next } i == n' |
	    sed -e 's/\\e/\\/g' -e "s,/srv/,$tmp/srv/,g"
}

# install_example N: put the script of an example where its usage line says
install_example() {
	local option
	mkdir -p "$tmp/srv/mail"
	example "$1" >"$tmp/script"
	[[ $(sed -n 2p "$tmp/script") =~ ^'# usage: smtpd '(--on-[a-z-]+)' '([^ ]+)$ ]]
	options=("${BASH_REMATCH[@]:1}")
	install -m 755 "$tmp/script" "${options[1]}"
}

# rcpt RECIPIENT: the reply to it
rcpt() {
	say "${hello[@]}" 'MAIL FROM:<a@c.example>' "RCPT TO:<$1>" QUIT
	[[ ${lines[3]} == "$2"* ]]
}

# from SENDER REPLY: MAIL gets that reply
from() {
	say 'EHLO mx.example' "MAIL FROM:<$1> SMTPUTF8" QUIT
	[[ ${lines[-2]} == "$2"* ]]
}

@test "the page's first example accepts mail for the addresses in a file" {
	local args
	mkdir -p "$tmp/srv/mail"
	args=$(example 1 | sed -e 's/^# //')
	[[ $args == 'smtpd --user smtpd '* ]]
	args=${args#smtpd --user smtpd}
	eval "options=(${args//$'\\\n'/ })"
	[[ ${#options[@]} == 6 ]]
	printf '%s\n' 'Alice@example.org' '-e@example.org' >"$tmp/srv/mail/addresses"
	rcpt alice@example.org 250
	rcpt -e@example.org 250
	rcpt alice@example.net '550 5.7.1'
	rcpt xalice@example.org '550 5.1.1'
	rcpt '"alice@example.org .*"@example.org' '550 5.1.1'
	rm "$tmp/srv/mail/addresses"
	rcpt alice@example.org '451 4.3.0'
}

@test "the page's second example, in sh, looks up mailboxes and redirects" {
	install_example 2
	printf '%s\n' 'alice@mx.example' 'info@mx.example alice@mx.example' \
	    '*@mx.example' >"$tmp/srv/mail/mailboxes.txt"
	rcpt Alice+x@MX.example '250 2.1.5 Ok'
	rcpt bob@mx.example '550 5.1.1 No such user here'
	rcpt '"* x"@mx.example' '550 5.1.1'
	rcpt '"alice@mx.example "@mx.example' '550 5.1.1'
	say "${hello[@]}" 'MAIL FROM:<a@c.example>' 'RCPT TO:<info@mx.example>' \
	    DATA x . QUIT
	[[ $(header Delivered-To) == alice@mx.example ]]
	rm "$tmp/srv/mail/mailboxes.txt"
	rcpt alice@mx.example '451 4.3.0'
}

@test "the page's third example, in Python, rejects senders by domain" {
	command -v python3 >/dev/null || skip 'python3 is not installed; make check-real has it'
	install_example 3
	printf '%s\n' 'Spam.example' '' bad.test xn--bcher-kva.example >"$tmp/srv/mail/unwanted.txt"
	from alice@c.example 250
	from '' 250
	from alice 250
	from alice@xspam.example 250
	from alice@SPAM.example '550 5.7.1 Mail from spam.example is not accepted'
	from 'alice@Bücher.example' '550 5.7.1 Mail from xn--bcher-kva.example'
	from '"x@good.test"@a.b.bad.test' '550 5.7.1 Mail from bad.test'
	from 'alice@[192.0.2.1]' 250
	rm "$tmp/srv/mail/unwanted.txt"
	from alice@c.example '451 4.3.0'
	[[ $(events hook-said) == *FileNotFoundError* ]]
}

@test "the page's last example delivers user+folder into an existing folder" {
	local args
	users bob eve
	mkdir -p "$tmp/srv/mail"
	args=$(example 4)
	[[ $args == '# smtpd --user smtpd '* ]]
	eval "options=(${args#*--user smtpd})"
	[[ ${#options[@]} == 4 ]]
	mkdir -p "$tmp"/srv/mail/{bob/.lists,eve}
	dir=${options[1]}
	say "${hello[@]}" 'MAIL FROM:<a@c.example>' 'RCPT TO:<bob+lists@mx.example>' \
	    'RCPT TO:<bob@mx.example>' 'RCPT TO:<eve+lists@mx.example>' \
	    'RCPT TO:<bob+../eve@mx.example>' 'RCPT TO:<bob+.lists@mx.example>' \
	    'RCPT TO:<"bob+"@mx.example>' DATA x . QUIT
	[[ $codes == '220 250 250 250 250 250 250 250 250 354 250 221' ]]
	[[ -z $(events hook-failed) ]]
	keeps 1 "$tmp/srv/mail/bob/.lists"
	keeps 1 "$tmp/srv/mail/bob"
	keeps 1 "$tmp/srv/mail/eve"
	[[ $(ls -A "$tmp/srv/mail/eve") == $'cur\nnew\ntmp' ]]
}

@test "make install and uninstall include the page" {
	make -s install DESTDIR="$tmp/root" PREFIX=/usr
	sed 's#/usr/local/#/usr/#' "$page" |
	    cmp - "$tmp/root/usr/share/man/man7/smtpd-hooks.7"
	make -s uninstall DESTDIR="$tmp/root" PREFIX=/usr
	[[ -z $(find "$tmp/root" -type f) ]]
}
