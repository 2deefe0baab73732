/*
 * BasicEnvelope: writes a message with its trace header once, and makes it
 * durable in the Maildir of each recipient before the client gets 250.  It
 * never stores a part of a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "envelope.h"
#include "mail/delivery.h"
#include "mail/header.h"
#include "mail/recipients.h"
#include "mail/trace.h"

struct basic {
	struct envelope envelope;
	const struct basic_options *options;
	struct mail *mail;

	struct recipients *to;	/* mail->info.recipients */
	struct delivery delivery;
	char *buf;		/* OUTFILE_BUFFER bytes */
	size_t n_headers;	/* bytes of info.headers in the file */
	struct reply *mda_replies;	/* one for each recipient; or NULL */
	struct reply answer;	/* of the hook that was called last */
	struct header header;
};

static struct basic *
basic(struct envelope *e)
{
	return (struct basic *)(void *)e;
}

static void
free_envelope(struct basic *b)
{
	delivery_end(&b->delivery);
	free(b->mda_replies);
	free(b->delivery.copies);
	free(b->buf);
	free(b);
}

/* Find the Maildir of a recipient.  Returns an error reply, or code 0. */
static struct reply
find_recipient_maildir(struct basic *b, const struct address *a, char *path)
{
	const char *domain = *a->domain ? a->domain : b->mail->info.hostname;

	switch (store_find(b->options->store, a->local, domain, path)) {
	case STORE_UNKNOWN:
		return reply_make(550, "5.1.1 No such user here");
	case STORE_FAILED:
		return mail_error(b->mail, "mailbox", errno);
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
		refusal = find_recipient_maildir(b, mailbox, path);
		if (refusal.code)
			return refusal;
	}
	if (recipients_assign_copy(b->to, r, path) < 0)
		return mail_error(b->mail, "recipient", errno);
	return reply_none();
}

static void
check_field(void *ctx, const char *field)
{
	struct basic *b = ctx;

	header_keep(field, "Message-ID", b->mail->result.message_id,
	    sizeof b->mail->result.message_id);
	recipients_check_field(b->to, field, b->mail->info.hostname);
}

/*
 * Did a hook reject or discard the message for this recipient, or is it a mail
 * loop?
 */
static bool
is_rejected(const struct basic *b, const struct recipient *r)
{
	const size_t i = (size_t)(r - b->to->all);

	return r->looped || r->discard ||
	    (b->mda_replies && reply_refuses(&b->mda_replies[i]));
}

/*
 * Write Delivered-To between Return-Path and our Received (RFC 5321 4.4): a
 * copy names the recipients that have it.
 */
static void
write_delivered_to(void *ctx, const struct copy *c, struct outfile *out)
{
	const struct basic *b = ctx;
	const struct delivery *d = &b->delivery;
	const struct recipient *r;
	size_t i;

	if (d->hardlink || (!c && !(d->store->spool_only &&
	    b->to->distinct == 1)))
		return;
	for (i = 0; i < b->to->n; i++) {
		r = &b->to->all[i];
		if (r->first == i && !is_rejected(b, r) &&
		    (!c || c == &d->copies[r->copy]))
			outfile_printf(out, "Delivered-To: %s\n", r->mailbox);
	}
}

static struct reply
begin_data(struct envelope *e)
{
	struct basic *b = basic(e);
	const size_t n = b->options->store->spool_only ? 0 : b->to->copies;
	struct delivery *d = &b->delivery;
	const struct recipient *r;

	d->copies = calloc(n + 1, sizeof *d->copies);
	b->buf = malloc(OUTFILE_BUFFER);
	if (!d->copies || !b->buf)
		return mail_error(b->mail, "data", errno);
	d->n = n;
	for (r = b->to->all; n && r < b->to->all + b->to->n; r++)
		if (r->path) {
			d->copies[r->copy].path = *r->path ? r->path : NULL;
			d->copies[r->copy].folder = r->folder;
		}
	if (delivery_begin(d, b->buf) < 0)
		return mail_error(b->mail, "tmp", errno);
	outfile_printf(&d->out, "Return-Path: <%s>\n", b->mail->info.sender);
	d->own_offset = d->out.size;
	write_delivered_to(b, d->n == 1 ? d->copies : NULL, &d->out);
	received_write(&b->mail->info, &d->out);
	b->n_headers = strlen(b->mail->info.headers);
	outfile_put(&d->out, b->mail->info.headers, b->n_headers);
	return reply_none();
}

static void
write_after_header(void *ctx, const char *s, size_t n)
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

/* Set the path of the stored message, and its descriptor if it is wanted. */
static void
set_result(struct basic *b)
{
	const struct delivery *d = &b->delivery;
	struct mail *m = b->mail;
	const struct copy *c = d->copies;

	while (c < d->copies + d->n && !c->file.published)
		c++;
	if (c < d->copies + d->n) {
		snprintf(m->result.file, sizeof m->result.file,
		    "%s%s%s%s/new/%s", c->path ? store_prefix(d->store) : "",
		    c->path ? c->path : d->store->path, *c->folder ? "/." : "",
		    c->folder, c->file.name);
		m->result.below = c->path ? strlen(store_prefix(d->store)) :
		    strlen(d->store->path) + 1;
	}
	if (m->info.keep_open)
		m->result.fd = delivery_take_reader(&b->delivery);
}

