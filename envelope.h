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
#include "mail/received.h"
#include "mail/recipients.h"
#include "mail/store.h"

/*
 * Callbacks for the whole message, called in this order; NULL: none.  Each
 * gets a descriptor to read the message from, and blocks.  Each returns a 4xx
 * or 5xx reply, 250 with a text, or code 0.  After one that has set the discard
 * of the mail, the message is neither passed on nor stored.
 */
struct mail_hooks {
	/*
	 * Called n_filters times, with i from 0.  It writes the new message to
	 * `to'.  To keep the message as it is and skip later filters, it sets
	 * n_filters to i.
	 */
	struct reply (*filter)(void *ctx, unsigned i, int from, int to);
	unsigned n_filters;
	/* May add to info.headers. */
	struct reply (*inspect)(void *ctx, int message);
	/* Called once the message is on disk, before it has a name there. */
	struct reply (*deliver)(void *ctx, int message);
	/* The same, once for each mailbox.  May discard the message for it. */
	struct reply (*mda)(void *ctx, struct recipient *, int message);
	void *ctx;
};

/* Set by the envelope. */
struct mail_result {
	char file[1024];	/* path of the first file stored; "": none */
	size_t below;		/* offset in it of the path below --maildir */
	char message_id[256];	/* Message-ID of the message as it came; "" */
	char error[256];	/* the reason of a failure, for the log; or "" */
	int fd;			/* the stored message, to be closed by the
				   session; -1: none */
};

/* A message from MAIL on.  It outlives the envelope. */
struct mail {
	struct mail_info info;
	struct discard discard;		/* of the message, for all recipients */
	bool has_folder;		/* a hook chose one for all recipients */
	char folder[FOLDER_MAX + 1];	/* "": the inbox */
	struct mail_hooks hooks;
	struct mail_result result;
};

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
