/*
 * What a process may still do that reads what strangers send: the system calls
 * that serving takes (seccomp), on files below its own directories (Landlock).
 * There is no way back.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>
#include <stddef.h>

enum {
	CONFINE_CALLS = 1,	/* another system call kills the process */
	CONFINE_FILES = 2,	/* other files can't be opened, made, removed */
};

struct confine_options {
	const int *dirs;	/* below these, files may; descriptors */
	size_t n_dirs;
	const int *listeners;	/* they can't be closed for others; likewise */
	size_t n_listeners;
	bool syslog;		/* syslog(3) may have to connect again */
};

/*
 * What is to be had from this kernel, where this build can use it: bits of
 * those above.
 */
unsigned confine_support(void);

/*
 * Do with what is to be had.  The process has one thread; descriptors that it
 * has open stay of use.  Returns 0, or -1 with errno set.
 */
int confine_self(const struct confine_options *);

#endif
