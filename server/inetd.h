/* One session on descriptor 0, that a super-server gave us. */
#ifndef INETD_H
#define INETD_H

#include "server/server.h"

/* The descriptor above 2 that a variable names, if it is open; else -1. */
int inetd_descriptor(const char *variable);

/* Serve it: a socket, or two pipes.  Returns the exit status. */
int inetd_run(struct server *);

#endif
