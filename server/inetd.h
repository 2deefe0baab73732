/* One session on descriptor 0, that a super-server gave us. */
#ifndef INETD_H
#define INETD_H

#include "server/server.h"

/* Serve it: a socket, or two pipes.  Returns the exit status. */
int inetd_run(struct server *);

/*
 * The limits in DATABYTES and MAXRCPTS, which tcpserver's rules set for a
 * client; exits by fatal() where they are none.
 */
void inetd_take_limits(struct settings *);

#endif
