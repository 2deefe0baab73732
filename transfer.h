/*
 * The message itself.  What is read here is never taken for commands, even
 * where it is refused.
 */
#ifndef TRANSFER_H
#define TRANSFER_H

#include "session.h"

/* The command DATA.  Sends 354 itself; waits for data as the stream does. */
struct reply transfer_data(struct session *, const char *arg);

#endif
