/*
 * A command as a process of its own: started with descriptors of the caller's
 * choice and nothing else of his, and listened to on standard error.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <sys/types.h>

enum {
	SAID_LINE_MAX = 1000,	/* octets of a line that are kept */
	SAID_LINES = 100,	/* that are told; the rest is read away */
};

/*
 * Start argv[0] with n descriptors: fds[i] becomes i, or /dev/null where it
 * is -1, and must not be a number below n other than i, 0, 1 and 2 aside.
 * The process leads a group of its own, has default signals and none blocked.
 * Returns 0, or an error number.
 */
int process_start(pid_t *, char **argv, char **environment, const int *fds,
    int n);

/* Has it exited?  It is still to be reaped, so that its pid is no other's. */
int process_has_exited(pid_t);

/* Send a signal to its group, and to itself if it has left that. */
void process_signal(pid_t, int sig);

/* What a process writes to standard error, as lines. */
struct said {
	void (*tell)(void *ctx, const char *line);
	void *ctx;

	/* private; 0 at first */
	int lines;
	size_t n;
	char line[SAID_LINE_MAX + 1];
};

void said_take(struct said *, const char *, size_t);

/* No more will come: tell the last line, if it has no end. */
void said_end(struct said *);

#endif
