/*
 * The pool as a service: it reports to the administrator and the service
 * manager when it is ready, how busy it is, and when it restarts or stops.
 */
#ifndef SERVICE_H
#define SERVICE_H

#include "server/handover.h"
#include "server/server.h"

/*
 * Run the pool.  Blocks until it has stopped.  Returns the exit status; exits
 * by fatal() if it cannot start, and is replaced by exec at a restart.
 */
int service_run(struct server *, const struct handover *);

#endif
