/* The header fields that hooks add.  They are checked, and folded once. */
#include <stdlib.h>
#include <string.h>

#include "smtp/fields.h"

enum { FOLD_AT = 70, TAB_WIDTH = 8 };	/* columns of a header line */

void
fields_cut(struct fields *fields, size_t n)
{
	fields->n = n;
	if (fields->text)
		fields->text[n] = '\0';
}

/* Is it a header field (RFC 5322 2.2) without line ends? */
static bool
is_header_field(const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	size_t i;

	if (!colon || colon == s)
		return false;
	for (i = 0; i < len; i++)
		if (s + i < colon ? s[i] <= ' ' || s[i] >= 0x7f :
		    ((unsigned char)s[i] < ' ' && s[i] != '\t') ||
		    s[i] == 0x7f)
			return false;
	return true;
}

int
fields_add(struct fields *fields, const char *field, size_t len)
{
	size_t i, column = 0;
	char *out;

	if (!is_header_field(field, len))
		return -1;
	if (!fields->text && !(fields->text = malloc(FIELDS_MAX)))
		return -1;
	/* each fold adds a byte */
	if (fields->n + len + len / (FOLD_AT - TAB_WIDTH) + 2 >
	    FIELDS_MAX)
		return -1;
	out = fields->text + fields->n;
	for (i = 0; i < len; i++, column++) {
		if (column > FOLD_AT && field[i] == ' ' && i + 1 < len &&
		    field[i + 1] != ' ' && field[i + 1] != '\t') {
			*out++ = '\n';
			*out++ = '\t';
			column = TAB_WIDTH;
		} else {
			*out++ = field[i];
		}
	}
	*out++ = '\n';
	*out = '\0';
	fields->n = (size_t)(out - fields->text);
	return 0;
}
