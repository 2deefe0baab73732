/*
 * A parser for the header of a message that is never in memory as a whole.  It
 * does not decode fields, and refuses to drop anything once the body may have
 * begun.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mail/header.h"

/* The kind of a line in the header, judged by its first bytes. */
enum line {
	LINE_UNSURE,		/* more bytes are needed */
	LINE_FIELD,
	LINE_FOLDED,		/* continues a field */
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
classify_line(const char *s, size_t n)
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
	if (i >= HEADER_BEGIN_MAX)	/* held has no room for more */
		return LINE_TEXT;
	if (i == n)
		return LINE_UNSURE;
	return s[i] == ':' ? LINE_FIELD : LINE_TEXT;
}

static void
emit(struct header *h, const char *s, size_t n)
{
	if (!h->put || h->dropping || n == 0)
		return;
	h->begun = true;
	h->put(h->ctx, s, n);
}

static void
end_field(struct header *h)
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
keep_field_text(struct header *h, const char *s, size_t n)
{
	if (n > HEADER_FIELD_KEPT - h->len)
		n = HEADER_FIELD_KEPT - h->len;
	memcpy(h->text + h->len, s, n);
	h->len += n;
}

/* Start a line whose kind is known, at this offset of the message. */
static void
start_header_line(struct header *h, enum line line, const char *s,
    unsigned long long at)
{
	size_t len = h->dropped ? strlen(h->dropped) : 0;

	if (line == LINE_FOLDED && !h->open)
		line = LINE_TEXT;
	h->end = at;
	if (line != LINE_FOLDED)
		end_field(h);
	if (line == LINE_TEXT && !h->doubtful) {
		h->doubtful = true;
		if (!h->begun)
			emit(h, "\n", 1);
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

/* Start the line whose beginning was held. */
static void
release_held_line(struct header *h, enum line line)
{
	const size_t n = h->n_held;

	start_header_line(h, line, h->held, h->read - n);
	h->n_held = 0;
	keep_field_text(h, h->held, n);
	emit(h, h->held, n);
	h->within = !h->over && h->held[n - 1] != '\n';
}

/* Add a byte to a line whose kind is not known yet. */
static void
hold_byte(struct header *h, char c)
{
	enum line line;

	h->held[h->n_held++] = c;
	h->read++;
	line = classify_line(h->held, h->n_held);
	if (line != LINE_UNSURE)
		release_held_line(h, line);
}

/* Process the remainder of a line, as far as it is there. */
static size_t
continue_line(struct header *h, const char *s, size_t n)
{
	const char *newline = memchr(s, '\n', n);
	const size_t len = newline ? (size_t)(newline - s) : n;
	const size_t used = len + (newline != NULL);

	keep_field_text(h, s, len);
	emit(h, s, used);
	h->read += used;
	h->within = newline == NULL;
	return used;
}

void
header_scan(struct header *h, const char *s, size_t n)
{
	const char *end = s + n;
	enum line line;

	while (s < end && !h->over) {
		if (h->within) {
			s += continue_line(h, s, (size_t)(end - s));
			continue;
		}
		line = h->n_held ? LINE_UNSURE :
		    classify_line(s, (size_t)(end - s));
		if (line == LINE_UNSURE)
			hold_byte(h, *s++);
		else
			start_header_line(h, line, s, h->read);
	}
	emit(h, s, (size_t)(end - s));
}

void
header_finish(struct header *h)
{
	if (h->n_held)
		release_held_line(h, LINE_TEXT);
	if (!h->over) {
		h->end = h->read;
		end_field(h);
		h->over = true;
	}
	if (!h->begun)
		emit(h, "\n", 1);
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

void
header_keep(const char *field, const char *name, char *buf, size_t size)
{
	const char *value = *buf ? NULL : header_value(field, name);

	if (value)
		snprintf(buf, size, "%s", value);
}
