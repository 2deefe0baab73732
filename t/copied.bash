# What runs the suites with another smtpd than the one that is here shares: a
# copy of the sources in $copy/smtpd, where it is built in another way.
# shellcheck shell=bash

# copy_sources: make that copy, and go there.  It lasts as long as the script.
copy_sources() {
	copy=$(mktemp -d)
	trap 'rm -rf "$copy"' EXIT
	trap 'exit 1' HUP INT TERM
	chmod 755 "$copy"
	mkdir "$copy/smtpd"
	tar c --exclude=./.git --exclude='*.o' --exclude=./smtpd \
		--exclude=./t/fail.so --exclude=./t/real/cache \
		--exclude=./t/fuzz/build --exclude=./t/fuzz/found . |
		tar x -C "$copy/smtpd" && cd "$copy/smtpd" || exit
}

# build ARGUMENT...: make; its output is shown only if it fails
build() {
	make -j2 "$@" >"$copy/log" 2>&1 || {
		cat "$copy/log"
		exit 1
	}
}

# suites ARGUMENT...: bats, with these
suites() {
	local how=(--jobs $((4 * $(nproc))) --no-parallelize-within-files)
	command -v parallel >/dev/null || how=()
	bats "${how[@]}" "$@"
}

# silence TITLE DIR: as TAP, a test of that title: there is nothing in DIR
silence() {
	echo 1..1
	if [[ $(find "$2" -type f -size +0) ]]; then
		echo "not ok 1 $1"
		find "$2" -type f -size +0 -exec head -n 40 {} + | sed 's/^/# /'
		return 1
	fi
	echo "ok 1 $1"
}
