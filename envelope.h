/*
 * One message in flight: the Envelope interface, which the conversation uses,
 * and BasicEnvelope, which stores the message in Maildirs.
 */
#ifndef ENVELOPE_H
#define ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/net/tls.h"
#include "lib/text/address.h"
#include "lib/text/reply.h"
#include "mail/message.h"
#include "mail/store.h"

struct envelope {
	const struct envelope_ops *ops;
};

/*
 * The operations of an envelope.  write() reports no error: close() does, if a
 * write failed.  close() and abort() both free the envelope; exactly one of
 * them is called, once.
 */
struct envelope_ops {
	/*
	 * Add a recipient, which is the last one in the list of the mail, and
	 * whose mail goes to mailbox.  Returns a 4xx or 5xx reply, or code 0.
	 */
	struct reply (*add_recipient)(struct envelope *, struct recipient *,
	    const struct address *mailbox);
	/*
	 * Start the data, after the last recipient.  Returns a 4xx or 5xx
	 * reply, or code 0.
	 */
	struct reply (*begin_data)(struct envelope *);
	/*
	 * Write the next n bytes of the message, in which this many lines end,
	 * as line_count() counts.  Lines of text end with LF.
	 */
	void (*write)(struct envelope *, const char *, size_t,
	    unsigned long long lines);
	/*
	 * Store the message and set n replies.  250 means that its content and
	 * its name are on disk.  With n == 1 the reply is for all recipients:
	 * all get the message, or none.  Otherwise n is the number of
	 * recipients in the list, and each[i] is the reply for the i-th.
	 * Blocks on the disk and the callbacks.
	 */
	void (*close)(struct envelope *, struct reply *each, size_t n);
	/* Discard the message; nothing of it remains on disk. */
	void (*abort)(struct envelope *);
};

struct basic_options {
	struct store *store;
	bool hardlink;			/* one file, linked to all Maildirs */
	long long max_hops;		/* Received fields; 0: no limit */
	long long min_free;		/* bytes that must stay free */
};

/*
 * Make a BasicEnvelope for a message of size bytes (0: unknown).  options and
 * mail must outlive it.  Returns code 0 and *e, or a 4xx reply.
 */
struct reply basic_envelope_new(const struct basic_options *, struct mail *,
    unsigned long long size, struct envelope **e);

#endif
