/*
 * The commands HELO, EHLO and, in LMTP, LHLO (RFC 5321 4.1.1.1, RFC 2033 4.1).
 */
#ifndef HELLO_H
#define HELLO_H

#include "smtp/session.h"

/*
 * HELO, and EHLO or LHLO.  arg is the argument of the command; each returns the
 * reply.  Hooks may block.
 */
struct reply hello_helo(struct session *, const char *arg);
struct reply hello_ehlo(struct session *, const char *arg);

/* The commands that this client may begin with, for replies. */
const char *hello_verb(const struct session *);

/* The 500 for HELO and EHLO over LMTP (RFC 2033 4.1), or LHLO over SMTP. */
struct reply hello_reject(const struct session *);

/* The reply to EHLO, with the extensions that this client may use now. */
struct reply hello_offer(const struct session *);

#endif
