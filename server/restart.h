/*
 * The restart on SIGHUP: a child runs the program that is on disk now, with
 * the checks of a start; only if it would start does it take this process's
 * place, with the same arguments, in the same directory.  Whatever else
 * happens is logged, and this program goes on.
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
	pid_t check;		/* the child; 0: none */
	long long check_until;	/* by clock_ms() */
	bool agreed;		/* it found nothing; there is no room yet */
	int state;		/* what it was told */
	struct stat program;	/* that it was */
	char failure[128];	/* why the last one failed; "": it did not */
};

/* At the start: note where the program lies.  argv must stay as it is. */
void restart_prepare(struct restart *, char **argv);

/*
 * Why this process, as the user that it is now, could not execute the program
 * again; NULL if it could.
 */
const char *restart_obstacle(const struct restart *);

/* Log that, if there is such an obstacle. */
void restart_warn(const struct restart *);

/* Begin with the check, unless a restart is under way already. */
void restart_begin(struct server *);

/*
 * A child has ended.  If it was that of the check, and all is well, room for
 * the next pool is claimed.
 */
void restart_child_ended(struct server *, struct pool *, pid_t, int status);

/* There is room.  If all is well, this does not return. */
void restart_take_place(struct server *, const struct pool *);

/* There will be none: the server stops. */
void restart_cancel(struct server *);

#endif
