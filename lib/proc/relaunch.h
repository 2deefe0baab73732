/*
 * The master's part in launchers: it forks another one for a worker whose
 * launcher has died, because a worker can't fork.  All workers ask on one
 * socket, and the kernel says which of them it was.
 */
#ifndef RELAUNCH_H
#define RELAUNCH_H

#include "lib/proc/launcher.h"
#include "lib/proc/pool.h"

struct relaunch {
	int fd;			/* for the requests of workers */
	int master;		/* the other end, of the master alone */
	const struct launcher_table *table;
};

/*
 * Make the socket.  SIGIO, which the pool waits for, tells of requests.
 * Returns 0, or -1 with errno set.
 */
int relaunch_open(struct relaunch *, const struct launcher_table *);

/* In a worker: close the master's end. */
void relaunch_join(struct relaunch *);

/*
 * In the master: do what workers have asked for.  One that asks for anything
 * but its own launcher, or too often, is killed.
 */
void relaunch_serve(const struct relaunch *, struct pool *);

#endif
