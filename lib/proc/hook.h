/*
 * One command of the administrator's: started, fed, timed, and reaped.  What
 * it says is returned as it is; what that means is for others to judge.
 */
#ifndef HOOK_H
#define HOOK_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	HOOK_OUTPUT_MAX = 16384,	/* bytes of stdout that are kept, less
					   a line that is cut behind others */
	HOOK_GRACE = 2000,		/* ms from SIGTERM to SIGKILL */
};

/* A command as it stands on the command line, read once. */
struct hook {
	const char *command;
	const char *argument;	/* that it gets behind its own; or NULL */
	char **argv;		/* run by exec; NULL: by /bin/sh -c */

	/* private */
	char *words;		/* that argv points into */
};

/*
 * Read a command: without shell metacharacters it is split into words, as
 * sh(1) does with quotes and backslash.  Returns NULL, or what is wrong with
 * it, in words; a command that is not there or not executable is.  command
 * and argument must outlive the hook.
 */
const char *hook_parse(struct hook *, const char *command,
    const char *argument);

/*
 * Let no command have a descriptor of this process, or of who started it, but
 * 0, 1 and 2.
 */
void hook_hide_descriptors(void);

struct hook_run {
	const struct hook *hook;
	char **environment;
	int input;		/* standard input, from its offset 0;
				   -1: /dev/null */
	int credentials;	/* its descriptor 3; -1: it has none */
	int output;		/* where stdout goes, all of it; -1: nowhere */
	long long output_max;	/* octets that may go there; 0: any number */
	long long timeout;	/* ms; 0: none */
	int peer;		/* its connection's end ends the command;
				   -1: nothing does */
	const volatile sig_atomic_t *stop;	/* ends it when set; or NULL */
	/*
	 * Others may want the place of its client.  Returns -1 to end the
	 * command, else when to ask again, by clock_ms(), or 0: when pressure_fd
	 * polls readable.  NULL: nobody is asked.
	 */
	long long (*check_pressure)(void *ctx);
	int pressure_fd;
	const sigset_t *wait_mask;	/* signals blocked while it waits */
	/* A line of its stderr. */
	void (*complain)(void *ctx, const char *line);
	void *ctx;

	/* What became of it. */
	const char *failed;	/* it did not come to an end of its own:
				   why, in words; else NULL */
	bool lost;		/* because the peer is gone */
	int status;		/* its exit status, if so */
	bool complained;	/* it wrote to stderr */
	size_t n_out;
	char out[HOOK_OUTPUT_MAX + 1];	/* how stdout begins, with a NUL */
};

/*
 * Run a command, in a process group of its own, and wait for it.  SIGCHLD
 * must be blocked, not ignored, and have a handler.  When it exits, what is
 * left of its group is killed.  Its fate is left in the struct.
 */
void hook_run(struct hook_run *);

#endif
