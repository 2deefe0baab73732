/* The decoders of xtext and unitext.  Both refuse to decode to a NUL. */
#include <string.h>

#include "lib/text/utf8.h"
#include "lib/text/xtext.h"

/* The value of a hexadecimal digit; -1 if it is none. */
static int
decode_hex_digit(char c, bool strict)
{
	static const char digits[] = "0123456789ABCDEFabcdef";
	const char *digit = memchr(digits, c, strict ? 16 : 22);
	const int value = digit ? (int)(digit - digits) : -1;

	return value < 16 ? value : value - 6;
}

/* Two hexadecimal digits; -1 if they are not. */
static int
decode_hex_pair(const char *s, bool strict)
{
	const int high = decode_hex_digit(s[0], strict);
	const int low = decode_hex_digit(s[1], strict);

	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

long
xtext_decode(const char *text, size_t n, bool strict, char *out, size_t size)
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
			c = decode_hex_pair(text + 1, strict);
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
