/*
 * The commands DATA (RFC 5321 4.1.1.4) and BDAT (RFC 3030 2).  Message data is
 * always read to its end, even if the message is refused, so that none of it
 * is read as commands.
 */
#ifndef DATA_H
#define DATA_H

#include "smtp/session.h"

/*
 * The command DATA.  Sends 354 itself, and returns the reply to the message.
 * Blocks on the client, hooks and the disk.
 */
struct reply data_command(struct session *, const char *arg);

/* The command BDAT, with the chunk that follows its line.  Blocks likewise. */
struct reply bdat_command(struct session *, const char *arg);

/*
 * Refuse a BDAT: read its chunk and discard it, and abort the envelope, because
 * its message is incomplete.  Returns the refusal, or a reply that ends the
 * session if the size of the chunk is not known.
 */
struct reply bdat_skip(struct session *, const char *arg,
    struct reply refusal);

/*
 * The stream has ended within the data: abort the envelope, and log a client
 * that has disconnected.  Returns the reply of session_farewell().
 */
struct reply data_abandon(struct session *);

#endif
