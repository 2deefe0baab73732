/*
 * AUTH (RFC 4954): PLAIN and LOGIN, judged by a checkpassword command.  A
 * password is in memory for as long as that takes, and nowhere else.
 */
#ifndef AUTH_H
#define AUTH_H

#include "smtp/session.h"

/* The command AUTH.  Sends 334 itself, and waits for what comes then. */
struct reply auth_command(struct session *, const char *arg);

/* How many octets of its argument, from the first on, are no secret? */
size_t auth_public(const char *arg);

/*
 * Does a line that is no command look like a misspelt AUTH, or a login of
 * another protocol?  Then it may hold a password, and so may those after it.
 */
bool auth_is_meant(const char *line);

/* May this client be offered AUTH now? */
bool auth_offered(const struct session *);

#endif
