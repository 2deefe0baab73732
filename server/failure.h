/* What makes a start fail. */
#ifndef FAILURE_H
#define FAILURE_H

#include "server/server.h"

/*
 * The start fails for this reason, with this status of sysexits(3).  Calls
 * fatal(); with --explain it notes the reason and returns, so that all
 * reasons are printed.
 */
__attribute__((format(printf, 3, 4)))
void failure_report(struct server *, int status, const char *fmt, ...);

#endif
