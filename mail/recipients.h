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

struct recipient {
	char *email;		/* as the client gave it; one block of memory
				   with the next two */
	char *mailbox;		/* the address that the message goes to */
	char *original;		/* ORCPT, as dsn.h has it; NULL: none */
	unsigned notify;	/* NOTIFY, of enum dsn_notify */
	size_t first;		/* index of the first with this mailbox */
	size_t copy;		/* number of its copy; recipients that share a
				   Maildir share one */
	char *path;		/* of the Maildir, if this is the first
				   recipient that has it; else NULL */
	bool looped;		/* the message was delivered to it before */
	bool refused;		/* after the data, in LMTP */

	/* private */
	char *key;		/* the same for all spellings of a mailbox */
	unsigned hash;		/* of key */
	unsigned mailbox_hash;
	bool above;		/* the field above is its Delivered-To */
};

struct recipients {		/* all zero at first */
	struct recipient *all;
	size_t n;
	size_t distinct;	/* mailboxes */
	size_t copies;		/* Maildirs, counted by the envelope */
	size_t bytes, original_bytes;	/* of email and of original, in all */
	long long hops;		/* Received fields of the message */

	/* private */
	unsigned lookups, above;	/* Delivered-To fields, recipients */
};

/*
 * Add a recipient whose mail goes to mailbox.  Each of the delimiters begins
 * an extension of it; hostname is the domain of an address without one;
 * original may be "".  Returns it, good until the next call, or NULL with
 * errno set.
 */
struct recipient *recipients_add(struct recipients *,
    const struct address *email, const struct address *mailbox,
    const char *delimiters, const char *hostname, const char *original,
    unsigned notify);

/* Remove the last one. */
void recipients_drop_last(struct recipients *);

/* The recipient that r is a duplicate of, or r itself. */
struct recipient *recipients_first(const struct recipients *,
    const struct recipient *r);

/*
 * Give the recipient its copy: that of its mailbox, that of another recipient
 * with the same path, or a new one.  path may be "", for the one Maildir.
 * Returns 0, or -1 with errno set.
 */
int recipients_assign_copy(struct recipients *, struct recipient *,
    const char *path);

/*
 * Put the addresses of those that were not refused, as the client gave them,
 * with this separator between two, into buf of size bytes, at least 1; what
 * has no room is cut.  The field bytes, plus one, is enough for all.
 */
void recipients_join(const struct recipients *, char separator, char *buf,
    size_t size);

/* How many were not refused. */
size_t recipients_count(const struct recipients *);

/*
 * Look at the next field of the message's header, on a host of this name.  We
 * write Delivered-To directly above our own Received: a message that arrives
 * with such a pair for one of its recipients was delivered to it before.
 */
void recipients_check_field(struct recipients *, const char *field,
    const char *hostname);

/* Free what the list holds; it is empty afterwards. */
void recipients_clear(struct recipients *);

#endif
