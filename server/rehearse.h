/*
 * Simulates a session to show the replies that clients would get.  It runs no
 * command.
 */
#ifndef REHEARSE_H
#define REHEARSE_H

#include "server/places.h"
#include "smtp/session.h"

struct rehearsal {
	struct server *server;
	struct places places;

	/* private */
	struct session session;
	struct stream stream;
	struct address recipient;
};

/* Print what EHLO offers, for each kind of place, in clear and encrypted. */
void rehearse_offers(struct rehearsal *);

/*
 * Print what becomes of mail for each operand of the command line: the reply,
 * the mailbox, and the hooks that would run.
 */
void rehearse_addresses(struct rehearsal *);

#endif
