/*
 * The restart on SIGHUP.  A child executes the program that is on disk now,
 * which checks whether it would start.  If so, this process executes it, with
 * the same arguments, in the same directory.  If not, the reason is logged, and
 * this program continues.
 */
#ifndef RESTART_H
#define RESTART_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct pool;
struct server;

#define RESTART_HINT	"install it in a directory that this user can search"

struct restart {
	char path[PATH_MAX];	/* of the program; "" if it is not known */
	char **argv;
	pid_t check;		/* the child that checks; 0: none */
	long long check_until;	/* by clock_ms() */
	bool agreed;		/* the check passed; waiting for room */
	int state;		/* handed over to the child */
	struct stat program;	/* that the child executes */
	char failure[128];	/* of the last restart; "": none */
};

/* At start-up: note the path of the program.  argv must outlive it. */
void restart_prepare(struct restart *, char **argv);

/*
 * Check whether this process could execute the program as its current user.
 * Returns NULL, or the error.
 */
const char *restart_obstacle(const struct restart *);

/* Begin a restart with the check, unless one is in progress. */
void restart_begin(struct server *);

/*
 * A child has ended with this status.  If it is the check, and it passed, claim
 * room for the next pool.
 */
void restart_child_ended(struct server *, struct pool *, pid_t, int status);

/*
 * There is room for the next pool: execute the program.  Returns only on
 * failure, or if the program has changed and is checked again.
 */
void restart_exec(struct server *, const struct pool *);

/* The server stops: end a check that is in progress. */
void restart_cancel(struct server *);

#endif
