#!/usr/bin/env bats
# The tarball, the Debian package, the static program and the completions of
# shells; and builds by other compilers and with another libc.

# shellcheck disable=SC2154,SC2016
load helpers

# The tarball is what all is made of, so that nothing can be missing from it.
setup_file() {
	local made
	# a clone may belong to somebody else
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory \
		GIT_CONFIG_VALUE_0='*' LC_ALL=C
	unset MAKEFLAGS MFLAGS MAKELEVEL
	version=$(sed -n 's/^VERSION = //p' "$BATS_TEST_DIRNAME/../../Makefile")
	tarball=$BATS_FILE_TMPDIR/smtpd-$version.tar.gz
	source=$BATS_FILE_TMPDIR/smtpd-$version
	export version tarball source
	chmod 711 "$BATS_RUN_TMPDIR"
	make -s -C "$BATS_TEST_DIRNAME/../.." dist
	made=$BATS_TEST_DIRNAME/../../${tarball##*/}
	mv "$made" "$tarball"
	tar -xzf "$tarball" -C "$BATS_FILE_TMPDIR"
	make -s -C "$source" -j2 CFLAGS='-O2 -g -Werror' all
}

teardown() {
	[[ ! ${super-} ]] || kill -9 "$super" 2>/dev/null || true
	end
}

# other NAME: a copy of the sources, without what was built, in ./NAME
other() {
	mkdir "$1"
	tar -xzf "$tarball" --strip-components 1 -C "$1"
}

@test "make dist packs what is committed, reproducibly" {
	other copy
	(cd copy && find . -type f -o -type l | sed 's#^\./##' | sort) >packed
	git -C "$root" ls-tree -r --name-only HEAD | sort >committed
	diff committed packed
	git clone -q --no-hardlinks "$root" clone
	umask 077
	TZ=Asia/Tokyo make -s -C clone dist
	cmp "$tarball" "clone/${tarball##*/}"
}

@test "the version is set in one place" {
	cp -Rp "$source" changed
	sed -i 's/^VERSION = .*/VERSION = 9.8.7/' changed/Makefile
	make -s -C changed smtpd
	[[ $(changed/smtpd --version) == 'smtpd 9.8.7' ]]
}

# package VERSION: make the Debian package of this version; prints its name
package() {
	[[ -d debian ]] || cp -Rp "$source" debian
	sed -i "s/^VERSION = .*/VERSION = $1/" debian/Makefile
	make -s -C debian deb >&2
	echo "debian/smtpd_$1_$(dpkg --print-architecture).deb"
}

# dpkg_there OPTION...: dpkg for a system of its own, below ./there, that has
# nothing else
dpkg_there() {
	[[ -d there ]] || {
		mkdir -p there/var/lib/dpkg/{info,updates} there/{etc,var/log}
		touch there/var/lib/dpkg/{status,available}
	}
	dpkg --root="$PWD/there" --log=there/var/log/dpkg.log \
		--force-script-chrootless --force-depends "$@" >>dpkg.log 2>&1 ||
		{
			cat dpkg.log
			return 1
		}
}

# start_unit: the installed units, as far as systemd-socket-activate goes:
# their port, program, user and directory, in a network of their own
start_unit() {
	local units=there/usr/lib/systemd/system port command ids uid gid
	port=$(sed -n 's/^ListenStream=//p' "$units/smtpd.socket")
	read -ra command < <(sed -n 's/^ExecStart=//p' "$units/smtpd.service")
	command[0]=$PWD/there${command[0]}
	# systemd takes the options from there
	grep -qx 'EnvironmentFile=-/etc/default/smtpd' "$units/smtpd.service"
	[[ ${command[-1]} == '$SMTPD_OPTIONS' ]]
	unset 'command[-1]'
	[[ ! $(. there/etc/default/smtpd && echo "${SMTPD_OPTIONS-}") ]]
	grep -qx User=smtpd "$units/smtpd.service"
	# the package created it
	ids=$(awk -F: '$1 == "smtpd" { print $3, $4 }' there/etc/passwd)
	uid=${ids% *} gid=${ids#* }
	((uid > 0 && gid > 0))
	install -d -o "$uid" -g "$gid" -m 700 state
	unshare --net sh -c 'ip link set lo up; exec "$@"' sh \
		systemd-socket-activate --listen "$port" \
		--fdname="$(sed -n 's/^FileDescriptorName=//p' "$units/smtpd.socket")" \
		-E STATE_DIRECTORY="$PWD/state" \
		setpriv --reuid "$uid" --regid "$gid" --clear-groups \
		"${command[@]}" </dev/null >>log 2>&1 3>&- 4>&- &
	super=$!
	await 60 nsenter --net --target "$super" \
		sh -c 'grep -q ":0019 .* 0A " /proc/net/tcp /proc/net/tcp6'
}

send_there() {
	nsenter --net --target "$super" timeout 60 swaks --server 127.0.0.1 \
		--port 25 --from a@c.example --to b@localhost --helo c.example \
		--suppress-data
}

@test "the Debian package installs, serves by its unit, upgrades while serving, and is removed" {
	local first second pool
	first=$(package "$version")
	second=$(package "$version.1")
	dpkg_there --install "$first"
	[[ $(there/usr/sbin/smtpd --version) == "smtpd $version" ]]
	(cd there && md5sum --quiet -c var/lib/dpkg/info/smtpd.md5sums)
	# nothing is enabled
	[[ ! -e there/etc/systemd ]]
	start_unit
	send_there
	kept 1 state/Maildir
	# what postinst does where systemd runs
	grep -q 'try-reload-or-restart smtpd' debian/contrib/debian/postinst
	mapfile -t pool < <(pgrep -P "$super")
	dpkg_there --install "$second"
	kill -HUP "$super"
	await 60 logged event=restarting log
	await 60 gone "${pool[0]}" 60
	[[ $("/proc/$super/exe" --version) == "smtpd $version.1" ]]
	send_there
	kept 2 state/Maildir
	kill "$super"
	gone "$super" 60
	wait "$super"
	unset super
	dpkg_there --purge smtpd
	[[ ! $(find there -path there/var/lib/dpkg -prune -o -path \
		there/var/log -prune -o -path there/etc -prune -o ! -type d -print) ]]
	[[ ! -e there/etc/default/smtpd ]]
	# the user stays, as it may own mail
	(($(grep -c '' there/etc/passwd) == 1))
	[[ ! -e there/usr/sbin ]]
	kept 2 state/Maildir
}

@test "the package depends only on libc, OpenSSL and passwd, and starts nothing" {
	local deb
	deb=$(package "$version")
	[[ $(dpkg-deb -f "$deb" Depends) =~ ^passwd,\ libc6\ \(\>=\ [0-9.]+\),\ libssl3$ ]]
	[[ $(dpkg-deb -f "$deb" Conflicts) == opensmtpd ]]
	dpkg-deb -e "$deb" control
	[[ $(<control/conffiles) == /etc/default/smtpd ]]
	run ! grep -E 'systemctl.* (start|restart|enable)' control/p*
	dpkg-deb -c "$deb" >contents
	run ! grep -v '^[-d].* root/root ' contents
	dpkg-deb -x "$deb" tree
	[[ $(zcat tree/usr/share/doc/smtpd/changelog.gz) == \
	    "smtpd ($version) unstable; "*' -- '*'>  '*' +0000' ]]
}

@test "the maintainer of the package is the last committer or DEBEMAIL" {
	local deb author
	author=$(git -C "$root" log -1 --format='%an <%ae>')
	[[ $author == *@* ]]
	# from a tarball, and from a clone
	deb=$(package "$version")
	[[ $(dpkg-deb -f "$deb" Maintainer) == "$author" ]]
	git clone -q --no-hardlinks "$root" clone
	make -s -C clone -j2 deb
	[[ $(dpkg-deb -f "clone/${deb##*/}" Maintainer) == "$author" ]]
	DEBFULLNAME='A. Packager' DEBEMAIL=packager@example.org \
		package "$version"
	[[ $(dpkg-deb -f "$deb" Maintainer) == 'A. Packager <packager@example.org>' ]]
}

@test "lintian has no warning about the package" {
	run -0 lintian --pedantic --info --allow-root "$(package "$version")"
	[[ ! $output ]]
}

@test "the package is reproducible" {
	export SOURCE_DATE_EPOCH=1700000000
	local deb
	deb=$(package "$version")
	mv "$deb" first
	package "$version"
	cmp first "$deb"
}

@test "smtpd-tls and its page are in the package" {
	local deb
	deb=$(package "$version")
	dpkg-deb -c "$deb" >contents
	grep -q '\./usr/sbin/smtpd-tls$' contents
	grep -q '\./usr/share/man/man8/smtpd-tls\.8\.gz$' contents
}

@test "make static: the program needs no library, is small and hardened, and accepts mail" {
	local size kb
	other copy
	make -s -C copy static STATIC_CC='musl-gcc -Werror -idirafter /usr/include -idirafter /usr/include/$$(cc -print-multiarch)'
	# at another address each time, and with nothing left to be linked
	readelf -Wh copy/smtpd-static | grep -q 'Type: *DYN (Position-Independent Executable file)'
	readelf -Wl copy/smtpd-static >segments
	run ! grep -q INTERP segments
	grep -q GNU_RELRO segments
	grep -Eq 'GNU_STACK .* RW ' segments
	readelf -Wd copy/smtpd-static >dynamic
	grep -q 'FLAGS_1.* NOW' dynamic
	run ! grep -q NEEDED dynamic
	size=$(stat -c %s copy/smtpd-static)
	echo "$size octets"
	((size < 320000))
	# README.md tells it
	kb=$(sed -n 's/.*one program of \([0-9]*\) kB.*/\1/p' "$root/README.md")
	((kb * 950 < size && size < kb * 1050))
	smtpd=$PWD/copy/smtpd-static
	[[ $("$smtpd" --version) == "smtpd $version" ]]
	start --maildir "$PWD/Maildir" --workers 2 --resolve --on-recipient true
	send
	kept 1
	kill -HUP "$pid"
	await 60 logged event=restarting log
	send
	kept 2
}

@test "clang builds the sources without a warning, and the program accepts mail" {
	other copy
	make -s -C copy -j2 CC=clang CFLAGS='-O2 -Werror' smtpd
	smtpd=$PWD/copy/smtpd
	start --maildir "$PWD/Maildir" --workers 2
	send
	kept 1
}

@test "a program that is optimized as a whole accepts mail" {
	other copy
	make -s -C copy -j2 CFLAGS='-O3 -flto' LDFLAGS='-O3 -flto=2' smtpd
	smtpd=$PWD/copy/smtpd
	start --maildir "$PWD/Maildir" --workers 2 --on-recipient true
	send
	kept 1
}

@test "musl builds the sources without a warning, shared" {
	other copy
	make -s -C copy -j2 CFLAGS='-O2 -Werror' HARDENING=-fPIE smtpd \
		CC="musl-gcc -idirafter /usr/include -idirafter /usr/include/$(cc -print-multiarch)"
	readelf -l copy/smtpd | grep -q 'interpreter: /lib/ld-musl'
	[[ $(copy/smtpd --version) == "smtpd $version" ]]
}

# typed TEXT: what zsh makes of a line of which this is the beginning, once TAB
# was pressed
typed() {
	cat >drive <<-'EOT'
		zmodload zsh/zpty
		zpty shell zsh -f -i
		zpty -w shell "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; echo rea''dy"
		zpty -r -m shell out '*ready*'
		zpty -w -n shell "$2"$'\t'
		zpty -r -m shell out "*$3*"
		print -r -- $out
	EOT
	timeout 30 zsh -f drive "$root/contrib/completion" "$1" "$2"
}

@test "zsh completes options and their arguments" {
	typed "$smtpd --max-s" --max-size
	typed "$smtpd --log j" json
	typed "$smtpd --log=j" --log=json
	typed "$smtpd --lenient-f" --lenient-from
	typed "$smtpd --recyc" --recycle-after
}

# changed N: the sources with the Nth diff of CONTRIBUTING.md, built, in
# ./changed
changed() {
	cp -Rp "$source" changed
	awk -v n="$1" '/^```$/ { on = 0 } on { print }
		/^```diff$/ { on = ++i == n }' "$root/CONTRIBUTING.md" >change
	[[ -s change ]]
	patch -s -p1 -d changed <change
	make -s -C changed -j2 CFLAGS='-O2 -g -Werror' smtpd
	smtpd=$PWD/changed/smtpd
}

@test "CONTRIBUTING.md's example of an option works" {
	changed 1
	options=(--maildir Maildir --greeting 'at your service')
	converse QUIT
	says '220 mx\.example ESMTP at your service'
	bats -f '^(the page and --help have the same|the program accepts every option)' \
		changed/t/90-manual.bats
}

@test "CONTRIBUTING.md's example of a hook event works" {
	changed 2
	options=(--maildir Maildir --on-reset 'echo "$SMTP_EVENT" >&2')
	converse RSET QUIT
	says '250 2\.0\.0 '
	logged 'on-reset' log
}

@test "CONTRIBUTING.md's example of an extension works" {
	changed 3
	options=(--maildir Maildir)
	converse 'EHLO c.example' 'MAIL FROM:<> SOLICIT=' \
		'MAIL FROM:<> SOLICIT=org.example:ADV' QUIT
	says '250-NO-SOLICITING'
	says '501 5\.5\.4 '
	says '250 2\.1\.0 '
}

@test "make html converts each manual page" {
	local page
	other copy
	make -s -C copy html
	for page in copy/man/*.[578] copy/contrib/{tls,milter}/*.8; do
		grep -q '<h1 class="Sh" id="NAME">' "copy/html/${page##*/}.html"
	done
	# links lead to what is there, or to where all pages are
	grep -q 'href="smtpd-hooks.7.html"' copy/html/smtpd.8.html
	grep -q 'href="smtpd-tls.8.html"' copy/html/smtpd.8.html
	grep -q 'href="https://manpages.debian.org/inetd.8.html"' copy/html/smtpd.8.html
	(($(find copy/html -type f | wc -l) == $(printf "%s\n" copy/man/*.[578] copy/contrib/{tls,milter}/*.8 | wc -l)))
}

@test "make format formats the changed lines, and no table" {
	git clone -q --no-hardlinks "$root" clone
	cd clone
	printf '%s\n' '' 'static int unlike( int a,int b )' '{' \
		'  if(a==b){ return a; }' \
		'	return (struct pair){b,a}.first;' '}' >>lib/text/base64.c
	sed -i 's/{ 0, "min-free", OPTION_SIZE,/{ 0,"min-free",OPTION_SIZE,/
		s/^static void$/static  void/' server/settings.c
	git diff server/settings.c >rows
	grep -q '^+	{ 0,"min-free",OPTION_SIZE,' rows
	make -s format
	git diff >changes
	grep -qx '+unlike(int a, int b)' changes
	grep -qx '+	if (a == b) {' changes
	grep -qx '+	return (struct pair){ b, a }.first;' changes
	grep -qx '+	{ 0,"min-free",OPTION_SIZE, .*' changes
	# of server/settings.c nothing is changed but that row
	(($(grep -c '^+[^+]' changes) == 9))
	# what is committed is done where that is asked for
	git -c user.name=x -c user.email=x@x.example commit -qam changed
	printf '\nint  last;\n' >>lib/text/base64.c
	git -c user.name=x -c user.email=x@x.example commit -qam changed
	make -s format
	git diff --exit-code
	make -s format FORMAT_BASE=HEAD~1
	[[ $(tail -n 1 lib/text/base64.c) == 'int last;' ]]
}

@test "make format reports a missing program" {
	mkdir bin
	ln -s "$(command -v dirname)" "$(command -v sh)" bin
	PATH=$PWD/bin run -69 "$source/contrib/lint/format"
	[[ $output == *'clang-format, '*' package of that name' ]]
}
