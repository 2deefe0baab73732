# Programs of the tests and benchmarks, for the Makefile above.

PROGRAMS = t/smtpc t/tlsd t/json t/manager t/milterd t/bench/load t/bench/limit
TOOLS = $(PROGRAMS) t/every t/fail.so t/escape.so \
	contrib/milter/smtpd-milter

tools: $(TOOLS)

$(PROGRAMS): %: %.c
	$(SAY) "CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $<

t/fail.so: t/fail.c t/fail-calls.c t/fail.h
	$(SAY) "CC $@"
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -fPIC -shared \
	    -o $@ t/fail.c t/fail-calls.c -ldl

t/every: t/every.c t/every-client.c t/every-mail.c t/every-order.c \
	    t/every-server.c t/every.h t/fail.h
	$(SAY) "CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ t/every.c t/every-client.c \
	    t/every-mail.c t/every-order.c t/every-server.c

t/escape.so: t/escape.c lib/proc/request.h
	$(SAY) "CC $@"
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -I. $(WARNINGS) $(CFLAGS) -fPIC -shared \
	    -o $@ t/escape.c -ldl

# the disk of the power cuts; FUSE is Debian's libfuse3-dev
t/power/logfs: t/power/logfs.c
	$(SAY) "CC $@"
	$(Q)$(CC) $(ALL_CFLAGS) $$(pkg-config --cflags fuse3) $(ALL_LDFLAGS) \
	    -o $@ t/power/logfs.c $$(pkg-config --libs fuse3) -lpthread
