/*
 * A reader of transcripts: it restores the dialogue of a session, except for
 * the bytes of which only the number is recorded.
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "fuzz.h"

struct dialogue {
	const char *in;		/* what the client sent, not yet matched */
	size_t n_in;
	struct gathered replies;
	struct gathered client;	/* its records, without their times */
};

/*
 * Read a transcript.  The caller sets the first two fields, and frees the
 * others.
 */
void dialogue_read(struct dialogue *, const struct gathered *transcript);

#endif
