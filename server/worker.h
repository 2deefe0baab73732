/*
 * What a worker does: it waits for a connection, serves one session, and goes
 * back to waiting.
 */
#ifndef WORKER_H
#define WORKER_H

#include <signal.h>

#include "server/server.h"

/* Set by SIGTERM and SIGINT, in the processes that serve. */
extern volatile sig_atomic_t worker_stop;

/*
 * Block the signals that a session has to know of, but for while it waits;
 * waiting becomes the mask for that, and must last as long as the process.
 */
void worker_prepare_signals(struct server *, sigset_t *waiting);

/*
 * Remove what a killed process left in tmp/: at the start, for all workers that
 * are there at first, and when a worker has served its share.
 */
void worker_sweep(const struct server *);

/*
 * The last thing before the first client: give up what serving does not take;
 * where a command is to be run, that is nothing.  Returns 0, or -1, and the log
 * says why.
 */
int worker_settle(struct server *);

/*
 * Serve one session over two descriptors, or one given twice.  Where a proxy
 * speaks, the client becomes the one that it tells of.
 */
void worker_serve(struct server *, struct client *, int in, int out);

/* The end of --ready-fd: it is closed, once in each process. */
void worker_close_ready_fd(const struct server *);

/* A worker's life (pool.h); ctx is the server. */
int worker_run(void *ctx);

#endif
