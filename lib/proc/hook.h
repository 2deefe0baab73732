/*
 * Run one command of the administrator's: start it, feed it, enforce its
 * timeout, and reap it.  Its output is returned unchanged and not interpreted.
 */
#ifndef HOOK_H
#define HOOK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	HOOK_OUTPUT_MAX = 16384,	/* bytes of stdout that are kept; an
					   incomplete last line is dropped */
	HOOK_GRACE = 2000,		/* ms from SIGTERM to SIGKILL */
};

/* A command of the command line, parsed. */
struct hook {
	const char *command;
	const char *argument;	/* appended to its own; may be NULL */
	char **argv;		/* run by exec; NULL: by /bin/sh -c */

	/* private */
	char *words;		/* argv points into this */
};

/*
 * Parse a command.  Without shell metacharacters it is split into words, with
 * quotes and backslashes as in sh(1), and found in PATH; otherwise /bin/sh runs
 * it.  Returns NULL, or the reason of the failure in words.  command and
 * argument must outlive the hook.
 */
const char *hook_parse(struct hook *, const char *command,
    const char *argument);

/*
 * Set close-on-exec on all descriptors above 2, including inherited ones, so
 * that no command gets them.
 */
void hook_hide_descriptors(void);

struct hook_run {
	/* set by the caller */
	const struct hook *hook;
	char **environment;
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
	bool complained;	/* it wrote to stderr */
	size_t n_out;		/* bytes in out */
	char out[HOOK_OUTPUT_MAX + 1];	/* beginning of stdout, with a NUL */
};

/*
 * Run a command in a process group of its own, and wait for it.  Blocks for at
 * most timeout and HOOK_GRACE.  SIGCHLD must be blocked and have a handler.
 * When the command exits, the rest of its group is killed.  The result is
 * stored in the struct.
 */
void hook_run(struct hook_run *);

#endif
