# smtpd needs a C compiler and libc, and 'make tls' OpenSSL.  Targets: all check
# check-real check-cross failures torture bench fuzz sanitize valgrind coverage
# install uninstall clean tls install-tls; static html lint format dist deb for
# who works on it or packs it (CONTRIBUTING.md).  CC, CPPFLAGS, CFLAGS, LDFLAGS,
# LDLIBS, DESTDIR, PREFIX and the directories below are honoured.  A processor
# without atomic operations on 8 bytes, such as ARMv6, needs LDLIBS=-latomic.

VERSION = 0.1

PREFIX = /usr/local
SBINDIR = $(PREFIX)/sbin
HOOKDIR = $(PREFIX)/libexec/smtpd
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/smtpd
UNITDIR = $(PREFIX)/lib/systemd/system
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions

CFLAGS ?= -O2 -g
WARNINGS = -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes \
	-Wstrict-prototypes -Wconversion
HARDENING = -fPIE -fstack-protector-strong -U_FORTIFY_SOURCE \
	-D_FORTIFY_SOURCE=2
# files and times of 64 bits where a long has 32, as lib/file.c demands
WIDE = -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
BASE_CFLAGS = -std=c11 -D_GNU_SOURCE $(WIDE) -DVERSION='"$(VERSION)"' -I. \
	$(WARNINGS)
ALL_CFLAGS = $(BASE_CFLAGS) $(HARDENING) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(LDFLAGS)

# by layer, the topmost first; what a line lists may call what is below it
SERVER = explain failure handover inetd page rehearse restart service settings \
	show sockets status worker
SMTP = auth client connect data dsn dsn_report hello hook_env hooks mail parameters \
	session starttls transcript xclient
MAIL = delivery header maildir recipients report store trace
LIB = clock file log memory option path
TEXT = address base64 idna line param reply utf8 verdict words xtext
NET = activation listener net notify proxy resolve stream tls
PROC = confine environment hook pool process scoreboard title user
OBJECTS = smtpd.o $(SERVER:%=server/%.o) proto.o $(SMTP:%=smtp/%.o) envelope.o \
	$(MAIL:%=mail/%.o) $(LIB:%=lib/%.o) $(TEXT:%=lib/text/%.o) \
	$(NET:%=lib/net/%.o) $(PROC:%=lib/proc/%.o)
# of the helper for --tls; it starts in less time with OpenSSL in it, but has to
# be made anew when that is mended:
# make tls TLS_LIBS='-Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic'
TLS_LIBS = -lssl -lcrypto
EXAMPLES = contrib/*/*.conf contrib/*/*.cfg contrib/inetd/tcpserver \
	contrib/systemd/*.s*[et] contrib/systemd/*/*
# the kernel's headers are no part of musl; where it is the libc of the system,
# make static STATIC_CC=cc STATIC_PIE=-static-pie
STATIC_CC = musl-gcc -idirafter /usr/include \
	-idirafter /usr/include/$$(cc -print-multiarch)
STATIC_CFLAGS = -Os -flto=auto -fPIE -fno-asynchronous-unwind-tables \
	-fstack-protector-strong
# its specs don't know -static-pie
MUSL = /usr/lib/$$(uname -m)-linux-musl
STATIC_PIE = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text \
	$(MUSL)/rcrt1.o $(MUSL)/crti.o $(MUSL)/crtn.o
TOOLS = t/smtpc t/tlsd t/json t/manager t/every t/fail.so \
	t/escape.so t/bench/load t/bench/limit

all: smtpd

smtpd: $(OBJECTS)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

server/settings.o smtp/transcript.o: Makefile

-include $(OBJECTS:.o=.d)

.SUFFIXES: .c .o
.c.o:
	$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

t/smtpc: t/smtpc.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/smtpc.c

t/tlsd: t/tlsd.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/tlsd.c

t/json: t/json.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/json.c

t/manager: t/manager.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/manager.c

t/bench/load: t/bench/load.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/bench/load.c

