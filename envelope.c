/*
 * BasicEnvelope: a message with its trace header, written once, and durable
 * in the Maildir of each recipient before anybody hears 250.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "envelope.h"
#include "lib/clock.h"
#include "mail/delivery.h"
#include "mail/header.h"
#include "mail/recipients.h"
#include "mail/trace.h"

struct basic {
	struct envelope envelope;
	const struct basic_options *options;
	struct mail *mail;

	struct recipients *to;	/* the list of the mail */
	struct delivery delivery;
	char *buf;		/* of OUTFILE_BUFFER octets */
	size_t n_headers;	/* of mail->headers, that are in the file */
	unsigned filter;	/* that is at work */
	struct reply *handed;	/* by hand_to, one a recipient; or NULL */
	struct reply answer;	/* of who was asked last */
	struct header header;
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
	delivery_end(&b->delivery);
	free(b->handed);
	free(b->delivery.copies);
	free(b->buf);
	free(b);
}

/* Find the Maildir of a recipient.  Returns a refusal, or none. */
static struct reply
find_maildir(struct basic *b, const struct address *a, char *path)
{
	const char *domain = *a->domain ? a->domain : b->mail->hostname;

	switch (store_find(b->options->store, a->local, domain, path)) {
	case STORE_UNKNOWN:
		return reply_make(550, "5.1.1 No such user here");
	case STORE_FAILED:
		return local_error(b, "mailbox", errno);
	case STORE_FOUND:
		break;
	}
	return reply_none();
}

static struct reply
add_recipient(struct envelope *e, struct recipient *r,
    const struct address *mailbox)
{
	struct basic *b = basic(e);
	char path[PATH_MAX];
	struct reply refusal;

	*path = '\0';
	if (b->options->store->per_user && recipients_first(b->to, r) == r) {
		refusal = find_maildir(b, mailbox, path);
		if (refusal.code)
			return refusal;
	}
	if (recipients_assign_copy(b->to, r, path) < 0)
		return local_error(b, "recipient", errno);
	return reply_none();
}

static void
look_for_loop(void *ctx, const char *field)
{
	struct basic *b = ctx;

	recipients_check_field(b->to, field, b->mail->hostname);
}

/* RFC 5321 4.4 */
static void
put_received(const struct basic *b, struct outfile *out)
{
	const struct mail *m = b->mail;
	char date[CLOCK_DATE_MAX];

	outfile_printf(out, "Received: from %s", m->helo);
	if (*m->client)
		outfile_printf(out, " (%s%s[%s%s])", m->name,
		    *m->name ? " " : "",
		    strchr(m->client, ':') ? "IPv6:" : "", m->client);
	outfile_printf(out, "\n\tby %s with %s", m->hostname, m->protocol);
	if (*m->tls->protocol)
		outfile_printf(out, " (%s%s%s)\n\t", m->tls->protocol,
		    *m->tls->cipher ? " " : "", m->tls->cipher);
	else
		outfile_printf(out, " ");
	outfile_printf(out, "id %s", m->id);
	if (b->to->distinct == 1)
		outfile_printf(out, "\n\tfor <%s>", b->to->all[0].mailbox);
	clock_date(date, time(NULL));
	outfile_printf(out, "; %s\n", date);
}

/*
 * Delivered-To, between Return-Path and our Received (RFC 5321 4.4): in a
 * Maildir of its own a recipient's, in the one Maildir all of them.
 */
static void
put_delivered_to(void *ctx, const struct copy *c, struct outfile *out)
{
	const struct basic *b = ctx;
	const struct delivery *d = &b->delivery;
	const bool own = c && c->path;
	const struct recipient *r;
	size_t i;

	if (d->hardlink || (!own && (b->options->store->per_user ||
	    (d->store->spool_only && b->to->distinct > 1))))
		return;
	for (i = 0; i < b->to->n; i++) {
		r = &b->to->all[i];
		if (r->first == i && (!own || c == &d->copies[r->copy]))
			outfile_printf(out, "Delivered-To: %s\n", r->mailbox);
	}
}

