# For packagers, and for the helper of --tls; the Makefile above includes it.

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
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ contrib/tls/smtpd-tls.c \
	    contrib/tls/confine.c $(TLS_LIBS)

install-tls: tls
	mkdir -p $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8
	install -m 711 contrib/tls/smtpd-tls $(DESTDIR)$(SBINDIR)/smtpd-tls
	to=$(DESTDIR)$(MANDIR)/man8/smtpd-tls.8 && \
	    sed $(PLACES) contrib/tls/smtpd-tls.8 >$$to && chmod 644 $$to

# the committed files, byte for byte the same each time
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

# pages link to each other, and to manpages.debian.org
html:
	rm -rf html
	mkdir html
	cp man/*.[578] contrib/tls/*.8 html
	cd html && for page in *.[578]; do mandoc -T html -O \
	    'man=%N.%S.html;https://manpages.debian.org/%N.%S.html' \
	    $$page >$$page.html || exit; done
	rm html/*.[578]

.PHONY: tls install-tls dist deb static html
