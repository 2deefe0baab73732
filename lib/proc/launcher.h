/*
 * The launcher: a small process that starts the administrator's commands for
 * one worker, which can start nothing itself.  It starts what its table lists,
 * with the environment that it composes, and nothing else; a worker that asks
 * for anything else is killed (lib/proc/request).
 */
#ifndef LAUNCHER_H
#define LAUNCHER_H

#include <sys/types.h>

#include "lib/proc/invocation.h"
#include "lib/proc/request.h"

/* What a command is for says which descriptors it gets. */
enum launcher_use {
	USE_HOOK,	/* 0: a file or none; 1, 2: pipes */
	USE_AUTH,	/* 1, 2 and 3: pipes */
	USE_TLS,	/* 0, 1: the connection; 2, 5: pipes; 3, 4: sockets */
	USE_LOOKUP,	/* 1: a pipe */
	USES
};

struct launcher_row {
	enum launcher_use use;
	const struct invocation *program;
	const char *event;	/* "SMTP_EVENT=...", or NULL */
	/* Instead of a program, in a child: returns an exit status. */
	int (*run)(char *const *variables, unsigned n);
};

struct launcher_table {
	const struct launcher_row *rows;
	unsigned n;
	/* What all commands get; with room for LAUNCHER_ROOM more. */
	char **environment;
	size_t n_environment;
	const struct environment_name *names;	/* that a worker may set */
};

enum { LAUNCHER_ROOM = REQUEST_VARIABLES + 2 };

enum { HOOK_GRACE = 2000 };	/* ms from SIGTERM to SIGKILL */

/*
 * In a child of the worker: be its launcher, with requests from the socket fd,
 * until that has no other end, or the worker has ended; a hook that runs then
 * is ended.  Closes all other descriptors but the log.  pidfd is a descriptor of
 * the worker, or -1 where the kernel has none.
 */
__attribute__((noreturn))
void launcher_run(const struct launcher_table *, int fd, pid_t worker,
    int pidfd);

#endif
