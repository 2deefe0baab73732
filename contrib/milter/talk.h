/*
 * The conversation with a milter: one step after the other, up to a verdict.
 */
#ifndef MILTER_TALK_H
#define MILTER_TALK_H

#include "contrib/milter/link.h"
#include "contrib/milter/terms.h"
#include "contrib/milter/verdict.h"

struct talk {
	struct link *link;
	struct terms terms;
	char last;		/* the last step: an SMFIC_* */
	struct message *message;	/* for SMFIC_BODYEOB */
	long long end_timeout;	/* ms, for the answer to the end */
	struct verdict verdict;

	/* private */
	bool in_mail;
};

/*
 * Talk with the milter on a new connection, whose terms are set.  Afterwards the
 * verdict is not VERDICT_NONE, and the message has been changed.
 */
void talk_run(struct talk *);

#endif
