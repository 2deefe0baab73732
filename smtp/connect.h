/*
 * The beginning of a session, up to the banner.  Clients with too many
 * connections, and clients that send data before the banner, are refused; the
 * hooks of --on-new-connection may refuse others.
 */
#ifndef CONNECT_H
#define CONNECT_H

#include "smtp/session.h"

/*
 * Count the client in the scoreboard.  Returns 421 if it has more than
 * max_per_client sessions, or code 0.  Does not block.
 */
struct reply connect_check_limit(struct session *);

/*
 * Wait for --greet-delay and run the hooks.  Returns the banner (220), or 421,
 * 521 or 554, which ends the session.
 */
struct reply connect_greet(struct session *);

/* The same for a client that XCLIENT describes; counts it, without a delay. */
struct reply connect_greet_proxied(struct session *);

#endif
