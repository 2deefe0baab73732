/* UTF-8: decoding, encoding, and which characters are refused. */
#include <stddef.h>

#include "lib/text/utf8.h"

/* The number of bytes after this first byte, or -1; *c gets its bits. */
static int
decode_first_byte(unsigned char byte, long *c)
{
	if (byte < 0x80) {
		*c = byte;
		return 0;
	}
	if (byte >= 0xc2 && byte <= 0xdf) {
		*c = byte & 0x1f;
		return 1;
	}
	if (byte >= 0xe0 && byte <= 0xef) {
		*c = byte & 0x0f;
		return 2;
	}
	if (byte >= 0xf0 && byte <= 0xf4) {
		*c = byte & 0x07;
		return 3;
	}
	return -1;
}

long
utf8_next(const char **s)
{
	static const long smallest[] = { 0, 0x80, 0x800, 0x10000 };
	const char *p = *s;
	long c;
	int i, more = decode_first_byte((unsigned char)*p++, &c);

	for (i = 0; i < more; i++, p++) {
		if ((*p & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (*p & 0x3f);
	}
	if (more < 0 || c < smallest[more] || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff))
		return -1;
	*s = p;
	return c;
}

int
utf8_put(long c, char *out)
{
	int i, more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	static const int first[] = { 0, 0xc0, 0xe0, 0xf0 };

	for (i = more; i > 0; i--, c >>= 6)
		out[i] = (char)(0x80 | (c & 0x3f));
	out[0] = (char)(first[more] | c);
	return more + 1;
}

bool
utf8_is_harmless(long c)
{
	return c >= ' ' && !(c >= 0x7f && c < 0xa0) &&	/* C0, DEL, C1 */
	    !(c >= 0x2028 && c <= 0x202e) &&	/* separators, bidi */
	    !(c >= 0x2066 && c <= 0x2069);	/* bidi isolates */
}

bool
utf8_is_text(const char *s)
{
	while (*s)
		if (!utf8_is_harmless(utf8_next(&s)))
			return false;
	return true;
}

bool
utf8_is_beyond_ascii(const char *s)
{
	while (*s && (unsigned char)*s < 0x80)
		s++;
	return *s != '\0';
}
