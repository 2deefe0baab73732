/*
 * Crash-safe delivery into a maildir(5): names, renames and fsyncs.  The caller
 * writes the content of the files.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "mail/maildir.h"

enum {
	HOSTNAME_KEPT = 64,	/* bytes of the hostname in a file's name */
	SIZES_MAX = 2 * 24,	/* bytes of ",S=...,W=..." */
};

/* f_type of statfs(2) */
#define EXT_TYPE	0xef53UL	/* ext2, ext3 and ext4 */
#define XFS_TYPE	0x58465342UL
#define BTRFS_TYPE	0x9123683eUL

static int
open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Is the directory ours and empty, as after mkdir(2)? */
static bool
is_empty_and_ours(int dir)
{
	struct dirent *entry;
	struct stat st;
	int fd, others = 0;
	DIR *d;

	fd = open_dir(dir, ".");
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(d)))
		others += strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0;
	closedir(d);
	if (others || fstat(dir, &st) < 0 || st.st_uid != geteuid()) {
		errno = EPERM;
		return false;
	}
	return true;
}

/*
 * Change the owner of a directory that was created.  A user that may write to
 * its parent could meanwhile have replaced it by another directory of root's;
 * but only an empty one is changed, which that user could have created.
 */
static int
chown_new_dir(int at, const char *name, const struct maildir_owner *owner)
{
	int fd, error, changed;

	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	changed = is_empty_and_ours(fd) ?
	    fchown(fd, owner->uid, owner->gid) : -1;
	error = errno;
	close(fd);
	errno = error;
	return changed;
}

/* Create a directory.  Returns 1, 0 if it exists, or -1 with errno set. */
static int
create_dir(int at, const char *path, const struct maildir_owner *owner)
{
	char name[NAME_MAX + 1];
	size_t len = strlen(path);

	if (mkdirat(at, path, 0777) < 0)
		return errno == EEXIST ? 0 : -1;
	if (!owner)
		return 1;
	while (len && path[len - 1] == '/')	/* a slash follows a link */
		len--;
	snprintf(name, sizeof name, "%.*s", (int)len, path);
	return chown_new_dir(at, name, owner) < 0 ? -1 : 1;
}

int
maildir_make_parts(const struct maildir *m, const struct maildir_owner *owner)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	struct stat st;
	int made, any = 0;
	size_t i;

	for (i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (fstatat(m->dir, parts[i], &st, 0) == 0)
			continue;
		if (errno != ENOENT ||
		    (made = create_dir(m->dir, parts[i], owner)) < 0)
			return -1;
		any |= made;
	}
	return any ? fsync(m->dir) : 0;
}