t/bench/limit: t/bench/limit.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/bench/limit.c

t/fail.so: t/fail.c t/fail-calls.c t/fail.h
	$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -fPIC -shared \
	    -o $@ t/fail.c t/fail-calls.c -ldl

t/every: t/every.c t/every-client.c t/every-mail.c t/every-order.c \
	    t/every-server.c t/every.h t/fail.h
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/every.c t/every-client.c \
	    t/every-mail.c t/every-order.c t/every-server.c

t/escape.so: t/escape.c
	$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -fPIC -shared \
	    -o $@ t/escape.c -ldl

tools: $(TOOLS)

# bats runs files side by side where GNU parallel is installed; they wait for
# the disk more than they compute
check: smtpd $(TOOLS)
	jobs=$$((4 * $$(nproc 2>/dev/null || echo 2))); \
	command -v parallel >/dev/null || jobs=1; \
	bats --jobs $$jobs t/*.bats

# the helper for --tls needs OpenSSL, and its headers (libssl-dev)
tls: contrib/tls/smtpd-tls

contrib/tls/smtpd-tls: contrib/tls/smtpd-tls.c
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ contrib/tls/smtpd-tls.c \
	    $(TLS_LIBS)

install-tls: tls
	mkdir -p $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8
	install -m 755 contrib/tls/smtpd-tls $(DESTDIR)$(SBINDIR)/smtpd-tls
	install -m 644 contrib/tls/smtpd-tls.8 \
	    $(DESTDIR)$(MANDIR)/man8/smtpd-tls.8

check-real: smtpd $(TOOLS)
	t/real/run

# each failure and each crash that there can be, as t/README.md tells
failures: smtpd $(TOOLS)
	dir=$$(mktemp -d -p $$(test -w /dev/shm && echo /dev/shm || echo /tmp)); \
	t/every -d $$dir order && t/every -f btrfs -d $$dir order && \
	    t/every -f other -d $$dir order && t/every -d $$dir failures && \
	    t/every -d $$dir crashes && \
	    t/every -f btrfs -d $$dir failures ten many links && \
	    t/every -f btrfs -d $$dir crashes one ten links; \
	    status=$$?; rm -rf $$dir; exit $$status

# builds for six other processors, and suites under qemu for two of them
check-cross:
	t/cross

# these take their time, and prove nothing on a busy machine
torture: smtpd
	t/real/torture long

# gcc and its sanitizers, over all of make check
sanitize:
	t/sanitize

# the suites that have the most to do with memory, under valgrind
valgrind:
	t/valgrind

# which lines no suite comes by, by gcov and lcov
coverage:
	t/coverage

# clang and its libFuzzer; a target each until stopped, or for so many seconds,
# and what is tried may be the same each time: make fuzz SECONDS=20 SEED=1
fuzz:
	t/fuzz/run $(SECONDS) $(SEED)

# for t/fuzz/run
objects:
	@echo $(OBJECTS)

# five minutes; t/real/install has the peers
bench: smtpd t/smtpc t/bench/load t/bench/limit
	t/bench/compare -d 4
	t/bench/memory 1000 0
	t/bench/instructions

# the whole of it, and what is measured by itself
bench-all: smtpd t/smtpc t/bench/load t/bench/limit
	t/bench/compare
	t/bench/hooks
	t/bench/tls
	t/bench/memory
	t/bench/overload
	t/bench/chunking
	t/bench/instructions
	t/bench/confinement
	t/bench/restart

# what is installed names the places where it is; no unit is enabled
PLACES = -e 's|/usr/local/sbin/|$(SBINDIR)/|g' \
	-e 's|/usr/local/libexec/smtpd|$(HOOKDIR)|g' \
	-e 's|/usr/local/lib/systemd/system|$(UNITDIR)|g' \
	-e 's|/usr/local/share/doc/smtpd|$(DOCDIR)|g'
install: smtpd
	mkdir -p $(DESTDIR)$(SBINDIR) $(DESTDIR)$(HOOKDIR) \
	    $(DESTDIR)$(MANDIR)/man7 $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(UNITDIR) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	install -m 755 smtpd $(DESTDIR)$(SBINDIR)/smtpd
	install -m 755 contrib/hooks/* $(DESTDIR)$(HOOKDIR)
	install -m 644 contrib/completion/smtpd $(DESTDIR)$(BASHDIR)
	install -m 644 contrib/completion/_smtpd $(DESTDIR)$(ZSHDIR)
	for file in README.md CHANGELOG.md SECURITY.md LICENSE $(EXAMPLES); do \
	    to=$(DESTDIR)$(DOCDIR)/$$file && mkdir -p $${to%/*} && \
	    sed $(PLACES) $$file >$$to && chmod 644 $$to || exit; done
	for page in smtpd-hooks.7 smtpd.8; do \
	    to=$(DESTDIR)$(MANDIR)/man$${page##*.}/$$page && \
	    sed $(PLACES) man/$$page >$$to && chmod 644 $$to || exit; done
	install -m 644 $(DESTDIR)$(DOCDIR)/contrib/systemd/smtpd.s*[et] \
	    $(DESTDIR)$(UNITDIR)
	test ! -x contrib/tls/smtpd-tls || $(MAKE) install-tls

uninstall:
	for hook in contrib/hooks/*; do \
	    rm -f $(DESTDIR)$(HOOKDIR)/$${hook##*/}; done
	rm -f $(DESTDIR)$(SBINDIR)/smtpd $(DESTDIR)$(SBINDIR)/smtpd-tls \
	    $(DESTDIR)$(MANDIR)/man7/smtpd-hooks.7 \
	    $(DESTDIR)$(MANDIR)/man8/smtpd.8 \
	    $(DESTDIR)$(MANDIR)/man8/smtpd-tls.8 \
	    $(DESTDIR)$(UNITDIR)/smtpd.service \
	    $(DESTDIR)$(UNITDIR)/smtpd.socket \
	    $(DESTDIR)$(BASHDIR)/smtpd $(DESTDIR)$(ZSHDIR)/_smtpd
	rm -rf $(DESTDIR)$(DOCDIR)
	rmdir $(DESTDIR)$(HOOKDIR) 2>/dev/null || true

