/*
 * One message on its way to many Maildirs.  It is spooled in the tmp/ of the
 * first one that has room for it; where there is one copy only, or all are
 * links, that file itself is delivered, else copies of it.  The disk is given
 * a batch of them at once: a journal then writes them all when it is waited
 * for the first.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/text/line.h"
#include "mail/delivery.h"

enum { BATCH = 16 };	/* copies whose files or directories are open at once */

static size_t
end_of_batch(const struct delivery *d, size_t first)
{
	return d->n - first < BATCH ? d->n : first + BATCH;
}

/* Note what failed of a copy. */
static void
fail(struct copy *c, const char *what)
{
	c->failed = what;
	c->error = errno;
}

static bool
is_lost(const struct copy *c)
{
	return c->failed || c->refused;
}

bool
delivery_is_short(const struct delivery *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (is_lost(&d->copies[i]))
			return true;
	return false;
}

/* Has each copy fields of its own, so that none is the spooled file? */
static bool
are_apart(const struct delivery *d)
{
	return d->n > 1 && !d->hardlink;
}

/* The Maildir that the message is spooled in. */
static const struct maildir *
spool_maildir(const struct delivery *d)
{
	return d->store->per_user ? &d->own : &d->store->one;
}

/* Where a copy goes; it stays open.  NULL with errno set. */
static const struct maildir *
maildir_of(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];

	if (i == d->home)
		return spool_maildir(d);
	if (c->maildir.dir < 0 &&
	    store_open_user(d->store, c->path, &c->maildir) < 0)
		return NULL;
	return &c->maildir;
}

/* Many Maildirs can't be open at once. */
static void
end_batch(struct delivery *d, size_t first, size_t end)
{
	for (; d->n > BATCH && first < end; first++)
		maildir_close(&d->copies[first].maildir);
}

/* The one Maildir's directories may be other ones by now. */
static int
reopen(struct delivery *d)
{
	return d->store->per_user ? -1 : store_reopen(d->store);
}

/* A file for the message; its descriptors are set.  0, or -1 with errno. */
static int
create_file(struct delivery *d)
{
	const struct maildir *m = spool_maildir(d);

	d->reader = -1;
	if (d->store->spool_only)
		return store_create_unlinked(d->store, &d->fd, &d->reader);
	d->fd = maildir_create(m, &d->file, d->hostname);
	if (d->fd < 0 && errno == ENOENT && reopen(d) == 0)
		d->fd = maildir_create(m, &d->file, d->hostname);
	d->exists = d->fd >= 0;
	return d->fd < 0 ? -1 : 0;
}

/* A file is still there that should not be. */
static void
log_leftover(const struct delivery *d, const struct maildir_file *f)
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
drop_file(struct delivery *d)
{
	if (d->exists && maildir_discard(spool_maildir(d), &d->file) < 0)
		log_leftover(d, &d->file);
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

static int
open_home(struct delivery *d)
{
	maildir_close(&d->own);
	d->own = MAILDIR_CLOSED;
	if (d->store->per_user) {
		if (store_open_user(d->store, d->copies[d->home].path,
		    &d->own) < 0)
			return -1;
		maildir_sweep(&d->own);
	}
	return create_file(d);
}

/* Spool in the Maildir at hand, or in the next one that allows it. */
static int
find_home(struct delivery *d)
{
	while (open_home(d) < 0) {
		if (!d->each || !are_apart(d) || d->home + 1 == d->n)
			return -1;
		fail(&d->copies[d->home++], "tmp");
	}
	return 0;
}

/*
 * The Maildir that the message is spooled in takes no more of it: that is no
 * reason for the others to go without.
 */
static int
change_home(struct outfile *o)
{
	struct delivery *d = o->ctx;
	struct delivery old = *d;
	int failed;

	if (!d->each || !are_apart(d) || d->home + 1 == d->n)
		return -1;
	fail(&d->copies[d->home++], "write");
	d->own = MAILDIR_CLOSED;
	d->exists = false;
	d->fd = d->reader = -1;
	failed = find_home(d) < 0 || file_append_part(d->fd, old.fd, 0,
	    (off_t)o->written) < 0 ? errno : 0;
	drop_file(&old);
	maildir_close(&old.own);
	o->fd = d->fd;
	errno = failed;
	return failed ? -1 : 0;
}

int
delivery_begin(struct delivery *d, char *buf)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		d->copies[i].maildir = MAILDIR_CLOSED;
	if (find_home(d) < 0)
		return -1;
	outfile_begin(&d->out, d->fd, buf);
	d->out.replace_file = change_home;
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

/* Count what somebody else wrote to the file. */
static int
measure(struct delivery *d)
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
	if (create_file(d) < 0) {
		*d = old;
		return -1;
	}
	made = make(ctx, old.reader, d->fd);
	if (made == 0)
		made = measure(d);
	error = errno;
	if (made == 0) {
		drop_file(&old);
	} else {
		drop_file(d);
		*d = old;
	}
	errno = error;
	return made;
}

