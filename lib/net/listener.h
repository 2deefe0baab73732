/* Listening sockets: TCP over IPv4 and IPv6, and Unix sockets. */
#ifndef LISTENER_H
#define LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { LISTENER_ADDRESS_MAX = 256 };	/* octets, with the NUL */

struct listener {
	int fd;
	int kind;		/* the caller's */
	char address[LISTENER_ADDRESS_MAX];	/* HOST:PORT or /path */
	bool inherited;		/* another program opened it, and has its
				   path */
	struct sockaddr_storage name;	/* of TCP */
};

struct listeners {
	struct listener *all;
	unsigned n;
};

struct listener_options {
	int kind;	/* of what is opened; the caller's */
	int backlog;
	uid_t uid;	/* whom a Unix socket is given to; -1: nobody */
	gid_t gid;
};

struct listener_error {
	int status;		/* of sysexits(3) */
	char text[512];
};

/*
 * Bind and listen on HOST:PORT, [V6]:PORT, :PORT (all addresses) or a path
 * (",mode=0660" and ",group=NAME" may follow; a stale socket is replaced) and
 * add what was opened, which may be more than one socket.  Returns 0, or -1
 * with what went wrong in words.
 */
int listener_open(struct listeners *, const char *spec,
    const struct listener_options *, struct listener_error *);

/*
 * Add a stream socket that listens already; closing it is the listeners' from
 * now on.  Returns as listener_open() does.
 */
int listener_adopt(struct listeners *, int fd, const struct listener_options *,
    struct listener_error *);

/* Is it a socket that listens? */
bool listener_is_open(int fd);

/*
 * Whoever shares a listener can shut it down for all.  Was that done?  If so,
 * let it listen again, where that is possible: returns 0, or -1 with errno set.
 */
bool listener_is_shut(const struct listener *);
int listener_reopen(const struct listener *, int backlog);

/*
 * Of several, make accept fail rather than wait, for another process may have
 * been first; on a single one, let it wait.  Returns 0, or -1 with errno set.
 */
int listeners_set_blocking(const struct listeners *);

/* Close them all; safe in a signal handler. */
void listeners_close(struct listeners *);

/* Remove the paths of Unix sockets of ours, as far as that is allowed. */
void listeners_unlink(const struct listeners *);

#endif
