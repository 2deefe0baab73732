/*
 * One message on its way to many Maildirs: written once, copied in the
 * kernel, and given its names only when all of its content is on the disk.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "file.h"
#include "store.h"

/* One file.  The caller sets the first three. */
struct copy {
	const char *path;	/* of its Maildir; NULL: the one Maildir */
	void *ctx;
	bool refused;		/* it is not to be delivered */

	const char *failed;	/* what did, with errno in error; or NULL */
	int error;

	/* private */
	struct maildir_file file;
	bool exists;		/* there is a file to discard */
	unsigned long long size, lines;
};

struct delivery {
	struct store *store;
	const char *hostname;	/* for file names */
	bool hardlink;		/* all copies are one file, if they can be */
	struct copy *copies;
	size_t n;
	/* Put a copy's own header, which stands above the message. */
	void (*put_header)(const struct copy *, struct outfile *);

	struct outfile out;	/* where the message goes */

	/* private */
	int fd;			/* of the first copy's file */
	struct maildir first;	/* where that is, if it is a user's own */
	unsigned long long header_size, header_lines;	/* of the first copy */
};

/*
 * Begin with the file of the first copy; its header is put.  buf is for out,
 * and the caller's, as are copies.  Returns 0, or -1 with errno set.
 */
int delivery_begin(struct delivery *, char *buf);

/*
 * All of the message was put: make it durable, file and name, for each copy
 * that is not refused; with together set, for all of them or for none.  What
 * failed is left in the copies.  Blocks on the disk.  Nothing is left of a
 * copy that failed.  The caller owes delivery_end().
 */
void delivery_commit(struct delivery *, bool together);

/* Free what delivery_begin() took; what was not committed is removed. */
void delivery_end(struct delivery *);

#endif
