/*
 * The listening sockets of the process: those that systemd or inetd opened, and
 * those of the command line.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "lib/proc/user.h"
#include "server/server.h"

/*
 * Adopt the sockets in LISTEN_FDS.  Each is a listener, whose name may be its
 * kind; or there is one connection, which becomes descriptor 0, as under inetd.
 * With --inetd, also adopt descriptor 0 if it listens ("wait").  Exits by
 * fatal() if a socket is neither.
 */
void sockets_adopt(struct server *);

/*
 * Open the listeners of the command line, or port 25 if there is no listener at
 * all.  Unix sockets are chowned to the user, if one is given.  Calls
 * failure_report() if a listener cannot be opened.  With --explain, Unix
 * sockets are removed again.
 */
void sockets_open(struct server *, const struct user *);

#endif
