/* A plain decoder of message data that has all of it at once. */
#include <string.h>

#include "plain.h"

static const char *
find(const char *s, size_t n, const char *what)
{
	return n ? memmem(s, n, what, strlen(what)) : NULL;
}

/* The same where LF . LF before the first CR LF ends data; false: no such end. */
static bool
ends_at_lf(struct plain_data *d, const char *s, size_t n, size_t *length)
{
	const char *crlf = find(s, n, "\r\n"), *end;

	n = crlf ? (size_t)(crlf - s) : n;
	end = find(s, n, "\n.\n");
	if (n >= 2 && memcmp(s, ".\n", 2) == 0)
		*length = 0;
	else if (end)
		*length = (size_t)(end + 1 - s);
	else
		return false;
	d->done = true;
	d->used = *length + 2;
	return true;
}

/* The number of bytes before the end of data. */
static size_t
text_length(struct plain_data *d, const char *s, size_t n, bool lenient)
{
	const char *end;
	size_t length;

	if (lenient && ends_at_lf(d, s, n, &length))
		return length;
	if (n >= 3 && memcmp(s, ".\r\n", 3) == 0) {
		d->done = true;
		d->used = 3;
		return 0;
	}
	end = find(s, n, "\r\n.\r\n");
	d->done = end != NULL;
	d->used = end ? (size_t)(end + 5 - s) : n;
	return end ? d->used - 3 : n;
}

static void
put_octet(struct plain_data *d, char c, bool lenient)
{
	d->bare_cr = d->bare_cr || c == '\r';
	d->bare_lf = d->bare_lf || c == '\n';
	if (c == '\r' && lenient)
		c = ' ';
	gather(&d->out, &c, 1);
	d->octets++;
}

/*
 * Read a line without its CR LF; ended is false if it has none.  In the first
 * one of a lenient client LF ends lines, too.
 */
static void
take_line(struct plain_data *d, const char *s, size_t n, bool chunked,
    bool lenient, bool ended)
{
	const bool lines = lenient && !chunked && !d->lines++;
	size_t i;

	/* a CR, or the dot of a line, of which the rest is unknown */
	if (!ended && n && (s[n - 1] == '\r' || (!chunked && n > 1 &&
	    s[n - 2] == '\n' && s[n - 1] == '.')))
		n--;
	if (!chunked && n && *s == '.')
		s++, n--;
	for (i = 0; i < n; i++) {
		put_octet(d, s[i], lenient);
		if (lines && s[i] == '\n' && i + 2 < n && s[i + 1] == '.' &&
		    s[i + 2] != '\r')
			i++;		/* it was stuffed */
	}
	if (ended) {
		gather(&d->out, "\n", 1);
		d->octets += 2;
	}
}

void
plain_decode(struct plain_data *d, const char *s, size_t n, bool chunked,
    bool lenient)
{
	const char *end;

	*d = (struct plain_data){ .used = n };
	if (!chunked)
		n = text_length(d, s, n, lenient);
	while ((end = find(s, n, "\r\n"))) {
		take_line(d, s, (size_t)(end - s), chunked, lenient, true);
		n -= (size_t)(end + 2 - s);
		s = end + 2;
	}
	take_line(d, s, n, chunked, lenient, false);
}
