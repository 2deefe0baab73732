/* A plain decoder of message data, which has all of it at once. */
#ifndef PLAIN_H
#define PLAIN_H

#include "fuzz.h"

struct plain_data {
	size_t used;		/* bytes, including the end of data */
	bool done;		/* the end of data was found */
	bool bare_cr, bare_lf;
	unsigned long long lines;	/* by CR LF, so far */
	unsigned long long octets;	/* size as RFC 1870 defines it */
	struct gathered out;
};

/*
 * Decode the data, of a client that is lenient or not.  The caller frees out.
 */
void plain_decode(struct plain_data *, const char *, size_t n, bool chunked,
    bool lenient);

#endif
