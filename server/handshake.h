/* Tries the --tls command, as a client. */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "server/server.h"

enum { HANDSHAKE_COMPLAINT_MAX = 256 };	/* bytes with the NUL */

/*
 * Does the --tls command answer a ClientHello?  It does not if it can't read its
 * files; complaint gets the first line that it wrote to standard error, if any,
 * which may be a warning before it answered.  Signal handlers are those of a
 * worker afterwards.  Blocks for ten seconds at most, and for as long as
 * tls_end() does.
 */
bool handshake_try(struct server *, char *complaint);

#endif
