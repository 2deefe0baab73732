# Servers that root starts become nobody, and run the program again at SIGHUP.
# Where the sources are below a directory that nobody can't search, such as
# /root, the suites run in a copy of them that nobody can reach.

# searchable DIR: everybody can search it and all the directories above it
searchable() {
	local dir=$1
	until [[ ! $dir ]]; do
		[[ $(stat -c %A "$dir") == *[xt] ]] || return 1
		dir=${dir%/*}
	done
}

setup_suite() {
	local top
	top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P) || return
	if ((EUID == 0)) && ! searchable "$top"; then
		SUITE_TREE=$(mktemp -d /tmp/smtpd.XXXXXX) || return
		chmod 755 "$SUITE_TREE"
		tar c -C "$top" --exclude=./t/real/cache --exclude=./t/fuzz/found . |
			tar x -C "$SUITE_TREE" --no-overwrite-dir || return
		export SUITE_TREE
	fi
}

teardown_suite() {
	[[ ! ${SUITE_TREE:-} ]] || rm -rf "$SUITE_TREE"
}
