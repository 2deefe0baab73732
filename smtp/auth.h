/*
 * AUTH (RFC 4954) with PLAIN and LOGIN, verified by a checkpassword command.
 * A password is kept in memory only for that time, and is never written to a
 * file or the log.
 */
#ifndef AUTH_H
#define AUTH_H

#include "smtp/session.h"

/*
 * The command AUTH.  Sends the 334 challenges itself, and blocks for the
 * responses and the checkpassword command.
 */
struct reply auth_command(struct session *, const char *arg);

/* How many leading bytes of the argument may be logged? */
size_t auth_public(const char *arg);

/*
 * Does an unknown command look like a misspelled AUTH, or like a login of
 * another protocol?  Then this line and those after it may hold a password.
 */
bool auth_is_meant(const char *line);

/* May AUTH be offered to this client now? */
bool auth_offered(const struct session *);

#endif
