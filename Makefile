# smtpd needs a C compiler and libc.  Targets: all check install uninstall clean;
# check-real check-cross check-arch failures powercut torture sanitize valgrind
# coverage fuzz bench bench-all lint format for work on it (CONTRIBUTING.md,
# t/README.md); milter tls install-tls static image html dist deb for packagers
# (contrib/packaging.mk).
# CC, CPPFLAGS, CFLAGS, LDFLAGS, LDLIBS, DESTDIR, PREFIX and the directories
# below are honoured.  A processor without atomic operations on 8 bytes, such
# as ARMv6, needs LDLIBS=-latomic.

VERSION = 0.1

PREFIX = /usr/local
SBINDIR = $(PREFIX)/sbin
HOOKDIR = $(PREFIX)/libexec/smtpd
MANDIR = $(PREFIX)/share/man
DOCDIR = $(PREFIX)/share/doc/smtpd
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
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
SERVER = commands explain failure handover handshake inetd page places rehearse \
	restart service settings show sockets startup status warnings worker
SMTP = auth client connect data discard dsn dsn_report fields foreign hello \
	hook_env hooks journal mail options parameters session starttls transcript \
	xclient
MAIL = delivery header maildir message received recipients report store trace
LIB = clock file log memory option path
TEXT = address base64 idna line param reply utf8 verdict words xtext
NET = activation holder listener net notify progress proxy resolve stream tls
PROC = confine descriptors environment hook invocation launch launcher pool process \
	program relaunch request scoreboard title user
OBJECTS = smtpd.o $(SERVER:%=server/%.o) proto.o $(SMTP:%=smtp/%.o) envelope.o \
	$(MAIL:%=mail/%.o) $(LIB:%=lib/%.o) $(TEXT:%=lib/text/%.o) \
	$(NET:%=lib/net/%.o) $(PROC:%=lib/proc/%.o)
# A line for each file; make Q= prints the commands, and make -s nothing.
Q = @
SAY = @case "$${MAKEFLAGS%% *}" in -*|*=*) ;; *s*) exit;; esac; echo

all: smtpd

include t/tools.mk
include contrib/packaging.mk

smtpd: $(OBJECTS)
	$(SAY) "LD $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(OBJECTS) $(LDLIBS)

server/settings.o smtp/transcript.o: Makefile

-include $(OBJECTS:.o=.d)

.SUFFIXES: .c .o
.c.o:
	$(SAY) "CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -c -o $@ $<

# With GNU parallel, bats runs the suites side by side.  Within a suite it would
# double the CPU time; those that mostly wait ask for it.  On a terminal, bats
# shows how far it is.
CHECK_TIME = two minutes on two idle processors
check: smtpd $(TOOLS)
	@n=$$(cat t/*.bats | grep -c '^@test'); \
	jobs=$$((4 * $$(nproc 2>/dev/null || echo 2))); \
	how="--jobs $$jobs --no-parallelize-within-files"; \
	command -v parallel >/dev/null || { jobs=1; how=; }; \
	echo "# $$n tests, $$jobs at a time: about $(CHECK_TIME)"; \
	start=$$(date +%s); status=0; \
	bats $$how t/*.bats || status=$$?; \
	echo "# make check took $$(($$(date +%s) - start)) seconds"; \
	exit $$status

check-real: smtpd $(TOOLS)
	t/real/run

# builds for other processors, and suites under qemu for two of them
check-cross:
	t/cross

# make check-arch ARCH=arm64: under Debian's kernel of that processor, in qemu
check-arch:
	t/arch/run $(ARCH)

# every failure and every crash point, as t/README.md tells
failures: smtpd $(TOOLS)
	t/failures

# ten minutes on a machine without other load
torture: smtpd
	t/real/torture long

# make check with sanitizers; under valgrind; the lines that no suite runs
sanitize valgrind coverage:
	t/$@

# power cuts on four file systems, or make powercut CUTS=130, CUTS on each; root
powercut:
	t/power/run $(CUTS)

# until stopped, or make fuzz SECONDS=20 SEED=1, the same inputs each time
fuzz:
	t/fuzz/run $(SECONDS) $(SEED)

# five minutes, or everything; t/real/install has the peers
bench bench-all: smtpd t/smtpc t/bench/load t/bench/limit
	t/bench/run $@

lint:
	contrib/lint/run

# the lines that differ from FORMAT_BASE, or that are not committed
format:
	contrib/lint/format $(FORMAT_BASE)

# for the scripts above
objects:
	@echo $(OBJECTS)

# A user who can't read a program can't trace its processes, not even between
# exec and the call by which they forbid it: hence mode 711.
clean:
	rm -f smtpd smtpd-static $(OBJECTS) $(OBJECTS:.o=.d) $(TOOLS) contrib/tls/smtpd-tls \
	    smtpd-*.tar.gz smtpd_*.deb
	rm -f t/power/logfs
	rm -rf t/fuzz/build html

.PHONY: all tools check check-real check-cross check-arch failures powercut \
	torture sanitize valgrind coverage fuzz bench bench-all lint format objects clean
