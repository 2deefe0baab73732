/*
 * A simulated machine for a session: a client with fixed input, a clock that
 * moves only during waits, commands that reply by a table, a log that is
 * checked, and a disk that may fail.  Everything is in memory, except for
 * files without a name.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "fuzz.h"

enum { MACHINE_FD = 100000 };	/* the connection; no real descriptor */

struct machine {
	const char *in;		/* what the client sends */
	size_t n_in;
	struct cuts cuts;	/* in these segments */
	bool stalls;		/* then it stalls instead of closing */
	struct cuts answers;	/* the results of the commands */
	bool discards;		/* DISCARD= and FOLDER= among them */
	unsigned fail_at;	/* disk call that fails; 0: none */

	struct gathered out;	/* what the server sent */
	size_t n_logged;	/* messages that were accepted, or discarded, by
				   the log */
	struct gathered *kept;	/* the messages in new/ */
	size_t n_kept;
	struct gathered transcript;
};

/*
 * Use this machine for the session that follows.  machine_leave() checks that
 * nothing is left over, and sets out, kept and the transcript; machine_free()
 * frees them.
 */
void machine_enter(struct machine *);
void machine_leave(void);
void machine_free(struct machine *);

/* The disk of the machine. */
void disk_begin(unsigned fail_at);
void disk_end(struct machine *);

#endif
