/* Space-separated words. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/words.h"

unsigned
words_split(char *text, char **word, unsigned max)
{
	static const char spaces[] = " \n";
	unsigned n;

	for (n = 0; n < max; n++) {
		text += strspn(text, spaces);
		if (!*text)
			break;
		word[n] = text;
		text += strcspn(text, spaces);
		if (*text)
			*text++ = '\0';
	}
	return n;
}

unsigned long long
words_number(const char *text)
{
	char *end;
	unsigned long long n;

	if (!isdigit((unsigned char)*text))
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	return *end || errno ? 0 : n;
}
