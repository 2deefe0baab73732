/* The header of a message as it streams by. */
#include <string.h>
#include <strings.h>

#include "header.h"

void
header_init(struct header *h, void (*field)(void *, const char *), void *ctx)
{
	h->field = field;
	h->ctx = ctx;
	h->over = false;
	h->line_begins = true;
	h->len = 0;
}

static void
finish_field(struct header *h)
{
	h->text[h->len] = '\0';
	if (h->len)
		h->field(h->ctx, h->text);
	h->len = 0;
}

static void
keep(struct header *h, const char *p, size_t n)
{
	if (n > HEADER_FIELD_KEPT - h->len)
		n = HEADER_FIELD_KEPT - h->len;
	memcpy(h->text + h->len, p, n);
	h->len += n;
}

void
header_scan(struct header *h, const char *p, size_t n)
{
	const char *end = p + n, *newline;

	while (p < end && !h->over) {
		if (h->line_begins && *p != ' ' && *p != '\t')
			finish_field(h);
		if (h->line_begins && *p == '\r') {
			p++;
			continue;
		}
		if (h->line_begins && *p == '\n') {
			h->over = true;
			return;
		}
		newline = memchr(p, '\n', (size_t)(end - p));
		keep(h, p, (size_t)((newline ? newline : end) - p));
		if (newline && h->len && h->text[h->len - 1] == '\r')
			h->len--;
		h->line_begins = newline != NULL;
		p = newline ? newline + 1 : end;
	}
}

int
header_begins(const char *s, size_t n)
{
	size_t i = 0;

	if (n > 0 && *s == '\r')
		return n == 1 ? -1 : s[1] == '\n';
	if (n > 0 && *s == '\n')
		return 1;
	while (i < n && s[i] > ' ' && s[i] < 0x7f && s[i] != ':')
		i++;
	if (i > HEADER_NAME_MAX || (i == 0 && n > 0))
		return 0;
	while (i < n && (s[i] == ' ' || s[i] == '\t'))
		i++;
	if (i == n)
		return n > 2 * HEADER_NAME_MAX ? 0 : -1;
	return s[i] == ':';
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
