/*
 * The pool as those see it who run it: when it is ready, how it is, that it
 * restarts, that it stops.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "server/handover.h"
#include "server/server.h"

/* Run the pool to its end.  Returns the exit status. */
int service_run(struct server *, const struct handover *);

#endif
