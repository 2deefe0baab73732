/*
 * The disk: Maildirs in memory, in place of mail/store.c and mail/maildir.c.
 * Any call may be the one that fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"
#include "mail/store.h"

enum {
	FILES_MAX = 256,
	DIRECTORY = 200000,	/* the descriptor of a Maildir's tmp/: no real
				   one */
};

static struct file {
	char name[NAME_MAX + 1];
	int fd, directory;	/* DIRECTORY and more: a Maildir's */
	bool published;
} files[FILES_MAX];
static size_t n_files;
static unsigned fail_at, calls, names;

int disk_openat(int, const char *, int, ...);

/* Is this the call that is to fail? */
static bool
fails(void)
{
	static const int errors[] = { ENOSPC, EDQUOT, EIO, ENOENT, EMFILE };

	if (++calls != fail_at)
		return false;
	errno = errors[fail_at % (sizeof errors / sizeof *errors)];
	return true;
}

void
disk_begin(unsigned at)
{
	CHECK(n_files == 0);
	fail_at = at;
	calls = names = 0;
}

static void
keep(struct machine *m, const struct file *f)
{
	struct gathered *message;

	m->kept = realloc(m->kept, (m->n_kept + 1) * sizeof *m->kept);
	CHECK(m->kept != NULL);
	message = &m->kept[m->n_kept++];
	*message = (struct gathered){ .n = 0 };
	gather_file(message, f->fd);
}

/* tmp/ must be empty. */
void
disk_end(struct machine *m)
{
	size_t i;

	for (i = 0; i < n_files; i++) {
		CHECK(files[i].published);
		keep(m, &files[i]);
		close(files[i].fd);
	}
	n_files = 0;
}

static struct file *
find(int directory, const char *name)
{
	size_t i;

	for (i = 0; i < n_files; i++)
		if (files[i].directory == directory &&
		    strcmp(files[i].name, name) == 0)
			return &files[i];
	errno = ENOENT;
	return NULL;
}

static int
open_anew(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* In place of openat(2), to read a file in tmp/. */
int
disk_openat(int directory, const char *name, int flags, ...)
{
	const struct file *f = find(directory, name);

	return !f || fails() ? -1 : open_anew(f->fd, flags);
}

static int
add(const struct maildir *m, struct maildir_file *f, int fd)
{
	f->published = false;
	snprintf(f->name, sizeof f->name, "%u.mx.example", ++names);
	CHECK(n_files < FILES_MAX);
	files[n_files] = (struct file){ .fd = fd, .directory = m->tmp };
	strcpy(files[n_files++].name, f->name);
	return 0;
}

int
maildir_create(const struct maildir *m, struct maildir_file *f,
    const char *hostname)
{
	int fd;

	(void)hostname;
	CHECK(m->tmp >= DIRECTORY);
	if (fails())
		return -1;
	fd = memfd_create("message", MFD_CLOEXEC);
	CHECK(fd >= 0);
	add(m, f, fd);
	return open_anew(fd, O_RDWR);
}

int
maildir_link(const struct maildir *m, struct maildir_file *f,
    const struct maildir *from, const char *tmp_name, const char *hostname)
{
	const struct file *old = find(from->tmp, tmp_name);

	(void)hostname;
	CHECK(old != NULL);
	return fails() ? -1 : add(m, f, dup(old->fd));
}

static struct maildir
maildir_of(const char *path)
{
	const struct cuts hash = fuzz_cuts((const uint8_t *)path,
	    strlen(path));
	const int directory = DIRECTORY + 1 + (int)(hash.state % 1000000);

	return (struct maildir){ directory, directory, directory };
}

/* A folder is another directory, by its own name and that of its Maildir. */
static struct maildir
folder_of(int directory, const char *name)
{
	char path[NAME_MAX + 32];

	snprintf(path, sizeof path, "%d/%s", directory, name);
	return maildir_of(path);
}

int
maildir_open_folder(struct maildir *m, const struct maildir *parent,
    const char *name)
{
	char path[NAME_MAX + 1];

	CHECK(*name && *name != '.' && !strchr(name, '/'));
	CHECK(strlen(name) <= FOLDER_MAX);
	if (fails())
		return -1;
	snprintf(path, sizeof path, ".%s", name);
	*m = folder_of(parent->dir, path);
	return 0;
}

int
maildir_publish(const struct maildir *m, const struct maildir *to,
    struct maildir_file *f, unsigned long long size, unsigned long long lines,
    int *fd)
{
	struct file *file = find(m->tmp, f->name);

	*fd = -1;
	CHECK(file && !file->published);
	CHECK((off_t)size == lseek(file->fd, 0, SEEK_END));
	CHECK(lines <= size);
	if (fails())
		return -1;
	*fd = open_anew(file->fd, O_RDONLY);
	file->published = f->published = true;
	file->directory = to->new;
	return 0;
}

int
maildir_sync(const struct maildir *m, int fd)
{
	CHECK(m->new >= DIRECTORY && fd >= 0);
	return fails() ? -1 : 0;
}

int
maildir_discard(const struct maildir *m, const struct maildir_file *f)
{
	struct file *file = find(m->tmp, f->name);

	if (!file)
		return 0;
	CHECK(file->published == f->published);
	close(file->fd);
	memmove(file, file + 1,
	    (size_t)(files + --n_files - file) * sizeof *file);
	return 0;
}

void
store_sweep_user(const struct store *s, const char *path)
{
	(void)s;
	CHECK(*path);
}

void
maildir_close(struct maildir *m)
{
	*m = (struct maildir){ -1, -1, -1 };
}

/* Mailboxes that begin with "u" are unknown. */
enum store_status
store_find(const struct store *s, const char *local, const char *domain,
    char *path)
{
	(void)s;
	CHECK(*domain);
	if (fails())
		return STORE_FAILED;
	if (*local == 'u')
		return STORE_UNKNOWN;
	snprintf(path, PATH_MAX, "%s", local);
	return STORE_FOUND;
}

int
store_open_user(const struct store *s, const char *path, struct maildir *m)
{
	(void)s;
	if (fails())
		return -1;
	*m = maildir_of(path);
	return 0;
}

int
store_discard(const struct store *s, const char *path,
    const struct maildir_file *f)
{
	const struct maildir m = maildir_of(path);
	const char *folder = strrchr(path, '/');
	char parent[PATH_MAX];

	(void)s;
	if (find(m.tmp, f->name) || !folder)
		return maildir_discard(&m, f);
	snprintf(parent, sizeof parent, "%.*s", (int)(folder - path), path);
	return maildir_discard_closed(maildir_of(parent).dir, folder + 1, f);
}

int
maildir_discard_closed(int at, const char *path, const struct maildir_file *f)
{
	const struct maildir m = folder_of(at, path);

	return maildir_discard(&m, f);
}

int
store_reopen(struct store *s)
{
	s->one = (struct maildir){ DIRECTORY, DIRECTORY, DIRECTORY };
	return fails() ? -1 : 0;
}

int
store_create_unlinked(const struct store *s, int *writer, int *reader)
{
	(void)s;
	if (fails())
		return -1;
	*writer = memfd_create("spool", MFD_CLOEXEC);
	*reader = open_anew(*writer, O_RDONLY);
	CHECK(*writer >= 0 && *reader >= 0);
	return 0;
}

const char *
store_prefix(const struct store *s)
{
	(void)s;
	return "";
}

int
store_check_room(const struct store *s, unsigned long long octets)
{
	(void)s, (void)octets;
	return fails() ? -1 : 0;
}
