# CONTRIBUTING.md and SECURITY.md name files, functions and tests that exist.

load helpers

page=CONTRIBUTING.md

# section NAME: its lines
section() {
	sed -n "/^## $1\$/,/^## /{/^## /!p;}" "$page"
}

# words LINE...: the words in backquotes, a line each
words() {
	grep -oE '`[^`]+`' <<<"$*" | tr -d '`'
}

@test "the map of the sources has every source and nothing else" {
	section 'The house' | awk -F'`' '
		/^\| `[a-z\/]+\/` \|/ { folder = $2; first = 4 }
		/^\| `smtpd/ { folder = ""; first = 2 }
		/^\| `/ { for (i = first; i < NF; i += 2) print folder $i }' |
	    sed -e 's/\.[ch]$//' | sort >"$tmp/map"
	printf '%s\n' ./*.[ch] {server,smtp,mail,lib,lib/*}/*.[ch] |
	    sed -e 's#^\./##' -e 's/\.[ch]$//' | sort -u >"$tmp/there"
	diff "$tmp/there" "$tmp/map"
}

@test "the functions on a message's way exist" {
	local word
	words "$(section 'How a byte travels')" | grep -oE '^[a-z_]+[a-z](\(|\[)' |
	    tr -d '([' >"$tmp/names"
	(($(wc -l <"$tmp/names") > 8))
	while read -r word; do
		echo "$word"
		grep -qE "\b$word\b[[(]" ./*.[ch] {server,smtp,mail,lib,lib/*}/*.[ch]
	done <"$tmp/names"
}

@test "each counterpart of a name of the Go package is an option or in a header" {
	local word
	section 'The names of the Go package' | sed -n 's/^| `[A-Z].*| \(.*\) |$/\1/p' \
	    >"$tmp/here"
	words "$(cat "$tmp/here")" | grep -vx smtpd >"$tmp/names"
	(($(wc -l <"$tmp/names") > 20))
	./smtpd --help >"$tmp/help"
	while read -r word; do
		echo "$word"
		if [[ $word == --* ]]; then
			grep -qwe "$word" "$tmp/help"
		else
			grep -qw "${word#struct }" proto.h smtp/*.h envelope.h \
			    lib/text/address.h lib/text/reply.h
		fi
	done <"$tmp/names"
}

@test "each call that is not in POSIX is only in the files of its row" {
	local call files file rest
	section Portability | grep '^| `' >"$tmp/rows"
	(($(wc -l <"$tmp/rows") > 10))
	while IFS='|' read -r rest call files rest; do
		call=$(words "$call" | paste -sd '|')
		# shellcheck disable=SC2013 # no word has a blank
		for file in $(grep -oE '[a-z/]+\.c' <<<"$files"); do
			echo "$call: $file"
			grep -qwE "$call|SYS_($call)" "$file"
		done
	done <"$tmp/rows"
}

@test "the variables and targets for packagers are in the Makefile" {
	local word
	section Packaging >"$tmp/packaging"
	words "$(sed -n '/^\*\*Variables/,/^$/p' "$tmp/packaging")" |
	    grep -xE '[A-Z]+' | grep -vxE 'DESTDIR|CPPFLAGS|LDFLAGS|LDLIBS|CC' \
	    >"$tmp/names"
	(($(wc -l <"$tmp/names") > 8))
	while read -r word; do
		echo "$word"
		grep -qE "^$word \??=" Makefile
	done <"$tmp/names"
	words "$(cat CONTRIBUTING.md)" | sed -n 's/^make \([a-z-]*\)$/\1/p' |
	    sort -u >"$tmp/names"
	(($(wc -l <"$tmp/names") > 15))
	while read -r word; do
		echo "make $word"
		grep -qE "^([a-z-]* )*$word( [a-z-]+)*:" Makefile contrib/packaging.mk t/tools.mk
	done <"$tmp/names"
}

@test "each promise of SECURITY.md has tests that exist" {
	local name
	sed -n '/^| promise/,/^$/p' SECURITY.md >"$tmp/promises"
	grep -oE '`t/[a-z0-9/-]+(\.bats)?`' "$tmp/promises" | tr -d '`' | sort -u >"$tmp/tests"
	(($(wc -l <"$tmp/tests") > 20))
	while read -r name; do
		echo "$name"
		[[ -x $name || -f $name ]]
	done <"$tmp/tests"
	sed '1,2d' "$tmp/promises" | grep '^|' >"$tmp/rows"
	lacks -vE '`(t/|make )' "$tmp/rows"
	while read -r name; do
		echo "make fuzz: $name"
		[[ -f t/fuzz/$name.c ]]
	done < <(grep -oE '\(`[^)]*`\)' SECURITY.md | grep -oE '`[a-z]+`' | tr -d '`')
}

# object NAME CODE: an object of a made-up tree
object() {
	mkdir -p "$tmp/tree/${1%/*}"
	"${CC:-cc}" -x c -c -o "$tmp/tree/$1" - <<<"$2"
}

@test "make lint reports calls up from one layer to another, and circles" {
	object mail/store.o 'void log_it(void); void store(void) { log_it(); }'
	object lib/log.o 'void log_it(void) { }'
	object smtp/data.o 'void store(void); void data(void) { store(); }'
	layers=$PWD/contrib/lint/layers
	cd "$tmp/tree"
	run -0 "$layers" mail/store.o lib/log.o smtp/data.o
	[[ $output == *'smtp -> mail: 1'*'mail -> lib: 1'* ]]
	object lib/log.o 'void data(void); void log_it(void) { data(); }'
	run -1 "$layers" mail/store.o lib/log.o smtp/data.o
	[[ $output == *'up: lib/log.o calls data of smtp/data.o'* ]]
	object lib/log.o 'void clock_ms(void); void log_it(void) { clock_ms(); }'
	object lib/clock.o 'void log_it(void); void clock_ms(void) { log_it(); }'
	run -1 "$layers" lib/clock.o lib/log.o mail/store.o
	[[ $output == *'circle: lib/'*'circle: lib/'* ]]
	[[ $output != *'up: '* ]]
}

@test "make prints a line for each file, make Q= the commands, and make -s nothing" {
	mkdir "$tmp/tree"
	tar c --exclude='*.o' --exclude='*.d' --exclude=t/real -- Makefile ./*.c ./*.h lib mail \
	    server smtp t/*.mk contrib/*.mk t/smtpc.c | tar x -C "$tmp/tree"
	cd "$tmp/tree"
	unset MAKEFLAGS MFLAGS MAKELEVEL
	make CC=true smtpd t/smtpc >"$tmp/lines" 2>"$tmp/err"
	(($(wc -l <"$tmp/lines") == $(printf '%s\n' ./*.c */*.c */*/*.c | wc -l) + 1))
	lacks -Ev '^(CC|LD) [a-z0-9_/.]+$' "$tmp/lines"
	make CC=true Q= smtpd t/smtpc >"$tmp/lines"
	grep -q '^true .* -o smtpd ' "$tmp/lines"
	[[ ! $(make -s CC=true smtpd t/smtpc) && ! -s $tmp/err ]]
	[[ ! $(make -sj2 CC=true smtpd) ]]
}

@test "README, CONTRIBUTING and make check name the same time for the tests" {
	local time
	time=$(sed -n 's/^CHECK_TIME = //p' Makefile)
	[[ $time == *' processors' ]]
	grep -Fq "runs the tests, in about $time:" README.md
	grep -Fq "| all suites in \`t/\`, in about $time |" CONTRIBUTING.md
	make -n check | grep -F "about $time"
}
