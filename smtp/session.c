/*
 * The beginning and the end of a session and of its transactions.  It reads
 * and sends nothing.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "smtp/session.h"

/* A unique id: eleven digits of the time in microseconds, five of the pid. */
static void
make_session_id(char *id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned long long us = (unsigned long long)clock_us();
	unsigned long pid = (unsigned long)getpid();
	int i;

	for (i = 10; i >= 0; i--, us >>= 5)
		id[i] = digits[us & 31];
	for (i = 15; i >= 11; i--, pid >>= 5)
		id[i] = digits[pid & 31];
	id[16] = '\0';
}

bool
session_can_encrypt(const struct session *s)
{
	return s->options->tls.argv || s->options->tls.control >= 0;
}

bool
session_must_encrypt(const struct session *s)
{
	return s->options->require_tls && !s->client.tls.encrypted &&
	    !s->client.probe && (s->client.remote.family != AF_UNSPEC ||
	    s->client.remote_unknown);
}

bool
session_begins_with_tls(const struct session *s)
{
	return listener_kinds[s->client.kind].tls &&
	    !s->client.tls.encrypted &&
	    (session_can_encrypt(s) || !s->client.probe);
}

void
session_set_protocol(struct session *s)
{
	const bool lmtp = listener_kinds[s->client.kind].lmtp;
	const bool extended = s->xclient.helo.protocol ?
	    *s->xclient.helo.protocol == 'E' :
	    s->hello.extended || *s->auth.user;	/* RFC 3848 has no SMTPA */

	stpcpy(stpcpy(stpcpy(stpcpy(s->hello.protocol,
	    s->txn.utf8 ? "UTF8" : extended && !lmtp ? "E" : ""),
	    lmtp ? "LMTP" : "SMTP"),
	    s->client.tls.encrypted ? "S" : ""), *s->auth.user ? "A" : "");
}

void
session_drop_envelope(struct session *s)
{
	s->txn.envelope->ops->abort(s->txn.envelope);
	s->txn.envelope = NULL;
}

void
session_reset(struct session *s)
{
	struct transaction *txn = &s->txn;
	const bool utf8 = txn->utf8;

	if (txn->envelope)
		session_drop_envelope(s);
	if (txn->mail.result.fd >= 0)
		close(txn->mail.result.fd);
	recipients_clear(&txn->recipients);
	free(txn->replies);
	fields_cut(&s->fields, s->fields.n_hello);
	*txn = (struct transaction){
		.mail = {
			.info.id = txn->id,
			.info.headers = s->fields.text ? s->fields.text : "",
			.info.recipients = &txn->recipients,
			.result.fd = -1,
		},
	};
	stream_end_data(s->stream);
	if (utf8)
		session_set_protocol(s);
	if (s->phase != PHASE_NEW)
		s->phase = PHASE_HELLO;
}

void
session_forget(struct session *s)
{
	s->fields.n_hello = s->fields.n_connection;
	s->hello_discard.hook = NULL;
	session_reset(s);
	s->phase = PHASE_NEW;
	s->hello = (struct hello){ .name = "" };
	s->auth.user[0] = '\0';
	s->auth.mechanism = NULL;
}

struct reply
session_farewell(const struct session *s)
{
	if (s->tls.run.failed)		/* it would not be encrypted */
		return reply_none();
	switch (s->stream->state) {
	case STREAM_TIMEOUT:
		return reply_make(421, "4.4.2 Timeout exceeded");
	case STREAM_EXPIRED:
		return reply_make(421, "4.4.2 Session time limit exceeded");
	case STREAM_SLOW:
		return reply_make(421, "4.4.2 Data rate is too low");
	case STREAM_STOPPED:
		return reply_make(421, "4.3.2 Server shutting down, try again "
		    "later");
	case STREAM_PRESSURE:
		return reply_make(421, "4.3.2 Server too busy, try again "
		    "later");
	case STREAM_OPEN:
	case STREAM_CLOSED:
		break;
	}
	return reply_none();
}

void
session_set_networks(struct session *s)
{
	const struct endpoint *client = &s->client.remote;

	s->trusted = s->client.trusted ||
	    networks_contain(&s->options->trusted, client);
	s->lenient = networks_contain(&s->options->lenient, client);
	s->reader.lf_ends = s->lenient;
}

void
session_begin(struct session *s, const struct proto_options *options,
    const struct client *client, struct stream *stream)
{
	*s = (struct session){
		.options = options, .client = *client, .stream = stream,
	};
	line_init(&s->reader, stream->in, false);
	make_session_id(s->id);
	s->txn.mail.result.fd = -1;
	session_reset(s);
	session_set_networks(s);
	if (networks_contain(&options->xclients, &client->remote))
		strcpy(s->xclient.proxy, client->remote.ip);
}

void
session_end(struct session *s)
{
	session_reset(s);
	free(s->fields.text);
}
