/*
 * BasicEnvelope: a message with its trace header, written once, and durable
 * in the Maildir of each recipient before anybody hears 250.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "envelope.h"
#include "file.h"
#include "header.h"
#include "log.h"

enum {
	BEGIN_MAX = 256,	/* octets that header_begins() may want */
};

struct recipient {
	char *email;
	char *path;		/* of the Maildir, one for each; else NULL */
	bool above;		/* the field above is a Delivered-To of his */
	bool looped;
};

/* One file: a recipient's, or that for all of them in the one Maildir. */
struct copy {
	struct maildir_file file;
	bool exists;		/* there is a file to discard */
	bool linked;		/* it is a further name of the first */
	bool refused;		/* not to be delivered: the mail loops */
	const char *failed;	/* what did, with errno in error; or NULL */
	int error;
	unsigned long long size, lines;
};

struct basic {
	struct envelope envelope;
	const struct basic_options *options;
	struct mail *mail;

	struct recipient *recipients;
	size_t n_recipients;
	size_t *accepted;	/* index of the recipient of each RCPT */
	size_t n_accepted;
	struct copy *copies;
	size_t n_copies;

	int fd;			/* of the first copy's file */
	struct maildir first;	/* where that is, if it is a user's own */
	struct outfile out;	/* the file at hand */
	unsigned long long trace_size, trace_lines;	/* of the first copy */
	long long hops;
	struct header header;

	char begin[BEGIN_MAX];	/* held until header_begins() can tell */
	size_t n_begin;
	bool begun;
};

static struct basic *
basic(struct envelope *e)
{
	return (struct basic *)(void *)e;
}

/* The reply to a failure of this machine; the log gets the reason. */
static struct reply
local_error(struct basic *b, const char *what, int error)
{
	snprintf(b->mail->error, sizeof b->mail->error, "%s: %s", what,
	    strerror(error));
	if (error == EDQUOT)
		return reply_make(452, "4.2.2 Mailbox full");
	if (error == ENOSPC || error == EFBIG)
		return reply_make(452, "4.3.1 Insufficient system storage");
	return reply_make(451, "4.3.0 Local error, try again later");
}

static void
release(struct basic *b)
{
	size_t i;

	if (b->fd >= 0)
		close(b->fd);
	maildir_close(&b->first);
	for (i = 0; i < b->n_recipients; i++) {
		free(b->recipients[i].email);
		free(b->recipients[i].path);
	}
	free(b->recipients);
	free(b->accepted);
	free(b->copies);
	free(b->out.buf);
	free(b);
}

/* Add an element to an array.  Returns it, or NULL with errno set. */
static void *
grow(void *array, size_t *n, size_t size)
{
	char *more, **base = array;

	if ((*n & (*n - 1)) == 0) {	/* a power of two: it is full */
		more = realloc(*base, (*n ? 2 * *n : 1) * size);
		if (!more)
			return NULL;
		*base = more;
	}
	return *base + (*n)++ * size;
}

static struct recipient *
find_recipient(struct basic *b, const char *email)
{
	size_t i;

	for (i = 0; i < b->n_recipients; i++)
		if (address_same(b->recipients[i].email, email))
			return &b->recipients[i];
	return NULL;
}

static struct reply
new_recipient(struct basic *b, const struct address *a)
{
	char path[PATH_MAX] = "";
	struct recipient *r;
	enum store_status status = STORE_FOUND;

	if (b->options->store->per_user)
		status = store_find(b->options->store, a->local,
		    *a->domain ? a->domain : b->mail->hostname, path);
	if (status == STORE_UNKNOWN)
		return reply_make(550, "5.1.1 No such mailbox here");
	if (status == STORE_FAILED)
		return local_error(b, "mailbox", errno);
	r = grow(&b->recipients, &b->n_recipients, sizeof *r);
	if (!r)
		return local_error(b, "recipient", errno);
	*r = (struct recipient){ .email = strdup(a->email) };
	if (*path)
		r->path = strdup(path);
	if (r->email && (r->path || !*path))
		return reply_none();
	free(r->email);
	free(r->path);
	b->n_recipients--;
	return local_error(b, "recipient", ENOMEM);
}

static struct reply
add_recipient(struct envelope *e, const struct address *a)
{
	struct basic *b = basic(e);
	struct recipient *r = find_recipient(b, a->email);
	struct reply reply;
	size_t *accepted;

	accepted = grow(&b->accepted, &b->n_accepted, sizeof *accepted);
	if (!accepted)
		return local_error(b, "recipient", errno);
	if (!r) {
		reply = new_recipient(b, a);
		if (reply.code) {
			b->n_accepted--;
			return reply;
		}
		r = &b->recipients[b->n_recipients - 1];
	}
	*accepted = (size_t)(r - b->recipients);
	return reply_none();
}

