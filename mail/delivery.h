/*
 * Delivery of one message to any number of Maildirs.  It is spooled once, then
 * copied, and gets its names in new/ only after all of its content is on disk.
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/file.h"
#include "mail/store.h"

/* The copy of a message in one Maildir.  The caller sets the first three. */
struct copy {
	const char *path;	/* of its Maildir; NULL: the one Maildir */
	const char *folder;	/* of that Maildir; "": its inbox */
	bool refused;		/* do not deliver it */

	const char *failed;	/* the operation that failed, with errno in
				   error; or NULL */
	int error;

	/* private */
	struct maildir maildir;	/* open or closed; unused for that of the
				   spooled file */
	struct maildir folder_dir;	/* the folder, open or closed */
	struct maildir_file file;
	bool exists;		/* the file has to be discarded */
	unsigned long long size, lines;	/* of the file */
};

struct delivery {
	struct store *store;
	const char *hostname;	/* for file names */
	const char *id;		/* for the log */
	bool hardlink;		/* make the copies hard links, if possible */
	bool independent;	/* a copy that fails does not fail others */
	struct copy *copies;
	size_t n;		/* 0 in a store without Maildirs */
	/*
	 * Writes the header fields that only this copy has.  Called if there
	 * are several copies that are not hard links.  The fields follow the
	 * first own_offset bytes of the spooled message.
	 */
	void (*write_own_fields)(void *ctx, const struct copy *,
	    struct outfile *);
	void *ctx;
	unsigned long long own_offset;

	struct outfile out;	/* write the message here */

	/* private */
	struct maildir own;	/* Maildir of the file in a per-user store */
	size_t home;		/* index of the copy whose Maildir that is */
	struct maildir_file file;
	bool exists;		/* the spooled file has to be discarded */
	int fd, reader;		/* descriptors of the file, or -1 */
	unsigned long long size, lines;	/* of the file */
};

/* Initialize the descriptors, so that delivery_end() may be called. */
void delivery_init(struct delivery *);

/*
 * Create the spool file, so that the message can be written to out.  buf, of
 * OUTFILE_BUFFER bytes, and copies remain the caller's and must outlive the
 * delivery.  Returns 0, or -1 with errno set.
 */
int delivery_begin(struct delivery *, char *buf);

/* Write what is buffered in out.  Returns 0, or -1 with errno set. */
int delivery_flush(struct delivery *);

/*
 * Open the spooled message for reading; its offset is undefined.  Returns a
 * descriptor that is valid until delivery_end(), or -1 with errno set.
 */
int delivery_reader(struct delivery *);

/* The same, but the descriptor is the caller's to close from now on. */
int delivery_take_reader(struct delivery *);

/*
 * Replace the spooled message by a new file, which make() writes to the
 * descriptor `to` while it reads the old one; it updates own_offset if that
 * changes.  Returns the result of make(), and unless that is 0 the message is
 * unchanged; or -1 with errno set if the new file could not be created.
 */
int delivery_replace(struct delivery *, int (*make)(void *ctx, int from,
    int to), void *ctx);

/*
 * Create and fsync each copy that is not refused and does not exist yet, and
 * its folder.  Blocks on the disk.  Returns 0, or -1 with errno set; the failure
 * of a single copy is recorded in it.
 */
int delivery_sync(struct delivery *);

/*
 * Discard a copy that has fields of its own, so that delivery_sync() creates it
 * again.
 */
void delivery_renew(struct delivery *, size_t copy);

/* Has any copy failed, or was it refused? */
bool delivery_is_incomplete(const struct delivery *);

/*
 * Publish the copies of a synced message durably; with together set, all of
 * them or none.  Blocks on the disk.  Failures are recorded in the copies, and
 * files of copies that failed are removed.  The caller must call
 * delivery_end().
 */
void delivery_commit(struct delivery *, bool together);

/* Close all descriptors, and remove what was not committed. */
void delivery_end(struct delivery *);

#endif
