/*
 * The store of the messages: a single Maildir; a Maildir for each recipient,
 * whose path is a template with {mailbox} or {domain}; or no Maildir at all,
 * but a directory for unlinked files that exist until they were processed.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "mail/maildir.h"

struct store {
	const char *path;	/* of --maildir: a path or a template */
	const char *delimiters;	/* each ends a mailbox: user+extension */
	bool per_user;
	bool spool_only;	/* path is a directory for unlinked files */
	struct maildir one;	/* the single Maildir, unless per_user */
	unsigned messages;	/* that this process has begun to deliver */

	/* private */
	int base;		/* the directory above the name or template */
	const char *below;	/* the part of path below base */
	char base_path[PATH_MAX];
	struct stat base_stat;
	bool base_hidden;	/* this user can't look up its path */
};

/*
 * Open the store.  Directories of a single Maildir that are missing are
 * created and given to owner, which may be NULL; but with an owner none are
 * created if the path leads through a symbolic link of another user.  path and
 * delimiters must outlive the store.  Returns 0, or -1 with errno set: ELOOP if
 * there is no Maildir after such a link.  The caller must call store_check().
 */
int store_open(struct store *, const char *path, const char *delimiters,
    const struct maildir_owner *);

/* Open a store without Maildirs, as store_open(); dir is for unlinked files. */
int store_open_spool(struct store *, const char *dir);

/*
 * Open the store, as store_open(), with inherited descriptors of its base and
 * one.dir (-1: none), which the store owns from now on: this user may not be
 * able to search the path.
 */
int store_inherit(struct store *, const char *path, const char *delimiters,
    bool spool_only, int base, int dir);

/* Is it a single Maildir, so that one.dir is open? */
bool store_is_one(const struct store *);

/* Is the single Maildir writable for all users? */
bool store_is_exposed(const struct store *);

/*
 * Are the recipients' Maildirs on a file system that is mounted read-only, at
 * least for this process?
 */
bool store_is_read_only(const struct store *);

/*
 * Check, as the user that will deliver, that messages can be stored, and create
 * missing directories in the single Maildir.  Returns 0, or -1 with errno set.
 */
int store_check(struct store *);

/*
 * Was the single Maildir removed?  Returns false if it was only renamed, even
 * if its path leads to another directory now.
 */
bool store_is_gone(const struct store *);

/*
 * Open the single Maildir again, because its path may lead to another directory
 * now.  Returns 0, or -1 with errno set and the store unchanged.
 */
int store_reopen(struct store *);

enum store_status {
	STORE_FOUND,
	STORE_UNKNOWN,		/* there is certainly no such mailbox */
	STORE_FAILED,		/* it could not be determined; errno is set */
};

/*
 * Find a recipient's own Maildir.  Its path, for store_open_user(), is written
 * to path, of PATH_MAX bytes; it is "" if the address can have no Maildir.
 * domain must be in lower case.
 */
enum store_status store_find(const struct store *, const char *local,
    const char *domain, char *path);

/* Open a recipient's Maildir, as maildir_open().  The caller closes it. */
int store_open_user(const struct store *, const char *path, struct maildir *);

/* Remove old files from its tmp/, as maildir_sweep(). */
void store_sweep_user(const struct store *, const char *path);

/* Remove a file of a recipient's Maildir, as maildir_discard_closed(). */
int store_discard(const struct store *, const char *path,
    const struct maildir_file *);

/*
 * Create an unlinked file in a store without Maildirs, with *writer open for
 * reading and writing, and *reader for reading.  The caller closes both.
 * Returns 0, or -1 with errno set.
 */
int store_create_unlinked(const struct store *, int *writer, int *reader);

/* The prefix that makes a recipient's path complete, such as "/var/mail/". */
const char *store_prefix(const struct store *);

/*
 * Check that there is space for this many bytes and for one more file.  Returns
 * 0, or -1 with errno set: ENOSPC if there is not.
 */
int store_check_room(const struct store *, unsigned long long bytes);

#endif