/* "by" and our name, in a Received field (RFC 5321 4.4). */
static bool
is_by(const char *received, const char *hostname)
{
	const size_t len = strlen(hostname);
	const char *p = received;

	while ((p = strpbrk(p, " \t"))) {
		p += strspn(p, " \t");
		if (strncasecmp(p, "by", 2) != 0 || !strspn(p + 2, " \t"))
			continue;
		p += 2 + strspn(p + 2, " \t");
		if (strncasecmp(p, hostname, len) == 0 &&
		    (p[len] == '\0' || strchr(" \t;(", p[len])))
			return true;
	}
	return false;
}

/*
 * We write Delivered-To directly above our own Received.  A message that
 * comes with such a pair for one of its recipients was kept for him before.
 */
static void
look_for_loop(void *ctx, const char *field)
{
	struct basic *b = ctx;
	const char *value;
	struct recipient *r;
	size_t i;
	bool by_us;

	if ((value = header_value(field, "Delivered-To"))) {
		r = find_recipient(b, value);
		if (r)
			r->above = true;
		return;
	}
	value = header_value(field, "Received");
	if (value)
		b->hops++;
	by_us = value && is_by(value, b->mail->hostname);
	for (i = 0; i < b->n_recipients; i++) {
		r = &b->recipients[i];
		if (r->above && by_us)
			r->looped = true;
		r->above = false;
	}
}

/* RFC 5321 4.4 */
static void
put_received(struct basic *b)
{
	const struct mail *m = b->mail;
	time_t now = time(NULL);
	char date[64];
	struct tm tm;

	outfile_printf(&b->out, "Received: from %s", m->helo);
	if (*m->client)
		outfile_printf(&b->out, " ([%s%s])", strchr(m->client, ':') ? "IPv6:" : "",
		    m->client);
	outfile_printf(&b->out, "\n\tby %s with %s id %s", m->hostname, m->protocol, m->id);
	if (b->n_recipients == 1)
		outfile_printf(&b->out, "\n\tfor <%s>", b->recipients[0].email);
	localtime_r(&now, &tm);
	strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S %z", &tm);
	outfile_printf(&b->out, "; %s\n", date);
}

/* The trace header of the copy for recipient i, or of the one for all. */
static void
put_trace(struct basic *b, size_t i)
{
	size_t end = b->n_copies > 1 ? i + 1 : b->n_recipients;

	outfile_printf(&b->out, "Return-Path: <%s>\n", b->mail->sender);
	for (; i < end && !b->options->hardlink; i++)
		outfile_printf(&b->out, "Delivered-To: %s\n", b->recipients[i].email);
	put_received(b);
}

/* The Maildir that the first copy goes to. */
static const struct maildir *
first_maildir(struct basic *b)
{
	struct store *store = b->options->store;

	return store->per_user ? &b->first : &store->one;
}

/* Its file; a Maildir whose directory was replaced is opened again. */
static int
create_first(struct basic *b)
{
	struct store *store = b->options->store;
	struct maildir_file *f = &b->copies[0].file;
	int fd;

	if (store->per_user) {
		if (store_open_user(store, b->recipients[0].path,
		    &b->first) < 0)
			return -1;
		maildir_sweep(&b->first);
	}
	fd = maildir_create(first_maildir(b), f, b->mail->hostname);
	if (fd < 0 && errno == ENOENT && !store->per_user &&
	    store_reopen(store) == 0)
		fd = maildir_create(first_maildir(b), f, b->mail->hostname);
	return fd;
}

static struct reply
begin_data(struct envelope *e)
{
	struct basic *b = basic(e);

	b->n_copies = b->options->store->per_user ? b->n_recipients : 1;
	b->copies = calloc(b->n_copies, sizeof *b->copies);
	if (!b->copies)
		return local_error(b, "recipients", errno);
	b->fd = create_first(b);
	if (b->fd < 0)
		return local_error(b, "tmp", errno);
	b->copies[0].exists = true;
	outfile_begin(&b->out, b->fd, b->out.buf);
	put_trace(b, 0);
	b->trace_size = b->out.size;
	b->trace_lines = b->out.lines;
	return reply_none();
}

