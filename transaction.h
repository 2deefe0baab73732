/*
 * A mail: the commands from MAIL to the final dot.  Each returns what the
 * client will hear; arg is the command's argument.
 */
#ifndef TRANSACTION_H
#define TRANSACTION_H

#include "session.h"

struct reply transaction_mail(struct session *, const char *arg);
struct reply transaction_rcpt(struct session *, const char *arg);

/* Sends 354 itself; waits for the data as the stream does. */
struct reply transaction_data(struct session *, const char *arg);

#endif
