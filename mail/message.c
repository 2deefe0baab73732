/*
 * Filters replace the spooled message, one after the other; then the inspecting
 * hooks see what will be stored, and may add to its header.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mail/message.h"
#include "mail/trace.h"

/* The steps of mail_check(). */
struct check {
	struct mail *mail;
	struct delivery *delivery;
	size_t n_headers;
	unsigned filter;	/* index of the current one */
	struct reply answer;	/* of the hook that was called last */
};

struct reply
mail_error(struct mail *m, const char *what, int error)
{
	snprintf(m->result.error, sizeof m->result.error, "%s: %s", what,
	    strerror(error));
	if (error == EDQUOT)
		return reply_make(452, "4.2.2 Mailbox full");
	if (error == ENOSPC || error == EFBIG)
		return reply_make(452, "4.3.1 Insufficient system storage");
	return reply_make(451, "4.3.0 Local error, try again later");
}

/*
 * Replace the message by the output of the current filter (delivery_replace).
 */
static int
filter_message(void *ctx, int from, int to)
{
	struct check *c = ctx;
	const struct mail_hooks *hooks = &c->mail->hooks;
	struct trace_place place;

	c->answer = hooks->filter(hooks->ctx, c->filter, from, to);
	if (reply_refuses(&c->answer) || hooks->n_filters <= c->filter)
		return 1;
	if (trace_find(to, c->mail->info.id, &place) > 0) {
		c->delivery->own_offset = (unsigned long long)place.above;
		return 0;
	}
	c->answer = mail_error(c->mail, "filter: its output lacks our Received "
	    "field", EBADMSG);
	return 1;
}

static void
run_filters(struct check *c)
{
	int made;

	for (c->filter = 0; c->filter < c->mail->hooks.n_filters &&
	    !reply_refuses(&c->answer); c->filter++) {
		made = delivery_replace(c->delivery, filter_message, c);
		if (made < 0)
			c->answer = mail_error(c->mail, "filter", errno);
	}
}

/* Run the inspecting hooks, which may choose a folder for all copies. */
static void
inspect_message(struct check *c)
{
	struct mail *m = c->mail;
	const int fd = delivery_reader(c->delivery);
	struct reply r;
	size_t i;

	if (fd < 0) {
		c->answer = mail_error(m, "open", errno);
		return;
	}
	r = m->hooks.inspect(m->hooks.ctx, fd);
	if (r.code)
		c->answer = r;
	for (i = 0; m->has_folder && i < c->delivery->n; i++)
		c->delivery->copies[i].folder = m->folder;
}

/*
 * Copy the message, with the header fields that hooks added after the data
 * (delivery_replace).
 */
static int
copy_with_headers(void *ctx, int from, int to)
{
	const struct check *c = ctx;

	return trace_insert(to, from, c->mail->info.id,
	    c->mail->info.headers + c->n_headers);
}

struct reply
mail_check(struct mail *m, struct delivery *d, size_t n_headers)
{
	struct check c = {
		.mail = m, .delivery = d, .n_headers = n_headers,
		.answer = reply_none(),
	};

	run_filters(&c);
	if (!reply_refuses(&c.answer) && !m->discard.hook && m->hooks.inspect)
		inspect_message(&c);
	if (!reply_refuses(&c.answer) && !m->discard.hook &&
	    m->info.headers[n_headers] &&
	    delivery_replace(d, copy_with_headers, &c) < 0)
		return mail_error(m, "headers", errno);
	return c.answer;
}