int
maildir_make(int at, const char *name, const struct maildir_owner *owner)
{
	int fd, failed, made = create_dir(at, name, owner);

	if (made <= 0)
		return made;
	fd = open_dir(at, ".");
	if (fd < 0)
		return -1;
	failed = fsync(fd);
	close(fd);
	return failed;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
maildir_close(struct maildir *m)
{
	close_fd(&m->dir);
	close_fd(&m->tmp);
	close_fd(&m->new);
}

int
maildir_open_dir(struct maildir *m, int at, const char *path)
{
	*m = MAILDIR_CLOSED;
	m->dir = open_dir(at, path);
	return m->dir < 0 ? -1 : 0;
}

/*
 * By POSIX, an fsync of new/ makes the names in it durable.  On btrfs it does
 * not: where another process has just logged new/ and waits for the disk, an
 * fsync of it returns at once, although the log lacks the name that was added
 * since.  An fsync of the file logs its names, and no other process fsyncs
 * that.  ext4 and XFS were tested by power cuts and need new/ alone.  On
 * others both are fsynced: nothing is known about them, and an overlayfs or NFS
 * may be on top of btrfs.
 */
static int
choose_fsyncs(struct maildir *m)
{
	struct statfs fs;
	unsigned long type;

	if (fstatfs(m->new, &fs) < 0)
		return -1;
	type = (unsigned long)fs.f_type & 0xffffffffUL;
	m->sync_file = type != EXT_TYPE && type != XFS_TYPE;
	m->sync_new = type != BTRFS_TYPE;
	return 0;
}

/* Fails with ENOENT if one of the three is missing. */
static int
open_existing_parts(struct maildir *m)
{
	struct stat st;

	m->tmp = open_dir(m->dir, "tmp");
	if (m->tmp < 0)
		return -1;
	m->new = open_dir(m->dir, "new");
	return m->new < 0 ? -1 : fstatat(m->dir, "cur", &st, 0);
}

static int
open_tmp_and_new(struct maildir *m)
{
	if (open_existing_parts(m) < 0) {
		if (errno != ENOENT)
			return -1;
		close_fd(&m->tmp);
		close_fd(&m->new);
		if (maildir_make_parts(m, NULL) < 0 ||
		    open_existing_parts(m) < 0)
			return -1;
	}
	return choose_fsyncs(m);
}

int
maildir_open_parts(struct maildir *m)
{
	int error;

	if (open_tmp_and_new(m) == 0)
		return 0;
	error = errno;
	maildir_close(m);
	errno = error;
	return -1;
}

int
maildir_open(struct maildir *m, int at, const char *path)
{
	if (maildir_open_dir(m, at, path) < 0)
		return -1;
	return maildir_open_parts(m);
}

/*
 * maildirfolder is created last: where it exists, so do the names of all
 * directories, on the disk, whichever process has created them.
 */
static int
complete_folder(const struct maildir *m, const struct maildir *parent)
{
	struct stat st;
	int fd;

	if (fstatat(m->dir, "maildirfolder", &st, 0) == 0)
		return 0;
	if (errno != ENOENT || fsync(parent->dir) < 0 || fsync(m->dir) < 0)
		return -1;
	fd = openat(m->dir, "maildirfolder", O_WRONLY | O_CREAT | O_CLOEXEC,
	    0666);
	if (fd < 0)
		return -1;
	close(fd);
	return fsync(m->dir);
}

int
maildir_open_folder(struct maildir *m, const struct maildir *parent,
    const char *name)
{
	char path[FOLDER_MAX + 2];
	int error;

	snprintf(path, sizeof path, ".%s", name);
	if (maildir_open_dir(m, parent->dir, path) < 0 && (errno != ENOENT ||
	    create_dir(parent->dir, path, NULL) < 0 ||
	    maildir_open_dir(m, parent->dir, path) < 0))
		return -1;
	if (maildir_open_parts(m) < 0)
		return -1;
	if (complete_folder(m, parent) == 0)
		return 0;
	error = errno;
	maildir_close(m);
	errno = error;
	return -1;
}

int
maildir_check(const struct maildir *m)
{
	struct stat tmp, new;

	if (fstat(m->tmp, &tmp) < 0 || fstat(m->new, &new) < 0)
		return -1;
	if (tmp.st_dev != new.st_dev) {
		errno = EXDEV;
		return -1;
	}
	return faccessat(m->dir, "tmp", W_OK | X_OK, 0) == 0 &&
	    faccessat(m->dir, "new", W_OK | X_OK, 0) == 0 ? 0 : -1;
}

/* maildir(5): no slash, and no colon, which begins the flags. */
static void
escape_hostname(char *out, size_t size, const char *hostname)
{
	size_t n = 0;

	for (; *hostname && n + 5 < size; hostname++) {
		if (*hostname == '/' || *hostname == ':')
			n += (size_t)snprintf(out + n, size - n, "\\%03o",
			    (unsigned)*hostname);
		else
			out[n++] = *hostname;
	}
	out[n] = '\0';
}

/*
 * Make a unique name.  The random part makes it unique if a pid is reused or
 * the clock is set back; before the kernel has randomness, the microseconds and
 * the counter must do.
 */
static void
make_name(char *name, size_t size, const char *hostname)
{
	static unsigned counter;
	static unsigned long long random;
	static long pid;	/* it is not forked between deliveries */
	char host[HOSTNAME_KEPT];
	long long us = clock_us();

	if (!pid) {
		(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
		pid = getpid();
	}
	escape_hostname(host, sizeof host, hostname);
	snprintf(name, size, "%lld.M%lldP%ldQ%uR%016llx.%s", us / 1000000,
	    us % 1000000, pid, ++counter, random, host);
}

int
maildir_create(const struct maildir *m, struct maildir_file *f,
    const char *hostname)
{
	f->published = false;
	make_name(f->name, sizeof f->name, hostname);
	return openat(m->tmp, f->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	    0666);
}

int
maildir_link(const struct maildir *m, struct maildir_file *f,
    const struct maildir *from, const char *tmp_name, const char *hostname)
{
	f->published = false;
	make_name(f->name, sizeof f->name, hostname);
	return linkat(from->tmp, tmp_name, m->tmp, f->name, 0);
}

/* Dovecot reads ",S=" and ",W=" instead of the file. */
static int
rename_into_new(const struct maildir *m, const struct maildir *to,
    struct maildir_file *f, unsigned long long size, unsigned long long lines)
{
	char name[sizeof f->name];

	snprintf(name, sizeof name, "%.*s,S=%llu,W=%llu", NAME_MAX - SIZES_MAX,
	    f->name, size, size + lines);
	if (renameat(m->tmp, f->name, to->new, name) < 0)
		return -1;
	memcpy(f->name, name, sizeof name);
	f->published = true;
	return 0;
}

/* The file is opened first, because in new/ a reader may move it. */
int
maildir_publish(const struct maildir *m, const struct maildir *to,
    struct maildir_file *f, unsigned long long size, unsigned long long lines,
    int *fd)
{
	int error;

	*fd = -1;
	if (to->sync_file &&
	    (*fd = openat(m->tmp, f->name, O_RDONLY | O_CLOEXEC)) < 0)
		return -1;
	if (rename_into_new(m, to, f, size, lines) == 0)
		return 0;
	error = errno;
	close_fd(fd);
	errno = error;
	return -1;
}

int
maildir_sync(const struct maildir *m, int fd)
{
	if (m->sync_file && fsync(fd) < 0)
		return -1;
	return m->sync_new ? fsync(m->new) : 0;
}

int
maildir_discard(const struct maildir *m, const struct maildir_file *f)
{
	if (unlinkat(f->published ? m->new : m->tmp, f->name, 0) < 0 &&
	    errno != ENOENT)
		return -1;
	return 0;
}

int
maildir_discard_closed(int at, const char *path, const struct maildir_file *f)
{
	char name[PATH_MAX];

	if (snprintf(name, sizeof name, "%s/%s/%s", path, f->published ?
	    "new" : "tmp", f->name) >= (int)sizeof name) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return unlinkat(at, name, 0) < 0 && errno != ENOENT ? -1 : 0;
}

/* Skip the digits of a number.  False: there are none. */
static bool
skip_number(const char **s, int base)
{
	char *end;

	if (!isxdigit((unsigned char)**s))
		return false;
	strtoull(*s, &end, base);
	if (end == *s)
		return false;
	*s = end;
	return true;
}

/* Is this a name of make_name()? */
static bool
is_our_name(const char *s)
{
	static const char marks[] = { '.', 'M', 'P', 'Q', 'R' };
	size_t i;

	if (!skip_number(&s, 10) || *s++ != marks[0])
		return false;
	for (i = 1; i < sizeof marks; i++)
		if (*s++ != marks[i] ||
		    !skip_number(&s, marks[i] == 'R' ? 16 : 10))
			return false;
	return *s == '.';
}

void
maildir_sweep(int at, const char *path)
{
	const time_t oldest = time(NULL) - MAILDIR_TMP_AGE;
	char tmp[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	DIR *d;
	int fd;

	if (snprintf(tmp, sizeof tmp, "%s/tmp", path) >= (int)sizeof tmp)
		return;
	fd = open_dir(at, tmp);
	if (fd < 0 || !(d = fdopendir(fd))) {
		close_fd(&fd);
		return;
	}
	while ((entry = readdir(d)))
		if (is_our_name(entry->d_name) && fstatat(fd, entry->d_name,
		    &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < oldest)
			unlinkat(fd, entry->d_name, 0);
	closedir(d);
}