static struct reply
begin_data(struct envelope *e)
{
	struct basic *b = basic(e);
	const struct store *store = b->options->store;
	const size_t n = store->per_user ? b->to->copies :
	    !store->spool_only;
	struct delivery *d = &b->delivery;
	const struct recipient *r;

	d->copies = calloc(n + 1, sizeof *d->copies);
	b->buf = malloc(OUTFILE_BUFFER);
	if (!d->copies || !b->buf)
		return local_error(b, "data", errno);
	d->n = n;
	for (r = b->to->all; r < b->to->all + b->to->n; r++)
		if (r->path)
			d->copies[r->copy].path = r->path;
	if (delivery_begin(d, b->buf) < 0)
		return local_error(b, "tmp", errno);
	outfile_printf(&d->out, "Return-Path: <%s>\n", b->mail->sender);
	d->above_own = d->out.size;
	put_delivered_to(b, d->n == 1 ? d->copies : NULL, &d->out);
	put_received(b, &d->out);
	b->n_headers = strlen(b->mail->headers);
	outfile_put(&d->out, b->mail->headers, b->n_headers);
	return reply_none();
}

static void
put_message(void *ctx, const char *s, size_t n)
{
	struct basic *b = ctx;

	outfile_put(&b->delivery.out, s, n);
}

static void
write_data(struct envelope *e, const char *s, size_t n,
    unsigned long long lines)
{
	struct basic *b = basic(e);

	if (b->header.over)
		outfile_put_lines(&b->delivery.out, s, n, lines);
	else
		header_scan(&b->header, s, n);
}

/* The session wants to know what was kept, and may want to read it. */
static void
note_file(struct basic *b)
{
	const struct delivery *d = &b->delivery;
	struct mail *m = b->mail;
	const char *own;
	size_t i;

	for (i = 0; i < d->n && !d->copies[i].file.published; i++)
		;
	own = i < d->n ? d->copies[i].path : NULL;
	if (i < d->n)
		snprintf(m->file, sizeof m->file, "%s%s/new/%s",
		    own ? store_prefix(d->store) : "",
		    own ? own : d->store->path, d->copies[i].file.name);
	if (m->keep_open)
		m->kept = fcntl(delivery_reader(&b->delivery),
		    F_DUPFD_CLOEXEC, 0);
}

static struct reply
looped(void)
{
	return reply_make(554, "5.4.6 This mail is going in circles");
}

static struct reply
accepted(const struct basic *b)
{
	if (b->answer.code == 250)
		return b->answer;
	return reply_make(250, "2.0.0 Ok: kept as %s", b->mail->id);
}

/* The copy of a recipient; NULL in a store that keeps nothing. */
static struct copy *
copy_of(const struct basic *b, const struct recipient *r)
{
	return b->delivery.n ? &b->delivery.copies[r->copy] : NULL;
}

/* Did a command reject the message for this recipient, or is it a loop? */
static bool
is_rejected(const struct basic *b, const struct recipient *r)
{
	const size_t i = (size_t)(r - b->to->all);

	return r->looped || (b->handed && reply_refuses(&b->handed[i]));
}

static struct reply
verdict_for(struct basic *b, size_t recipient)
{
	const size_t first = b->to->all[recipient].first;
	const struct recipient *r = &b->to->all[first];
	const struct copy *c = copy_of(b, r);
	const struct reply *said = b->handed ? &b->handed[first] : NULL;

	if (r->looped)
		return looped();
	if (said && reply_refuses(said))
		return *said;
	if (c && c->failed)
		return local_error(b, c->failed, c->error);
	return said && said->code ? *said : accepted(b);
}

/* One for all: the first that is not 250. */
static struct reply
verdict_for_all(struct basic *b)
{
	struct reply r = reply_none();
	size_t i;

	for (i = 0; i < b->to->n && !reply_refuses(&r); i++)
		r = verdict_for(b, i);
	return r;
}

/* Is it our Delivered-To for a recipient that was rejected? */
static bool
is_refused(void *ctx, const char *field)
{
	const struct basic *b = ctx;
	const char *value = header_value(field, "Delivered-To");
	const struct recipient *r = b->to->all;

	for (; value && r < b->to->all + b->to->n; r++)
		if (is_rejected(b, r) && strcmp(value, r->mailbox) == 0)
			return true;
	return false;
}

