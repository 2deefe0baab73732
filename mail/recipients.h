/*
 * The recipients of a message, one for each RCPT that was accepted.  The
 * session owns the list, and lends it to the envelope, the hooks and the
 * reports.  Two recipients are the same mailbox if their addresses differ in
 * spelling only: quotes, upper and lower case, or the extension.
 */
#ifndef RECIPIENTS_H
#define RECIPIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/address.h"

enum { DISCARD_REASON_MAX = 256 };	/* bytes with the NUL */

/* Why a hook discards a message, or a recipient: 250, and nothing is stored. */
struct discard {
	const char *hook;	/* name of its event; NULL: not discarded */
	char reason[DISCARD_REASON_MAX];
};

struct recipient {
	char *email;		/* as the client gave it; one block of memory
				   with the next two */
	char *mailbox;		/* the address that the message goes to */
	char *original;		/* ORCPT, as dsn.h has it; NULL: none */
	unsigned notify;	/* NOTIFY: bits of enum dsn_notify */
	size_t first;		/* index of the first with this mailbox */
	const char *folder;	/* of the Maildir; "": the inbox */
	size_t copy;		/* number of its copy; recipients that share a
				   Maildir and folder share one */
	char *path;		/* of the Maildir, "" for the single one, if
				   this is the first recipient of the copy;
				   else NULL */
	bool looped;		/* mail loop: it was delivered here before */
	bool refused;		/* after the data, in LMTP */
	struct discard *discard;	/* why it does not get the message; NULL:
				   it does */

	/* private */
	char *key;		/* the same for all spellings of a mailbox */
	unsigned hash;		/* of key */
	unsigned mailbox_hash;
	bool above;		/* the field read last is its Delivered-To */
};

struct recipients {		/* all zero at first */
	struct recipient *all;
	size_t n;
	size_t distinct;	/* mailboxes */
	size_t copies;		/* counted by the envelope */
	size_t bytes, original_bytes;	/* of email and of original, in all */
	long long hops;		/* Received fields in the message */

	/* private */
	unsigned lookups, above;	/* Delivered-To fields, recipients */
};

/*
 * Add a recipient whose mail goes to mailbox, and there to a folder; "" is the
 * inbox.  Each of the delimiters begins an address extension; hostname is the
 * domain of an address without one; original may be "".  All strings are
 * copied.  Returns the recipient, which is valid until the next call, or NULL
 * with errno set.
 */
struct recipient *recipients_add(struct recipients *,
    const struct address *email, const struct address *mailbox,
    const char *folder, const char *delimiters, const char *hostname,
    const char *original, unsigned notify);

/*
 * Discard the message for a recipient: of those that are added later, none is
 * its duplicate.  The discard is copied.  Returns 0, or -1 with errno set.
 */
int recipients_discard(struct recipients *, struct recipient *,
    const struct discard *);

/* Remove the recipient that was added last. */
void recipients_drop_last(struct recipients *);

/* The recipient that r is a duplicate of, or r itself. */
struct recipient *recipients_first(const struct recipients *,
    const struct recipient *r);

/*
 * Assign a copy to the recipient: the copy of its mailbox, or of another
 * recipient with the same path and folder, or a new one.  path is "" for the
 * single Maildir.  Returns 0, or -1 with errno set.
 */
int recipients_assign_copy(struct recipients *, struct recipient *,
    const char *path);

/*
 * Why the message is discarded for a recipient, or for the one that it is a
 * duplicate of; NULL: it is not.
 */
const struct discard *recipients_discarded(const struct recipients *,
    const struct recipient *);

/*
 * Write the addresses of the recipients that were not refused, as the client
 * gave them, to buf of size bytes, at least 1, with a separator between them:
 * of those that get the message, or with a discard, of those for which it is
 * discarded for this reason.  The text is truncated if it does not fit; bytes +
 * 1 is always enough.
 */
void recipients_join(const struct recipients *, const struct discard *,
    char separator, char *buf, size_t size);

/*
 * Count the recipients that get the message: it was neither refused nor
 * discarded for them.
 */
size_t recipients_count(const struct recipients *);

/*
 * Check the next header field of the message for a mail loop.  smtpd writes
 * Delivered-To directly above a Received field with its hostname: a message
 * that arrives with such a pair was delivered to that recipient before.
 */
void recipients_check_field(struct recipients *, const char *field,
    const char *hostname);

/* Free all recipients; the list is empty afterwards. */
void recipients_clear(struct recipients *);

#endif
