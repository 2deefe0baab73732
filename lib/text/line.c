/* What ends what: CR LF, and CR LF . CR LF. */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/file.h"
#include "lib/text/line.h"

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

/* An octet as it came: of this line, or behind what was told of. */
static void
keep_raw(struct line_reader *l, int c)
{
	struct line_raw *raw = l->raw;

	if (!raw)
		return;
	if (l->skip && !l->is_long)
		raw->rest++;
	else if (raw->n++ < sizeof raw->text)
		raw->text[raw->n - 1] = (char)c;
}

/* A line has ended.  False where it was told of before. */
static bool
end_line(struct line_reader *l, size_t end, enum line_status *status)
{
	bool told = l->skip && !l->is_long;

	if (l->raw && told)	/* a CR before CR LF may have been told of */
		l->raw->rest_end = end < l->raw->rest ? end : l->raw->rest;
	else if (l->raw)
		l->raw->end = end;
	*status = l->is_long ? LINE_LONG : LINE_OK;
	l->skip = l->is_long = false;
	l->octets = 0;
	return !told;
}

/*
 * Take octets that mean nothing, while there is room for them.  Returns the
 * first other one, or EOF.
 */
static int
take_text(FILE *in, char *buf, size_t *n, size_t room)
{
	size_t i = *n;
	int c;

	while ((c = getc_unlocked(in)) >= ' ' && c < 0x7f && i < room)
		buf[i++] = (char)c;
	*n = i;
	return c;
}

/* The next octet that may mean something, behind those that don't. */
static int
next_octet(struct line_reader *l, char *buf, size_t *n, size_t room)
{
	const size_t before = *n;
	int c;

	if (l->raw || l->skip || l->cr)
		return getc_unlocked(l->in);
	c = take_text(l->in, buf, n, room);
	l->octets += *n - before;
	return c;
}

enum line_status
line_read(struct line_reader *l, char *buf, size_t size)
{
	enum line_status status;
	size_t n = 0;
	int c;

	if (l->raw)
		*l->raw = (struct line_raw){ .n = 0 };
	while ((c = next_octet(l, buf, &n, size - 2)) != EOF) {
		bool was_cr = l->cr;

		keep_raw(l, c);
		l->cr = c == '\r';
		if (c == '\n' && (was_cr || l->lf_ends)) {
			buf[n] = '\0';
			if (end_line(l, was_cr ? 2 : 1, &status))
				return status;
			continue;
		}
		if (++l->octets > LINE_FLOOD_MAX) {
			buf[n] = '\0';
			return LINE_FLOOD;
		}
		if (l->skip || (c == '\r' && !was_cr))
			continue;
		if (was_cr || is_control(c)) {
			l->skip = true;
			if (l->raw)
				l->raw->malformed = true;
			buf[n] = '\0';
			return LINE_MALFORMED;
		}
		if (n + 2 < size)
			buf[n++] = (char)c;
		else
			l->skip = l->is_long = true;
	}
	buf[n] = '\0';
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

static enum data_state
after_line(const struct data *d)
{
	return d->chunked ? DATA_TEXT : DATA_BEGIN_LINE;
}

/* Copy up to an LF, or all; *out is moved along.  Returns where that is. */
static inline const char *
copy_text(const char *in, const char *end, char **out)
{
	size_t n = (size_t)(end - in);
	char *o = *out;
#ifdef __SSE2__		/* what is looked at is copied at once */
	const __m128i lfs = _mm_set1_epi8('\n');
	__m128i a, b;
	unsigned found;

	for (; n >= 32; n -= 32, in += 32, o += 32) {
		a = _mm_loadu_si128((const void *)in);
		b = _mm_loadu_si128((const void *)(in + 16));
		_mm_storeu_si128((void *)o, a);
		_mm_storeu_si128((void *)(o + 16), b);
		found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, lfs)) |
		    (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(b, lfs)) << 16;
		if (found) {
			n = (size_t)__builtin_ctz(found);
			*out = o + n;
			return in + n;
		}
	}
#endif
	end = memchr(in, '\n', n);
	if (end)
		n = (size_t)(end - in);
	memcpy(o, in, n);
	*out = o + n;
	return in + n;
}

/*
 * Copy lines, up to one that begins with a dot that means something, or to a
 * bare LF, or all; none begins with LF.  A CR within a line is copied, for who
 * called to find.  Returns what comes next.
 */
static const char *
copy_lines(struct data *d, const char *in, const char *end, char **out)
{
	const char stop = d->chunked ? '\n' : '.';
	unsigned long long lines = 0;
	char *o = *out;

	d->state = DATA_TEXT;
	for (;;) {
		in = copy_text(in, end, &o);
		if (in == end || in[-1] != '\r')
			break;
		o[-1] = '\n';
		lines++;
		if (++in == end || *in == stop) {
			d->state = after_line(d);
			break;
		}
	}
	if (in == end && o[-1] == '\r') {
		d->state = DATA_CR;
		o--;
	}
	d->lines += lines;
	d->octets += lines;
	*out = o;
	return in;
}

/*
 * One octet at the beginning of a line, or behind a CR, or a bare LF; *o gets
 * what it turns out to be.  False where it is for the next state to look at.
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
			d->lines++;
			d->octets++;
			d->state = after_line(d);
			return true;
		}
		*(*o)++ = '\r';
		d->state = DATA_TEXT;
		return false;
	case DATA_TEXT:
		*(*o)++ = c;
		d->lines++;
		d->bare_lf = true;
		return true;
	}
	return false;
}

size_t
data_decode(struct data *d, const char *in, size_t n, char *out, size_t *len)
{
	const char *p = in, *end = in + n;
	char *o = out;

	while (p < end && !d->done) {
		if (d->state == DATA_TEXT && *p != '\n')
			p = copy_lines(d, p, end, &o);
		else
			p += step(d, *p, &o);
	}
	*len = (size_t)(o - out);
	d->octets += *len;
	if (!d->bare_cr && memchr(out, '\r', *len))
		d->bare_cr = true;
	return (size_t)(p - in);
}

void
data_pass(struct data *d, const char *in, size_t n)
{
	d->octets += n;
	d->lines += file_count_lines(in, n, &d->last);
}