/* The message without these (delivery_replace). */
static int
make_without_refused(void *ctx, int from, int to)
{
	struct basic *b = ctx;

	return trace_copy(to, from, b->mail->id, is_refused, b);
}

/*
 * The one Maildir's file names the recipients that it is for, and over LMTP
 * some of them may be refused the message that others get.  Returns 1 where
 * the file was made anew for that, 0, or -1 with errno set.
 */
static int
drop_refused(struct basic *b)
{
	size_t i, refused = 0;

	if (b->delivery.n != 1 || b->delivery.hardlink)
		return 0;
	for (i = 0; i < b->to->n; i++)
		refused += is_rejected(b, &b->to->all[i]);
	if (refused == 0 || b->delivery.copies[0].refused)
		return 0;
	return delivery_replace(&b->delivery, make_without_refused, b) < 0 ?
	    -1 : 1;
}

/* Is there anybody left who can have it; if together, all of them? */
static bool
is_wanted(const struct basic *b, bool together)
{
	const struct recipient *r;
	const struct copy *c;
	size_t i, lost = 0;

	for (i = 0; i < b->to->n; i++) {
		r = recipients_first(b->to, &b->to->all[i]);
		c = copy_of(b, r);
		lost += r->looped || (c && (c->failed || c->refused));
	}
	return lost == 0 || (!together && lost < b->to->n);
}

/* A copy is not delivered if none of its recipients is left. */
static void
refuse_copies(struct basic *b)
{
	struct delivery *d = &b->delivery;
	const struct recipient *r;
	size_t i;

	for (i = 0; i < d->n; i++)
		d->copies[i].refused = true;
	for (i = 0; i < b->to->n && d->n; i++) {
		r = &b->to->all[i];
		if (r->first == i && !is_rejected(b, r))
			d->copies[r->copy].refused = false;
	}
}

static void
refuse_loops(struct basic *b)
{
	const long long most = b->options->max_hops;
	size_t i;

	for (i = 0; most && b->to->hops > most && i < b->to->n; i++)
		b->to->all[i].looped = true;
	refuse_copies(b);
}

/* A filter makes a new message of the old one (delivery_replace). */
static int
make_filtered(void *ctx, int from, int to)
{
	struct basic *b = ctx;
	struct trace_place place;

	b->answer = b->mail->filter(b->mail->ctx, b->filter, from, to);
	if (reply_refuses(&b->answer) || b->mail->filters <= b->filter)
		return 1;
	if (trace_find(to, b->mail->id, &place) > 0) {
		b->delivery.above_own = (unsigned long long)place.above;
		return 0;
	}
	b->answer = local_error(b, "filter: its output is not the message",
	    EBADMSG);
	return 1;
}

/* The message with the headers that came late (delivery_replace). */
static int
make_with_headers(void *ctx, int from, int to)
{
	const struct basic *b = ctx;
	const char *late = b->mail->headers + b->n_headers;
	struct trace_place place;

	if (trace_find(from, b->mail->id, &place) <= 0) {
		errno = EBADMSG;
		return -1;
	}
	return file_append_part(to, from, 0, place.below) < 0 ||
	    file_write(to, late, strlen(late)) < 0 ||
	    file_append(to, from, place.below) < 0 ? -1 : 0;
}

/* Ask the filters, and then the inspectors, of the message. */
static struct reply
examine(struct basic *b)
{
	struct delivery *d = &b->delivery;
	struct mail *m = b->mail;
	struct reply r;
	int made, fd;

	for (b->filter = 0; b->filter < m->filters; b->filter++) {
		made = delivery_replace(d, make_filtered, b);
		if (made < 0)
			return local_error(b, "filter", errno);
		if (made > 0 && reply_refuses(&b->answer))
			return b->answer;
	}
	if (m->inspect) {
		fd = delivery_reader(d);
		if (fd < 0)
			return local_error(b, "open", errno);
		r = m->inspect(m->ctx, fd);
		if (reply_refuses(&r))
			return r;
		if (r.code)
			b->answer = r;
	}
	if (m->headers[b->n_headers] &&
	    delivery_replace(d, make_with_headers, b) < 0)
		return local_error(b, "headers", errno);
	return reply_none();
}

