/* One session on descriptor 0, with a client of a super-server. */
#ifndef INETD_H
#define INETD_H

#include "server/server.h"

/* The descriptor above 2 that a variable names, if it is open; else -1. */
int inetd_descriptor(const char *variable);

/*
 * Serve the client on a socket on descriptor 0, or on pipes on 0 and 1.  Blocks
 * until the session ends.  Returns the exit status; exits by fatal() if the
 * socket is not a stream socket.
 */
int inetd_run(struct server *);

#endif
