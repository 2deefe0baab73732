/*
 * Command lines from a stream in segments, compared with a plain reader that
 * has all bytes at once.  The first byte chooses the limit, and whether a bare
 * LF ends a line.
 */
#include <string.h>

#include "fuzz.h"
#include "lib/text/line.h"

struct source {
	const uint8_t *p;
	size_t n;
	struct cuts cuts;
};

static ssize_t
source_read(void *cookie, char *buf, size_t size)
{
	struct source *s = cookie;
	size_t n;

	if (s->n == 0)
		return 0;
	n = fuzz_cut(&s->cuts, s->n < size ? s->n : size);
	memcpy(buf, s->p, n);
	s->p += n;
	s->n -= n;
	return (ssize_t)n;
}

/* The input, and how far it was read. */
struct plain {
	const uint8_t *p;
	size_t n;
	bool lf_ends;
};

/* The end of the line at p: its LF, or the end of the input. */
static size_t
line_end(const struct plain *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->p[i] == '\n' &&
		    (s->lf_ends || (i > 0 && s->p[i - 1] == '\r')))
			return i;
	return s->n;
}

/* The offset of the first byte that is not allowed in the line, or n. */
static size_t
find_bad(const struct plain *s, size_t len)
{
	size_t i;
	int c;

	for (i = 0; i < len; i++) {
		c = s->p[i];
		if (c == '\r' && i + 1 == s->n)
			break;		/* what would follow is unknown */
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return i;
	}
	return len;
}

static enum line_status
plain_read(struct plain *s, const char **line, size_t *len, size_t size)
{
	const size_t end = line_end(s), room = size - 2;
	const bool ended = end < s->n;
	size_t bad;
	enum line_status status = ended ? LINE_OK : LINE_END;

	*line = (const char *)s->p;
	*len = ended && end > 0 && s->p[end - 1] == '\r' ? end - 1 : end;
	bad = find_bad(s, *len);
	if (bad < *len && bad <= room) {
		status = LINE_MALFORMED;
		*len = bad;
	} else if (ended && *len > room) {
		status = LINE_LONG;
		*len = room;
	}
	s->p += ended ? end + 1 : end;
	s->n -= ended ? end + 1 : end;
	return status;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const size_t sizes[] = { 2, 3, 10, 80, 512, 2048 };
	struct source source;
	struct plain plain;
	struct line_reader reader;
	enum line_status status;
	const char *line;
	char *buf;
	size_t size, len;
	FILE *in;

	if (n == 0)
		return 0;
	size = sizes[(data[0] >> 1) % 6];
	plain = (struct plain){ data + 1, n - 1, data[0] & 1 };
	source = (struct source){ data + 1, n - 1, fuzz_cuts(data, n) };
	in = fopencookie(&source, "r",
	    (cookie_io_functions_t){ .read = source_read });
	buf = malloc(size);
	CHECK(in && buf);
	line_init(&reader, in, plain.lf_ends);
	do {
		status = line_read(&reader, buf, size);
		CHECK(status == plain_read(&plain, &line, &len, size));
		if (status == LINE_OK || status == LINE_MALFORMED)
			CHECK(strlen(buf) == len &&
			    memcmp(buf, line, len) == 0);
	} while (status != LINE_END);
	fclose(in);
	free(buf);
	return 0;
}
