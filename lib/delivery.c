/* One message on its way to many Maildirs. */
#include <errno.h>
#include <unistd.h>

#include "delivery.h"
#include "log.h"

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

static bool
any_lost(const struct delivery *d)
{
	size_t i;

	for (i = 0; i < d->n; i++)
		if (is_lost(&d->copies[i]))
			return true;
	return false;
}

/* The Maildir that the first copy goes to. */
static const struct maildir *
first_maildir(const struct delivery *d)
{
	return d->copies[0].path ? &d->first : &d->store->one;
}

/* A copy's Maildir, opened; that of the first copy is open anyway. */
static int
open_copy(struct delivery *d, size_t i, struct maildir *m)
{
	if (i > 0)
		return store_open_user(d->store, d->copies[i].path, m);
	*m = *first_maildir(d);
	return 0;
}

static void
close_copy(size_t i, struct maildir *m)
{
	if (i > 0)
		maildir_close(m);
}

/* A Maildir whose directory was replaced meanwhile is opened again. */
static int
create_first(struct delivery *d)
{
	struct copy *c = &d->copies[0];
	int fd;

	if (c->path) {
		if (store_open_user(d->store, c->path, &d->first) < 0)
			return -1;
		maildir_sweep(&d->first);
	}
	fd = maildir_create(first_maildir(d), &c->file, d->hostname);
	if (fd < 0 && errno == ENOENT && !c->path &&
	    store_reopen(d->store) == 0)
		fd = maildir_create(first_maildir(d), &c->file, d->hostname);
	return fd;
}

int
delivery_begin(struct delivery *d, char *buf)
{
	d->first = (struct maildir){ -1, -1, -1 };
	d->fd = create_first(d);
	if (d->fd < 0)
		return -1;
	d->copies[0].exists = true;
	outfile_begin(&d->out, d->fd, buf);
	d->put_header(&d->copies[0], &d->out);
	d->header_size = d->out.size;
	d->header_lines = d->out.lines;
	return 0;
}

/* A failed fsync is never tried again: its pages may be gone by then. */
static void
finish_first(struct delivery *d)
{
	struct copy *c = &d->copies[0];

	c->size = d->out.size;
	c->lines = d->out.lines;
	if (outfile_flush(&d->out) < 0)
		fail(c, "write");
	else if (fsync(d->fd) < 0)
		fail(c, "fsync");
}

/* A copy has a header of its own, and the body of the first one. */
static void
write_copy(struct delivery *d, struct copy *c, int fd)
{
	const struct copy *first = &d->copies[0];

	outfile_begin(&d->out, fd, d->out.buf);
	d->put_header(c, &d->out);
	c->size = d->out.size + first->size - d->header_size;
	c->lines = d->out.lines + first->lines - d->header_lines;
	if (outfile_flush(&d->out) < 0 ||
	    file_append(fd, d->fd, (off_t)d->header_size) < 0)
		fail(c, "write");
	else if (fsync(fd) < 0)
		fail(c, "fsync");
}

/* Make a copy a further name of the first file.  False where it can't be. */
static bool
link_copy(struct delivery *d, struct copy *c, const struct maildir *m)
{
	const struct copy *first = &d->copies[0];

	if (!d->hardlink || maildir_link(m, &c->file, first_maildir(d),
	    first->file.name, d->hostname) < 0)
		return false;
	c->exists = true;
	c->size = first->size;
	c->lines = first->lines;
	return true;
}

/* Bring a further copy to the disk, in the tmp/ of its own Maildir. */
static void
prepare(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];
	struct maildir m;
	int fd;

	if (open_copy(d, i, &m) < 0) {
		fail(c, "maildir");
		return;
	}
	maildir_sweep(&m);
	if (!link_copy(d, c, &m)) {
		fd = maildir_create(&m, &c->file, d->hostname);
		if (fd < 0) {
			fail(c, "tmp");
		} else {
			c->exists = true;
			write_copy(d, c, fd);
			close(fd);
		}
	}
	close_copy(i, &m);
}

/* Give a copy its name in new/, durably. */
static void
publish(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];
	struct maildir m;

	if (open_copy(d, i, &m) < 0) {
		fail(c, "maildir");
		return;
	}
	if (maildir_publish(&m, &c->file, c->size, c->lines) < 0)
		fail(c, "name in new");
	else if (maildir_sync(&m) < 0)
		fail(c, "fsync of new");
	close_copy(i, &m);
}

static void
discard(struct delivery *d, size_t i)
{
	struct copy *c = &d->copies[i];
	struct maildir m;

	if (!c->exists)
		return;
	if (open_copy(d, i, &m) < 0) {
		log_errno("discard-failed", "file", c->file.name);
		return;
	}
	maildir_discard(&m, &c->file);
	c->exists = false;
	close_copy(i, &m);
}

/* All content is on the disk before the first name is given. */
void
delivery_commit(struct delivery *d, bool together)
{
	size_t i;

	finish_first(d);
	for (i = 1; i < d->n; i++) {
		if (d->copies[0].failed)
			d->copies[i].failed = d->copies[0].failed,
			d->copies[i].error = d->copies[0].error;
		else if (!d->copies[i].refused)
			prepare(d, i);
	}
	for (i = 0; i < d->n && !(together && any_lost(d)); i++)
		if (!is_lost(&d->copies[i]))
			publish(d, i);
	together = together && any_lost(d);
	for (i = 0; i < d->n; i++)
		if (together || is_lost(&d->copies[i]))
			discard(d, i);
}

void
delivery_end(struct delivery *d)
{
	if (d->fd < 0)
		return;
	if (!d->copies[0].file.published)
		discard(d, 0);
	close(d->fd);
	d->fd = -1;
	maildir_close(&d->first);
}
