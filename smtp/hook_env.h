/* The environment of hook commands (smtpd-hooks(7), ENVIRONMENT). */
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
 * Take over the environment of this process, less what could be taken for a
 * variable of ours.  With of_client set, the environment describes the one
 * client, and what a super-server found of its host name stays.  Returns 0,
 * or -1 with errno set.
 */
int hook_env_open(struct environment *, bool of_client);

/* Set the variables of the session.  Returns 0, or -1: out of memory. */
int hook_env_set_session(struct environment *, const struct session *);

/*
 * Set all variables of an event: those of the session, of the message and of
 * recipient, if that is not NULL; for HOOK_MDA, SMTP_MAILBOX is that of
 * mailbox.  Returns 0, or -1: out of memory.
 */
int hook_env_set(struct environment *, const struct session *,
    enum hook_event, const struct address *recipient,
    const struct address *mailbox);

#endif
