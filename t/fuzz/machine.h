/*
 * The machine that a session runs on, in memory: a client whose octets are all
 * known before, a clock that moves only when somebody waits for it, commands
 * that answer by a table, a log that must be readable, and a disk that may
 * fail.  Nothing of it leaves the process but files without a name.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "fuzz.h"

enum { MACHINE_FD = 100000 };	/* the connection; no real descriptor */

struct machine {
	const char *in;		/* what the client sends */
	size_t n_in;
	struct cuts cuts;	/* in these pieces */
	bool stalls;		/* it does not hang up, but says no more */
	struct cuts answers;	/* what the commands say */
	unsigned fail_at;	/* call to the disk that fails; 0: none */

	struct gathered out;	/* what it was sent */
	struct gathered *kept;	/* the messages that have a name in new/ */
	size_t n_kept;
	struct gathered transcript;
};

/*
 * Become the machine: what the session then does is about this one.  After
 * machine_leave(), which checks that nothing is left over, out, kept and the
 * transcript are there; machine_free() frees them.
 */
void machine_enter(struct machine *);
void machine_leave(void);
void machine_free(struct machine *);

/* The disk, for the machine. */
void disk_begin(unsigned fail_at);
void disk_end(struct machine *);

#endif
