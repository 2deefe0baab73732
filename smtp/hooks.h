/*
 * Hooks: the administrator's commands at the events of a session
 * (smtpd-hooks(7)).  Here is which hooks run, with what input, and what their
 * output means; lib/proc/hook runs a command, and lib/text/verdict makes its
 * exit a reply.
 */
#ifndef HOOKS_H
#define HOOKS_H

#include "lib/proc/hook.h"
#include "smtp/hook_env.h"

struct hooks {
	struct invocation *list[HOOK_EVENTS];
	unsigned n[HOOK_EVENTS];
	long long timeout;		/* ms for each hook; 0: no limit */
	long long dot_timeout;		/* ms for all hooks after the data; 0:
					   no limit */
	bool soft_bounce;		/* 5xx becomes 4xx */
	struct invocation auth;		/* --auth; command is NULL without */
	struct environment environment;
	const sigset_t *wait_mask;
};

/* What the hooks of one recipient print besides a reply. */
struct hook_lines {
	struct address mailbox;		/* MAILBOX=; its email is "": none */
	char folder[FOLDER_MAX + 1];	/* FOLDER=; "": the inbox */
	struct discard discard;		/* DISCARD= */
};

/* The name of an event: its option without the dashes. */
const char *hooks_event_name(enum hook_event);

/*
 * Add a hook for an event.  Returns NULL, or what is wrong with the command, in
 * words.  command must outlive the hooks.
 */
const char *hooks_add(struct hooks *, enum hook_event, const char *command);

/* Set mail->hooks, so that the envelope runs the hooks for whole messages. */
void hooks_attach(struct session *, struct mail *);

/*
 * Run the hooks of an event whose result is ignored.  message is a descriptor
 * of the message, or -1.  Blocks.
 */
void hooks_notify(struct session *, enum hook_event, int message);

/*
 * Set the checkpassword command; /bin/true is the program that it executes
 * after a login.  Returns NULL, or what is wrong with the command, in words.
 */
const char *hooks_set_auth(struct hooks *, const char *command);

/*
 * Run the checkpassword command with the descriptor credentials as its
 * descriptor 3.  Blocks.  Returns 235, 535 5.7.8, or 454 4.7.0 if it failed.
 */
struct reply hooks_authenticate(struct session *, int credentials);

/*
 * Prepare to run hooks, after all are added: copy the environment of this
 * process, as hook_env_open() does.  Returns 0, or -1 with errno set.
 */
int hooks_open(struct hooks *, bool of_client);

/*
 * The variables that smtpd adds to the environment of an event's hooks.  The
 * array ends with NULL and is valid until the next call.  Returns NULL if out
 * of memory.
 */
char **hooks_environment(struct session *, enum hook_event,
    const struct address *recipient, const struct address *mailbox);

/*
 * Run the hooks of an event before the data in order until one refuses.
 * Pending replies are sent first.  Blocks.  Returns a 4xx or 5xx reply, 250
 * with the text of a hook, or code 0.
 */
struct reply hooks_run(struct session *, enum hook_event);

/* The same for HOOK_RECIPIENT and this recipient. */
struct reply hooks_run_recipient(struct session *, const struct address *,
    struct hook_lines *);

#endif
