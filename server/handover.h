/*
 * The state that a master hands over to the program that replaces it in the
 * same process: descriptors, and which children are workers.  It is text in a
 * sealed memfd, whose number is in SMTPD_STATE.  Each line is a word and its
 * values.  A child that only checks whether that program would start reads the
 * same state.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "lib/proc/pool.h"
#include "server/server.h"

struct handover {
	bool present;		/* false: this is an ordinary start */
	bool ours;		/* written for this process or its child */
	bool check;		/* this process only checks the start */
	int state;		/* the memfd, if check is set */
	int board, notify;	/* descriptors; -1: none */
	int base, maildir;	/* for store_inherit() */
	struct pool_worker *workers;	/* allocated */
	unsigned n_workers;
};

/*
 * Read the state that SMTPD_STATE names, if it is set, and unset it.  The
 * listeners are added to the server.  Calls fatal() if the state was not
 * written by handover_write() for this process.
 */
void handover_read(struct handover *, struct server *);

/*
 * The check has passed: mark the state with a seal, because an exit status of
 * 0 could come from any program.  Returns 0, or -1 with errno set.
 */
int handover_agree(const struct handover *);

/* Does the state have that mark? */
bool handover_agreed(int state);

/*
 * Write the state.  Returns the memfd, which the caller closes, or -1 with
 * errno set.
 */
int handover_write(const struct server *, const struct pool_worker *,
    unsigned n);

/*
 * Make the state and the descriptors in it inheritable and set SMTPD_STATE, or
 * undo both.
 */
void handover_expose(const struct server *, int state, bool on);

#endif