# what was committed, the same whenever it is packed
dist:
	git archive --prefix smtpd-$(VERSION)/ HEAD | gzip -9n \
	    >smtpd-$(VERSION).tar.gz

deb: smtpd
	contrib/debian/build $(VERSION)

static: smtpd-static

smtpd-static: smtpd Makefile
	$(STATIC_CC) $(BASE_CFLAGS) $(STATIC_CFLAGS) $(STATIC_PIE) \
	    -Wl,--gc-sections,-z,noseparate-code,-z,relro,-z,now,-s -o $@ \
	    $(OBJECTS:.o=.c)
	@wc -c $@

# a page that lies here is linked to, others are where there are all of them
html:
	rm -rf html
	mkdir html
	cp man/*.[78] contrib/tls/*.8 html
	cd html && for page in *.[78]; do mandoc -T html -O \
	    'man=%N.%S.html;https://manpages.debian.org/%N.%S.html' \
	    $$page >$$page.html || exit; done
	rm html/*.[78]

lint:
	contrib/lint/run

# what differs from FORMAT_BASE, a revision; without it, what is not committed
format:
	contrib/lint/format $(FORMAT_BASE)

clean:
	rm -f smtpd smtpd-static $(OBJECTS) $(OBJECTS:.o=.d) $(TOOLS) contrib/tls/smtpd-tls \
	    smtpd-*.tar.gz smtpd_*.deb
	rm -rf t/fuzz/build html

.PHONY: all tls install-tls tools objects check check-real check-cross \
	failures torture sanitize \
	valgrind coverage bench bench-all fuzz install uninstall dist deb static html \
	lint format clean
