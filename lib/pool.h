/*
 * A fixed pool of worker processes: the master forks them, replaces those
 * that die, and asks them to stop.  It does not know what they do.
 */
#ifndef POOL_H
#define POOL_H

#include <signal.h>

#include "scoreboard.h"

struct pool_options {
	unsigned workers;
	long long drain_timeout;	/* ms; 0: as long as it takes */
	struct scoreboard *board;	/* each worker has its slot there */
	/*
	 * A worker's whole life, in the child; what it returns is its exit
	 * status.  SIGTERM, SIGINT, SIGCHLD and SIGUSR1 are blocked; SIGTERM asks it
	 * to stop, and comes when the master died, too.
	 */
	int (*work)(void *ctx);
	/* In the master: all workers are there; the drain begins. */
	void (*ready)(void *ctx);
	void (*drain)(void *ctx);
	/* SIGUSR1 came; and each tick_interval ms, if that is not 0. */
	void (*report)(void *ctx);
	void (*tick)(void *ctx);
	long long tick_interval;
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

#endif
