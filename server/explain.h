/*
 * What a start would do, for who wants to know before it does: a start goes on
 * as ever to where it would serve, and tells instead.  No command is run but
 * that of --tls, and nobody is served.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "server/server.h"

/* Print what is in force, and where it comes from. */
void explain_settings(const struct settings *);

/*
 * Print the rest: listeners, if it is a pool that would serve, what they offer,
 * commands, where mail goes, what becomes of each operand, and what looks
 * risky.  Returns the exit status that a start would have if it went wrong.
 */
int explain_server(struct server *, bool pool);

#endif
