/*
 * XCLIENT (Postfix's XCLIENT_README): an SMTP proxy tells the server which
 * client it speaks for, and the session starts again with that client.
 */
#ifndef XCLIENT_H
#define XCLIENT_H

#include "smtp/session.h"

/* May the connected client use XCLIENT now? */
bool xclient_offered(const struct session *);

/*
 * HELO or EHLO was received.  If XCLIENT came before it, no other XCLIENT is
 * allowed: what follows may be commands of the client that the proxy passes on
 * unchanged.  After an XCLIENT with LOGIN, that is so at once.
 */
void xclient_end(struct session *);

/*
 * The command XCLIENT.  Applies all attributes or none.  Returns code 0 if the
 * session has started again and a banner is due, else an error reply.
 */
struct reply xclient_command(struct session *, const char *attributes);

/* Append the supported attributes to value, of n bytes, for EHLO. */
void xclient_format(const struct session *, char *value, size_t n);

#endif
