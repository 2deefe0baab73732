/* Text in which "+2B" stands for "+". */
#include <string.h>

#include "xtext.h"

/* Two digits: in upper case, as RFC 3461 4 has them.  -1 if they are none. */
static int
decode_pair(const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *high = memchr(digits, s[0], 16);
	const char *low = memchr(digits, s[1], 16);

	return high && low ? (int)((high - digits) << 4 | (low - digits)) : -1;
}

long
xtext_decode(const char *text, size_t n, char *out, size_t size)
{
	const char *end = text + n;
	size_t len = 0;
	int c;

	for (; text < end; text++) {
		c = (unsigned char)*text;
		if (c <= ' ' || c >= 0x7f || c == '=')
			return -1;
		if (c == '+') {
			if (end - text < 3)
				return -1;
			c = decode_pair(text + 1);
			text += 2;
		}
		if (c <= 0 || c == '\r' || c == '\n' || len + 1 >= size)
			return -1;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return (long)len;
}
