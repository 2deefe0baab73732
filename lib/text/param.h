/*
 * The grammar of ESMTP parameters (RFC 5321 4.1.2), the "keyword=value" words
 * after a path.  It parses text into values and has no side effects.  What a
 * keyword means is not decided here.
 */
#ifndef PARAM_H
#define PARAM_H

#include <stddef.h>

enum { PARAM_VALUE_MAX = 2048 };	/* bytes with the NUL: a whole line */

struct param {
	char keyword[32];	/* upper case */
	const char *value;	/* NULL: no "="; not NUL-terminated; may
				   contain non-ASCII bytes (RFC 6531 3.3) */
	size_t len;		/* of value, in bytes */
};

/*
 * Parse the next parameter at *p and advance *p past it.  Returns 1, 0 if
 * there are no more, or -1 if the text is malformed.  value points into *p.
 */
int param_next(const char **p, struct param *);

/* Is the value of the parameter equal to value, ignoring case? */
int param_is(const struct param *, const char *value);

/*
 * Parse the value as a decimal number of at most 20 digits (RFC 1870 4).
 * Returns 0, or -1 with errno set: EINVAL if it is not a number, ERANGE if it
 * exceeds 64 bits.
 */
int param_number(const struct param *, unsigned long long *);

#endif
