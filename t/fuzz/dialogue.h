/*
 * A transcript as its reader sees it, who has the dialogue of a session again:
 * octet for octet, less what is only counted.
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "fuzz.h"

struct dialogue {
	const char *in;		/* what the client sent, and nobody read yet */
	size_t n_in;
	struct gathered replies;
	struct gathered client;	/* his records, without their times */
};

/* Read all of one; the caller has set the first two, and frees the others. */
void dialogue_read(struct dialogue *, const struct gathered *transcript);

#endif
