/*
 * Confine a process that reads from the network to the system calls that
 * serving needs (seccomp), and to files in its own directories (Landlock).
 * This can't be undone.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	CONFINE_CALLS = 1,	/* other system calls kill the process */
	CONFINE_FILES = 2,	/* other files can't be opened, created or
				   removed */
};

struct confine_options {
	const int *dirs;	/* descriptors; files below are allowed */
	size_t n_dirs;
	const int *listeners;	/* descriptors that can't be shut down */
	size_t n_listeners;
	bool syslog;		/* syslog(3) may try to reconnect, in vain */
	const int *sockets;	/* that may pass descriptors: to a launcher */
	size_t n_sockets;
	bool tls;		/* it starts a command of --tls */
};

/*
 * The confinement that both the kernel and this build support: CONFINE_CALLS
 * and CONFINE_FILES, or 0.
 */
unsigned confine_support(void);

/* What confine_support() lacks, in words, and what has it; or NULL. */
const char *confine_gap(void);

/*
 * Confine this process as far as confine_support() says.  The process must have
 * a single thread.  Its open descriptors remain usable.  Returns 0, or -1 with
 * errno set.
 */
int confine_self(const struct confine_options *);

/* socketpair(2) of Unix sockets, for a process that is confined. */
int confine_socketpair(int type, int fds[2]);

#endif
