/*
 * One message in flight: the Envelope interface, which the conversation
 * speaks to, and BasicEnvelope, which keeps the message in Maildirs.
 */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/net/tls.h"
#include "lib/text/address.h"
#include "lib/text/reply.h"
#include "mail/recipients.h"
#include "mail/store.h"

/* What is known of a message from MAIL on.  It outlives the envelope. */
struct mail {
	const char *id;
	const char *client;	/* IP address, "" where there is none */
	const char *name;	/* of the client; "" where it has none */
	const char *helo;	/* as it may stand in a header */
	const char *protocol;	/* ESMTP, RFC 3848 */
	const char *hostname;	/* ours */
	const struct tls_result *tls;
	char sender[ADDRESS_MAX + 1];
	char sender_domain[IDNA_MAX];	/* as of struct address */

	struct recipients *recipients;	/* the session's */
	const char *headers;	/* that go above the message, as text */

	/*
	 * Who is asked of the whole message, in this order; NULL: nobody.
	 * Each returns a refusal, or 250 with a text, or none.  All get a
	 * descriptor to read it from.  filter is called `filters' times, and
	 * writes to `to' what the message becomes; it sets `filters' to i to
	 * leave the message as it is and be the last one; inspect may add to
	 * headers; hand_on is called when the message is on the disk, and
	 * before it has a name there, and then hand_to for each mailbox.
	 */
	struct reply (*filter)(void *ctx, unsigned i, int from, int to);
	unsigned filters;
	struct reply (*inspect)(void *ctx, int message);
	struct reply (*hand_on)(void *ctx, int message);
	struct reply (*hand_to)(void *ctx, const struct recipient *,
	    int message);
	void *ctx;
	bool keep_open;		/* set kept */
	bool each;		/* there is a verdict for each recipient */

	/* set by the envelope, for the log; "" where there is nothing to say */
	char file[1024];	/* that was kept: the first one */
	char error[256];	/* what failed on this machine */
	int kept;		/* a descriptor of what was kept, which is
				   the session's; -1: none */
};

struct envelope {
	const struct envelope_ops *ops;
};

/*
 * write() never blames: a failed write sticks, and close() reports it.
 * close() and abort() both free the envelope; exactly one is called, once.
 */
struct envelope_ops {
	/*
	 * The recipient, whose mail goes to mailbox, was just added to the
	 * list of the mail.  Returns a reply that rejects it, or none.
	 */
	struct reply (*add_recipient)(struct envelope *, struct recipient *,
	    const struct address *mailbox);
	/* All recipients are there.  A reply that refuses, or none. */
	struct reply (*begin_data)(struct envelope *);
	/*
	 * The next octets of the message; lines of text end with LF.  In them
	 * end so many lines, as line_count() counts.
	 */
	void (*write)(struct envelope *, const char *, size_t,
	    unsigned long long lines);
	/*
	 * Keep the message: 250 means that it is on disk, content and name.
	 * With n == 1 there is one verdict for all recipients: all have the
	 * message, or none.  Else n is the number of recipients that were
	 * accepted, and each has its own verdict, in the order of the list.
	 */
	void (*close)(struct envelope *, struct reply *each, size_t n);
	/* Drop it; nothing of it stays. */
	void (*abort)(struct envelope *);
};

struct basic_options {
	struct store *store;
	bool hardlink;			/* one file with many names */
	long long max_hops;		/* Received fields; 0: no limit */
	long long min_free;		/* octets, that must stay free */
};

/*
 * A BasicEnvelope for a message of size octets (0: unknown).  options and
 * mail must outlive it.  Returns a reply that refuses, or none and *e.
 */
struct reply basic_envelope_new(const struct basic_options *, struct mail *,
    unsigned long long size, struct envelope **e);

#endif
