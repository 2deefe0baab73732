# What the tests of other processors share: Debian's names for them, and the
# packages of their compilers.
# shellcheck shell=bash

declare -A triplets=(
	[arm64]=aarch64-linux-gnu [armhf]=arm-linux-gnueabihf
	[i386]=i686-linux-gnu [ppc64el]=powerpc64le-linux-gnu
	[riscv64]=riscv64-linux-gnu [s390x]=s390x-linux-gnu
)
failed=0 n=0

# missing_compiler ARCHITECTURE: the packages that it takes and that are not there
missing_compiler() {
	command -v nm >/dev/null || echo binutils
	command -v "${triplets[$1]}-gcc" >/dev/null ||
		echo "gcc-${triplets[$1]//_/-}"
	[[ -e /usr/${triplets[$1]}/include/stdio.h ]] ||
		echo "libc6-dev-$1-cross"
}

# ensure PACKAGE...: install them; says why it failed
ensure() {
	local step
	(($#)) || return 0
	export DEBIAN_FRONTEND=noninteractive
	for step in 'update' "install -y --no-install-recommends $*"; do
		# shellcheck disable=SC2086 # words
		apt-get -q $step >"$copy/log" 2>&1 </dev/null || {
			sed 's/^/# /' "$copy/log" | tail -n 20
			return 1
		}
	done
}

# report STATUS TITLE: a line of TAP, with the log where it failed
report() {
	n=$((n + 1))
	if (($1)); then
		echo "not ok $n $2"
		sed 's/^/# /' "$copy/log" | head -n 40
		failed=1
	else
		echo "ok $n $2"
	fi
}
