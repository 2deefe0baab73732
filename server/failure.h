/* Errors at start-up. */
#ifndef FAILURE_H
#define FAILURE_H

#include "server/server.h"

/*
 * Report an error with its sysexits(3) status.  Calls fatal(); with --explain
 * it stores the error in the server and returns, so that all errors are listed.
 */
__attribute__((format(printf, 3, 4)))
void failure_report(struct server *, int status, const char *fmt, ...);

#endif
