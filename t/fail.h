/*
 * The interface between t/fail.so and its driver: a file that both have mapped,
 * named by FAIL_CONTROL.  The driver sets which call of one process is to fail,
 * and reads what that process did.
 */
#ifndef FAIL_H
#define FAIL_H

#include <sys/types.h>

/* These are used in place of an errno. */
enum {
	FAIL_SHORT = -1,	/* half of the bytes are written */
	FAIL_KILL = -2,		/* the process dies before the call */
	FAIL_AFTER = -3,	/* the process dies after the call */
	FAIL_ZERO = -4,		/* no byte is written, and 0 is returned */
	FAIL_LIE = -5,		/* nothing is done, and success is returned */
};

struct fail_event {
	char name[15];
	char kind;		/* first letter of the kind; e for stderr */
	unsigned long long inode;	/* of the descriptor, or the directory
					   that gets a name; 0: neither */
	unsigned long long named;	/* inode of what gets a name, or 0 */
};

struct fail_control {
	/* written by the driver */
	volatile pid_t pid;	/* the process whose calls count */
	volatile int armed;	/* 0: no call counts */
	char name[16], kind[8];	/* of the calls; kind "": any; name "any": all
				   but malloc */
	long first;		/* the call that fails, from 1 */
	int more;		/* all later calls fail, too */
	int error;
	char lie[16], lie_kind[8];	/* calls that get FAIL_LIE, armed or
					   not; "": none */

	/* written by the process */
	volatile long count, fired;
	volatile long blocks;	/* of memory, allocated and not freed */
	volatile int highest;	/* highest descriptor that it got */
	volatile long misclosed;	/* closes of unused descriptors */
	volatile long n_events;
	struct fail_event events[16384];
};

/* From now on no call fails and nothing is recorded. */
void fail_end(void);

/* The functions below are used by t/fail-calls.c only. */

/*
 * A function with this name is called, on a descriptor or -1; at is the
 * descriptor that is recorded.  Returns 0 if the call is to proceed, else an
 * errno, which is also set, or one of the values above.
 */
int fail_begin(const char *name, int fd, int at);

/* The call that began gives a file, by this name below dir, another one. */
void fail_names(int dir, const char *name);

/* The file system that all is on, as f_type of statfs has it; 0: as it is. */
unsigned long fail_fs(void);

/* Record a new descriptor, or an error.  Returns fd. */
int fail_given(int fd);

/* Record a close of a descriptor that was not open. */
void fail_misclosed(void);

/* Add n to the number of allocated blocks. */
void fail_count_block(int n);

/* Does the driver want that no block is freed? */
int fail_hoards(void);

/* This is a socket of a worker for its launcher, of the kind "ask". */
void fail_asks_by(int fd);

/* Is this a descriptor of the shim, which the program must not close? */
int fail_is_log(int fd);

/* Is this the process that the driver controls? */
int fail_is_driven(void);

/* Die by SIGKILL. */
void fail_die(void);

/* The same behind a call, or what FAIL_RUN has. */
void fail_after(void);

/* Copy the next definition of a function into *to. */
void fail_next(void *to, const char *function);

#endif
