/*
 * Messages to a service manager (sd_notify(3)): datagrams to the socket in
 * NOTIFY_SOCKET.  Without that variable, nothing is sent.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>

enum { NOTIFY_MAX = 1024 };	/* bytes of a message */

struct notify {
	int fd;			/* -1: no service manager */
	bool failing;		/* the last message was not sent */
	long long watchdog;	/* ms between WATCHDOG=1; 0: none */
};

/*
 * Connect to the socket, before privileges are dropped, and read
 * WATCHDOG_USEC.  An error is logged, and later messages are not sent.
 * connected is a socket that is connected already, or -1.
 */
void notify_open(struct notify *, int connected);

/* Nobody is told anything from now on: in a child. */
void notify_close(struct notify *);

/*
 * Send a message, for example "READY=1\nSTATUS=...".  Blocks for at most one
 * second.  A message that can't be sent is dropped; the first of several
 * failures is logged.
 */
__attribute__((format(printf, 2, 3)))
void notify_send(struct notify *, const char *fmt, ...);

#endif
