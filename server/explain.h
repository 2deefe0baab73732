/*
 * --explain: shows what a start would do, without serving.  It runs only the
 * --tls command.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "server/server.h"

/* Print the settings, and where each comes from. */
void explain_settings(const struct settings *);

/*
 * Print the rest: listeners (with pool set), what they offer, commands, where
 * mail is kept, what happens to mail for each operand, and warnings.  Returns
 * the exit status of a start.
 */
int explain_server(struct server *, bool pool);

#endif