static struct reply
loop_reply(const struct basic *b)
{
	const long long limit = b->options->max_hops;

	if (limit && b->to->hops > limit)
		return reply_make(554, "5.4.6 Too many hops, the limit is %lld",
		    limit);
	return reply_make(554, "5.4.6 Mail loop detected");
}

static struct reply
stored_reply(const struct basic *b)
{
	if (b->answer.code == 250)
		return b->answer;
	return reply_make(250, "2.0.0 Ok: stored as %s", b->mail->info.id);
}

/* The copy of a recipient; NULL if the store keeps no copies. */
static struct copy *
find_copy(const struct basic *b, const struct recipient *r)
{
	return b->delivery.n ? &b->delivery.copies[r->copy] : NULL;
}

/* Is the message discarded for this recipient, or for all? */
static bool
is_discarded(const struct basic *b, const struct recipient *r)
{
	return b->mail->discard.hook || recipients_discarded(b->to, r);
}

static struct reply
reply_for(struct basic *b, size_t recipient)
{
	const size_t first = b->to->all[recipient].first;
	const struct recipient *r = &b->to->all[first];
	const struct copy *c = find_copy(b, r);
	const struct reply *mda = b->mda_replies ? &b->mda_replies[first] :
	    NULL;

	if (r->looped)
		return loop_reply(b);
	if (mda && reply_refuses(mda))
		return *mda;
	if (is_discarded(b, r))
		return mda && mda->code ? *mda : b->answer.code == 250 ?
		    b->answer : reply_make(250, "2.0.0 Ok");
	if (c && c->failed)
		return mail_error(b->mail, c->failed, c->error);
	return mda && mda->code ? *mda : stored_reply(b);
}

/*
 * One reply for all recipients: the first that is not 250, or else that for the
 * last recipient whose message was not discarded.
 */
static struct reply
reply_for_all(struct basic *b)
{
	struct reply r, all = reply_none();
	size_t i;

	for (i = 0; i < b->to->n; i++) {
		r = reply_for(b, i);
		if (reply_refuses(&r))
			return r;
		if (all.code == 0 || !is_discarded(b, &b->to->all[i]))
			all = r;
	}
	return all;
}

/* Is it our Delivered-To for a recipient that was rejected? */
static bool
is_rejected_field(void *ctx, const char *field)
{
	const struct basic *b = ctx;
	const char *value = header_value(field, "Delivered-To");
	const struct recipient *r = b->to->all;

	for (; value && r < b->to->all + b->to->n; r++)
		if (is_rejected(b, r) && strcmp(value, r->mailbox) == 0)
			return true;
	return false;
}

/* Copy the message without these fields (delivery_replace). */
static int
copy_without_rejected(void *ctx, int from, int to)
{
	struct basic *b = ctx;

	return trace_copy(to, from, b->mail->info.id, is_rejected_field, b);
}

/* Does the file of a copy name recipients that were rejected since? */
static bool
has_rejected_fields(const struct basic *b, size_t copy)
{
	const struct recipient *r = b->to->all;

	for (; r < b->to->all + b->to->n; r++)
		if (r->copy == copy && is_rejected(b, r) &&
		    !(r->discard && !b->mda_replies))
			return !b->delivery.copies[copy].refused;
	return false;
}

/*
 * Remove rejected recipients from the Delivered-To fields of the copies; in
 * LMTP others may get the message.  Returns 1 if a copy has to be synced again,
 * 0 if none has, or -1 with errno set.
 */
static int
drop_rejected_fields(struct basic *b)
{
	struct delivery *d = &b->delivery;
	size_t i;
	int dropped = 0;

	if (d->hardlink)
		return 0;
	if (d->n == 1)
		return !has_rejected_fields(b, 0) ? 0 :
		    delivery_replace(d, copy_without_rejected, b) < 0 ? -1 : 1;
	for (i = 0; i < d->n; i++)
		if (has_rejected_fields(b, i)) {
			delivery_renew(d, i);
			dropped = 1;
		}
	return dropped;
}

/*
 * Can the message be delivered to any recipient, or, if together is set, to
 * all?
 */
static bool
is_deliverable(const struct basic *b, bool together)
{
	const struct recipient *r;
	const struct copy *c;
	size_t i, lost = 0, kept = 0;

	for (i = 0; i < b->to->n; i++) {
		r = recipients_first(b->to, &b->to->all[i]);
		if (r->discard)
			continue;
		c = find_copy(b, r);
		if (r->looped || (c && (c->failed || c->refused)))
			lost++;
		else
			kept++;
	}
	return together ? lost == 0 : kept > 0;
}

/* Mark the copies whose recipients were all rejected; they are not stored. */
static void
reject_copies(struct basic *b)
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
reject_loops(struct basic *b)
{
	const long long most = b->options->max_hops;
	size_t i;

	for (i = 0; most && b->to->hops > most && i < b->to->n; i++)
		b->to->all[i].looped = true;
	reject_copies(b);
}

