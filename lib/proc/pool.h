/*
 * A fixed pool of worker processes.  The master forks them, replaces those that
 * die, and stops them.  It does not know what they do.  After a restart, the
 * workers of the former program are still children of this process: they finish
 * beside the new ones.
 */
#ifndef POOL_H
#define POOL_H

#include <limits.h>
#include <signal.h>

#include "lib/proc/scoreboard.h"

struct pool;

#define POOL_NO_SLOT	UINT_MAX	/* its scoreboard was not adopted */

/* A worker, as it is handed over at a restart. */
struct pool_worker {
	pid_t pid;
	unsigned number;	/* in its pool, from 1 */
	unsigned slot;		/* of the scoreboard */
	long long since;	/* its start, by clock_ms() */
	enum pool_stage {
		POOL_SERVING,
		POOL_RETIRING,	/* SIGHUP: no further session */
		POOL_STOPPING,	/* SIGTERM: its session ends early */
		POOL_KILLED,	/* SIGKILL */
		POOL_EVICTED,	/* SIGTERM to make room; SIGKILL follows */
		POOL_STAGES
	} stage;
	long long stage_since;	/* likewise, of the stage */
};

struct pool_options {
	unsigned workers;
	long long drain_timeout;	/* ms; 0: no limit */
	struct scoreboard *board;	/* each worker has its slot there */
	/* Of the former master; they retire once the new workers serve. */
	const struct pool_worker *former;
	unsigned n_former;
	/* End when there was no session for so long, in ms; 0: never. */
	long long idle_exit;
	unsigned sessions;		/* their counter on the board */
	/*
	 * In the child, while its memory is still that of the master: its first
	 * step.  Returns 0, or the exit status of the worker.
	 */
	int (*begin)(void *ctx);
	/*
	 * In the child: the whole life of a worker.  Returns its exit status.
	 * SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGIO and SIGUSR1 are blocked.
	 * SIGTERM asks the worker to stop, and is also sent when the master
	 * dies.  SIGHUP asks it to stop after its session.
	 */
	int (*work)(void *ctx);
	/* The other callbacks are in the master.  The first worker runs. */
	void (*ready)(void *ctx);
	/* The pool stops: no further connections. */
	void (*drain)(void *ctx);
	/* Workers have ended; they may have damaged what all share. */
	void (*ended)(void *ctx);
	/* SIGHUP came. */
	void (*hangup)(void *ctx);
	/* A child that is not a worker has ended. */
	void (*child)(void *ctx, struct pool *, pid_t, int status);
	/* There is the room that pool_claim_room() asked for. */
	void (*room)(void *ctx, const struct pool *);
	/* SIGUSR1 came. */
	void (*report)(void *ctx);
	/* SIGIO came. */
	void (*asked)(void *ctx, struct pool *);
	/* Periodic work.  Returns in how many ms to call again; -1: never. */
	long long (*tick)(void *ctx, const struct pool *);
	void *ctx;
};

/*
 * Run the pool.  Blocks until SIGTERM or SIGINT, and then until the last worker
 * has ended.  Workers are killed after drain_timeout, or at a second signal (at
 * least a second later, because some senders signal twice).  A worker that
 * exits with 0 is replaced at once; one that dies is logged, and replaced after
 * a delay if it died early.  Returns how many workers were killed.
 */
unsigned pool_run(const struct pool_options *);

/*
 * Call room() when the scoreboard has room for another pool of this size, which
 * may be at once.  If there is none, the oldest former workers are stopped.
 */
void pool_claim_room(struct pool *);

/*
 * Count a request of a worker, by its process id.  Returns how many it has made
 * now; 0: it is not one, or of a former master.
 */
unsigned pool_count_request(struct pool *, pid_t);

/* Store up to n workers.  Returns how many there are. */
unsigned pool_workers(const struct pool *, struct pool_worker *, unsigned n);

#endif
