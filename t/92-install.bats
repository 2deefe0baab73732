# What make install puts where, that make uninstall removes it, that the version
# is set in one place, and the completions of shells.

load helpers

# make_it TARGET: below $root, as a distribution does
make_it() {
	root=$tmp/root
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s "$1" \
	    DESTDIR="$root" PREFIX=/usr
}

# tls: is smtpd-tls built?
tls() {
	[[ -x contrib/tls/smtpd-tls ]]
}

@test "the programs that serve are installed with mode 711, so that no user can trace them" {
	make_it install
	[[ $(stat -c %a "$root/usr/sbin/smtpd") == 711 ]]
	! tls || [[ $(stat -c %a "$root/usr/sbin/smtpd-tls") == 711 ]]
}

@test "make install puts each file where a distribution expects it" {
	local file
	make_it install
	{
		printf '%s\n' sbin/smtpd{,-milter} lib/systemd/system/smtpd{.service,{,-submission,-submissions}.socket} \
		    lib/sysusers.d/smtpd.conf \
		    share/bash-completion/completions/smtpd \
		    share/zsh/site-functions/_smtpd \
		    share/doc/smtpd/{README.md,CHANGELOG.md,SECURITY.md,LICENSE}
		! tls || printf '%s\n' sbin/smtpd-tls share/man/man8/smtpd-tls.8
		for file in man/*.[578] contrib/milter/*.8; do
			echo "share/man/man${file##*.}/${file##*/}"
		done
		for file in contrib/hooks/*; do
			echo "libexec/smtpd/${file##*/}"
		done
		find contrib/examples contrib/fail2ban contrib/haproxy contrib/inetd \
		    contrib/systemd contrib/tls/*.conf -type f |
		    sed 's#^#share/doc/smtpd/#'
	} | sort >"$tmp/want"
	(cd "$root/usr" && find . -type f | sed 's#^\./##' | sort) >"$tmp/got"
	diff "$tmp/want" "$tmp/got"
	[[ $(ls "$root") == usr ]]
}

@test "the installed README and its like link nothing that is not installed" {
	local file target
	make_it install
	cd "$root/usr/share/doc/smtpd"
	for file in *.md; do
		grep -oE '\]\([^)]*\)' "$file" | sed 's/^](//; s/[#)].*//' |
		    grep -v '^https:' || true
	done | sort -u >"$tmp/targets"
	grep -qx SECURITY.md "$tmp/targets"
	while read -r target; do
		echo "$target"
		[[ -e $target ]]
	done <"$tmp/targets"
}

@test "installed files are readable by all, and programs executable by all" {
	# not to be built with this umask, for the tests that follow
	! tls || env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s tls
	umask 077
	make_it install
	[[ ! $(find "$root" -type f ! -path '*/sbin/*' ! -perm -444) ]]
	(cd "$root/usr" && find . -type f -perm -111 | sort) >"$tmp/got"
	(cd "$root/usr" && find ./sbin ./libexec -type f | sort) >"$tmp/want"
	diff "$tmp/want" "$tmp/got"
}

@test "the units start the installed program" {
	make_it install
	run -0 sed -n 's/^ExecStart=\([^ ]*\) .*/\1/p' \
	    "$root/usr/lib/systemd/system/smtpd.service"
	[[ $output == /usr/sbin/smtpd ]]
	[[ $("$root$output" --version) == $(./smtpd --version) ]]
	lacks /usr/local "$root"/usr/lib/systemd/system/*
}

@test "the installed pages name the installed paths" {
	local path
	make_it install
	grep -ohE '/usr/(local/)?(sbin|lib|libexec|share)/[a-z/.-]*[a-z]' \
	    "$root"/usr/share/man/man[578]/smtpd* | sort -u >"$tmp/paths"
	[[ -s $tmp/paths ]]
	while read -r path; do
		echo "$path"
		[[ -e $root$path ]]
	done <"$tmp/paths"
	[[ $(grep -c "^/usr/libexec/smtpd" "$tmp/paths") -gt 5 ]]
}

@test "make uninstall removes all of smtpd's files and no others" {
	make_it install
	touch "$root/usr/libexec/smtpd/mine"
	make_it uninstall
	[[ $(find "$root" ! -type d) == "$root/usr/libexec/smtpd/mine" ]]
	rm "$root/usr/libexec/smtpd/mine"
	make_it install
	make_it uninstall
	[[ ! $(find "$root" ! -type d) ]]
	[[ ! -e $root/usr/libexec/smtpd && ! -e $root/usr/share/doc/smtpd ]]
}

@test "the version of the Makefile is that of the program, the pages and the changes" {
	local version page
	version=$(sed -n 's/^VERSION = //p' Makefile)
	[[ $version =~ ^[0-9]+(\.[0-9]+)+$ ]]
	[[ $(./smtpd --version) == "smtpd $version" ]]
	for page in man/*.[578] contrib/{tls,milter}/*.8; do
		echo "$page"
		grep -qx "\.Os smtpd $version" "$page"
	done
	[[ $(grep -m 1 '^## ' CHANGELOG.md) == "## $version"* ]]
}

# complete_words WORD...: what bash has to offer for the last one, a line each
complete_words() {
	bash -c 'source contrib/completion/smtpd
	    [[ $(complete -p smtpd) == *" _smtpd smtpd" ]] || exit
	    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	    _smtpd ./smtpd "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
	    printf "%s\n" "${COMPREPLY[@]}"' bash smtpd "$@"
}

@test "bash completes every option of --help" {
	./smtpd --help | grep -oE '^  .{4}--[a-z-]+' | grep -o -e '--.*' |
	    sort >"$tmp/want"
	complete_words -- | sort >"$tmp/got"
	[[ -s $tmp/want ]]
	diff "$tmp/want" "$tmp/got"
	[[ $(complete_words --max-s) == --max-size ]]
	[[ ! $(complete_words --no-such) ]]
}

@test "bash completes the arguments that are words, directories or users" {
	[[ $(complete_words --log j) == json ]]
	[[ $(complete_words --maildir contrib/sy) == contrib/systemd ]]
	[[ $(complete_words -m contrib/sy) == contrib/systemd ]]
	[[ $(complete_words --user nobod) == nobody ]]
	[[ $(complete_words --user = nobod) == nobody ]]
	[[ $(complete_words --status LICEN) == LICENSE ]]
	# numbers and times are for you to say
	[[ ! $(complete_words --workers '') ]]
}

@test "no unit runs as mail, whose group may read the mail of all users" {
	lacks -rnE -e '(--user|-i?u|-[og]|chgrp|User=|[ug]id=) ?mail( |:|$)' README.md \
	    CONTRIBUTING.md man contrib
	lacks -rnE '(--user|-i?u|-o|User=|uid=) ?nobody( |:|$)' contrib
}

@test "each unit runs as smtpd without access to /var/mail" {
	local unit
	for unit in contrib/systemd/{smtpd,smtpd-bind,inetd/smtpd@}.service; do
		grep -qx User=smtpd "$unit"
		grep -qx InaccessiblePaths=-/var/mail "$unit"
	done
	grep -q '^u smtpd ' contrib/systemd/sysusers.conf
}
