/*
 * What a milter sends: frames in segments, compared with a plain reader that
 * has all of them at once; and a conversation of smtpd-milter with it, after
 * which there is a verdict, and the message still has what is ours.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contrib/milter/protocol.h"
#include "contrib/milter/talk.h"
#include "fuzz.h"

static const char own[] = "Received: from c.example\n\tby mx.example with "
    "SMTP id OWN-ID.1\n\tfor <b@d.example>; Sat, 1 Jan 2028 00:00:00 +0000\n";
static const char top[] = "Return-Path: <a@c.example>\n";
static const char rest[] = "X-A: 1\nX-B:2\nX-A: 3\n\tfolded\n\nbody\n.\n";

/* The next frame of all that there is; as frame_next() does. */
static int
plain_next(const uint8_t **p, size_t *n, const uint8_t **frame, size_t *len)
{
	if (*n < 4)
		return 0;
	*len = (size_t)(*p)[0] << 24 | (*p)[1] << 16 | (*p)[2] << 8 | (*p)[3];
	if (*len == 0 || *len > FRAME_MAX)
		return -1;
	if (*n - 4 < *len)
		return 0;
	*frame = *p + 4;
	*p += 4 + *len;
	*n -= 4 + *len;
	return 1;
}

static void
compare_frames(const uint8_t *data, size_t n)
{
	struct cuts cuts = fuzz_cuts(data, n);
	struct frame_reader r = { .buf = NULL };
	const uint8_t *p = data, *want;
	size_t left = n, fed = 0, len, cut;
	struct frame f;
	int got;

	for (;;) {
		while ((got = frame_next(&r, &f)) == 0 && fed < n) {
			cut = fuzz_cut(&cuts, n - fed);
			CHECK(frame_feed(&r, data + fed, cut) == 0);
			fed += cut;
			CHECK(r.room <= 2 * (fed + 4096));
		}
		CHECK(got == plain_next(&p, &left, &want, &len));
		if (got <= 0)
			break;
		CHECK(f.len == len - 1 && f.command == (char)want[0]);
		CHECK(memcmp(f.data, want + 1, f.len) == 0);
	}
	frame_free(&r);
}

/* A message as smtpd has it. */
static int
open_message(struct message *m)
{
	const int fd = memfd_create("message", MFD_CLOEXEC);

	CHECK(write(fd, top, strlen(top)) == (ssize_t)strlen(top));
	CHECK(write(fd, own, strlen(own)) == (ssize_t)strlen(own));
	CHECK(write(fd, rest, strlen(rest)) == (ssize_t)strlen(rest));
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	CHECK(message_open(m, fd, "OWN-ID.1") == 0);
	CHECK(m->top == 1 && m->own == 1 && m->n_fields == 5);
	return fd;
}

/* What is ours is there once, whatever else was done. */
static void
check_message(struct message *m)
{
	const int fd = memfd_create("changed", MFD_CLOEXEC);
	struct gathered g = { .p = NULL };
	const char *found;

	CHECK(message_write(m, fd) == 0);
	gather_file(&g, fd);
	CHECK(g.n >= strlen(top) && memcmp(g.p, top, strlen(top)) == 0);
	found = memmem(g.p, g.n, own, strlen(own));
	CHECK(found && found[-1] == '\n');
	if (!m->changed)
		CHECK(g.n == m->len && memcmp(g.p, m->text, g.n) == 0);
	gather_free(&g);
	close(fd);
}

static void
converse(const uint8_t *data, size_t n)
{
	static struct link l;
	static struct talk t;
	struct message m;
	int fds[2], fd = open_message(&m);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK(write(fds[1], data, n) == (ssize_t)n);
	shutdown(fds[1], SHUT_WR);
	link_open(&l, fds[0], 60000);
	memset(&t, 0, sizeof t);
	t.link = &l;
	t.message = &m;
	t.last = SMFIC_BODYEOB;
	t.end_timeout = 60000;
	if (terms_negotiate(&l, &t.terms, true) == 0) {
		talk_run(&t);
		CHECK(t.verdict.kind > VERDICT_SKIP);
		CHECK(t.verdict.kind != VERDICT_REFUSE ||
		    ((*t.verdict.reply == '4' || *t.verdict.reply == '5') &&
		    strlen(t.verdict.reply) >= 4));
		CHECK(t.verdict.kind != VERDICT_FAILED || t.verdict.error);
		check_message(&m);
	}
	link_close(&l);
	close(fds[1]);
	message_close(&m);
	close(fd);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	setenv("SENDER", "a@c.example", 0);
	setenv("SMTP_RECIPIENTS", "b@d.example\nc@d.example", 0);
	compare_frames(data, n);
	if (n <= 65536)
		converse(data, n);
	return 0;
}
