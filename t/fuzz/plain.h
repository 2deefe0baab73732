/* Message data, read plainly: with all of its octets at hand. */
#ifndef PLAIN_H
#define PLAIN_H

#include "fuzz.h"

struct plain_data {
	size_t used;		/* octets, with what ends the data */
	bool done;		/* that was there */
	bool bare_cr, bare_lf;
	unsigned long long octets;	/* as RFC 1870 counts */
	struct gathered out;
};

/* The caller frees out. */
void plain_decode(struct plain_data *, const char *, size_t n, bool chunked);

#endif
