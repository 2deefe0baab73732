/*
 * What a client would hear: a session that nobody holds is asked, as those who
 * serve would ask it.  No command is run but that of --tls.
 */
#ifndef REHEARSE_H
#define REHEARSE_H

#include "server/server.h"
#include "smtp/session.h"

struct place {		/* where clients are served, or would be */
	enum listener_kind kind;
	const char *address, *source, *state;
	struct endpoint local;
	bool any_domain;	/* settings_any_domain() */
};

struct rehearsal {
	struct server *server;
	struct place *places;
	unsigned n;

	/* private */
	struct session session;
	struct stream stream;
	struct address recipient;
	char complaint[256];	/* of what encrypts */
};

/* Print what EHLO offers, for each kind of place, in clear and encrypted. */
void rehearse_offers(struct rehearsal *);

/*
 * Print what becomes of mail for each operand of the command line: the reply,
 * the mailbox, and who would be asked.
 */
void rehearse_addresses(struct rehearsal *);

/*
 * Does the command of --tls answer a client's first octets?  It does not where
 * it can't read its files; complaint has what it says then, if anything.
 * Blocks for ten seconds at most, and for as long as tls_end() does.
 */
bool rehearse_handshake(struct rehearsal *);

#endif
