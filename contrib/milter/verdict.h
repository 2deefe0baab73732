/*
 * What a milter decides, and how smtpd hears of it: a reply, other lines, and
 * an exit status (smtpd-hooks(7)).
 */
#ifndef MILTER_VERDICT_H
#define MILTER_VERDICT_H

#include <stdbool.h>

#include "contrib/milter/message.h"

enum {
	VERDICT_REPLY_MAX = 4096,	/* bytes; smtpd cuts it to less */
};

struct verdict {
	enum {
		VERDICT_NONE,		/* go on with the next step */
		VERDICT_SKIP,		/* go on without the rest of this one */
		VERDICT_ACCEPT,
		VERDICT_DISCARD,
		VERDICT_REFUSE,		/* by the reply */
		VERDICT_FAILED,		/* the error says why */
	} kind;
	const char *error;
	char reply[VERDICT_REPLY_MAX];
};

/*
 * Read a reply as SMFIR_REPLYCODE has it, of one line or several: a refusal, or
 * a failure if it is none.
 */
void verdict_read(struct verdict *, const char *text);

/* A refusal by this reply. */
void verdict_refuse(struct verdict *, const char *reply);

void verdict_fail(struct verdict *, const char *error);

/*
 * Tell smtpd.  As a filter an accepted message is written to standard output,
 * for --on-message its new fields.  message may be NULL.  Returns the exit
 * status.
 */
int verdict_tell(struct verdict *, struct message *, bool filter,
    const char *milter);

#endif
