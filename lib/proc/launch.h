/*
 * A worker's side of its launcher (lib/proc/launcher).  Calls block only while
 * the launcher is busy with an earlier one.
 */
#ifndef LAUNCH_H
#define LAUNCH_H

#include <signal.h>
#include <stdbool.h>

#include "lib/proc/launcher.h"

enum {
	LAUNCH_SPARES = 2,	/* times that another launcher takes over */
	LAUNCH_SOCKETS = LAUNCH_SPARES + 2
};

struct launch {
	int fd;			/* polls readable when something has ended;
				   -1: there is no launcher */
	bool lost;		/* the launcher has ended, and no other takes
				   over */

	/* private */
	int master;		/* asked for another launcher; -1: can't be */
	unsigned n_spares;
	struct launch_spare {
		int fd, far;	/* our end, and the next launcher's */
	} spares[LAUNCH_SPARES];
	const struct launcher_table *table;
	struct launch_job {
		bool running;
		bool started;	/* the launcher has said so */
		int error, status;
	} jobs[JOBS];
};

/*
 * Fork the launcher for this process, its worker, which then starts nothing
 * itself.  It lasts as long as the process.  If it dies, master, the socket of
 * lib/proc/relaunch, is asked for another one; -1: there is none.  Returns 0, or
 * -1 with errno set.
 */
int launch_open(struct launch *, const struct launcher_table *, int master);

/* Store the sockets, for confine_self().  Returns how many there are. */
size_t launch_sockets(const struct launch *, int fds[LAUNCH_SOCKETS]);

/* Would the session be without a launcher if this one died? */
bool launch_is_last(const struct launch *);

enum { LAUNCH_LOST = -1 };	/* in place of an errno: it has ended */

/* An error of the calls below, in words. */
const char *launch_error(int error);

/*
 * Start a row of the table.  variables end with NULL.  fds has n descriptors;
 * -1 means /dev/null.  Returns 0, or an error number; an error may show later,
 * too, in launch_has_ended().
 */
int launch_start(struct launch *, unsigned row, enum request_job,
    char *const *variables, const int *fds, int n);

/* Send SIGTERM or SIGKILL to what was started.  Its end must be waited for. */
void launch_signal(struct launch *, enum request_job, int sig);

/*
 * Has it ended?  Then *error is 0 and *status that of wait(2), or *error is the
 * number of the error by which it did not start.  Does not block.
 */
bool launch_has_ended(struct launch *, enum request_job, int *error,
    int *status);

/*
 * Wait until it has started, or could not be: it has ended then.  Signals of
 * wait_mask are blocked.
 */
void launch_await_start(struct launch *, enum request_job,
    const sigset_t *wait_mask);

/* Has the last launcher ended?  Does not block but while the master is busy. */
bool launch_is_lost(struct launch *);

/* For log_relay(): have the launcher log a line.  ctx is the struct. */
void launch_log(void *ctx, int priority, const char *line, size_t len);

#endif
