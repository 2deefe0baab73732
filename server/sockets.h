/*
 * What this process listens on: sockets that systemd opened, and those of the
 * command line.
 */
#ifndef SOCKETS_H
#define SOCKETS_H

#include "lib/proc/user.h"
#include "server/server.h"

/*
 * Take what systemd opened: listeners, whose names are kinds or something
 * else; or one connection, which becomes descriptor 0, as inetd gives it.
 * And take what inetd gave us on descriptor 0, if that listens.  Exits by
 * fatal() where it is none of this.
 */
void sockets_take(struct server *);

/*
 * Open those of the command line; port 25 where nothing at all was asked for.
 * Unix sockets are given to the user, if there is one.  Exits by fatal() where
 * one can't be had.
 */
void sockets_open(struct server *, const struct user *);

#endif
