/*
 * Where mail is kept: one Maildir for all of it, or a Maildir for each
 * recipient, whose path has {mailbox} or {domain} in it; or nowhere, but in a
 * directory for files without a name, for as long as others look at them.
 */
#ifndef STORE_H
#define STORE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "mail/maildir.h"

struct store {
	const char *path;	/* as given: a path, or the template of one */
	const char *delimiters;	/* each ends a mailbox: user+extension */
	bool per_user;
	bool spool_only;	/* path is a directory for unlinked files */
	struct maildir one;	/* the Maildir, unless per_user */

	/* private */
	int base;		/* the directory above the name or template */
	const char *rest;	/* what of path is below base */
	char base_path[PATH_MAX];
	struct stat base_stat;
	bool base_hidden;	/* its path can't be looked up by this user */
};

/*
 * Open the store, path being relative to the working directory.  What is
 * missing of the one Maildir is made, and given to owner (may be NULL) then;
 * not, with an owner, where a symbolic link of another user leads there.  path
 * and delimiters must outlive the store.  Returns 0, or -1 with errno set:
 * ELOOP where there is no Maildir behind such a link.  store_check() must
 * follow.
 */
int store_open(struct store *, const char *path, const char *delimiters,
    const struct maildir_owner *);

/* Open one that keeps nothing; dir is for unlinked files.  As store_open(). */
int store_open_spool(struct store *, const char *dir);

/*
 * Open any of them as another process had it open: its base and one.dir, which
 * are the store's from now on; one.dir is -1 where there is none.  For a path
 * that this user can't search any more.  As store_open().
 */
int store_inherit(struct store *, const char *path, const char *delimiters,
    bool spool_only, int base, int dir);

/* Is it one Maildir, and so one.dir open? */
bool store_is_one(const struct store *);

/* May everybody put mail into the one Maildir, or take it away? */
bool store_is_exposed(const struct store *);

/*
 * Check, as the user that will deliver, that it can be done, and make what is
 * missing below the one Maildir.  Returns 0, or -1 with errno set.
 */
int store_check(struct store *);

/*
 * Was the one Maildir removed?  A name that leads to another one by now, while
 * this one is still somewhere, does not count.
 */
bool store_is_gone(const struct store *);

/* Open the one Maildir anew, for its directory may be another one by now. */
int store_reopen(struct store *);

enum store_status {
	STORE_FOUND,
	STORE_UNKNOWN,		/* there is no such mailbox, for certain */
	STORE_FAILED,		/* nobody can tell; errno is set */
};

/*
 * Find a recipient's own Maildir: its path, for store_open_user(), is put in
 * path, of PATH_MAX octets; it is empty where there can be none.  domain is in
 * lower case.
 */
enum store_status store_find(const struct store *, const char *local,
    const char *domain, char *path);

/* Open it, as maildir_open() does.  The caller closes it. */
int store_open_user(const struct store *, const char *path, struct maildir *);

/* Remove a file of it, which need not be open: maildir_discard_closed(). */
int store_discard(const struct store *, const char *path,
    const struct maildir_file *);

/*
 * A file without a name, in a store that keeps nothing: *writer for reading
 * and writing, *reader for reading.  Returns 0, or -1 with errno set.
 */
int store_create_unlinked(const struct store *, int *writer, int *reader);

/* What to put before a recipient's path to have it whole: "/var/mail/". */
const char *store_prefix(const struct store *);

/*
 * Is there room for that many octets, and for a file?  Returns 0, or -1 with
 * errno set: ENOSPC.
 */
int store_check_room(const struct store *, unsigned long long octets);

#endif
