/*
 * A session as the client understands it, which knows only SMTP: which of the
 * bytes that it sent were commands, which were a message, and the reply to
 * each.  A client and a server that disagree about that allow smuggling.
 */
#ifndef WATCH_H
#define WATCH_H

#include "fuzz.h"

struct watched {		/* a message that was accepted */
	struct gathered text;	/* as it should be stored */
	struct gathered raw;	/* as sent: BINARYMIME is stored unchanged */
};

struct watch {
	const char *in, *out;	/* sent by the client; by the server */
	size_t n_in, n_out;
	bool lf_ends, lmtp;	/* a lenient client; LMTP */
	int last;		/* code of the last reply */
	const char *answered;	/* the line that it replied to */

	size_t recipients;	/* accepted in this transaction */
	struct gathered chunks;	/* of this message */
	struct watched *accepted;
	size_t n_accepted;
};

/*
 * Match the client's bytes with the replies.  The caller sets the first three
 * lines of fields, and calls watch_free().
 */
void watch(struct watch *);
void watch_free(struct watch *);

#endif
