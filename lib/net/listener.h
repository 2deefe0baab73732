/*
 * Listening sockets: TCP over IPv4 and IPv6, and Unix sockets.  Accepting
 * connections is not done here.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { LISTENER_ADDRESS_MAX = 256 };	/* bytes with the NUL */

struct listener {
	int fd;
	int kind;		/* defined by the caller */
	char address[LISTENER_ADDRESS_MAX];	/* HOST:PORT or /path */
	bool inherited;		/* another program opened it and owns its
				   path */
	struct sockaddr_storage name;	/* of a TCP socket */
};

struct listeners {
	struct listener *all;
	unsigned n;
};

struct listener_options {
	int kind;	/* defined by the caller */
	int backlog;	/* for listen(2) */
	uid_t uid;	/* owner of a Unix socket; -1: unchanged */
	gid_t gid;
};

struct listener_error {
	int status;		/* a sysexits(3) code */
	char text[512];		/* "ADDRESS: reason" */
};

/*
 * Bind and listen on HOST:PORT, [IPV6]:PORT, :PORT (all addresses) or a path,
 * and add the sockets, of which a host name may need several.  ",mode=0660"
 * and ",group=NAME" may follow a path; a stale socket is replaced.  May block
 * on the resolver.  Returns 0, or -1 with the error.
 */
int listener_open(struct listeners *, const char *spec,
    const struct listener_options *, struct listener_error *);

/*
 * Add a stream socket that is listening already, and own its descriptor.
 * Returns 0, or -1 with the error.
 */
int listener_adopt(struct listeners *, int fd, const struct listener_options *,
    struct listener_error *);

/* Is the descriptor a listening socket? */
bool listener_is_open(int fd);

/*
 * Has the listening socket been shut down?  Every process that shares a
 * listener can do that.
 */
bool listener_is_shut(const struct listener *);

/*
 * Make a TCP socket that was shut down listen again.  Returns 0, or -1 with
 * errno set: EOPNOTSUPP for a Unix socket, EADDRINUSE if it would get another
 * port.
 */
int listener_reopen(const struct listener *, int backlog);

/*
 * Make accept(2) non-blocking if there are several listeners, because another
 * process may accept the connection first; else blocking.  Returns 0, or -1
 * with errno set.
 */
int listeners_set_blocking(const struct listeners *);

/* Close all descriptors; async-signal-safe. */
void listeners_close(struct listeners *);

/* Remove the Unix sockets that this process made; errors are ignored. */
void listeners_unlink(const struct listeners *);

#endif
