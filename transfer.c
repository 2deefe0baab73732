/* The message itself: DATA, to its true end, whatever becomes of it. */
#include "clock.h"
#include "hooks.h"
#include "transfer.h"

/* Why the data that was read so far can't be kept, if so. */
static struct reply
judge_data(const struct session *s, const struct data *d)
{
	const struct proto_options *o = s->options;

	if (d->bare_cr || (d->bare_lf && !o->accept_bare_newline))
		return reply_make(550, "5.6.11 Bare CR or LF in the message; "
		    "lines end in CR LF");
	if (o->max_size && d->octets > (unsigned long long)o->max_size)
		return reply_make(552, "5.3.4 At most %lld octets are taken",
		    o->max_size);
	return reply_none();
}

/*
 * Read the data to its true end, whatever becomes of it, so that none of it
 * is taken for commands.  Returns why it can't be kept, or none.
 */
static struct reply
receive_data(struct session *s, struct data *d)
{
	char in[STREAM_BUFFER], out[STREAM_BUFFER + 1];
	struct reply refusal = reply_none();
	size_t n, used, len;

	while (!d->done) {
		n = stream_read_block(s->stream, in);
		if (n == 0)
			break;
		used = data_decode(d, in, n, out, &len);
		session_show(s, "DATA", d->octets);
		if (d->done)
			stream_unread(s->stream, in + used, n - used);
		if (refusal.code)
			continue;
		refusal = judge_data(s, d);
		if (refusal.code)
			session_drop_envelope(s);
		else
			s->envelope->ops->write(s->envelope, out, len);
	}
	return refusal;
}

/* The client did not get to the end of its data. */
static struct reply
abandon_data(struct session *s)
{
	struct log_line l;

	if (s->envelope)
		session_drop_envelope(s);
	if (s->stream->state == STREAM_CLOSED) {
		session_log(s, &l, LEVEL_INFO, "lost");
		log_str(&l, "id", s->mail_id);
		log_str(&l, "from", s->mail.sender);
		log_end(&l);
	}
	return session_farewell(s);
}

/* Ask whether the data may come.  A refusal, or none. */
static struct reply
begin_data(struct session *s)
{
	struct reply r;

	if (s->phase == PHASE_REFUSED)
		return reply_make(554, "5.5.1 No valid recipients");
	r = hooks_ask(s, HOOK_DATA, NULL, NULL);
	if (!reply_refuses(&r))
		r = s->envelope->ops->begin_data(s->envelope);
	if (!reply_refuses(&r))
		return reply_none();
	session_drop_envelope(s);
	return r;
}

/* All of it is here, and nothing speaks against it yet. */
static struct reply
finish_data(struct session *s, const struct data *d)
{
	const long long timeout = s->options->hooks->dot_timeout;
	struct reply r;

	s->declared_size = d->octets;
	s->dot_deadline = timeout ? clock_ms() + timeout : 0;
	s->envelope->ops->close(s->envelope, &r, 1);
	s->envelope = NULL;
	s->dot_deadline = 0;
	if (!reply_refuses(&r))
		session_log_mail(s, d->octets);
	return r;
}

struct reply
transfer_data(struct session *s, const char *arg)
{
	struct data d;
	struct reply r;

	(void)arg;
	r = begin_data(s);
	if (r.code)
		return r;
	r = reply_make(354, "End data with <CR><LF>.<CR><LF>");
	reply_write(s->stream->out, &r);
	data_init(&d);
	session_show(s, "DATA", 0);
	stream_begin_data(s->stream);
	r = receive_data(s, &d);
	stream_end_data(s->stream);
	if (!d.done)
		return abandon_data(s);
	return r.code ? r : finish_data(s, &d);
}
