/*
 * The administrator's commands, asked at each event of a session
 * (smtpd-hooks(7)): who is asked, what they are told, what their answer means.
 */
#ifndef HOOKS_H
#define HOOKS_H

#include "lib/proc/hook.h"
#include "smtp/hook_env.h"

struct hooks {
	struct hook *list[HOOK_EVENTS];
	unsigned n[HOOK_EVENTS];
	long long timeout;		/* ms, of each command */
	long long dot_timeout;		/* of all of those after the dot */
	bool soft_bounce;		/* 5xx becomes 4xx */
	struct hook auth;		/* no command: there is no AUTH */
	struct environment environment;
	const sigset_t *wait_mask;
};

/* The event's name: the option's, less its dashes. */
const char *hooks_event_name(enum hook_event);

/*
 * Add a command to an event.  Returns NULL, or what is wrong with it, in
 * words.  command must outlive the hooks.
 */
const char *hooks_add(struct hooks *, enum hook_event, const char *command);

/*
 * Let the commands for whole messages be asked of this mail, when its
 * envelope is closed.
 */
void hooks_attach(struct session *, struct mail *);

/*
 * Tell the commands of an event, whose answer changes nothing, of a message;
 * descriptor -1: of none.
 */
void hooks_tell(struct session *, enum hook_event, int message);

/*
 * The checkpassword command, which gets /bin/true as the program to run.
 * Returns NULL, or what is wrong with it, in words.
 */
const char *hooks_set_auth(struct hooks *, const char *command);

/*
 * Run it with these credentials on descriptor 3.  Returns 235, 535 5.7.8, or
 * 454 4.7.0 where it gave no verdict.
 */
struct reply hooks_authenticate(struct session *, int credentials);

/*
 * All are added: take the environment as it is, less what is of no use to
 * them; of_client: it is that of the connection, too.  0, or -1 with errno set.
 */
int hooks_open(struct hooks *, bool of_client);

/*
 * The variables that an event's commands get beside those of this process; the
 * array ends with NULL and is good until the next call.  NULL: no memory.
 */
char **hooks_environment(struct session *, enum hook_event,
    const struct address *recipient, const struct address *mailbox);

/*
 * Ask an event's commands in order until one refuses.  Replies that wait are
 * sent first.  recipient is that at hand, or NULL, and mailbox is set if a
 * command says that this one takes the recipient's mail.  Returns a refusal, or
 * 250 with a text that a command gave, or none.
 */
struct reply hooks_ask(struct session *, enum hook_event,
    const struct address *recipient, struct address *mailbox);

#endif
