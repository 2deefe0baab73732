/*
 * Sockets that a service manager has opened for this process, as described in
 * sd_listen_fds(3): descriptors from 3 on, each with an optional name.
 */
#ifndef ACTIVATION_H
#define ACTIVATION_H

#include <stddef.h>

enum { ACTIVATION_FIRST = 3 };	/* SD_LISTEN_FDS_START */

struct activation {
	int n;			/* descriptors from ACTIVATION_FIRST on */
	char *names;		/* separated by colons; NULL: none */
};

/*
 * Read LISTEN_FDS and LISTEN_FDNAMES if LISTEN_PID is this process, and set
 * FD_CLOEXEC on the descriptors.  The variables are always unset, so that no
 * child inherits them.  Returns 0, or -1 with errno set: EINVAL if LISTEN_FDS
 * is not a number, EBADF if a descriptor is not open.
 */
int activation_take(struct activation *);

/* The number of descriptors from ACTIVATION_FIRST on; before activation_take(). */
int activation_count(void);

/*
 * The name of the i-th descriptor, not NUL-terminated, and its length in *len;
 * "" if it has none.
 */
const char *activation_name(const struct activation *, int i, size_t *len);

#endif
