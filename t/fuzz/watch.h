/*
 * A conversation as its client sees it, who knows nothing but SMTP: which of
 * the octets that he sent were commands, which were a message, and what he was
 * told of each.  Who sees something else than the server could be made to say
 * what he never said.
 */
#ifndef WATCH_H
#define WATCH_H

#include "fuzz.h"

struct watched {		/* a message that was accepted */
	struct gathered text;	/* as it should be kept */
	struct gathered raw;	/* as it was sent: BINARYMIME is kept so */
};

struct watch {
	const char *in, *out;	/* what he has sent; what he was told */
	size_t n_in, n_out;
	bool lf_ends, lmtp;
	int last;		/* code of the last reply */
	const char *answered;	/* the line that it was for */

	size_t recipients;	/* of the mail at hand, that were accepted */
	struct gathered chunks;	/* of the message at hand */
	struct watched *accepted;
	size_t n_accepted;
};

/* Go through it; the caller has set the first three lines, and frees. */
void watch(struct watch *);
void watch_free(struct watch *);

#endif
