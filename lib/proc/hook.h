/*
 * Run one command of the administrator's: have the launcher start it, feed it,
 * and enforce its timeout.  Its output is returned as it is.
 */
#ifndef HOOK_H
#define HOOK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/proc/launch.h"

enum {
	HOOK_OUTPUT_MAX = 16384,	/* bytes of stdout that are kept; an
					   incomplete last line is dropped */
};

struct hook_run {
	/* set by the caller */
	struct launch *launch;	/* starts it */
	const struct invocation *program;
	char **variables;	/* of the session; the launcher adds those
				   that all commands get */
	int input;		/* standard input, read from offset 0;
				   -1: /dev/null */
	int credentials;	/* its descriptor 3; -1: none */
	int output;		/* a copy of stdout is written here; -1: none */
	long long output_max;	/* bytes of that copy; 0: no limit */
	long long timeout;	/* ms; 0: no limit */
	int peer;		/* if this connection is closed, the command
				   is terminated; -1: none */
	const volatile sig_atomic_t *stop;	/* the same if set; or NULL */
	/*
	 * Returns -1 to terminate the command because of pressure, else the
	 * time of clock_ms() at which to check again, or 0: when pressure_fd
	 * polls readable.  May be NULL.
	 */
	long long (*check_pressure)(void *ctx);
	int pressure_fd;
	const sigset_t *wait_mask;	/* signals blocked in a wait */
	/* Called with each line of stderr. */
	void (*complain)(void *ctx, const char *line);
	void *ctx;

	/* returned */
	const char *failed;	/* the reason in words if it did not exit by
				   itself; else NULL */
	bool lost;		/* it failed because the peer is gone */
	int status;		/* exit status, unless it failed */
	int signal;		/* that killed it, or 0 */
	bool complained;	/* it wrote to stderr */
	size_t n_out;		/* bytes in out */
	char out[HOOK_OUTPUT_MAX + 1];	/* beginning of stdout, with a NUL */
};

/*
 * Run a command in a process group of its own, and wait for it.  Blocks for at
 * most timeout and HOOK_GRACE.  When the command exits, the rest of its group is
 * killed.  The result is stored in the struct.
 */
void hook_run(struct hook_run *);

#endif
