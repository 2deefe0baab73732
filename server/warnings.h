/*
 * What would start, but is risky or does not do what was probably meant.
 * --explain prints these warnings, and a start logs them.
 */
#ifndef WARNINGS_H
#define WARNINGS_H

#include "server/places.h"

/* Gets the text of one warning: what is wrong, and what to do about it. */
typedef void warning_report(const char *text);

/*
 * Report the warnings about a server whose start-up is complete, as the user
 * that serves.  Does not block and runs no command.
 */
void warnings_list(const struct server *, const struct places *, bool pool,
    warning_report *);

/*
 * Report a --tls command that does not answer a client.  This runs the command,
 * and blocks as handshake_try() does.
 */
void warnings_try_tls(struct server *, warning_report *);

/* Log the warnings of both kinds; the second from a child of this process. */
void warnings_log(struct server *);

#endif
