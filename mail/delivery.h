/*
 * One message on its way to many Maildirs: spooled once, copied in the
 * kernel, and given its names only when all of its content is on the disk.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/file.h"
#include "mail/store.h"

/* A message in a Maildir.  The caller sets the first two. */
struct copy {
	const char *path;	/* of its Maildir; NULL: the one Maildir */
	bool refused;		/* it is not to be delivered */

	const char *failed;	/* what did, with errno in error; or NULL */
	int error;

	/* private */
	struct maildir maildir;	/* unless it is the spool's; open, or not */
	struct maildir_file file;
	bool exists;		/* there is a file to discard */
	unsigned long long size, lines;
};

struct delivery {
	struct store *store;
	const char *hostname;	/* for file names */
	const char *id;		/* for the log */
	bool hardlink;		/* all copies are one file, if they can be */
	bool each;		/* what fails for one need not for others */
	struct copy *copies;
	size_t n;		/* 0 in a store that keeps nothing */
	/*
	 * Where several copies are made of one file, each has fields of its
	 * own: put them.  They stand behind so many octets of the message.
	 */
	void (*put_own)(void *ctx, const struct copy *c, struct outfile *);
	void *ctx;
	unsigned long long above_own;

	struct outfile out;	/* where the message goes */

	/* private */
	struct maildir own;	/* where the file is, if it is a user's */
	size_t home;		/* the copy whose Maildir that is */
	struct maildir_file file;
	bool exists;		/* there is a file to discard */
	int fd, reader;		/* of the file */
	unsigned long long size, lines;	/* of the file */
};

/* Nothing is open yet: delivery_end() may be called from now on. */
void delivery_init(struct delivery *);

/*
 * Begin: the message may be put.  buf is for out, and the caller's, as are
 * copies.  Returns 0, or -1 with errno set.
 */
int delivery_begin(struct delivery *, char *buf);

/* All of the message was put: write it.  Returns 0, or -1 with errno set. */
int delivery_flush(struct delivery *);

/*
 * The spooled message, open for reading, at any offset.  Returns a descriptor
 * that is good until delivery_end(), or -1 with errno set.
 */
int delivery_reader(struct delivery *);

/*
 * Replace the spooled message by what make() writes to a new file, with the
 * old one to read; it sets above_own if that changes.  Returns what make()
 * did, and the message stays as it was unless that is 0; or -1 with errno set
 * if the new file could not be created.
 */
int delivery_replace(struct delivery *, int (*make)(void *ctx, int from,
    int to), void *ctx);

/*
 * Bring the message to the disk, for each copy that is not refused.  Blocks
 * on the disk.  Returns 0, or -1 with errno set; what failed of one copy alone
 * is left in that.
 */
int delivery_sync(struct delivery *);

/* Did anything fail, or was refused, of a copy? */
bool delivery_is_short(const struct delivery *);

/*
 * Give a synced message its names, durably; with together set, for all copies
 * or for none.  What failed is left in the copies.  Blocks on the disk.
 * Nothing is left of a copy that failed.  The caller owes delivery_end().
 */
void delivery_commit(struct delivery *, bool together);

/* Free what delivery_begin() took; what was not committed is removed. */
void delivery_end(struct delivery *);

#endif
