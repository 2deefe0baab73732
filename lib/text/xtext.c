/* The decoders of xtext and unitext.  Both refuse to decode to a NUL. */
#include <string.h>

#include "lib/text/utf8.h"
#include "lib/text/xtext.h"

/* Two upper-case hexadecimal digits (RFC 3461 4); -1 if they are not. */
static int
decode_hex_pair(const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *high = memchr(digits, s[0], 16);
	const char *low = memchr(digits, s[1], 16);

	return high && low ? (int)((high - digits) << 4 | (low - digits)) : -1;
}

long
xtext_decode(const char *text, size_t n, char *out, size_t size)
{
	const char *end = n ? text + n : text;
	size_t len = 0;
	int c;

	for (; text < end; text++) {
		c = (unsigned char)*text;
		if (c <= ' ' || c >= 0x7f || c == '=')
			return -1;
		if (c == '+') {
			if (end - text < 3)
				return -1;
			c = decode_hex_pair(text + 1);
			text += 2;
		}
		if (c <= 0 || c == '\r' || c == '\n' || len + 1 >= size)
			return -1;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return (long)len;
}

/* "x{2B}", with two to six upper-case digits; -1 if it is not. */
static long
decode_code_point(const char **text, const char *end)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *p = *text, *digit;
	long c = 0;
	int n;

	if (end - p < 2 || p[0] != 'x' || p[1] != '{')
		return -1;
	for (p += 2, n = 0; p < end && n < 6; p++, n++) {
		digit = memchr(digits, *p, 16);
		if (!digit)
			break;
		c = c << 4 | (digit - digits);
	}
	if (n < 2 || p == end || *p != '}' || c > 0x10ffff)
		return -1;
	*text = p + 1;
	return c;
}

long
unitext_decode(const char *text, size_t n, char *out, size_t size)
{
	const char *end = text + n;
	char bytes[4];
	size_t len = 0, more;
	long c;

	while (text < end) {
		c = (unsigned char)*text++;
		if (c <= ' ' || c == 0x7f || c == '+' || c == '=')
			return -1;
		bytes[0] = (char)c;
		more = 1;
		if (c == '\\') {
			c = decode_code_point(&text, end);
			if (c <= 0)
				return -1;
			more = (size_t)utf8_put(c, bytes);
		}
		if (len + more >= size)
			return -1;
		memcpy(out + len, bytes, more);
		len += more;
	}
	out[len] = '\0';
	return utf8_is_text(out) ? (long)len : -1;
}
