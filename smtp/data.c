/*
 * The commands DATA and BDAT.  Where data ends is decided in lib/text/line; the
 * data is read to that end, even if the message is refused.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "lib/net/progress.h"
#include "lib/text/param.h"
#include "smtp/data.h"
#include "smtp/discard.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/transcript.h"

struct chunk {
	unsigned long long size;	/* bytes */
	bool last;
};

static bool
is_binary_mime(const struct session *s)
{
	return s->txn.body && strcmp(s->txn.body, "BINARYMIME") == 0;
}

static bool
is_lmtp_session(const struct session *s)
{
	return listener_kinds[s->client.kind].lmtp;
}

static struct reply
reply_too_large(const struct session *s)
{
	return reply_make(552, "5.3.4 Message exceeds the limit of %lld bytes",
	    s->options->max_size);
}

/* Check the data so far.  Returns a reply that rejects it, or code 0. */
static struct reply
check_data(const struct session *s)
{
	const struct proto_options *o = s->options;
	const struct data *d = &s->txn.data;

	if ((d->bare_cr || d->bare_lf) && !d->lenient)
		return reply_make(550, "5.6.11 Bare CR or LF in the message; "
		    "lines must end in CR LF");
	if (o->max_size && d->octets > (unsigned long long)o->max_size)
		return reply_too_large(s);
	return reply_none();
}

/* The same for all of it, with an explanation for the log. */
static struct reply
check_all_data(struct session *s)
{
	struct reply r = check_data(s);

	if (r.code == 550)
		strcpy(s->txn.mail.result.error, "bare CR or LF; see "
		    "--lenient-from");
	return r;
}

/*
 * Read the data to its end, even if it is refused, so that none of it is read
 * as commands.  Returns a reply that rejects it, or code 0.
 */
static struct reply
read_data(struct session *s)
{
	char in[STREAM_BUFFER], out[STREAM_BUFFER + 1];
	struct data *d = &s->txn.data;
	unsigned long long lines;
	size_t n, used, len;

	while (!d->done) {
		n = stream_read_block(s->stream, in, sizeof in);
		if (n == 0)
			break;
		lines = d->lines;
		used = data_decode(d, in, n, out, &len);
		transcript_data(s, in, used);
		journal_show(s, "DATA", d->octets);
		if (d->done) {
			stream_unread(s->stream, in + used, n - used);
			explicit_bzero(in + used, n - used);	/* maybe AUTH */
		}
		if (!s->txn.envelope)
			continue;
		if (check_data(s).code)
			session_drop_envelope(s);
		else
			s->txn.envelope->ops->write(s->txn.envelope, out, len,
			    d->lines - lines);
	}
	transcript_end_data(s, d);
	return check_all_data(s);
}

struct reply
data_abandon(struct session *s)
{
	if (s->txn.data.false_end)
		strcpy(s->txn.mail.result.error, "LF . LF did not end the "
		    "data; see --lenient-from");
	if (s->txn.envelope)
		session_drop_envelope(s);
	if (s->stream->state == STREAM_CLOSED)
		journal_lost(s, NULL);
	return session_farewell(s);
}

/* Run the hooks and start the data.  Returns an error reply, or code 0. */
static struct reply
start_data(struct session *s, bool chunked)
{
	struct reply r;

	if (s->phase == PHASE_REFUSED)	/* RFC 2033 4.2 */
		return reply_make(is_lmtp_session(s) ? 503 : 554,
		    "5.5.1 No valid recipients");
	data_init(&s->txn.data, chunked, s->lenient);
	r = hooks_run(s, HOOK_DATA);
	if (!reply_refuses(&r))
		r = discard_is_due(s) ? discard_begin_data(s) :
		    s->txn.envelope->ops->begin_data(s->txn.envelope);
	if (!reply_refuses(&r))
		return reply_none();
	session_drop_envelope(s);
	return r;
}

/* After the data, LMTP requires a reply for each recipient (RFC 2033 4.2). */
static void
expect_replies(struct session *s)
{
	s->txn.n_replies = is_lmtp_session(s) ?
	    (long long)s->txn.recipients.n : 0;
}

/* Are all replies the same refusal? */
static bool
is_same_refusal(const struct reply *each, size_t n)
{
	bool same = reply_refuses(&each[0]);
	size_t i;

	for (i = 1; same && i < n; i++)
		same = each[i].code == each[0].code &&
		    strcmp(each[i].text, each[0].text) == 0;
	return same;
}

/* Mark and log each recipient whose reply is a refusal. */
static void
mark_refused_recipients(struct session *s, const char *command,
    const struct reply *each)
{
	struct recipient *r = s->txn.recipients.all;
	size_t i;

	for (i = 0; i < s->txn.recipients.n; i++, r++) {
		r->refused = reply_refuses(&each[i]);
		if (r->refused)
			journal_refused_recipient(s, command, r->email,
			    &each[i]);
	}
}

/*
 * Close the envelope with a reply for each recipient.  Returns the first reply
 * that accepts the message, or else the first.
 */
static struct reply
close_lmtp_envelope(struct session *s)
{
	const size_t n = (size_t)s->txn.n_replies;
	struct reply *each = calloc(n, sizeof *each);
	struct reply r;
	size_t i;

	if (!each) {
		session_drop_envelope(s);
		return reply_make(451, "4.3.0 Out of memory");
	}
	s->txn.envelope->ops->close(s->txn.envelope, each, n);
	s->txn.envelope = NULL;
	for (i = 0; n > 1 && i < n; i++)	/* 421 would end the session */
		if (each[i].code == 421)
			each[i].code = 451;
	if (is_same_refusal(each, n)) {
		r = each[0];
		free(each);
		return r;
	}
	s->txn.replies = each;
	mark_refused_recipients(s, s->phase == PHASE_BDAT ? "BDAT" : "DATA",
	    each);
	for (i = 0; i < n && reply_refuses(&each[i]); i++)
		;
	return each[i < n ? i : 0];
}

