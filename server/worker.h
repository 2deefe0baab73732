/*
 * A worker: it waits for a connection, serves one session, and waits again.
 */
#ifndef WORKER_H
#define WORKER_H

#include <signal.h>

#include "server/server.h"

/* Set by SIGTERM and SIGINT in a process that serves. */
extern volatile sig_atomic_t worker_stop;

/*
 * Handle SIGTERM, SIGINT, SIGHUP and SIGCHLD, which stay blocked except while
 * the process waits.  waiting becomes the mask for that; it must outlive the
 * process's last session.
 */
void worker_prepare_signals(struct server *, sigset_t *waiting);

/*
 * Remove what a killed process left in tmp/ of a single Maildir.  Blocks on the
 * disk.  It is called at start-up, and when a worker is recycled.
 */
void worker_sweep(const struct server *);

/*
 * Confine this process before its first client, and after its launcher was
 * forked.  Returns 0, or -1 after logging the error.
 */
int worker_confine(struct server *);

/*
 * Serve one session over two descriptors, which may be the same one and stay
 * the caller's.  Blocks until the session ends.  If the peer is a proxy, the
 * client becomes the one in its PROXY header.  Returns the bytes received.
 */
unsigned long long worker_serve(struct server *, struct client *, int in,
    int out);

/* Close --ready-fd, so that its reader sees the end; once in each process. */
void worker_close_ready_fd(struct server *);

/* The first step of a worker, for the pool: fork the launcher. */
int worker_begin(void *ctx);

/*
 * The whole life of a worker, for the pool; ctx is the server.  Returns the
 * exit status.
 */
int worker_run(void *ctx);

#endif
