/*
 * ESMTP parameters (RFC 5321 4.1.2): what stands behind a path.  Pure: text
 * in, values out.
 */
#ifndef PARAM_H
#define PARAM_H

#include <stddef.h>

enum { PARAM_VALUE_MAX = 2048 };	/* octets with a NUL: a whole line's */

struct param {
	char keyword[32];	/* upper case */
	const char *value;	/* NULL: no "="; not NUL-terminated; may
				   have octets beyond ASCII (RFC 6531 3.3) */
	size_t len;		/* of value */
};

/*
 * Take the next parameter at *p, which is moved behind it.  Returns 1, 0 when
 * there is none left, -1 where the text is no parameter.
 */
int param_next(const char **p, struct param *);

/* Is that its value, in any case? */
int param_is(const struct param *, const char *value);

/*
 * Its value as a number of at most 20 digits (RFC 1870 4).  Returns 0, or -1
 * with errno set: EINVAL, or ERANGE where it needs more than 64 bits.
 */
int param_number(const struct param *, unsigned long long *);

#endif
