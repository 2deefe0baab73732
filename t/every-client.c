/*
 * A client that sends one message at a time and accepts any reply and any end
 * of the connection.  It only records them; whether they are right is decided
 * in t/every.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "every.h"

static void
hang_up(struct connection *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->len = 0;
}

/* Wait for input.  Returns false at the end of the connection. */
static int
receive(struct connection *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	ssize_t i, n;

	if (c->fd == -1 || c->len == sizeof(c->buf))
		return 0;
	if (poll(&p, 1, PATIENCE) == 0)
		c->hung = 1;
	n = c->hung ? 0 : read(c->fd, c->buf + c->len,
	    sizeof(c->buf) - c->len);
	if (n <= 0) {
		hang_up(c);
		return 0;
	}
	for (i = 0; i < n; i++)
		c->buf[c->len + (size_t)i] ^= c->mask;
	c->len += (size_t)n;
	return 1;
}

/* Read a line.  Returns false at the end of the connection. */
static int
read_line(struct connection *c, char *line, size_t size)
{
	char *end;
	size_t len;

	while ((end = memchr(c->buf, '\n', c->len)) == NULL)
		if (!receive(c))
			return 0;
	len = (size_t)(end + 1 - c->buf);
	snprintf(line, size, "%.*s", (int)len, c->buf);
	memmove(c->buf, c->buf + len, c->len - len);
	c->len -= len;
	return 1;
}

/* Read a reply.  Returns its code, or 0 at the end of the connection. */
static int
read_reply(struct connection *c)
{
	char line[600];

	do
		if (!read_line(c, line, sizeof(line)))
			return 0;
	while (line[3] == '-');
	return atoi(line);
}

static void
put(struct connection *c, const char *s, size_t n)
{
	char buf[4096];
	size_t i, part;
	ssize_t done;

	while (n > 0 && c->fd != -1) {
		part = n < sizeof(buf) ? n : sizeof(buf);
		for (i = 0; i < part; i++)
			buf[i] = (char)(s[i] ^ c->mask);
		done = write(c->fd, buf, part);
		if (done <= 0)
			return;		/* its replies can still be read */
		s += done;
		n -= (size_t)done;
	}
}

static void
say(struct connection *c, const char *line)
{
	put(c, line, strlen(line));
	put(c, "\r\n", 2);
}

int
client_expect(struct connection *c, const char *line, int code)
{
	say(c, line);
	return read_reply(c) == code;
}

static int
use_tls(struct connection *c)
{
	char line[64];

	if (!client_expect(c, "STARTTLS", 220))
		return 0;
	put(c, "hello c.example\n", 16);
	if (!read_line(c, line, sizeof(line)) ||
	    strcmp(line, "welcome\n") != 0)
		return 0;
	c->mask = (char)0x80;
	return 1;
}

int
client_greet(struct connection *c, const struct scenario *s)
{
	const char *hello = s->lmtp ? "LHLO c.example" : "EHLO c.example";

	if (read_reply(c) != 220 || !client_expect(c, hello, 250))
		return 0;
	return !s->tls || (use_tls(c) && client_expect(c, hello, 250));
}

/* The message as it is sent, n bytes in all. */
static char *
wire(long number, size_t *n)
{
	static char buf[200000];
	size_t i, len;
	const char *text = mail_text(number, &len);

	for (*n = i = 0; i < len; i++) {
		if (text[i] == '\n')
			buf[(*n)++] = '\r';
		buf[(*n)++] = text[i];
	}
	return buf;
}

static void
put_chunk(struct connection *c, const char *s, size_t n, int last)
{
	char line[64];

	snprintf(line, sizeof(line), "BDAT %zu%s", n, last ? " LAST" : "");
	say(c, line);
	put(c, s, n);
}

/* MAIL, all RCPTs and the beginning of the data, pipelined. */
static void
put_envelope(struct connection *c, const struct scenario *s)
{
	char group[2048];
	size_t n;
	int i;

	n = (size_t)sprintf(group, "MAIL FROM:<a@c.example>\r\n");
	for (i = 0; i < s->recipients; i++)
		n += (size_t)sprintf(group + n, "RCPT TO:<u%d@mx.example>\r\n",
		    i);
	if (!s->bdat)
		n += (size_t)sprintf(group + n, "DATA\r\n");
	put(c, group, n);
}

/* Returns how many recipients were accepted. */
static int
take_envelope(struct connection *c, const struct scenario *s,
    struct outcome *o)
{
	int i, taken = 0, mail = read_reply(c);

	o->refused = mail != 250;
	o->bounced |= mail >= 500;
	for (i = 0; i < s->recipients; i++) {
		o->rcpt[i] = read_reply(c);
		taken += o->rcpt[i] == 250;
		o->bounced |= mail == 250 && o->rcpt[i] >= 500;
	}
	return taken;
}

/* Send all chunks at once: the first rejection is the verdict. */
static int
send_chunks(struct connection *c, const char *text, size_t n)
{
	const size_t first = n / 3;
	int i, code, verdict = 250;

	put_chunk(c, text, first, 0);
	put_chunk(c, text + first, first, 0);
	put_chunk(c, text + 2 * first, n - 2 * first, 1);
	for (i = 0; i < 3; i++) {
		code = read_reply(c);
		if (verdict == 250)
			verdict = code;
	}
	return verdict;
}

void
client_send(struct connection *c, const struct scenario *s, long number,
    struct outcome *o)
{
	size_t n;
	const char *text = wire(number, &n);
	int i, taken, code, more = 0;

	*o = (struct outcome){ 0 };
	put_envelope(c, s);
	taken = take_envelope(c, s, o);
	if (s->bdat) {
		code = send_chunks(c, text, n);
	} else if ((code = read_reply(c)) == 354) {
		put(c, text, n);
		put(c, ".\r\n", 3);
		code = read_reply(c);
		more = s->lmtp ? taken - 1 : 0;
	}
	o->bounced |= taken > 0 && code >= 500;
	for (i = 0; i < s->recipients; i++) {
		if (o->rcpt[i] != 250)
			continue;
		o->verdict[i] = code;
		if (more-- > 0 && code != 421)
			code = read_reply(c);
		o->bounced |= o->verdict[i] >= 500;
	}
}

void
client_quit(struct connection *c)
{
	if (c->fd != -1)
		say(c, "QUIT");
	while (c->fd != -1) {
		c->len = 0;
		receive(c);
	}
}
