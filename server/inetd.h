/* One session on descriptor 0, that a super-server gave us. */
#ifndef INETD_H
#define INETD_H

#include "server/server.h"

/* Serve it: a socket, or two pipes.  Returns the exit status. */
int inetd_run(struct server *);

#endif