/* A copy is the spooled file, with fields of its own among those above. */
static void
write_copy(struct delivery *d, struct copy *c, int fd)
{
	struct outfile *o = &d->out;

	outfile_begin(o, fd, o->buf);
	outfile_put_file(o, d->fd, d->above_own);
	o->lines = 0;	/* these are among the lines of the spooled file */
	d->put_own(d->ctx, c, o);
	c->size = d->size + o->size - d->above_own;
	c->lines = d->lines + o->lines;
	if (outfile_flush(o) < 0 ||
	    file_append(fd, d->fd, (off_t)d->above_own) < 0)
		fail(c, "write");
	else
		file_begin_sync(fd);
}

/* Make a copy a further name of the file.  False where it can't be. */
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

/* The file itself is the only copy, or the first of the links. */
static void
take_file(struct delivery *d, struct copy *c)
{
	c->file = d->file;
	c->exists = true;
	c->size = d->size;
	c->lines = d->lines;
	d->exists = false;
}

/*
 * Make a copy, in the tmp/ of its own Maildir.  Returns the descriptor of a
 * file that has to be fsynced, or -1.
 */
static int
make_copy(struct delivery *d, size_t i)
{
	const struct maildir *m = maildir_of(d, i);
	struct copy *c = &d->copies[i];
	int fd;

	if (!m) {
		fail(c, "maildir");
		return -1;
	}
	if (i != d->home)	/* that one was swept */
		maildir_sweep(m);
	if (link_copy(d, c, m))
		return -1;
	fd = maildir_create(m, &c->file, d->hostname);
	if (fd < 0) {
		fail(c, "tmp");
		return -1;
	}
	c->exists = true;
	write_copy(d, c, fd);
	return fd;
}

/* Bring a batch of copies to the disk. */
static void
prepare(struct delivery *d, size_t first, size_t end)
{
	int fds[BATCH], fd;
	size_t i;

	for (i = first; i < end; i++)
		fds[i - first] = is_lost(&d->copies[i]) ? -1 :
		    make_copy(d, i);
	for (i = first; i < end; i++) {
		fd = fds[i - first];
		if (fd < 0)
			continue;
		if (!is_lost(&d->copies[i]) && fsync(fd) < 0)
			fail(&d->copies[i], "fsync");
		close(fd);
	}
	end_batch(d, first, end);
}

/* A failed fsync is never tried again: its pages may be gone by then. */
int
delivery_sync(struct delivery *d)
{
	size_t first, end;

	if (!d->store->spool_only && !are_apart(d) && fsync(d->fd) < 0)
		return -1;
	for (first = are_apart(d) ? 0 : 1; first < d->n; first = end) {
		end = end_of_batch(d, first);
		prepare(d, first, end);
	}
	return 0;
}

/* Give a copy its name in new/, which is still to be synced, with *fd. */
static bool
name_copy(struct delivery *d, size_t i, int *fd)
{
	const struct maildir *m = maildir_of(d, i);
	struct copy *c = &d->copies[i];
	int named;

	if (!m) {
		fail(c, "maildir");
		return false;
	}
	named = maildir_publish(m, &c->file, c->size, c->lines, fd);
	if (named < 0 && errno == ENOENT && reopen(d) == 0)
		named = maildir_publish(m, &c->file, c->size, c->lines, fd);
	if (named < 0)
		fail(c, "name in new");
	return named == 0;
}

/* Give a batch of copies their names, durably; with together, all or none. */
static void
publish(struct delivery *d, size_t first, size_t end, bool together)
{
	bool named[BATCH] = { false };
	int fds[BATCH];
	size_t i;

	for (i = first; i < end; i++) {
		fds[i - first] = -1;
		if (!(together && delivery_is_short(d)))
			named[i - first] = !is_lost(&d->copies[i]) &&
			    name_copy(d, i, &fds[i - first]);
	}
	for (i = first; i < end; i++) {
		if (named[i - first] && !(together && delivery_is_short(d)) &&
		    maildir_sync(maildir_of(d, i), fds[i - first]) < 0)
			fail(&d->copies[i], "fsync of new");
		if (fds[i - first] >= 0)
			close(fds[i - first]);
	}
	end_batch(d, first, end);
}

static void
discard(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];

	if (!c->exists)
		return;
	c->exists = false;
	if ((i == d->home ? maildir_discard(spool_maildir(d), &c->file) :
	    store_discard(d->store, c->path, &c->file)) < 0)
		log_leftover(d, &c->file);
	c->file.published = false;
}

/* All content is on the disk before the first name is given. */
void
delivery_commit(struct delivery *d, bool together)
{
	size_t i, end;

	if (d->n && !are_apart(d))
		take_file(d, &d->copies[0]);
	for (i = 0; i < d->n; i = end) {
		end = end_of_batch(d, i);
		publish(d, i, end, together);
	}
	together = together && delivery_is_short(d);
	for (i = 0; i < d->n; i++)
		if (together || is_lost(&d->copies[i]))
			discard(d, i);
}

void
delivery_end(struct delivery *d)
{
	size_t i;

	for (i = 0; i < d->n; i++) {
		if (!d->copies[i].file.published)
			discard(d, i);
		maildir_close(&d->copies[i].maildir);
	}
	drop_file(d);
	maildir_close(&d->own);
}
