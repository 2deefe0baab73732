/*
 * Delivery of one message to any number of Maildirs.  It is spooled in the tmp/
 * of the first one that has space for it.  If there is a single copy, or all
 * are hard links, that file is delivered itself; otherwise copies of it are.
 * Copies are written in batches before the first of them is fsynced, so that
 * one write of the file system's journal serves them all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/text/line.h"
#include "mail/delivery.h"

enum {
	BATCH = 16,		/* copies whose files or directories are open at
				   once */
	SMALL = 32768,		/* bytes of messages read once for a batch */
	SWEEP_INTERVAL = 16,	/* messages of this process; the first counts */
};

static size_t
find_batch_end(const struct delivery *d, size_t first)
{
	return d->n - first < BATCH ? d->n : first + BATCH;
}

/* Record the operation that failed for a copy, and errno. */
static void
record_failure(struct copy *c, const char *what)
{
	c->failed = what;
	c->error = errno;
}

static bool
is_undeliverable(const struct copy *c)
{
	return c->failed || c->refused;
}

bool
delivery_is_incomplete(const struct delivery *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (is_undeliverable(&d->copies[i]))
			return true;
	return false;
}

/* Does each copy have fields of its own, so that none is the spooled file? */
static bool
has_own_copies(const struct delivery *d)
{
	return d->n > 1 && !d->hardlink;
}

/* The Maildir that the message is spooled in. */
static const struct maildir *
spool_maildir(const struct delivery *d)
{
	return d->store->per_user ? &d->own : &d->store->one;
}

/* Open the Maildir of a copy, if it is closed.  Returns NULL with errno set. */
static const struct maildir *
open_copy_maildir(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];

	if (i == d->home || !c->path)
		return spool_maildir(d);
	if (c->maildir.dir < 0 &&
	    store_open_user(d->store, c->path, &c->maildir) < 0)
		return NULL;
	return &c->maildir;
}

/*
 * Open the Maildir or folder that a copy goes to, if it is closed.  Returns NULL
 * with errno set.
 */
static const struct maildir *
open_target(struct delivery *d, size_t i)
{
	const struct maildir *m = open_copy_maildir(d, i);
	struct copy *c = &d->copies[i];

	if (!m || !*c->folder)
		return m;
	if (c->folder_dir.dir < 0 &&
	    maildir_open_folder(&c->folder_dir, m, c->folder) < 0)
		return NULL;
	return &c->folder_dir;
}

/* Close the Maildirs of a batch, unless there is only one batch. */
static void
close_batch(struct delivery *d, size_t first, size_t end)
{
	for (; d->n > BATCH && first < end; first++) {
		maildir_close(&d->copies[first].maildir);
		maildir_close(&d->copies[first].folder_dir);
	}
}

/* The path of the single Maildir may lead to another directory now. */
static int
reopen_store(struct delivery *d)
{
	return d->store->per_user ? -1 : store_reopen(d->store);
}

/* Create a file for the message.  Returns 0, or -1 with errno set. */
static int
create_spool_file(struct delivery *d)
{
	const struct maildir *m = spool_maildir(d);

	d->reader = -1;
	if (d->store->spool_only)
		return store_create_unlinked(d->store, &d->fd, &d->reader);
	d->fd = maildir_create(m, &d->file, d->hostname);
	if (d->fd < 0 && errno == ENOENT && reopen_store(d) == 0)
		d->fd = maildir_create(m, &d->file, d->hostname);
	d->exists = d->fd >= 0;
	return d->fd < 0 ? -1 : 0;
}

