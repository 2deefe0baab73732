/*
 * What a service manager is told about this process (sd_notify(3)), by
 * datagrams to the socket that NOTIFY_SOCKET names.  Where there is none,
 * nobody is told anything.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>

enum { NOTIFY_MAX = 1024 };	/* octets of a message */

struct notify {
	int fd;			/* -1: nobody wants to know */
	bool failing;		/* the last message was not taken */
	long long watchdog;	/* ms between two signs of life; 0: none */
};

/*
 * Connect to the socket, while this process may do that, and read
 * WATCHDOG_USEC.  A socket that can't be had is logged, and nobody is told.
 * connected is one that is connected already, or -1.
 */
void notify_open(struct notify *, int connected);

/*
 * Send a message, "READY=1\nSTATUS=..." say.  It waits for a second at most;
 * what is not taken is lost, and logged unless the one before was lost, too.
 */
__attribute__((format(printf, 2, 3)))
void notify_send(struct notify *, const char *fmt, ...);

#endif
