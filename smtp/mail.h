/*
 * The commands MAIL and RCPT (RFC 5321 4.1.1.2, 4.1.1.3).  arg is the argument
 * of the command; each returns the reply.  Hooks may block.
 */
#ifndef MAIL_H
#define MAIL_H

#include "smtp/session.h"

struct reply mail_command(struct session *, const char *arg);
struct reply rcpt_command(struct session *, const char *arg);

/*
 * The same without hooks: syntax, limits and policy only.  Each returns a 4xx
 * or 5xx reply, or code 0; then mail_open() has made the envelope, and
 * rcpt_check() has set the recipient but not added it.
 */
struct reply mail_open(struct session *, const char *arg);
struct reply rcpt_check(struct session *, const char *arg,
    struct address *recipient);

struct hook_lines;

/*
 * Add a recipient to the transaction, with the answers of its hooks, or NULL.
 * Returns code 0, or a 4xx or 5xx reply, and then it is not added.
 */
struct reply rcpt_add(struct session *, const struct address *recipient,
    const struct hook_lines *);

/* The maximum number of recipients of a message; 0: no limit. */
long long rcpt_limit(const struct session *);

#endif