/* Log that a file could not be removed. */
static void
log_discard_failure(const struct delivery *d, const struct maildir_file *f)
{
	struct log_line l;
	int error = errno;

	log_begin(&l, LEVEL_ERROR, "discard-failed");
	log_str(&l, "id", d->id);
	log_str(&l, "file", f->name);
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

static void
discard_spool_file(struct delivery *d)
{
	if (d->exists && maildir_discard(spool_maildir(d), &d->file) < 0)
		log_discard_failure(d, &d->file);
	d->exists = false;
	if (d->fd >= 0)
		close(d->fd);
	if (d->reader >= 0)
		close(d->reader);
	d->fd = d->reader = -1;
}

void
delivery_init(struct delivery *d)
{
	d->own = MAILDIR_CLOSED;
	d->fd = d->reader = -1;
}

/* For a Maildir that is not open yet, so that no descriptor is added. */
static void
sweep_if_due(const struct delivery *d, const struct copy *c)
{
	if (d->store->messages % SWEEP_INTERVAL == 1)
		store_sweep_user(d->store, c->path);
}

static int
open_spool(struct delivery *d)
{
	maildir_close(&d->own);
	d->own = MAILDIR_CLOSED;
	if (d->store->per_user) {
		sweep_if_due(d, &d->copies[d->home]);
		if (store_open_user(d->store, d->copies[d->home].path,
		    &d->own) < 0)
			return -1;
	}
	return create_spool_file(d);
}

/* Spool in the Maildir of the current copy, or of the next that allows it. */
static int
find_spool(struct delivery *d)
{
	while (open_spool(d) < 0) {
		if (!d->independent || !has_own_copies(d) ||
		    d->home + 1 == d->n)
			return -1;
		record_failure(&d->copies[d->home++], "tmp");
	}
	return 0;
}

/*
 * A write to the spool file failed, for example because of a quota.  Continue
 * in the Maildir of the next copy, so that the other copies don't fail, too.
 */
static int
move_spool(struct outfile *o)
{
	struct delivery *d = o->ctx;
	struct delivery old = *d;
	int failed;

	if (!d->independent || !has_own_copies(d) || d->home + 1 == d->n)
		return -1;
	record_failure(&d->copies[d->home++], "write");
	d->own = MAILDIR_CLOSED;
	d->exists = false;
	d->fd = d->reader = -1;
	failed = find_spool(d) < 0 || file_append_part(d->fd, old.fd, 0,
	    (off_t)o->written) < 0 ? errno : 0;
	discard_spool_file(&old);
	maildir_close(&old.own);
	o->fd = d->fd;
	errno = failed;
	return failed ? -1 : 0;
}

int
delivery_begin(struct delivery *d, char *buf)
{
	size_t i;

	d->store->messages++;
	for (i = 0; i < d->n; i++)
		d->copies[i].maildir = d->copies[i].folder_dir = MAILDIR_CLOSED;
	if (find_spool(d) < 0)
		return -1;
	outfile_begin(&d->out, d->fd, buf);
	d->out.replace_file = move_spool;
	d->out.ctx = d;
	return 0;
}

int
delivery_flush(struct delivery *d)
{
	d->size = d->out.size;
	d->lines = d->out.lines;
	return outfile_flush(&d->out);
}

int
delivery_reader(struct delivery *d)
{
	if (d->reader < 0)
		d->reader = openat(spool_maildir(d)->tmp, d->file.name,
		    O_RDONLY | O_CLOEXEC);
	return d->reader;
}

int
delivery_take_reader(struct delivery *d)
{
	const int fd = delivery_reader(d);

	d->reader = -1;
	return fd;
}

/* Count the bytes and lines of a spool file that make() wrote. */
static int
count_spool_size(struct delivery *d)
{
	char *buf = d->out.buf;
	char last = '\0';
	ssize_t n;

	d->size = d->lines = 0;
	while ((n = pread(d->fd, buf, OUTFILE_BUFFER, (off_t)d->size)) > 0) {
		d->lines += line_count(buf, (size_t)n, &last);
		d->size += (unsigned long long)n;
	}
	return (int)n;
}

int
delivery_replace(struct delivery *d, int (*make)(void *ctx, int from, int to),
    void *ctx)
{
	struct delivery old = *d;
	int made, error;

	if (delivery_reader(&old) < 0)
		return -1;
	*d = old;
	if (create_spool_file(d) < 0) {
		*d = old;
		return -1;
	}
	made = make(ctx, old.reader, d->fd);
	if (made == 0)
		made = count_spool_size(d);
	error = errno;
	if (made == 0) {
		discard_spool_file(&old);
	} else {
		discard_spool_file(d);
		*d = old;
	}
	errno = error;
	return made;
}

/* Read the spooled message for several copies; NULL if it is too large. */
static const char *
read_small(const struct delivery *d, char *buf, size_t size)
{
	return d->size < size && pread(d->fd, buf, size, 0) ==
	    (ssize_t)d->size ? buf : NULL;
}

/*
 * Write a copy: the spooled file, which is also in whole unless that is NULL,
 * with fields of its own at own_offset.
 */
static void
write_copy(struct delivery *d, struct copy *c, int fd, const char *whole)
{
	const size_t offset = (size_t)d->own_offset;
	struct outfile *o = &d->out;

	outfile_begin(o, fd, o->buf);
	if (whole)
		outfile_put_lines(o, whole, offset, 0);
	else
		outfile_put_file(o, d->fd, d->own_offset);
	o->lines = 0;	/* they are in the count of the spooled file */
	d->write_own_fields(d->ctx, c, o);
	c->size = d->size + o->size - d->own_offset;
	c->lines = d->lines + o->lines;
	if (whole)
		outfile_put_lines(o, whole + offset, (size_t)d->size - offset,
		    0);
	if (outfile_flush(o) < 0 ||
	    (!whole && file_append(fd, d->fd, (off_t)d->own_offset) < 0))
		record_failure(c, "write");
	else
		file_begin_sync(fd);
}

/* Make a copy a hard link to the spool file.  False: it must be copied. */
static bool
link_copy(struct delivery *d, struct copy *c, const struct maildir *m)
{
	if (!d->hardlink || maildir_link(m, &c->file, spool_maildir(d),
	    d->file.name, d->hostname) < 0)
		return false;
	c->exists = true;
	c->size = d->size;
	c->lines = d->lines;
	return true;
}

/* The spool file itself becomes the first copy. */
static void
use_spool_file_as_copy(struct delivery *d, struct copy *c)
{
	c->file = d->file;
	c->exists = true;
	c->size = d->size;
	c->lines = d->lines;
	d->exists = false;
}

/*
 * Make a copy in the tmp/ of its own Maildir.  Returns a descriptor that has to
 * be fsynced, or -1.
 */
static int
make_copy(struct delivery *d, size_t i, const char *whole)
{
	struct copy *c = &d->copies[i];
	const struct maildir *m;
	int fd;

	if (i != d->home && c->path)	/* the others were swept before */
		sweep_if_due(d, c);
	m = open_copy_maildir(d, i);
	if (!m) {
		record_failure(c, "maildir");
		return -1;
	}
	if (link_copy(d, c, m))
		return -1;
	fd = maildir_create(m, &c->file, d->hostname);
	if (fd < 0) {
		record_failure(c, "tmp");
		return -1;
	}
	c->exists = true;
	write_copy(d, c, fd, whole);
	return fd;
}

/* Write the copies of a batch, then fsync them. */
static void
write_and_sync_batch(struct delivery *d, size_t first, size_t end)
{
	char buf[SMALL];
	const char *whole = has_own_copies(d) ? read_small(d, buf, sizeof buf) :
	    NULL;
	int fds[BATCH], fd;
	size_t i;

	for (i = first; i < end; i++)
		fds[i - first] = is_undeliverable(&d->copies[i]) ||
		    d->copies[i].exists ? -1 : make_copy(d, i, whole);
	for (i = first; i < end; i++) {
		fd = fds[i - first];
		if (fd < 0)
			continue;
		if (!is_undeliverable(&d->copies[i]) && fsync(fd) < 0)
			record_failure(&d->copies[i], "fsync");
		close(fd);
	}
	close_batch(d, first, end);
}

/*
 * Create folders that are missing, before a command or a reader can know of the
 * message.
 */
static void
make_folders(struct delivery *d)
{
	struct copy *c;
	size_t i;

	for (i = 0; i < d->n; i++) {
		c = &d->copies[i];
		if (*c->folder && !is_undeliverable(c) && !open_target(d, i))
			record_failure(c, "folder");
		close_batch(d, i, i + 1);
	}
}

/* A failed fsync(2) is not repeated: the kernel may have dropped the pages. */
int
delivery_sync(struct delivery *d)
{
	size_t first, end;

	make_folders(d);
	if (!d->store->spool_only && !has_own_copies(d) && fsync(d->fd) < 0)
		return -1;
	for (first = has_own_copies(d) ? 0 : 1; first < d->n; first = end) {
		end = find_batch_end(d, first);
		write_and_sync_batch(d, first, end);
	}
	return 0;
}

static int
rename_copy(struct delivery *d, size_t i, int *fd)
{
	const struct maildir *to = open_target(d, i);
	struct copy *c = &d->copies[i];

	*fd = -1;
	return to ? maildir_publish(open_copy_maildir(d, i), to, &c->file,
	    c->size, c->lines, fd) : -1;
}

/* Rename a copy into new/; *fd is for maildir_sync(). */
static bool
publish_copy(struct delivery *d, size_t i, int *fd)
{
	struct copy *c = &d->copies[i];
	int published = rename_copy(d, i, fd);

	if (published < 0 && errno == ENOENT && reopen_store(d) == 0) {
		maildir_close(&c->folder_dir);
		published = rename_copy(d, i, fd);
	}
	if (published < 0)
		record_failure(c, "rename into new");
	return published == 0;
}

/* Publish the copies of a batch durably; with together, all or none. */
static void
publish_batch(struct delivery *d, size_t first, size_t end, bool together)
{
	bool published[BATCH] = { false };
	int fds[BATCH];
	size_t i;

	for (i = first; i < end; i++) {
		fds[i - first] = -1;
		if (!(together && delivery_is_incomplete(d)))
			published[i - first] =
			    !is_undeliverable(&d->copies[i]) &&
			    publish_copy(d, i, &fds[i - first]);
	}
	for (i = first; i < end; i++) {
		if (published[i - first] &&
		    !(together && delivery_is_incomplete(d)) &&
		    maildir_sync(open_target(d, i), fds[i - first]) < 0)
			record_failure(&d->copies[i], "fsync of new");
		if (fds[i - first] >= 0)
			close(fds[i - first]);
	}
	close_batch(d, first, end);
}

/* Remove the file of a copy, whose Maildir need not be open. */
static int
remove_copy(struct delivery *d, size_t i)
{
	const struct copy *c = &d->copies[i];
	char path[PATH_MAX];

	if (!*c->folder || !c->file.published)
		return i == d->home || !c->path ?
		    maildir_discard(spool_maildir(d), &c->file) :
		    store_discard(d->store, c->path, &c->file);
	if (snprintf(path, sizeof path, "%s%s.%s", c->path ? c->path : "",
	    c->path ? "/" : "", c->folder) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return c->path ? store_discard(d->store, path, &c->file) :
	    maildir_discard_closed(d->store->one.dir, path, &c->file);
}

static void
discard_copy(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];

	if (!c->exists)
		return;
	c->exists = false;
	if (remove_copy(d, i) < 0)
		log_discard_failure(d, &c->file);
	c->file.published = false;
}

void
delivery_renew(struct delivery *d, size_t i)
{
	discard_copy(d, i);
}

/* All content is on disk before the first file is renamed. */
void
delivery_commit(struct delivery *d, bool together)
{
	size_t i, end;

	if (d->n && !has_own_copies(d))
		use_spool_file_as_copy(d, &d->copies[0]);
	for (i = 0; i < d->n; i = end) {
		end = find_batch_end(d, i);
		publish_batch(d, i, end, together);
	}
	together = together && delivery_is_incomplete(d);
	for (i = 0; i < d->n; i++)
		if (together || is_undeliverable(&d->copies[i]))
			discard_copy(d, i);
}

void
delivery_end(struct delivery *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		if (!d->copies[i].file.published)
			discard_copy(d, i);
		maildir_close(&d->copies[i].maildir);
		maildir_close(&d->copies[i].folder_dir);
	}
	discard_spool_file(d);
	maildir_close(&d->own);
}
