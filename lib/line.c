/* What ends what: CR LF, and CR LF . CR LF. */
#include <string.h>

#include "line.h"

void
line_init(struct line_reader *l, FILE *in, bool lf_ends)
{
	*l = (struct line_reader){ .in = in, .lf_ends = lf_ends };
}

static bool
is_control(int c)
{
	return (c < ' ' && c != '\t') || c == 0x7f;
}

/* A line has ended.  False where it was told of before. */
static bool
end_line(struct line_reader *l, enum line_status *status)
{
	bool told = l->skip && !l->is_long;

	*status = l->is_long ? LINE_LONG : LINE_OK;
	l->skip = l->is_long = false;
	l->octets = 0;
	return !told;
}

enum line_status
line_read(struct line_reader *l, char *buf, size_t size)
{
	enum line_status status;
	size_t n = 0;
	int c;

	while ((c = getc_unlocked(l->in)) != EOF) {
		bool was_cr = l->cr;

		l->cr = c == '\r';
		if (c == '\n' && (was_cr || l->lf_ends)) {
			buf[n] = '\0';
			if (end_line(l, &status))
				return status;
			continue;
		}
		if (++l->octets > LINE_FLOOD_MAX)
			return LINE_FLOOD;
		if (l->skip || (c == '\r' && !was_cr))
			continue;
		if (was_cr || is_control(c)) {
			l->skip = true;
			buf[n] = '\0';
			return LINE_MALFORMED;
		}
		if (n + 2 < size)
			buf[n++] = (char)c;
		else
			l->skip = l->is_long = true;
	}
	return LINE_END;
}

void
data_init(struct data *d, bool chunked)
{
	*d = (struct data){
		.state = chunked ? DATA_TEXT : DATA_BEGIN_LINE,
		.chunked = chunked,
	};
}

void
data_end(struct data *d)
{
	if (d->state == DATA_CR)
		d->bare_cr = true;
}

/*
 * Copy up to the next CR, which is looked for once and not again after each
 * of a thousand bare LFs.  Returns how many octets were copied.
 */
static size_t
copy_text(struct data *d, const char *in, size_t n, char *out)
{
	const char *cr = memchr(in, '\r', n);

	if (cr)
		n = (size_t)(cr - in);
	if (!d->bare_lf && memchr(in, '\n', n))
		d->bare_lf = true;
	memcpy(out, in, n);
	return n;
}

/*
 * One octet at the beginning of a line, or behind a CR; *o gets what it turns
 * out to be.  False where it is for the next state to look at.
 */
static bool
step(struct data *d, char c, char **o)
{
	switch (d->state) {
	case DATA_BEGIN_LINE:
		d->state = c == '.' ? DATA_DOT : DATA_TEXT;
		return c == '.';
	case DATA_DOT:
		d->state = c == '\r' ? DATA_DOT_CR : DATA_TEXT;
		return c == '\r';
	case DATA_DOT_CR:
		d->done = c == '\n';
		d->state = DATA_CR;
		return d->done;
	case DATA_CR:
		if (c == '\n') {
			*(*o)++ = '\n';
			d->octets++;
			d->state = d->chunked ? DATA_TEXT : DATA_BEGIN_LINE;
			return true;
		}
		*(*o)++ = '\r';
		d->bare_cr = true;
		d->state = DATA_TEXT;
		return false;
	case DATA_TEXT:
		break;
	}
	return false;
}

size_t
data_decode(struct data *d, const char *in, size_t n, char *out, size_t *len)
{
	const char *p = in, *end = in + n;
	char *o = out;
	size_t copied;

	while (p < end && !d->done) {
		if (d->state != DATA_TEXT) {
			p += step(d, *p, &o);
			continue;
		}
		copied = copy_text(d, p, (size_t)(end - p), o);
		p += copied;
		o += copied;
		if (p < end) {
			d->state = DATA_CR;
			p++;
		}
	}
	*len = (size_t)(o - out);
	d->octets += *len;
	return (size_t)(p - in);
}