/* The message is complete: close the envelope, and log a stored message. */
static struct reply
close_envelope(struct session *s)
{
	const long long timeout = s->options->hooks->dot_timeout;
	const long long now = clock_ms();
	struct reply r;

	s->txn.declared_size = s->txn.data.octets;
	s->txn.dot_deadline = timeout ? now + timeout : 0;
	if (s->txn.n_replies) {
		r = close_lmtp_envelope(s);
	} else {
		s->txn.envelope->ops->close(s->txn.envelope, &r, 1);
		s->txn.envelope = NULL;
	}
	s->txn.dot_deadline = 0;
	progress_add(s->stream, clock_ms() - now);
	if (!reply_refuses(&r)) {
		progress_note(s->stream);
		journal_accepted(s, s->txn.data.octets);
	}
	return r;
}

struct reply
data_command(struct session *s, const char *arg)
{
	struct reply r;

	(void)arg;
	if (is_binary_mime(s))
		return reply_make(503, "5.5.1 BINARYMIME requires BDAT");
	r = start_data(s, false);
	if (r.code)
		return r;
	r = reply_make(354, "End data with <CR><LF>.<CR><LF>");
	reply_write(s->stream->out, &r);
	journal_show(s, "DATA", 0);
	stream_begin_data(s->stream);
	r = read_data(s);
	stream_end_data(s->stream);
	if (!s->txn.data.done)
		return data_abandon(s);
	expect_replies(s);
	return r.code ? r : close_envelope(s);
}

/* Parse "86" or "86 LAST".  If it returns false, the size is not known. */
static bool
parse_bdat(const char *arg, struct chunk *c)
{
	const struct param size = {
		.value = arg, .len = strcspn(arg, " \t"),
	};
	const char *end = arg + size.len + strspn(arg + size.len, " \t");

	c->last = strcasecmp(end, "LAST") == 0;
	return param_number(&size, &c->size) == 0 && (c->last || !*end);
}

/*
 * Read the bytes of a chunk, and with keep write them to the envelope.  Returns
 * false if the stream ends before all of them have come.
 */
static bool
read_chunk(struct session *s, unsigned long long left, bool keep)
{
	char in[STREAM_BUFFER], out[STREAM_BUFFER + 1];
	const bool binary = is_binary_mime(s);
	struct data *d = &s->txn.data;
	unsigned long long lines;
	size_t n, len;

	for (; left > 0; left -= n) {
		n = stream_read_block(s->stream, in, left < sizeof in ?
		    (size_t)left : sizeof in);
		if (n == 0)
			break;
		transcript_data(s, in, n);
		if (!keep)
			continue;
		lines = d->lines;
		len = n;
		if (binary)
			data_pass(d, in, n);
		else
			data_decode(d, in, n, out, &len);
		s->txn.envelope->ops->write(s->txn.envelope,
		    binary ? in : out, len, d->lines - lines);
		journal_show(s, "BDAT", d->octets);
	}
	transcript_end_data(s, NULL);
	return left == 0;
}

struct reply
bdat_skip(struct session *s, const char *arg, struct reply refusal)
{
	struct chunk c;

	if (s->txn.envelope)
		session_drop_envelope(s);
	if (s->stream->state != STREAM_OPEN)
		return refusal;
	if (!parse_bdat(arg, &c)) {
		s->closing = true;
		return reply_make(501, "5.5.4 Syntax: BDAT size [LAST]");
	}
	stream_begin_data(s->stream);
	if (!read_chunk(s, c.size, false))
		return data_abandon(s);
	stream_end_data(s->stream);
	return refusal;
}

/* Start the data with the first chunk, and check the size of this one. */
static struct reply
check_chunk(struct session *s, const struct chunk *c)
{
	const unsigned long long limit =
	    (unsigned long long)s->options->max_size;
	const struct data *d = &s->txn.data;
	struct reply r;

	if (s->phase != PHASE_BDAT) {
		r = start_data(s, true);
		if (r.code)
			return r;
		s->phase = PHASE_BDAT;
		stream_begin_data(s->stream);
	}
	/* d->octets may exceed it: a CR at the end of a chunk counts late */
	if (limit && (d->octets > limit || c->size > limit - d->octets))
		return reply_too_large(s);
	return reply_none();
}

struct reply
bdat_command(struct session *s, const char *arg)
{
	struct chunk c;
	struct reply r;

	if (!parse_bdat(arg, &c))
		return bdat_skip(s, arg, reply_none());
	s->txn.chunk = c.size;
	r = check_chunk(s, &c);
	if (r.code)
		r = bdat_skip(s, arg, r);
	else if (!read_chunk(s, c.size, true))
		r = data_abandon(s);
	else if (!c.last)
		r = reply_make(250, "2.0.0 %llu bytes received", c.size);
	if (c.last)
		expect_replies(s);
	if (r.code || s->stream->state != STREAM_OPEN)
		return r;
	stream_end_data(s->stream);
	if (data_end(&s->txn.data))
		s->txn.envelope->ops->write(s->txn.envelope, " ", 1, 0);
	r = check_all_data(s);
	if (!r.code)
		return close_envelope(s);
	session_drop_envelope(s);
	return r;
}
