/*
 * What t/fail.so and who drives it share: a file that both have mapped, named
 * by FAIL_CONTROL.  The driver says which call of one process is to fail, and
 * reads what that process did.
 */
#ifndef FAIL_H
#define FAIL_H

#include <sys/types.h>

/* These stand where an errno does. */
enum {
	FAIL_SHORT = -1,	/* half of the octets are written */
	FAIL_KILL = -2,		/* the process dies before the call, */
	FAIL_AFTER = -3,	/* or behind it */
	FAIL_ZERO = -4,		/* no octet is written, and 0 returned */
	FAIL_LIE = -5,		/* nothing is done, and success returned */
};

struct fail_event {
	char name[15];
	char kind;		/* the first letter of it; e for stderr */
	unsigned long long inode;	/* of the descriptor, or the directory
					   that gets a name; 0: neither */
	unsigned long long named;	/* inode of what gets a name, or 0 */
};

struct fail_control {
	/* the driver's */
	volatile pid_t pid;	/* whose calls count */
	volatile int armed;	/* or none do */
	char name[16], kind[8];	/* of the calls; kind "": any; and name "any":
				   any but malloc */
	long first;		/* that one of them, from 1 */
	int more;		/* and all later ones */
	int error;
	char lie[16], lie_kind[8];	/* these lie, armed or not; "": none */

	/* the process's */
	volatile long count, fired;
	volatile long blocks;	/* of memory, allocated and not freed */
	volatile int highest;	/* descriptor that it was given */
	volatile long misclosed;	/* descriptors that were not open */
	volatile long n_events;
	struct fail_event events[16384];
};

/* From here on nothing fails and nothing is noted. */
void fail_end(void);

/* What follows is between t/fail.c, which judges, and t/fail-calls.c. */

/*
 * A call begins, of a function that goes by this name, on a descriptor or on
 * -1; at is the descriptor that tells more of it.  Returns 0 if it is to go
 * on, else an errno, which is set, or what else can stand there.
 */
int fail_begin(const char *name, int fd, int at);

/* The call that began gives a file, by this name below dir, another one. */
void fail_names(int dir, const char *name);

/* The file system that all is on, as f_type of statfs has it; 0: as it is. */
unsigned long fail_fs(void);

/* The process was given a descriptor, or an error, which is returned. */
int fail_given(int fd);

/* A descriptor was closed that was not open. */
void fail_misclosed(void);

/* So many blocks of memory more. */
void fail_count_block(int n);

/* No block is freed, for the driver wants it so. */
int fail_hoards(void);

/* Is this a descriptor of ours, which the program must not close? */
int fail_is_log(int fd);

/* Have the driver's orders any say here? */
int fail_is_driven(void);

/* The end, by SIGKILL. */
void fail_die(void);

/* The same behind a call, or what FAIL_RUN has. */
void fail_after(void);

/* Copy the next definition of a function into *to. */
void fail_next(void *to, const char *function);

#endif
