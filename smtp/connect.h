/*
 * Before the conversation: who may come in, and what he is told.  Those that
 * have too many sessions and those that can't wait are sent away; of the
 * others a command may think what it likes.
 */
#ifndef CONNECT_H
#define CONNECT_H

#include "smtp/session.h"

/*
 * A client has connected: it counts from here on.  Returns 421 if there are too
 * many of it, or none.
 */
struct reply connect_check_limit(struct session *);

/* It may be spoken with.  Returns the banner, or 421, 521 or 554. */
struct reply connect_greet(struct session *);

/* A proxy has brought one: both, but it need not wait once more. */
struct reply connect_greet_proxied(struct session *);

#endif
