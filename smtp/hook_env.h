/*
 * The environment of hooks (smtpd-hooks(7), ENVIRONMENT).  Values that the
 * client chose have no control characters.
 */
#ifndef HOOK_ENV_H
#define HOOK_ENV_H

#include "lib/proc/environment.h"
#include "lib/text/address.h"
#include "smtp/session.h"

enum hook_event {
	HOOK_CONNECTION, HOOK_HELLO, HOOK_MAIL, HOOK_RECIPIENT, HOOK_DATA,
	HOOK_FILTER, HOOK_MESSAGE, HOOK_DELIVER, HOOK_MDA, HOOK_DELIVERED,
	HOOK_DSN, HOOK_DISCONNECT, HOOK_EVENTS
};

/*
 * Copy the environment of this process, without variables that have a meaning
 * for hooks.  With of_client the environment describes the client, as under
 * inetd, and the variables with its host name are kept.  Returns 0, or -1 with
 * errno set.
 */
int hook_env_open(struct environment *, bool of_client);

/*
 * The names of all variables that the functions below set; the last is NULL.
 * Only values of those with lines have newlines.
 */
extern const struct environment_name hook_env_names[];

/* Set the variables of the session.  Returns 0, or -1 if out of memory. */
int hook_env_set_session(struct environment *, const struct session *);

/*
 * Set the variables of an event: those of the session, of the transaction, and
 * of recipient unless it is NULL.  For HOOK_MDA, SMTP_MAILBOX is taken from
 * mailbox.  Returns 0, or -1 if out of memory.
 */
int hook_env_set(struct environment *, const struct session *,
    enum hook_event, const struct address *recipient,
    const struct address *mailbox);

#endif