/* What came so far is the beginning: keep it from folding into our header. */
static void
begin(struct basic *b)
{
	b->begun = true;
	if (header_begins(b->begin, b->n_begin) != 1)
		outfile_put(&b->out, "\n", 1);
	outfile_put(&b->out, b->begin, b->n_begin);
}

static void
write_data(struct envelope *e, const char *s, size_t n)
{
	struct basic *b = basic(e);
	size_t part;

	if (!b->header.over)
		header_scan(&b->header, s, n);
	if (!b->begun) {
		part = sizeof b->begin - b->n_begin;
		if (part > n)
			part = n;
		memcpy(b->begin + b->n_begin, s, part);
		b->n_begin += part;
		s += part;
		n -= part;
		if (header_begins(b->begin, b->n_begin) >= 0)
			begin(b);
	}
	outfile_put(&b->out, s, n);
}

/* Note what failed of a copy. */
static void
fail(struct copy *c, const char *what)
{
	c->failed = what;
	c->error = errno;
}

/*
 * The first copy is complete: bring its content to the disk.  A failed fsync
 * is never tried again, for the kernel may have dropped the pages by then.
 */
static void
finish_first(struct basic *b)
{
	struct copy *c = &b->copies[0];

	if (!b->begun)
		begin(b);
	c->size = b->out.size;
	c->lines = b->out.lines;
	if (outfile_flush(&b->out) < 0)
		fail(c, "write");
	else if (fsync(b->fd) < 0)
		fail(c, "fsync");
}

static int
open_copy(struct basic *b, size_t i, struct maildir *m)
{
	if (i == 0) {
		*m = *first_maildir(b);
		return 0;
	}
	return store_open_user(b->options->store, b->recipients[i].path, m);
}

static void
close_copy(size_t i, struct maildir *m)
{
	if (i > 0)
		maildir_close(m);
}

static bool
same_device(int fd, const struct maildir *m)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstat(m->new, &b) == 0 &&
	    a.st_dev == b.st_dev;
}

/* Write a recipient's own header and our first copy's body to his file. */
static void
write_copy(struct basic *b, size_t i, int fd)
{
	struct copy *c = &b->copies[i];

	outfile_begin(&b->out, fd, b->out.buf);
	put_trace(b, i);
	c->size = b->out.size + b->copies[0].size - b->trace_size;
	c->lines = b->out.lines + b->copies[0].lines - b->trace_lines;
	if (outfile_flush(&b->out) < 0 ||
	    file_append(fd, b->fd, (off_t)b->trace_size) < 0)
		fail(c, "write");
	else if (fsync(fd) < 0)
		fail(c, "fsync");
}

/* Bring a further copy to the disk, in the tmp/ of its own Maildir. */
static void
prepare(struct basic *b, size_t i)
{
	struct copy *c = &b->copies[i];
	struct maildir m;
	int fd;

	if (open_copy(b, i, &m) < 0) {
		fail(c, "maildir");
		return;
	}
	maildir_sweep(&m);
	if (b->options->hardlink && same_device(b->fd, &m)) {
		c->linked = true;
		c->size = b->copies[0].size;
		c->lines = b->copies[0].lines;
	} else if ((fd = maildir_create(&m, &c->file, b->mail->hostname)) < 0) {
		fail(c, "tmp");
	} else {
		c->exists = true;
		write_copy(b, i, fd);
		close(fd);
	}
	close_copy(i, &m);
}

/* Give a copy its name in new/, durably. */
static void
publish(struct basic *b, size_t i)
{
	struct copy *c = &b->copies[i];
	struct maildir m;
	int failed;

	if (open_copy(b, i, &m) < 0) {
		fail(c, "maildir");
		return;
	}
	if (c->linked)
		failed = maildir_link(&m, &c->file, first_maildir(b),
		    b->copies[0].file.name, b->mail->hostname, c->size,
		    c->lines);
	else
		failed = maildir_publish(&m, &c->file, c->size, c->lines);
	if (failed < 0) {
		fail(c, "name in new");
	} else {
		c->exists = true;
		if (maildir_sync(&m) < 0)
			fail(c, "fsync of new");
	}
	close_copy(i, &m);
}

static void
discard(struct basic *b, size_t i)
{
	struct copy *c = &b->copies[i];
	struct maildir m;

	if (!c->exists)
		return;
	if (open_copy(b, i, &m) < 0) {
		log_errno("discard-failed", "file", c->file.name);
		return;
	}
	maildir_discard(&m, &c->file);
	c->exists = false;
	close_copy(i, &m);
}

