/*
 * Whom a message is for: each mailbox once, however often it was given; and
 * who of them had the message before.
 */
#ifndef RECIPIENTS_H
#define RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/address.h"

struct recipient {
	char *email;		/* with the other two behind it */
	char *canonical;	/* address_canonical() of it */
	char *path;		/* of his own Maildir; or NULL */
	size_t rcpt;		/* the first RCPT that was for him, from 0 */
	bool looped;		/* he had the message before */

	/* private */
	unsigned hash;		/* of canonical */
	bool above;		/* the field above is a Delivered-To of his */
};

struct recipients {		/* all zero at first */
	struct recipient *all;
	size_t n;
	size_t *given;		/* by each RCPT: an index of all */
	size_t n_given;
	long long hops;		/* Received fields of the message */

	/* private */
	unsigned lookups, above;	/* Delivered-To fields, recipients */
};

/* Who has this mailbox; NULL: nobody so far. */
struct recipient *recipients_find(struct recipients *, const struct address *);

/*
 * A further RCPT.  The path of his Maildir, or "", counts where he is new.
 * Returns 0, or -1 with errno set, and then nothing has changed.
 */
int recipients_add(struct recipients *, const struct address *,
    const char *path);

/*
 * The next field of the message's header, on a host of this name.  We write
 * Delivered-To directly above our own Received: a message that comes with such
 * a pair for one of its recipients was kept for him before.
 */
void recipients_look(struct recipients *, const char *field,
    const char *hostname);

/* Free what they hold. */
void recipients_free(struct recipients *);

#endif
