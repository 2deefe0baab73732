/*
 * A mail's addresses: the commands MAIL and RCPT.  Each returns what the
 * client will hear; arg is the command's argument.
 */
#ifndef MAIL_H
#define MAIL_H

#include "smtp/session.h"

struct reply mail_command(struct session *, const char *arg);
struct reply rcpt_command(struct session *, const char *arg);

/*
 * The same as far as limits and policy go, and no command is asked: each
 * returns a refusal, or none; then there is an envelope, or the recipient.
 */
struct reply mail_open(struct session *, const char *arg);
struct reply rcpt_check(struct session *, const char *arg,
    struct address *recipient);

/*
 * Add a recipient to the mail at hand; mailbox is where its mail goes.
 * Returns a refusal, and then it is not added, or none.
 */
struct reply rcpt_add(struct session *,
    const struct address *recipient, const struct address *mailbox);

/* How many recipients a mail may have; 0: any number. */
long long rcpt_limit(const struct session *);

#endif
