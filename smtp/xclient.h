/*
 * XCLIENT (Postfix's XCLIENT_README): a proxy that speaks SMTP says whom it
 * speaks for, and the session begins anew with him.
 */
#ifndef XCLIENT_H
#define XCLIENT_H

#include "smtp/session.h"

/* May it be used by who connected? */
bool xclient_offered(const struct session *);

/*
 * HELO or EHLO was said.  If XCLIENT came before, it is over: what follows may
 * be the client's own words, which proxies pass on as they are.  (Behind LOGIN
 * they may follow at once, and it is over then.)
 */
void xclient_end(struct session *);

/*
 * Take the attributes, all or none of them: the client is who they tell of,
 * and what was said so far is forgotten.  Code 0, and the banner is due; or
 * why not.
 */
struct reply xclient_take(struct session *, const char *attributes);

/* Add the attributes there are to value, of n octets: what EHLO says. */
void xclient_say(const struct session *, char *value, size_t n);

#endif
