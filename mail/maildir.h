/*
 * Crash-safe delivery into a maildir(5): a file is written in tmp/, fsynced,
 * and renamed into new/, and its name is fsynced in its turn, in the way that
 * the file system needs.  All of it through directory descriptors, so that it
 * works where the path does not.
 */
#ifndef MAILDIR_H
#define MAILDIR_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

enum {
	MAILDIR_TMP_AGE = 36 * 60 * 60,	/* seconds; maildir(5) */
};

struct maildir {
	int dir, tmp, new;

	/* private: what makes a new name durable here */
	bool sync_file, sync_new;
};

/* One that is not open. */
#define MAILDIR_CLOSED ((struct maildir){ .dir = -1, .tmp = -1, .new = -1 })

/* A message file on its way.  name is all that is needed to publish it. */
struct maildir_file {
	char name[NAME_MAX + 1];	/* in tmp/, later in new/ */
	bool published;
};

/* Whom a directory is given to that was made.  NULL: whoever makes it. */
struct maildir_owner {
	uid_t uid;
	gid_t gid;
};

/*
 * Make the directory name in the directory at, and make that durable, unless
 * it is there.  Returns 0, or -1 with errno set.
 */
int maildir_make(int at, const char *name, const struct maildir_owner *);

/*
 * Open the Maildir path, relative to the directory at.  What is missing of
 * tmp/, new/ and cur/ is made, and made durable.  Returns 0, or -1 with errno
 * set: ENOENT when there is no such directory, EXDEV when tmp/ and new/ are
 * on different devices.
 */
int maildir_open(struct maildir *, int at, const char *path);

/*
 * Make what is missing of tmp/, new/ and cur/ in a directory that is open.
 * Returns 0, or -1 with errno set.
 */
int maildir_make_parts(const struct maildir *, const struct maildir_owner *);

/*
 * The same in two steps, for a process that can open the directory as another
 * user than the one it makes the rest as.  Both as above.
 */
int maildir_open_dir(struct maildir *, int at, const char *path);
int maildir_open_parts(struct maildir *);
void maildir_close(struct maildir *);

/* Can this process deliver there?  Returns 0, or -1 with errno set. */
int maildir_check(const struct maildir *);

/*
 * Create a file of a new unique name in tmp/, open for reading and writing.
 * Returns its descriptor, which is the caller's, or -1 with errno set.
 */
int maildir_create(const struct maildir *, struct maildir_file *,
    const char *hostname);

/*
 * Give a file that lies in another Maildir's tmp/ a further name in this one.
 * Returns 0, or -1 with errno set.
 */
int maildir_link(const struct maildir *, struct maildir_file *,
    const struct maildir *from, const char *tmp_name, const char *hostname);

/*
 * Give the file, which the caller has fsynced, its name in new/; size and
 * lines become its ,S= and ,W=.  The name is durable after maildir_sync()
 * only, which gets *fd: a descriptor that the caller closes, or -1 where none
 * is needed.  Returns 0, or -1 with errno set and *fd -1.
 */
int maildir_publish(const struct maildir *, struct maildir_file *,
    unsigned long long size, unsigned long long lines, int *fd);

/*
 * Make the name of a published file durable.  Blocks on the disk.  Returns 0,
 * or -1 with errno set.
 */
int maildir_sync(const struct maildir *, int fd);

/*
 * Remove the file from tmp/, or take its name in new/ back, unless a reader
 * has taken it.  Returns 0, or -1 with errno set.
 */
int maildir_discard(const struct maildir *, const struct maildir_file *);

/*
 * The same in the Maildir at this path, which need not be open: what was begun
 * can be undone where no more descriptor is to be had.
 */
int maildir_discard_closed(int at, const char *path,
    const struct maildir_file *);

/* Remove from tmp/ what this program left there MAILDIR_TMP_AGE ago. */
void maildir_sweep(const struct maildir *);

#endif
