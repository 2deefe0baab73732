/*
 * The message itself, by DATA or BDAT.  What is read here is never taken for
 * commands, even where it is refused.
 */
#ifndef DATA_H
#define DATA_H

#include "smtp/session.h"

/* The command DATA.  Sends 354 itself; waits for data as the stream does. */
struct reply data_command(struct session *, const char *arg);

/* The command BDAT (RFC 3030 2), with the octets that follow its line. */
struct reply bdat_command(struct session *, const char *arg);

/*
 * BDAT is refused: read its octets away.  Returns the refusal, or why the
 * session has to end.  The mail at hand is dropped, for it lacks a part.
 */
struct reply bdat_skip(struct session *, const char *arg,
    struct reply refusal);

/* The client did not go on: its reply, and a log line if it is gone. */
struct reply data_abandon(struct session *);

#endif
