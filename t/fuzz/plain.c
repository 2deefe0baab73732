/* A plain decoder of message data that has all of it at once. */
#include <string.h>

#include "plain.h"

static const char *
find(const char *s, size_t n, const char *what)
{
	return n ? memmem(s, n, what, strlen(what)) : NULL;
}

/* The number of bytes before the end of data. */
static size_t
text_length(struct plain_data *d, const char *s, size_t n)
{
	const char *end;

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

/* Read a line without its CR LF; *ended is false if it has none. */
static void
take_line(struct plain_data *d, const char *s, size_t n, bool chunked,
    bool ended)
{
	size_t i;

	if (!ended && n && s[n - 1] == '\r')
		n--;		/* what would follow is unknown */
	if (!chunked && n && *s == '.')
		s++, n--;
	for (i = 0; i < n; i++) {
		d->bare_cr = d->bare_cr || s[i] == '\r';
		d->bare_lf = d->bare_lf || s[i] == '\n';
	}
	gather(&d->out, s, n);
	d->octets += n;
	if (ended) {
		gather(&d->out, "\n", 1);
		d->octets += 2;
	}
}

void
plain_decode(struct plain_data *d, const char *s, size_t n, bool chunked)
{
	const char *end;

	*d = (struct plain_data){ .used = n };
	if (!chunked)
		n = text_length(d, s, n);
	while ((end = find(s, n, "\r\n"))) {
		take_line(d, s, (size_t)(end - s), chunked, true);
		n -= (size_t)(end + 2 - s);
		s = end + 2;
	}
	take_line(d, s, n, chunked, false);
}
