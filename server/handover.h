/*
 * What a master leaves to the program that takes its place in the same
 * process: descriptors, and which of its children are workers.  It is text in
 * a sealed memfd, whose number is in SMTPD_STATE; a line is a word and what
 * belongs to it.  A child that only checks whether that program would start
 * reads the same.
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include "lib/proc/pool.h"
#include "server/server.h"

struct handover {
	bool present;		/* else this is a start like any other */
	bool ours;		/* it was made for this process, or a child */
	bool check;		/* this process is to check, not to serve */
	int state;		/* the memfd, of one that checks */
	int board, notify;	/* descriptors; -1: there is none */
	int base, maildir;	/* store_inherit() */
	struct pool_worker *workers;
	unsigned n_workers;
};

/*
 * Read what SMTPD_STATE leads to, if it is set, and unset it; the listeners
 * become the server's.  What is not as handover_write() wrote it, for this
 * process, ends in fatal().
 */
void handover_read(struct handover *, struct server *);

/*
 * The check found nothing: say so, with a seal that no other program knows of,
 * for any may exit with 0.  Returns 0, or -1 with errno set.
 */
int handover_agree(const struct handover *);
bool handover_agreed(int state);

/*
 * Write what there is to hand over.  Returns the memfd, or -1 with errno set.
 */
int handover_write(const struct server *, const struct pool_worker *,
    unsigned n);

/*
 * Let what was written, state, be there for the next program, or close it to
 * further ones again.
 */
void handover_expose(const struct server *, int state, bool on);

#endif
