/* An envelope that stores nothing.  It reads the header for the log only. */
#include <stdlib.h>

#include "mail/header.h"
#include "smtp/discard.h"

struct swallow {
	struct envelope envelope;
	struct header header;
};

static void
swallow_field(void *ctx, const char *field)
{
	struct mail_result *result = ctx;

	header_keep(field, "Message-ID", result->message_id,
	    sizeof result->message_id);
}

static void
swallow_write(struct envelope *e, const char *s, size_t n,
    unsigned long long lines)
{
	struct swallow *w = (struct swallow *)(void *)e;

	(void)lines;
	if (!w->header.over)
		header_scan(&w->header, s, n);
}

static void
swallow_close(struct envelope *e, struct reply *each, size_t n)
{
	struct swallow *w = (struct swallow *)(void *)e;
	size_t i;

	header_finish(&w->header);
	for (i = 0; i < n; i++)
		each[i] = reply_make(250, "2.0.0 Ok");
	free(w);
}

static void
swallow_abort(struct envelope *e)
{
	free(e);
}

bool
discard_is_due(const struct session *s)
{
	return s->txn.mail.discard.hook ||
	    recipients_count(&s->txn.recipients) == 0;
}

struct reply
discard_begin_data(struct session *s)
{
	static const struct envelope_ops ops = {
		.write = swallow_write,
		.close = swallow_close,
		.abort = swallow_abort,
	};
	struct swallow *w = malloc(sizeof *w);

	if (!w)
		return reply_make(451, "4.3.0 Out of memory");
	session_drop_envelope(s);
	w->envelope.ops = &ops;
	header_init(&w->header, &s->txn.mail.result);
	w->header.field = swallow_field;
	s->txn.envelope = &w->envelope;
	return reply_none();
}
