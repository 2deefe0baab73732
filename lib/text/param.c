/* ESMTP parameters.  A value never contains "=", as RFC 5321 requires. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/text/param.h"

enum { DIGITS_MAX = 20 };	/* RFC 1870 4 */

static int
is_keyword_char(unsigned char c)
{
	return c == '-' || (c < 0x80 && isalnum(c));
}

int
param_next(const char **p, struct param *param)
{
	const char *s = *p;
	size_t n = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	if (*s == '\0')
		return 0;
	if (s == *p || *s == '-')
		return -1;
	while (is_keyword_char((unsigned char)*s)) {
		if (n + 1 == sizeof param->keyword)
			return -1;
		param->keyword[n++] = (char)toupper((unsigned char)*s++);
	}
	param->keyword[n] = '\0';
	param->value = NULL;
	param->len = 0;
	if (n && *s == '=') {
		param->value = ++s;
		while ((unsigned char)*s > ' ' && *s != 0x7f && *s != '=')
			s++;
		param->len = (size_t)(s - param->value);
		if (param->len == 0)
			return -1;
	}
	if (n == 0 || (*s && *s != ' ' && *s != '\t'))
		return -1;
	*p = s;
	return 1;
}

int
param_is(const struct param *p, const char *value)
{
	return p->len == strlen(value) &&
	    strncasecmp(p->value, value, p->len) == 0;
}

int
param_number(const struct param *p, unsigned long long *n)
{
	char digits[DIGITS_MAX + 1];

	errno = EINVAL;
	if (p->len == 0 || p->len > DIGITS_MAX ||
	    strspn(p->value, "0123456789") != p->len)
		return -1;
	memcpy(digits, p->value, p->len);
	digits[p->len] = '\0';
	errno = 0;
	*n = strtoull(digits, NULL, 10);
	return errno ? -1 : 0;
}
