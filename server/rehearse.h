/*
 * Simulates a session to show the replies that clients would get.  It runs only
 * the --tls command.
 */
#ifndef REHEARSE_H
#define REHEARSE_H

#include "server/server.h"
#include "smtp/session.h"

struct place {		/* a listener, or what stands for one */
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
	char complaint[256];	/* of the --tls command */
};

/* Print what EHLO offers, for each kind of place, in clear and encrypted. */
void rehearse_offers(struct rehearsal *);

/*
 * Print what becomes of mail for each operand of the command line: the reply,
 * the mailbox, and the hooks that would run.
 */
void rehearse_addresses(struct rehearsal *);

/*
 * Does the --tls command answer a ClientHello?  It does not if it can't read its
 * files; complaint has what it wrote to standard error, if anything.
 * Blocks for ten seconds at most, and for as long as tls_end() does.
 */
bool rehearse_handshake(struct rehearsal *);

#endif
