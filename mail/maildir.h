/*
 * Crash-safe delivery into a maildir(5).  A file is written in tmp/, fsynced
 * and renamed into new/; then its name is made durable in the way that the file
 * system requires.  Everything is done through directory descriptors, so that
 * it works when the path can't be searched.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	MAILDIR_TMP_AGE = 36 * 60 * 60,	/* seconds; maildir(5) */
	FOLDER_MAX = NAME_MAX - 1,	/* bytes of a folder's name */
};

struct maildir {
	int dir, tmp, new;

	/* private: what has to be fsynced to make a name durable */
	bool sync_file, sync_new;
};

/* A Maildir that is not open. */
#define MAILDIR_CLOSED ((struct maildir){ .dir = -1, .tmp = -1, .new = -1 })

/* A message file. */
struct maildir_file {
	char name[NAME_MAX + 1];	/* in tmp/, later in new/ */
	bool published;			/* name is in new/ */
};

/* The owner of directories that are created; NULL: the user of this process. */
struct maildir_owner {
	uid_t uid;
	gid_t gid;
};

/*
 * Create the directory name in the directory at, durably, unless it exists.
 * Returns 0, or -1 with errno set.
 */
int maildir_make(int at, const char *name, const struct maildir_owner *);

/*
 * Open the Maildir path, relative to the directory at.  Missing directories
 * tmp/, new/ and cur/ are created durably.  Returns 0, and the caller must call
 * maildir_close(); or -1 with errno set: ENOENT if there is no such directory.
 */
int maildir_open(struct maildir *, int at, const char *path);

/*
 * Create missing directories tmp/, new/ and cur/ in m->dir.  Returns 0, or -1
 * with errno set.
 */
int maildir_make_parts(const struct maildir *, const struct maildir_owner *);

/*
 * The two steps of maildir_open(), for a process that changes its user between
 * them.  Both return as maildir_open().
 */
int maildir_open_dir(struct maildir *, int at, const char *path);
int maildir_open_parts(struct maildir *);

/*
 * Open a folder of a Maildir, as maildir_open().  If it is missing or
 * incomplete, it is created durably.  The name has at most FOLDER_MAX bytes and
 * no slash.
 */
int maildir_open_folder(struct maildir *, const struct maildir *,
    const char *name);

/* Close the descriptors.  A Maildir that is not open is allowed. */
void maildir_close(struct maildir *);

/*
 * Check that this process may create files in tmp/ and new/ and rename them.
 * Returns 0, or -1 with errno set: EXDEV if the two are on different file
 * systems.
 */
int maildir_check(const struct maildir *);

/*
 * Create a file with a unique name in tmp/, open for reading and writing.
 * Returns the descriptor, which the caller closes, or -1 with errno set.
 */
int maildir_create(const struct maildir *, struct maildir_file *,
    const char *hostname);

/*
 * Create a hard link, with a unique name in tmp/, to a file in the tmp/ of
 * another Maildir.  Returns 0, or -1 with errno set.
 */
int maildir_link(const struct maildir *, struct maildir_file *,
    const struct maildir *from, const char *tmp_name, const char *hostname);

/*
 * Rename the file, which the caller has fsynced, into the new/ of a Maildir:
 * the same one, or a folder of it.  size and lines are recorded in its name as
 * ,S= and ,W=.  The name is durable only after maildir_sync() of the latter,
 * which gets *fd: a descriptor that the caller closes, or -1 if none is needed.
 * Returns 0, or -1 with errno set and *fd -1.
 */
int maildir_publish(const struct maildir *, const struct maildir *to,
    struct maildir_file *, unsigned long long size, unsigned long long lines,
    int *fd);

/*
 * Make the name of a published file durable.  Blocks on the disk.  Returns 0,
 * or -1 with errno set.  After a failure it must not be called again.
 */
int maildir_sync(const struct maildir *, int fd);

/*
 * Remove the file from tmp/ or new/.  It is not an error if a reader has moved
 * it.  Returns 0, or -1 with errno set.
 */
int maildir_discard(const struct maildir *, const struct maildir_file *);

/*
 * The same in a Maildir that need not be open, so that it works when no more
 * descriptors are available.
 */
int maildir_discard_closed(int at, const char *path,
    const struct maildir_file *);

/*
 * Remove this program's files from tmp/ that are older than MAILDIR_TMP_AGE, in a
 * Maildir that need not be open.
 */
void maildir_sweep(int at, const char *path);

#endif
