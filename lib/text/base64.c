/* A strict decoder for base64: each text has one encoding only. */
#include <string.h>

#include "lib/text/base64.h"

static int
digit_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

long
base64_decode(const char *text, char *out)
{
	size_t len = strlen(text), pad = 0, i;
	unsigned long bits = 0;
	char *o = out;

	if (len % 4 != 0)
		return -1;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < len - pad; i++) {
		int v = digit_value(text[i]);

		if (v < 0)
			return -1;
		bits = (bits << 6 | (unsigned long)v) & 0xffffff;
		if (i % 4 == 1)
			*o++ = (char)(bits >> 4 & 0xff);
		else if (i % 4 == 2)
			*o++ = (char)(bits >> 2 & 0xff);
		else if (i % 4 == 3)
			*o++ = (char)(bits & 0xff);
	}
	*o = '\0';
	if ((pad == 2 && bits & 0xf) || (pad == 1 && bits & 0x3))
		return -1;
	return (long)(o - out);
}
