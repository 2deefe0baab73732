/*
 * Clients that speak another protocol, such as HTTP, or send a message as
 * commands: the session ends, so that no later line is taken for a command.
 */
#ifndef FOREIGN_H
#define FOREIGN_H

#include "smtp/session.h"

/* The text of the 421 for such a client. */
extern const char foreign_reply[];

/* Is a line of another protocol?  first: no command has come before it. */
bool foreign_is_command(const char *line, size_t len, bool first);

/* The 421 for such a line. */
struct reply foreign_command(struct session *, const char *arg);

/* The 501 for a command with a colon in place of the space. */
struct reply foreign_mistyped(struct session *, const char *arg);

/*
 * Is the line that was read last a PROXY header of version 2?  It begins with
 * CR LF CR LF NUL: two empty lines, and one that is malformed from the first
 * byte.
 */
bool foreign_is_proxy_v2(const struct session *);

/* The 421 for a PROXY header, which is logged as proxy-unexpected. */
struct reply foreign_proxy(struct session *, const char *arg);

#endif
