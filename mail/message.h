/*
 * A message from MAIL on, and the hooks that see all of it.  Those that filter
 * and inspect it, before it is on disk, are called here.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/reply.h"
#include "mail/delivery.h"
#include "mail/received.h"
#include "mail/recipients.h"

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

/*
 * The reply for a failure of this host, with errno in error.  Sets result.error
 * for the log.
 */
struct reply mail_error(struct mail *, const char *what, int error);

/*
 * Run the filters and the inspecting hooks on the spooled message, in which are
 * the first n_headers bytes of info.headers, and add the others.  Blocks.
 * Returns a 4xx or 5xx reply, 250 with the text of a hook, or code 0.
 */
struct reply mail_check(struct mail *, struct delivery *, size_t n_headers);

#endif