/* Run the commands of --mda, once for each mailbox. */
static struct reply
hand_to_each(struct basic *b, int fd)
{
	const struct mail *m = b->mail;
	const struct recipient *r;
	const struct copy *c;
	size_t i;

	b->handed = calloc(b->to->n, sizeof *b->handed);
	if (!b->handed)
		return local_error(b, "recipients", errno);
	for (i = 0; i < b->to->n; i++) {
		r = &b->to->all[i];
		c = copy_of(b, r);
		if (r->first == i && !r->looped && !(c && c->failed))
			b->handed[i] = m->hand_to(m->ctx, r, fd);
	}
	refuse_copies(b);
	return reply_none();
}

/* The message is on the disk: others may have it.  A refusal, or none. */
static struct reply
hand_on(struct basic *b)
{
	struct mail *m = b->mail;
	struct reply r;
	int fd;

	if (!m->hand_on && !m->hand_to && !m->keep_open)
		return reply_none();
	fd = delivery_reader(&b->delivery);
	if (fd < 0)
		return local_error(b, "open", errno);
	if (m->hand_on) {
		r = m->hand_on(m->ctx, fd);
		if (reply_refuses(&r))
			return r;
		if (r.code)
			b->answer = r;
	}
	return m->hand_to ? hand_to_each(b, fd) : reply_none();
}

/* What commands refused for some is brought to the disk without their names. */
static struct reply
settle(struct basic *b)
{
	const int dropped = b->handed ? drop_refused(b) : 0;

	if (dropped < 0)
		return local_error(b, "headers", errno);
	if (dropped && delivery_sync(&b->delivery) < 0)
		return local_error(b, "fsync", errno);
	if (b->mail->keep_open && delivery_reader(&b->delivery) < 0)
		return local_error(b, "open", errno);
	return reply_none();
}

/* From the final dot to the disk.  Returns a refusal for all, or none. */
static struct reply
finish(struct basic *b, bool together)
{
	struct delivery *d = &b->delivery;
	struct reply r;

	header_finish(&b->header);
	if (delivery_flush(d) < 0)
		return local_error(b, "write", errno);
	refuse_loops(b);
	if (!is_wanted(b, together))
		return looped();
	if (drop_refused(b) < 0)
		return local_error(b, "headers", errno);
	r = examine(b);
	if (reply_refuses(&r))
		return r;
	if (delivery_sync(d) < 0)
		return local_error(b, "fsync", errno);
	if (is_wanted(b, together)) {
		r = hand_on(b);
		if (!reply_refuses(&r))
			r = settle(b);
		if (reply_refuses(&r))
			return r;
	}
	delivery_commit(d, together);
	return reply_none();
}

static void
close_basic(struct envelope *e, struct reply *each, size_t n)
{
	struct basic *b = basic(e);
	const bool together = n == 1;
	struct reply r = finish(b, together);
	bool kept = false;
	size_t i;

	for (i = 0; i < n; i++) {
		each[i] = reply_refuses(&r) ? r : together ?
		    verdict_for_all(b) : verdict_for(b, i);
		kept = kept || !reply_refuses(&each[i]);
	}
	if (kept)
		note_file(b);
	release(b);
}

static void
abort_basic(struct envelope *e)
{
	release(basic(e));
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
	struct basic *b = malloc(sizeof *b);
	struct reply r;

	if (!b)
		return reply_make(451, "4.3.0 Out of memory");
	memset(b, 0, offsetof(struct basic, answer));
	b->answer = reply_none();
	b->envelope.ops = &ops;
	b->options = options;
	b->mail = mail;
	b->to = mail->recipients;
	b->delivery = (struct delivery){
		.store = options->store, .hostname = mail->hostname,
		.id = mail->id,
		.hardlink = options->hardlink, .each = mail->each,
		.put_own = put_delivered_to,
		.ctx = b,
	};
	delivery_init(&b->delivery);
	header_init(&b->header, b);
	b->header.field = look_for_loop;
	b->header.put = put_message;
	b->header.dropped = "Return-Path";
	if (size < (unsigned long long)options->min_free)
		size = (unsigned long long)options->min_free;
	if (store_check_room(options->store, size) == 0) {
		*e = &b->envelope;
		return reply_none();
	}
	r = local_error(b, "room", errno);
	release(b);
	return r;
}
