/* The header of a message as it streams by. */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "mail/header.h"

/* What a line of the header is, as far as its first octets tell. */
enum line {
	LINE_UNSURE,		/* there are too few of them */
	LINE_FIELD,
	LINE_FOLDED,		/* it goes on with the field */
	LINE_EMPTY,
	LINE_TEXT,		/* none of these */
};

void
header_init(struct header *h, void *ctx)
{
	memset(h, 0, offsetof(struct header, text));
	h->ctx = ctx;
}

static enum line
judge(const char *s, size_t n)
{
	size_t i = 0;

	if (n == 0)
		return LINE_UNSURE;
	if (*s == ' ' || *s == '\t')
		return LINE_FOLDED;
	if (*s == '\n')
		return LINE_EMPTY;
	if (*s == '\r')
		return n < 2 ? LINE_UNSURE : s[1] == '\n' ? LINE_EMPTY :
		    LINE_TEXT;
	while (i < n && s[i] > ' ' && s[i] < 0x7f && s[i] != ':')
		i++;
	if (i == 0 || i > HEADER_NAME_MAX)
		return LINE_TEXT;
	while (i < n && (s[i] == ' ' || s[i] == '\t'))	/* RFC 5322 4.5 */
		i++;
	if (i >= HEADER_BEGIN_MAX)	/* no more would be held */
		return LINE_TEXT;
	if (i == n)
		return LINE_UNSURE;
	return s[i] == ':' ? LINE_FIELD : LINE_TEXT;
}

static void
put(struct header *h, const char *s, size_t n)
{
	if (!h->put || h->dropping || n == 0)
		return;
	h->begun = true;
	h->put(h->ctx, s, n);
}

static void
finish_field(struct header *h)
{
	while (h->len && strchr("\r \t", h->text[h->len - 1]))
		h->len--;
	h->text[h->len] = '\0';
	if (h->open && h->field)
		h->field(h->ctx, h->text);
	h->open = h->dropping = false;
	h->len = 0;
}

static void
keep(struct header *h, const char *s, size_t n)
{
	if (n > HEADER_FIELD_KEPT - h->len)
		n = HEADER_FIELD_KEPT - h->len;
	memcpy(h->text + h->len, s, n);
	h->len += n;
}

/* A line is known for what it is; at is where it begins. */
static void
begin_line(struct header *h, enum line line, const char *s,
    unsigned long long at)
{
	size_t len = h->dropped ? strlen(h->dropped) : 0;

	if (line == LINE_FOLDED && !h->open)
		line = LINE_TEXT;
	h->end = at;
	if (line != LINE_FOLDED)
		finish_field(h);
	if (line == LINE_TEXT && !h->doubtful) {
		h->doubtful = true;
		if (!h->begun)
			put(h, "\n", 1);
	}
	if (line == LINE_FIELD) {
		h->open = true;
		h->dropping = len && !h->doubtful &&
		    strncasecmp(s, h->dropped, len) == 0 &&
		    strchr(": \t", s[len]);
	}
	h->over = line == LINE_EMPTY;
	h->within = !h->over;
}

/* Begin a line with what is held of it, and go on with that. */
static void
release(struct header *h, enum line line)
{
	const size_t n = h->n_held;

	begin_line(h, line, h->held, h->read - n);
	h->n_held = 0;
	keep(h, h->held, n);
	put(h, h->held, n);
	h->within = !h->over && h->held[n - 1] != '\n';
}

/* A line whose beginning is not all there: an octet more. */
static void
hold(struct header *h, char c)
{
	enum line line;

	h->held[h->n_held++] = c;
	h->read++;
	line = judge(h->held, h->n_held);
	if (line != LINE_UNSURE)
		release(h, line);
}

/* The rest of a line, or what there is of it. */
static size_t
go_on(struct header *h, const char *s, size_t n)
{
	const char *newline = memchr(s, '\n', n);
	const size_t len = newline ? (size_t)(newline - s) : n;
	const size_t part = len + (newline != NULL);

	keep(h, s, len);
	put(h, s, part);
	h->read += part;
	h->within = newline == NULL;
	return part;
}

void
header_scan(struct header *h, const char *s, size_t n)
{
	const char *end = s + n;
	enum line line;

	while (s < end && !h->over) {
		if (h->within) {
			s += go_on(h, s, (size_t)(end - s));
			continue;
		}
		line = h->n_held ? LINE_UNSURE : judge(s, (size_t)(end - s));
		if (line == LINE_UNSURE)
			hold(h, *s++);
		else
			begin_line(h, line, s, h->read);
	}
	put(h, s, (size_t)(end - s));
}

void
header_finish(struct header *h)
{
	if (h->n_held)
		release(h, LINE_TEXT);
	if (!h->over) {
		h->end = h->read;
		finish_field(h);
		h->over = true;
	}
	if (!h->begun)
		put(h, "\n", 1);
}

const char *
header_value(const char *field, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(field, name, len) != 0)
		return NULL;
	field += len;
	field += strspn(field, " \t");
	if (*field++ != ':')
		return NULL;
	return field + strspn(field, " \t");
}
