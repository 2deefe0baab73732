/*
 * Line ends: the reader of command lines and the decoder of message data.
 * Both refuse to treat a bare CR or LF as a line end, except for lenient
 * clients.
 */
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* Record a byte of this line, or of the remainder of a malformed one. */
static void
record_raw_byte(struct line_reader *l, int c)
{
	struct line_raw *raw = l->raw;

	if (!raw)
		return;
	if (l->skip && !l->is_long)
		raw->skipped++;
	else if (raw->n++ < sizeof raw->text)
		raw->text[raw->n - 1] = (char)c;
}

/* Handle a line end.  Returns false if the line was reported before. */
static bool
finish_line(struct line_reader *l, size_t end, enum line_status *status)
{
	bool was_reported = l->skip && !l->is_long;

	/* a CR that made the line malformed may belong to its line end */
	if (l->raw && was_reported)
		l->raw->skipped_end = end < l->raw->skipped ? end :
		    l->raw->skipped;
	else if (l->raw)
		l->raw->end = end;
	*status = l->is_long ? LINE_LONG : LINE_OK;
	l->skip = l->is_long = false;
	l->octets = 0;
	return !was_reported;
}

/*
 * Read printable ASCII characters, up to room.  Returns the first byte that is
 * not one or does not fit, or EOF.
 */
static int
read_plain_text(FILE *in, char *buf, size_t *n, size_t room)
{
	size_t i = *n;
	int c;

	while ((c = getc_unlocked(in)) >= ' ' && c < 0x7f && i < room)
		buf[i++] = (char)c;
	*n = i;
	return c;
}

/* Read printable text, and return the first byte that needs attention. */
static int
next_byte(struct line_reader *l, char *buf, size_t *n, size_t room)
{
	const size_t before = *n;
	int c;

	if (l->raw || l->skip || l->cr)
		return getc_unlocked(l->in);
	c = read_plain_text(l->in, buf, n, room);
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
	while ((c = next_byte(l, buf, &n, size - 2)) != EOF) {
		bool was_cr = l->cr;

		record_raw_byte(l, c);
		l->cr = c == '\r';
		if (c == '\n' && (was_cr || l->lf_ends)) {
			buf[n] = '\0';
			if (finish_line(l, was_cr ? 2 : 1, &status))
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
			l->bad = c;
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

unsigned long long
line_count(const char *s, size_t n, char *last)
{
	const char *p = s, *end = s + n;
	unsigned long long lines = 0;

	for (; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines += (p == s ? *last : p[-1]) != '\r';
	if (n)
		*last = end[-1];
	return lines;
}

void
data_init(struct data *d, bool chunked, bool lenient)
{
	*d = (struct data){
		.state = chunked ? DATA_TEXT : DATA_BEGIN_LINE,
		.chunked = chunked, .lenient = lenient,
	};
}

bool
data_end(struct data *d)
{
	if (d->state != DATA_CR)
		return false;
	d->bare_cr = true;
	d->octets += d->lenient;
	return d->lenient;
}

static enum data_state
state_after_line(const struct data *d)
{
	return d->chunked ? DATA_TEXT : DATA_BEGIN_LINE;
}

/* Copy up to an LF or the end, and advance *out.  Returns where it stopped. */
static inline const char *
copy_to_newline(const char *in, const char *end, char **out)
{
	size_t n = (size_t)(end - in);
	char *o = *out;
#ifdef __SSE2__		/* compare and copy in one pass */
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
 * Copy lines up to a leading dot, a bare LF or the end of the input.  in must
 * not begin with LF.  A CR within a line is copied; the caller looks for it.
 * Returns the first byte that was not copied.
 */
static const char *
copy_lines(struct data *d, const char *in, const char *end, char **out)
{
	const char stop = d->chunked ? '\n' : '.';
	unsigned long long lines = 0;
	char *o = *out;

	d->state = DATA_TEXT;
	for (;;) {
		in = copy_to_newline(in, end, &o);
		if (in == end || in[-1] != '\r')
			break;
		o[-1] = '\n';
		lines++;
		if (++in == end || *in == stop) {
			d->state = state_after_line(d);
			break;
		}
	}
	if (in == end && o[-1] == '\r') {
		d->state = DATA_CR;
		o--;
	}
	d->lines += lines;
	d->octets += lines;
	d->crlf = d->crlf || lines;
	*out = o;
	return in;
}

/* The LF after a dot alone in a line.  Returns true if it ends the data. */
static bool
end_at_lf(struct data *d)
{
	d->lf_done = d->done = d->lenient && !d->crlf;
	d->false_end = !d->done;
	return d->done;
}

/*
 * Handle one byte after a bare LF, as decode_byte() does.  A dot there is
 * stuffed only if LF ends lines.
 */
static bool
decode_after_lf(struct data *d, char c, char **o)
{
	switch (d->state) {
	case DATA_LF:
		d->state = c == '.' ? DATA_LF_DOT : DATA_TEXT;
		return c == '.';
	case DATA_LF_DOT:
		if (c == '\n' && end_at_lf(d))
			return true;
		if (!d->lenient || d->crlf || c == '\r')
			*(*o)++ = '.';
		d->state = c == '\r' ? DATA_LF_DOT_CR : DATA_TEXT;
		return c == '\r';
	default:
		d->false_end = d->false_end || c == '\n';
		d->state = DATA_CR;
		return false;
	}
}

/*
 * Handle one byte at the beginning of a line or after a CR, or a bare LF, and
 * write what it stands for to *o.  Returns false if the byte is to be handled
 * in the next state.
 */
static bool
decode_byte(struct data *d, char c, char **o)
{
	switch (d->state) {
	case DATA_BEGIN_LINE:
		d->state = c == '.' ? DATA_DOT : DATA_TEXT;
		return c == '.';
	case DATA_DOT:
		if (c == '\n' && end_at_lf(d))
			return true;
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
			d->crlf = true;
			d->state = state_after_line(d);
			return true;
		}
		*(*o)++ = '\r';
		d->state = DATA_TEXT;
		return false;
	case DATA_TEXT:
		*(*o)++ = c;
		d->lines++;
		d->bare_lf = true;
		d->state = d->chunked ? DATA_TEXT : DATA_LF;
		return true;
	default:
		return decode_after_lf(d, c, o);
	}
	return false;
}

/* Note bare CRs in the output, and for lenient clients replace them. */
static void
handle_bare_cr(struct data *d, char *out, size_t len)
{
	char *cr = d->bare_cr && !d->lenient ? NULL : memchr(out, '\r', len);

	if (cr)
		d->bare_cr = true;
	for (; cr && d->lenient;
	    cr = memchr(cr, '\r', (size_t)(out + len - cr)))
		*cr = ' ';
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
			p += decode_byte(d, *p, &o);
	}
	*len = (size_t)(o - out);
	d->octets += *len;
	handle_bare_cr(d, out, *len);
	return (size_t)(p - in);
}

void
data_pass(struct data *d, const char *in, size_t n)
{
	d->octets += n;
	d->lines += line_count(in, n, &d->last);
}
