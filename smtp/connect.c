/* Before the conversation: who may come in, and what he is told. */
#include <string.h>

#include "smtp/connect.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/xclient.h"

/* Not who is of this machine, is trusted, or is one through whom many come. */
static bool
is_counted(const struct session *s)
{
	const struct endpoint *remote = &s->client.remote;

	return !s->trusted && !s->client.probe &&
	    !endpoint_is_loopback(remote) &&
	    !(xclient_offered(s) && strcmp(remote->ip, s->xclient.proxy) == 0);
}

/* Take the worker's place on the scoreboard as this client. */
static void
show_client(const struct session *s, bool counted)
{
	static const struct endpoint nobody = { .family = AF_UNSPEC };
	unsigned char key[SCOREBOARD_KEY];

	endpoint_key(counted ? &s->client.remote : &nobody, key);
	scoreboard_serve(s->options->board, client_address(&s->client), key);
	journal_show(s, "connected", 0);
}

struct reply
connect_check_limit(struct session *s)
{
	const long long most = s->options->max_per_client;

	show_client(s, is_counted(s));
	if (!most || scoreboard_same(s->options->board) <= most)
		return reply_none();
	show_client(s, false);	/* it is none of those that are served */
	scoreboard_count(s->options->board, COUNT_PER_CLIENT, 1);
	s->unwanted = true;
	return reply_make(421, "4.7.0 Too many connections from your address");
}

/* Who speaks before the banner does not wait for what we say, and is no MTA. */
static struct reply
judge_patience(struct session *s, long long delay)
{
	if (!s->options->greet_delay || s->trusted || s->client.probe ||
	    !stream_speaks(s->stream, delay))
		return reply_none();
	scoreboard_count(s->options->board, COUNT_EARLY, 1);
	return reply_make(554, "5.5.1 You spoke before the banner");
}

/* The client's name, for Received and for commands. */
static void
find_name(struct session *s)
{
	struct client *c = &s->client;
	const struct stream_limits *l = s->stream->limits;

	if (s->options->resolve && !c->named)
		resolve_name(&c->remote, c->name, l->stop, l->wait_mask);
	c->named = true;
}

/* What the commands say of the client.  A refusal, or none. */
static struct reply
ask(struct session *s)
{
	struct reply r = reply_none();

	fields_cut(&s->fields, 0);
	if (!s->client.probe) {
		find_name(s);
		r = hooks_ask(s, HOOK_CONNECTION, NULL, NULL);
	}
	s->fields.n_connection = s->fields.n_hello = s->fields.n;
	if (!reply_refuses(&r))
		return reply_none();
	if (r.code != 521)
		r.code = r.code < 500 ? 421 : 554;
	return r;
}

static struct reply
finish(struct session *s, struct reply r)
{
	if (!r.code)
		return reply_make(220, "%s %s smtpd", s->options->hostname,
		    listener_kinds[s->client.kind].lmtp ? "LMTP" : "ESMTP");
	s->closing = true;
	return r;
}

struct reply
connect_greet_proxied(struct session *s)
{
	struct reply r = connect_check_limit(s);

	return finish(s, r.code ? r : ask(s));
}

struct reply
connect_greet(struct session *s)
{
	struct reply r = judge_patience(s, s->options->greet_delay);

	if (!r.code)
		r = ask(s);
	if (!r.code)		/* while the commands were asked */
		r = judge_patience(s, 0);
	return finish(s, r);
}
