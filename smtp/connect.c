/*
 * The beginning of a session, up to the banner: per-client limit, greet delay,
 * host name and hooks.  It sends nothing itself.
 */
#include <string.h>

#include "smtp/connect.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/xclient.h"

/*
 * Does max_per_client apply?  Not to local and trusted clients, health checks
 * and proxies.
 */
static bool
is_limited_per_client(const struct session *s)
{
	const struct endpoint *remote = &s->client.remote;

	return !s->trusted && !s->client.probe &&
	    !endpoint_is_loopback(remote) &&
	    !(xclient_offered(s) && strcmp(remote->ip, s->xclient.proxy) == 0);
}

/* Enter the client in the scoreboard. */
static void
enter_client(const struct session *s, bool counted)
{
	static const struct endpoint no_client = { .family = AF_UNSPEC };
	unsigned char key[SCOREBOARD_KEY];

	endpoint_key(counted ? &s->client.remote : &no_client, key);
	scoreboard_serve(s->options->board, client_address(&s->client), key);
	journal_show(s, "connected", 0);
}

struct reply
connect_check_limit(struct session *s)
{
	const long long limit = s->options->max_per_client;

	enter_client(s, is_limited_per_client(s));
	if (!limit || scoreboard_same_client(s->options->board) <= limit)
		return reply_none();
	enter_client(s, false);	/* it does not count */
	scoreboard_count(s->options->board, COUNT_PER_CLIENT, 1);
	s->unwanted = true;
	return reply_make(421, "4.7.0 Too many connections from your address, "
	    "the limit is %lld", limit);
}

/*
 * A client that sends data before the banner does not wait for replies, so it
 * is not a mail server.
 */
static struct reply
check_early_data(struct session *s, long long delay)
{
	if (!s->options->greet_delay || s->trusted || s->client.probe ||
	    !stream_speaks(s->stream, delay))
		return reply_none();
	scoreboard_count(s->options->board, COUNT_EARLY, 1);
	return reply_make(554, "5.5.1 Protocol error: data before the banner");
}

/* Look up the client's host name, for Received and hooks. */
static void
resolve_client_name(struct session *s)
{
	struct client *c = &s->client;
	const struct stream_limits *l = s->stream->limits;

	if (s->options->resolve && !c->named)
		resolve_name(s->options->launch, s->options->lookup_row,
		    &c->remote, c->name, l->stop, l->wait_mask);
	c->named = true;
}

/* Run the hooks for the client.  Returns an error reply, or code 0. */
static struct reply
run_connection_hooks(struct session *s)
{
	struct reply r = reply_none();

	fields_cut(&s->fields, 0);
	s->client_discard.hook = NULL;
	if (!s->client.probe) {
		resolve_client_name(s);
		r = hooks_run(s, HOOK_CONNECTION);
	}
	s->fields.n_connection = s->fields.n_hello = s->fields.n;
	if (!reply_refuses(&r))
		return reply_none();
	if (r.code != 521)
		r.code = r.code < 500 ? 421 : 554;
	return r;
}

static struct reply
banner_or_refusal(struct session *s, struct reply r)
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

	return banner_or_refusal(s, r.code ? r : run_connection_hooks(s));
}

struct reply
connect_greet(struct session *s)
{
	struct reply r = check_early_data(s, s->options->greet_delay);

	if (!r.code)
		r = run_connection_hooks(s);
	if (!r.code)		/* data that came while the hooks ran */
		r = check_early_data(s, 0);
	return banner_or_refusal(s, r);
}
