/*
 * A command as a process of its own, with only the descriptors that the caller
 * passes, and the lines that it writes to standard error.  Waiting for it is
 * up to the caller.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stddef.h>
#include <sys/types.h>

enum {
	STDERR_LINE_MAX = 1000,	/* bytes of a line that are kept */
	STDERR_LINES_MAX = 100,	/* lines reported; more are discarded */
};

/*
 * Start argv[0] with n descriptors: fds[i], which is i or at least n, or 0,
 * becomes i.  The process leads a process group of its own, with no signal
 * blocked, and gets death_signal when the caller dies (0: none).  The caller
 * must ignore no signal, block all, and have no handler that could not run
 * twice.  Returns 0, or an error number.
 */
int process_start(pid_t *, char **argv, char **environment, const int *fds,
    int n, int death_signal);

/*
 * As fork(2), for a process with one thread.  Where libc has a way that writes
 * to less memory, parent and child share more of it.
 */
pid_t process_fork(void);

/*
 * Has the process exited?  It is not reaped, so its pid can't be reused until
 * the caller does that.
 */
int process_has_exited(pid_t);

/*
 * A descriptor of a child (Linux 5.3), which never means another process of the
 * same number.  Returns -1 with errno set on failure.
 */
int process_descriptor(pid_t);

/* Kill the process of a descriptor. */
void process_kill_descriptor(int fd);

/* Signal its process group, and the process if it has left the group. */
void process_signal(pid_t, int sig);

/* The standard error of a process, split into lines. */
struct stderr_lines {
	void (*report)(void *ctx, const char *line);
	void *ctx;

	/* private; 0 at first */
	int lines;
	size_t n;
	char line[STDERR_LINE_MAX + 1];
};

/* Process the next n bytes; calls report for each complete line. */
void stderr_lines_add(struct stderr_lines *, const char *, size_t n);

/* End of file: report the last line if it lacks a newline. */
void stderr_lines_finish(struct stderr_lines *);

#endif