/* Run the --mda hooks once for each mailbox. */
static struct reply
run_mda(struct basic *b, int fd)
{
	const struct mail *m = b->mail;
	struct recipient *r;
	const struct copy *c;
	size_t i;

	b->mda_replies = calloc(b->to->n, sizeof *b->mda_replies);
	if (!b->mda_replies)
		return mail_error(b->mail, "recipients", errno);
	for (i = 0; i < b->to->n; i++) {
		r = &b->to->all[i];
		c = find_copy(b, r);
		if (r->first == i && !is_rejected(b, r) && !(c && c->failed))
			b->mda_replies[i] = m->hooks.mda(m->hooks.ctx, r, fd);
	}
	reject_copies(b);
	return reply_none();
}

/*
 * Run the delivery hooks; the message is on disk.  Returns an error reply, or
 * code 0.
 */
static struct reply
run_delivery(struct basic *b)
{
	struct mail *m = b->mail;
	struct reply r;
	int fd;

	if (!m->hooks.deliver && !m->hooks.mda && !m->info.keep_open)
		return reply_none();
	fd = delivery_reader(&b->delivery);
	if (fd < 0)
		return mail_error(b->mail, "open", errno);
	if (m->hooks.deliver) {
		r = m->hooks.deliver(m->hooks.ctx, fd);
		if (reply_refuses(&r))
			return r;
		if (r.code)
			b->answer = r;
	}
	return m->hooks.mda && !m->discard.hook ? run_mda(b, fd) :
	    reply_none();
}

/* Fsync again if the --mda hooks rejected recipients that the file names. */
static struct reply
sync_after_delivery(struct basic *b)
{
	const int dropped = b->mda_replies ? drop_rejected_fields(b) : 0;

	if (dropped < 0)
		return mail_error(b->mail, "headers", errno);
	if (dropped && delivery_sync(&b->delivery) < 0)
		return mail_error(b->mail, "fsync", errno);
	if (b->mail->info.keep_open && delivery_reader(&b->delivery) < 0)
		return mail_error(b->mail, "open", errno);
	return reply_none();
}

/*
 * Store the message, which is complete.  Returns an error reply for all
 * recipients, or code 0: see reply_for().
 */
static struct reply
store_message(struct basic *b, bool together)
{
	struct delivery *d = &b->delivery;
	struct reply r;

	header_finish(&b->header);
	if (delivery_flush(d) < 0)
		return mail_error(b->mail, "write", errno);
	reject_loops(b);
	if (!is_deliverable(b, together))
		return reply_none();
	if (drop_rejected_fields(b) < 0)
		return mail_error(b->mail, "headers", errno);
	b->answer = mail_check(b->mail, d, b->n_headers);
	if (reply_refuses(&b->answer))
		return b->answer;
	if (b->mail->discard.hook)
		return reply_none();
	if (delivery_sync(d) < 0)
		return mail_error(b->mail, "fsync", errno);
	if (is_deliverable(b, together)) {
		r = run_delivery(b);
		if (b->mail->discard.hook)
			return r;
		if (!reply_refuses(&r))
			r = sync_after_delivery(b);
		if (reply_refuses(&r))
			return r;
	}
	delivery_commit(d, together);
	return reply_none();
}

/* Does any recipient get the message, by these n replies? */
static bool
is_any_kept(const struct basic *b, const struct reply *each, size_t n)
{
	size_t i;

	for (i = 0; i < b->to->n; i++)
		if (!reply_refuses(&each[n == 1 ? 0 : i]) &&
		    !is_discarded(b, &b->to->all[i]))
			return true;
	return false;
}

static void
close_basic(struct envelope *e, struct reply *each, size_t n)
{
	struct basic *b = basic(e);
	const bool together = n == 1;
	struct reply r = store_message(b, together);
	size_t i;

	for (i = 0; i < n; i++)
		each[i] = reply_refuses(&r) ? r : together ?
		    reply_for_all(b) : reply_for(b, i);
	if (is_any_kept(b, each, n))
		set_result(b);
	free_envelope(b);
}

static void
abort_basic(struct envelope *e)
{
	free_envelope(basic(e));
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
	b->to = mail->info.recipients;
	b->delivery = (struct delivery){
		.store = options->store, .hostname = mail->info.hostname,
		.id = mail->info.id,
		.hardlink = options->hardlink,
		.independent = mail->info.reply_each,
		.write_own_fields = write_delivered_to,
		.ctx = b,
	};
	delivery_init(&b->delivery);
	header_init(&b->header, b);
	b->header.field = check_field;
	b->header.put = write_after_header;
	b->header.dropped = "Return-Path";
	if (size < (unsigned long long)options->min_free)
		size = (unsigned long long)options->min_free;
	if (store_check_room(options->store, size) == 0) {
		*e = &b->envelope;
		return reply_none();
	}
	r = mail_error(b->mail, "room", errno);
	free_envelope(b);
	return r;
}