static bool
is_lost(const struct copy *c)
{
	return c->failed || c->refused;
}

static bool
any_lost(const struct basic *b)
{
	size_t i;

	for (i = 0; i < b->n_copies; i++)
		if (is_lost(&b->copies[i]))
			return true;
	return false;
}

/*
 * All content is on the disk before the first name is given.  The first copy
 * is the last to leave its tmp/, for the others may be links to it.
 */
static void
deliver(struct basic *b, bool together)
{
	size_t i;

	finish_first(b);
	for (i = 1; i < b->n_copies && !b->copies[0].failed; i++)
		if (!b->copies[i].refused)
			prepare(b, i);
	for (i = b->n_copies; i-- > 0 && !(together && any_lost(b)); )
		if (!is_lost(&b->copies[i]) && !b->copies[0].failed)
			publish(b, i);
	together = together && any_lost(b);
	for (i = 0; i < b->n_copies; i++)
		if (together || is_lost(&b->copies[i]))
			discard(b, i);
}

static void
note_file(struct basic *b)
{
	snprintf(b->mail->file, sizeof b->mail->file, "%s/new/%s",
	    b->n_recipients && b->recipients[0].path ?
	    b->recipients[0].path : b->options->store->path,
	    b->copies[0].file.name);
}

static struct reply
looped(void)
{
	return reply_make(554, "5.4.6 This mail is going in circles");
}

static struct reply
verdict(struct basic *b, const struct copy *c)
{
	if (c->refused)
		return looped();
	if (c->failed)
		return local_error(b, c->failed, c->error);
	return reply_make(250, "2.0.0 Ok: kept as %s", b->mail->id);
}

static struct reply
verdict_for_all(struct basic *b)
{
	size_t i;

	for (i = 0; i < b->n_copies; i++)
		if (is_lost(&b->copies[i]))
			return verdict(b, &b->copies[i]);
	return verdict(b, &b->copies[0]);
}

static struct reply
verdict_for(struct basic *b, size_t recipient)
{
	if (b->recipients[recipient].looped)
		return looped();
	return verdict(b, &b->copies[b->n_copies > 1 ? recipient : 0]);
}

/* Which copies must not be delivered, because they were before? */
static void
refuse_loops(struct basic *b, bool together)
{
	const long long most = b->options->max_hops;
	struct recipient *r;
	size_t i, n = 0;

	header_scan(&b->header, "\n\n", 2);	/* it may have had no end */
	for (i = 0; i < b->n_recipients; i++) {
		r = &b->recipients[i];
		r->looped = r->looped || (most && b->hops > most);
		n += r->looped;
		if (b->n_copies > 1)
			b->copies[i].refused = r->looped;
	}
	if (n == b->n_recipients || (together && n))
		b->copies[0].refused = true;
}

static void
close_basic(struct envelope *e, struct reply *each, size_t n)
{
	struct basic *b = basic(e);
	const bool together = n == 1;
	size_t i;

	refuse_loops(b, together);
	if (together && any_lost(b))
		discard(b, 0);
	else
		deliver(b, together);
	if (!is_lost(&b->copies[0]))
		note_file(b);
	if (together)
		*each = verdict_for_all(b);
	for (i = 0; i < n && !together; i++)
		each[i] = verdict_for(b, b->accepted[i]);
	release(b);
}

static void
abort_basic(struct envelope *e)
{
	struct basic *b = basic(e);

	if (b->copies)
		discard(b, 0);
	release(b);
}

struct reply
basic_envelope_new(const struct basic_options *options, struct mail *mail,
    unsigned long long size, struct envelope **e)
{
	static const struct envelope_ops ops = {
		.add_recipient = add_recipient,
		.begin_data = begin_data,
		.write = write_data,
		.close = close_basic,
		.abort = abort_basic,
	};
	struct basic *b = calloc(1, sizeof *b);
	struct reply r;

	if (!b)
		return reply_make(451, "4.3.0 Out of memory");
	*b = (struct basic){
		.envelope = { &ops }, .options = options, .mail = mail,
		.fd = -1, .first = { -1, -1, -1 },
	};
	header_init(&b->header, look_for_loop, b);
	if (size < (unsigned long long)options->min_free)
		size = (unsigned long long)options->min_free;
	b->out.buf = malloc(OUTFILE_BUFFER);
	if (b->out.buf && store_room(options->store, size) == 0) {
		*e = &b->envelope;
		return reply_none();
	}
	r = local_error(b, "room", b->out.buf ? errno : ENOMEM);
	release(b);
	return r;
}
