# CONTRIBUTING.md is a map: what it says is where, is there.

load helpers

page=CONTRIBUTING.md

# section NAME: its lines
section() {
	sed -n "/^## $1\$/,/^## /{/^## /!p;}" "$page"
}

# words LINE...: what stands in backquotes, a line each
words() {
	grep -oE '`[^`]+`' <<<"$*" | tr -d '`'
}

@test "the map of the house has every source, and nothing else" {
	section 'The house' | awk -F'`' '
		/^\| `[a-z\/]+\/` \|/ { folder = $2; first = 4 }
		/^\| `smtpd/ { folder = ""; first = 2 }
		/^\| `/ { for (i = first; i < NF; i += 2) print folder $i }' |
	    sed -e 's/\.[ch]$//' | sort >"$tmp/map"
	printf '%s\n' ./*.[ch] {server,smtp,mail,lib,lib/*}/*.[ch] |
	    sed -e 's#^\./##' -e 's/\.[ch]$//' | sort -u >"$tmp/there"
	diff "$tmp/there" "$tmp/map"
}

@test "what is said of how a byte travels is there by that name" {
	local word
	words "$(section 'How a byte travels')" | grep -oE '^[a-z_]+[a-z](\(|\[)' |
	    tr -d '([' >"$tmp/names"
	(($(wc -l <"$tmp/names") > 8))
	while read -r word; do
		echo "$word"
		grep -qE "\b$word\b[[(]" ./*.[ch] {server,smtp,mail,lib,lib/*}/*.[ch]
	done <"$tmp/names"
}

@test "each call that is not POSIX is in the files that are named for it" {
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

@test "what SECURITY.md says tests a promise is there" {
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
