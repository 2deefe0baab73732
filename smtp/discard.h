/*
 * Messages that a hook discards before their data: they are read and checked as
 * others are, and stored nowhere.
 */
#ifndef SMTP_DISCARD_H
#define SMTP_DISCARD_H

#include "smtp/session.h"

/* Is the message discarded, for all of its recipients? */
bool discard_is_due(const struct session *);

/*
 * Replace the envelope of the transaction by one that stores nothing and
 * replies 250.  Returns code 0, or a 4xx reply.
 */
struct reply discard_begin_data(struct session *);

#endif
