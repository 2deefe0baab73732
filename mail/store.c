/*
 * The store of the messages.  A recipient's address becomes a path here, and
 * never one outside the directory above the template.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/path.h"
#include "lib/text/address.h"
#include "mail/store.h"

#ifndef O_SEARCH
#define O_SEARCH O_PATH		/* Linux: glibc does not have the POSIX name */
#endif

/* Split path into base_path and the part below it: a name or a template. */
static int
split_path(struct store *s, const char *path)
{
	size_t len = strcspn(path, "{");

	s->per_user = path[len] == '{';
	while (!s->per_user && len > 1 && path[len - 1] == '/')
		len--;
	while (len && path[len - 1] != '/')
		len--;
	if (len >= sizeof s->base_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(s->base_path, path, len);
	s->base_path[len] = '\0';
	if (len == 0)
		strcpy(s->base_path, ".");
	s->below = path[len] ? path + len : ".";
	return 0;
}

/*
 * Is the open Maildir the directory of this name, and not the target of a
 * symbolic link?  Root creates nothing where a symbolic link leads.
 */
static bool
is_opened_by_name(const struct store *s)
{
	struct stat named, opened;

	return fstatat(s->base, s->below, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(s->one.dir, &opened) == 0 &&
	    named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

int
store_open(struct store *s, const char *path, const char *delimiters,
    const struct maildir_owner *owner)
{
	bool foreign = false;

	*s = (struct store){ .path = path, .delimiters = delimiters };
	if (split_path(s, path) < 0)
		return -1;
	s->base = owner ? path_open_dir(s->base_path, &foreign) :
	    open(s->base_path, O_SEARCH | O_DIRECTORY | O_CLOEXEC);
	if (s->base < 0 || fstat(s->base, &s->base_stat) < 0)
		return -1;
	if (s->per_user)
		return 0;
	if (!foreign && maildir_make(s->base, s->below, owner) < 0)
		return -1;
	if (maildir_open_dir(&s->one, s->base, s->below) < 0) {
		if (foreign && errno == ENOENT)
			errno = ELOOP;
		return -1;
	}
	return owner && !foreign && is_opened_by_name(s) ?
	    maildir_make_parts(&s->one, owner) : 0;
}

int
store_open_spool(struct store *s, const char *dir)
{
	*s = (struct store){ .path = dir, .spool_only = true };
	s->base = open(dir, O_SEARCH | O_DIRECTORY | O_CLOEXEC);
	return s->base < 0 ? -1 : 0;
}

bool
store_is_one(const struct store *s)
{
	return !s->per_user && !s->spool_only;
}

int
store_inherit(struct store *s, const char *path, const char *delimiters,
    bool spool_only, int base, int dir)
{
	*s = (struct store){ .path = path, .delimiters = delimiters,
	    .spool_only = spool_only };
	if (!spool_only && split_path(s, path) < 0)
		return -1;
	if (fstat(base, &s->base_stat) < 0)
		return -1;
	s->base = base;
	s->one = (struct maildir){ .dir = dir, .tmp = -1, .new = -1 };
	if (!store_is_one(s) || dir >= 0)
		return 0;
	errno = EBADF;
	return -1;
}

int
store_create_unlinked(const struct store *s, int *writer, int *reader)
{
	char name[64];
	int error;

	snprintf(name, sizeof name, "smtpd.%ld.%llx", (long)getpid(),
	    (unsigned long long)clock_us());
	*writer = openat(s->base, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
	    0600);
	if (*writer < 0)
		return -1;
	*reader = openat(s->base, name, O_RDONLY | O_CLOEXEC);
	error = errno;
	if (unlinkat(s->base, name, 0) == 0 && *reader >= 0)
		return 0;
	if (*reader >= 0) {	/* the name would never be removed */
		error = errno;
		close(*reader);
	}
	close(*writer);
	*writer = *reader = -1;
	errno = error;
	return -1;
}

static int
check_spool(const struct store *s)
{
	int writer, reader;

	if (store_create_unlinked(s, &writer, &reader) < 0)
		return -1;
	close(writer);
	close(reader);
	return 0;
}

int
store_check(struct store *s)
{
	struct stat st;

	if (s->spool_only)
		return check_spool(s);

	s->base_hidden = stat(s->base_path, &st) < 0 && errno == EACCES;
	if (s->per_user)
		return faccessat(s->base, ".", X_OK, 0);
	if (maildir_open_parts(&s->one) < 0)
		return -1;
	return maildir_check(&s->one);
}

static bool
is_exposed(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (st.st_mode & S_IWOTH) &&
	    !(st.st_mode & S_ISVTX);
}

bool
store_is_exposed(const struct store *s)
{
	return store_is_one(s) && (is_exposed(s->one.dir) ||
	    is_exposed(s->one.tmp) || is_exposed(s->one.new));
}

bool
store_is_read_only(const struct store *s)
{
	struct statvfs st;

	return s->per_user && fstatvfs(s->base, &st) == 0 &&
	    (st.f_flag & ST_RDONLY);
}

bool
store_is_gone(const struct store *s)
{
	struct stat st;

	return store_is_one(s) && fstat(s->one.dir, &st) == 0 &&
	    st.st_nlink == 0;
}

int
store_reopen(struct store *s)
{
	struct maildir m;

	if (maildir_open(&m, s->base, s->below) < 0)
		return -1;
	maildir_close(&s->one);
	s->one = m;
	return 0;
}

static bool
is_directory_name(const char *component)
{
	if (*component == '\0' || *component == '.')
		return false;
	for (; *component; component++)
		if (*component == '/' || (unsigned char)*component < ' ' ||
		    *component == 0x7f)
			return false;
	return true;
}

/* Append n bytes.  False: a file below the path would exceed PATH_MAX. */
static bool
append_to_path(char *path, size_t *len, const char *s, size_t n)
{
	if (n + sizeof "/new/" + NAME_MAX > PATH_MAX - *len)
		return false;
	memcpy(path + *len, s, n);
	*len += n;
	path[*len] = '\0';
	return true;
}

/* Expand the template.  False: the address can have no Maildir. */
static bool
expand_template(const struct store *s, const char *local, const char *domain,
    char *path)
{
	char mailbox[ADDRESS_MAX + 1];
	const char *p = s->below, *value;
	size_t n, len = 0;

	address_mailbox(local, s->delimiters, mailbox);
	path[0] = '\0';
	for (; *p; p += n) {
		if (strncmp(p, "{mailbox}", n = 9) == 0)
			value = mailbox;
		else if (strncmp(p, "{domain}", n = 8) == 0)
			value = domain;
		else
			value = NULL;
		if (value && (!is_directory_name(value) ||
		    !append_to_path(path, &len, value, strlen(value))))
			return false;
		if (!value && !append_to_path(path, &len, p, n = 1))
			return false;
	}
	return true;
}

/* Does the path still lead to the directory that was opened at start-up? */
static bool
is_base_unchanged(const struct store *s)
{
	struct stat st;

	if (stat(s->base_path, &st) < 0)
		return errno == EACCES && s->base_hidden;
	return st.st_dev == s->base_stat.st_dev &&
	    st.st_ino == s->base_stat.st_ino;
}

enum store_status
store_find(const struct store *s, const char *local, const char *domain,
    char *path)
{
	struct stat st;

	if (!expand_template(s, local, domain, path)) {
		path[0] = '\0';
		return STORE_UNKNOWN;
	}
	if (fstatat(s->base, path, &st, 0) == 0) {
		if (S_ISDIR(st.st_mode))
			return STORE_FOUND;
		errno = ENOTDIR;
		return STORE_FAILED;
	}
	if (errno != ENOENT)
		return STORE_FAILED;
	if (is_base_unchanged(s))
		return STORE_UNKNOWN;
	errno = ESTALE;
	return STORE_FAILED;
}

int
store_open_user(const struct store *s, const char *path, struct maildir *m)
{
	return maildir_open(m, s->base, path);
}

void
store_sweep_user(const struct store *s, const char *path)
{
	maildir_sweep(s->base, path);
}

int
store_discard(const struct store *s, const char *path,
    const struct maildir_file *f)
{
	return maildir_discard_closed(s->base, path, f);
}

const char *
store_prefix(const struct store *s)
{
	return strcmp(s->base_path, ".") == 0 ? "" : s->base_path;
}

int
store_check_room(const struct store *s, unsigned long long bytes)
{
	return file_check_room(store_is_one(s) ? s->one.tmp : s->base, bytes);
}
