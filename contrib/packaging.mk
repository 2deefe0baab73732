# Installation, packages and the optional programs; the Makefile above includes it.

# smtpd-tls starts faster with OpenSSL linked in, but must be rebuilt for each
# fix of OpenSSL: make tls TLS_LIBS='-Wl,-Bstatic -lssl -lcrypto -Wl,-Bdynamic'
TLS_LIBS = -lssl -lcrypto

# musl lacks the kernel's headers.  On a system whose libc is musl:
# make static STATIC_CC=cc STATIC_PIE=-static-pie
STATIC_CC = musl-gcc -idirafter /usr/include \
	-idirafter /usr/include/$$(cc -print-multiarch)
STATIC_CFLAGS = -Os -flto=auto -fPIE -fno-asynchronous-unwind-tables \
	-fstack-protector-strong
# musl-gcc's specs don't support -static-pie
MUSL = $$(musl-gcc -v 2>&1 | sed -n "s,^Reading specs from \\(.*\\)/[^/]*$$,\\1,p")
STATIC_PIE = -static -nostartfiles -Wl,-pie,--no-dynamic-linker,-z,text \
	$(MUSL)/rcrt1.o $(MUSL)/crti.o $(MUSL)/crtn.o

# needs libssl-dev
tls: contrib/tls/smtpd-tls

contrib/tls/smtpd-tls: contrib/tls/smtpd-tls.c contrib/tls/confine.c \
	    contrib/tls/confine.h
	$(SAY) "CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ contrib/tls/smtpd-tls.c \
	    contrib/tls/confine.c $(TLS_LIBS)

install-tls: tls
	mkdir -p $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8
	install -m 711 contrib/tls/smtpd-tls $(DESTDIR)$(SBINDIR)/smtpd-tls
	to=$(DESTDIR)$(MANDIR)/man8/smtpd-tls.8 && \
	    sed $(PLACES) contrib/tls/smtpd-tls.8 >$$to && chmod 644 $$to

milter: contrib/milter/smtpd-milter

MILTER = answer changes file frame link macros message peer smtpd-milter talk \
	terms verdict

contrib/milter/smtpd-milter: $(MILTER:%=contrib/milter/%.c) contrib/milter/*.h
	$(SAY) "CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(MILTER:%=contrib/milter/%.c)

# the committed files, byte for byte the same each time
dist:
	git archive --prefix smtpd-$(VERSION)/ HEAD | gzip -9n \
	    >smtpd-$(VERSION).tar.gz

deb: smtpd tls milter
	contrib/debian/build $(VERSION)

static: smtpd-static

smtpd-static: smtpd Makefile
	$(SAY) "CC $@"
	$(Q)$(STATIC_CC) $(BASE_CFLAGS) $(STATIC_CFLAGS) $(STATIC_PIE) \
	    -Wl,--gc-sections,-z,noseparate-code,-z,relro,-z,now,-s -o $@ \
	    $(OBJECTS:.o=.c)
	@wc -c $@

# by buildah or podman, of a Debian that they pull; without packages, only the
# image that has no hooks
IMAGE_PACKAGES = ca-certificates curl socat
image: smtpd-static
	contrib/container/build $(VERSION) $(IMAGE_PACKAGES)

# pages link to each other, and to manpages.debian.org
html:
	rm -rf html
	mkdir html
	cp man/*.[578] contrib/tls/*.8 contrib/milter/*.8 html
	cd html && for page in *.[578]; do mandoc -T html -O \
	    'man=%N.%S.html;https://manpages.debian.org/%N.%S.html' \
	    $$page >$$page.html || exit; done
	rm html/*.[578]

EXAMPLES = contrib/*/*.conf contrib/*/*.cfg contrib/inetd/tcpserver \
	contrib/examples/* \
	contrib/systemd/*.s*[et] contrib/systemd/*/*
# Installed files name the directories where they are; no unit is enabled
PLACES = -e 's|/usr/local/sbin/|$(SBINDIR)/|g' \
	-e 's|/usr/local/libexec/smtpd|$(HOOKDIR)|g' \
	-e 's|/usr/local/lib/systemd/system|$(UNITDIR)|g' \
	-e 's|/usr/local/share/doc/smtpd|$(DOCDIR)|g'
# links to what is not installed become words
LINKS = -e 's|\[CONTRIBUTING\.md\]([^)]*)|CONTRIBUTING.md of the source|' \
	-e 's|\[t/README\.md\]([^)]*)|t/README.md of the source|' \
	-e 's|\[\(smtpd[^]]*\)\](man/[^)]*)|\1|'
install: smtpd milter
	mkdir -p $(DESTDIR)$(SBINDIR) $(DESTDIR)$(HOOKDIR) \
	    $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man7 \
	    $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR) \
	    $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR)
	install -m 711 smtpd $(DESTDIR)$(SBINDIR)/smtpd
	install -m 755 contrib/milter/smtpd-milter $(DESTDIR)$(SBINDIR)
	install -m 755 contrib/hooks/* $(DESTDIR)$(HOOKDIR)
	install -m 644 contrib/completion/smtpd $(DESTDIR)$(BASHDIR)
	install -m 644 contrib/completion/_smtpd $(DESTDIR)$(ZSHDIR)
	for file in README.md CHANGELOG.md SECURITY.md LICENSE $(EXAMPLES); do \
	    to=$(DESTDIR)$(DOCDIR)/$$file && mkdir -p $${to%/*} && \
	    sed $(PLACES) $(LINKS) $$file >$$to && chmod 644 $$to || exit; done
	for page in man/*.[578] contrib/milter/*.8; do \
	    to=$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} && \
	    sed $(PLACES) $$page >$$to && chmod 644 $$to || exit; done
	install -m 644 $(DESTDIR)$(DOCDIR)/contrib/systemd/smtpd.service \
	    $(DESTDIR)$(DOCDIR)/contrib/systemd/smtpd*.socket \
	    $(DESTDIR)$(UNITDIR)
	install -m 644 contrib/systemd/sysusers.conf \
	    $(DESTDIR)$(SYSUSERSDIR)/smtpd.conf
	test ! -x contrib/tls/smtpd-tls || $(MAKE) install-tls

uninstall:
	for hook in contrib/hooks/*; do \
	    rm -f $(DESTDIR)$(HOOKDIR)/$${hook##*/}; done
	for page in man/*.[578] contrib/milter/*.8; do \
	    rm -f $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(DESTDIR)$(SBINDIR)/smtpd $(DESTDIR)$(SBINDIR)/smtpd-tls \
	    $(DESTDIR)$(SBINDIR)/smtpd-milter \
	    $(DESTDIR)$(MANDIR)/man8/smtpd-tls.8 \
	    $(DESTDIR)$(UNITDIR)/smtpd.service \
	    $(DESTDIR)$(UNITDIR)/smtpd.socket \
	    $(DESTDIR)$(UNITDIR)/smtpd-submission.socket \
	    $(DESTDIR)$(UNITDIR)/smtpd-submissions.socket \
	    $(DESTDIR)$(SYSUSERSDIR)/smtpd.conf \
	    $(DESTDIR)$(BASHDIR)/smtpd $(DESTDIR)$(ZSHDIR)/_smtpd
	rm -rf $(DESTDIR)$(DOCDIR)
	rmdir $(DESTDIR)$(HOOKDIR) 2>/dev/null || true

.PHONY: image install uninstall tls install-tls milter dist deb static html
