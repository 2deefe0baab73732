/*
 * A fixed pool of worker processes: the master forks them, replaces those
 * that die, and asks them to stop.  It does not know what they do.  A program
 * that takes this one's place in the same process finds workers that are its
 * children, too: it lets them come to their end beside its own.
 */
#ifndef POOL_H
#define POOL_H

#include <limits.h>
#include <signal.h>

#include "lib/proc/scoreboard.h"

struct pool;

#define POOL_NO_SLOT	UINT_MAX	/* on a scoreboard that is not ours */

/* A worker, as one master tells the next of it. */
struct pool_worker {
	pid_t pid;
	unsigned number;	/* in its pool, from 1 */
	unsigned slot;		/* of the scoreboard */
	long long since;	/* its start, by clock_ms() */
	enum pool_stage {
		POOL_SERVING,
		POOL_RETIRING,	/* SIGHUP: no further session */
		POOL_STOPPING,	/* SIGTERM: what it serves, it cuts short */
		POOL_KILLED,
		POOL_EVICTED,	/* SIGTERM, to make room; soon it is killed */
		POOL_STAGES
	} stage;
	long long stage_since;	/* likewise */
};

struct pool_options {
	unsigned workers;
	long long drain_timeout;	/* ms; 0: as long as it takes */
	struct scoreboard *board;	/* each worker has its slot there */
	/* Those of a former master; the new ones serve before they retire. */
	const struct pool_worker *former;
	unsigned n_former;
	/* Leave when there was no session for so long, in ms; 0: never. */
	long long idle_exit;
	unsigned sessions;		/* the board's counter of them */
	/*
	 * A worker's whole life, in the child; what it returns is its exit
	 * status.  SIGTERM, SIGINT, SIGHUP, SIGCHLD and SIGUSR1 are blocked;
	 * SIGTERM asks it to stop, and comes when the master died, too; SIGHUP
	 * asks it to stop when its session is over.
	 */
	int (*work)(void *ctx);
	/* In the master: there are workers, at last; the drain begins. */
	void (*ready)(void *ctx);
	void (*drain)(void *ctx);
	/* Workers have ended: what they share with others may have suffered. */
	void (*ended)(void *ctx);
	/* SIGHUP came; a child that is no worker has ended. */
	void (*hangup)(void *ctx);
	void (*child)(void *ctx, struct pool *, pid_t, int status);
	/* There is room, as pool_claim_room() asked. */
	void (*room)(void *ctx, const struct pool *);
	/* SIGUSR1 came. */
	void (*report)(void *ctx);
	/* What is due by the clock; returns in how many ms the next is, or -1. */
	long long (*tick)(void *ctx, const struct pool *);
	void *ctx;
};

/*
 * Run the pool until SIGTERM or SIGINT, and until the last worker has gone; a
 * second one (a second later, for some senders signal twice), or
 * drain_timeout, kills them.  Workers that exit with 0 are
 * replaced at once, those that die are logged, and replaced later and later
 * if they die young.  Returns how many had to be killed.
 */
unsigned pool_run(const struct pool_options *);

/*
 * Another pool of this size is to begin beside all the workers that live: call
 * room() when the scoreboard has room for it, at once perhaps.  Where it has
 * none, the oldest workers of former pools are ended to make some.
 */
void pool_claim_room(struct pool *);

/* How many workers live, and up to n of them. */
unsigned pool_workers(const struct pool *, struct pool_worker *, unsigned n);

#endif
