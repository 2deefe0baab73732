/*
 * Sockets that another program has opened for this one, as systemd does
 * (sd_listen_fds(3)): descriptors from 3 on, each with a name perhaps.
 */
#ifndef ACTIVATION_H
#define ACTIVATION_H

#include <stddef.h>

enum { ACTIVATION_FIRST = 3 };	/* SD_LISTEN_FDS_START */

struct activation {
	int n;			/* descriptors, from ACTIVATION_FIRST on */
	char *names;		/* with colons between them; NULL: none */
};

/*
 * Take what LISTEN_FDS and the like say, if LISTEN_PID is this process; in any
 * case they are unset, for no child's sake.  Returns 0, or -1 with errno set:
 * EINVAL where LISTEN_FDS is no number, EBADF where one is not open.
 */
int activation_take(struct activation *);

/* The name of the i-th descriptor, and its length; "" where it has none. */
const char *activation_name(const struct activation *, int i, size_t *len);

#endif
