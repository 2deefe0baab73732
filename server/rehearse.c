/* A simulated session, and the replies in it. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/page.h"
#include "server/rehearse.h"
#include "smtp/hello.h"
#include "smtp/mail.h"
#include "smtp/starttls.h"

#define CLIENT_IP "192.0.2.1"	/* RFC 5737 3: for examples */

static void
print_reply(const struct reply *r)
{
	char *text = NULL;
	size_t n = 0, i;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return;
	reply_write(f, r);
	fclose(f);
	fputs("    ", stdout);
	for (i = 0; i < n; i++)
		if (text[i] != '\r')
			printf(text[i] == '\n' && i + 1 < n ? "%c    " : "%c",
			    text[i]);
	free(text);
}

/* Does p expect a PROXY header of a proxy on this machine? */
static bool
is_proxied(const struct rehearsal *x, const struct place *p)
{
	const struct settings *s = x->server->settings;

	if (p->local.family == AF_UNSPEC)
		return s->unix_proxies;
	return networks_contain(&s->proxies, &p->local);
}

/*
 * A session of a client that reached p, and has said EHLO.  It comes over a
 * network, unless p is for this machine alone.
 */
static void
begin_session(struct rehearsal *x, const struct place *p, bool encrypted)
{
	struct client c = { .kind = p->kind, .local = p->local };
	struct session *s = &x->session;

	c.tls.encrypted = encrypted;
	if (is_proxied(x, p) || (p->local.family != AF_UNSPEC &&
	    !endpoint_is_loopback(&p->local)))
		endpoint_parse(&c.remote, CLIENT_IP);
	else
		endpoint_parse(&c.remote, p->local.ip);
	session_begin(s, &x->server->options, &c, &x->stream);
	s->hello.extended = true;
	s->phase = PHASE_HELLO;
	strcpy(s->hello.name, "client.example");
	session_set_protocol(s);
}

/* Returns whether STARTTLS is offered. */
static bool
try_offer(struct rehearsal *x, const struct place *p, bool encrypted)
{
	struct reply r;
	bool more;

	begin_session(x, p, encrypted);
	r = hello_offer(&x->session);
	more = starttls_offered(&x->session);
	session_end(&x->session);
	printf("\n%s on %s, %s\n", listener_kinds[p->kind].lmtp ? "LHLO" :
	    "EHLO", listener_kinds[p->kind].name, encrypted ? "encrypted" :
	    "in clear");
	print_reply(&r);
	return more;
}

/* All listeners of a kind offer the same. */
void
rehearse_offers(struct rehearsal *x)
{
	const struct place *p, *q;

	for (p = x->places.all; p < x->places.all + x->places.n; p++) {
		for (q = x->places.all; q->kind != p->kind; q++)
			;
		if (q == p && try_offer(x, p, listener_kinds[p->kind].tls))
			try_offer(x, p, true);
	}
}

/* A recipient's own, or the one that is to be made. */
static void
show_own_mailbox(const struct rehearsal *x)
{
	const struct store *store = &x->server->store;
	const struct address *a = &x->recipient;
	const bool renamed = x->server->hooks.n[HOOK_RECIPIENT];
	char path[PATH_MAX];
	enum store_status found = store_find(store, a->local, *a->domain ?
	    a->domain : x->session.options->hostname, path);

	if (found == STORE_FOUND)
		page_field("mailbox", "%s%s", store_prefix(store), path);
	else if (found == STORE_UNKNOWN && *path)
		page_field("mailbox", "%s%s, which does not exist%s",
		    store_prefix(store), path, renamed ?
		    "; on-recipient may name another one" : "");
}

static void
show_mailbox(const struct rehearsal *x)
{
	const struct store *store = &x->server->store;

	if (store_is_one(store))
		page_field("mailbox", "%s", store->path);
	else if (store->per_user)
		show_own_mailbox(x);
}

/* Show the environment of the first hook that would run for it. */
static void
show_environment(struct rehearsal *x)
{
	const struct hooks *h = &x->server->hooks;
	const struct address *a = &x->recipient;
	enum hook_event event = HOOK_RECIPIENT;
	const bool each = !h->n[HOOK_RECIPIENT];
	char **var;

	while (event < HOOK_EVENTS && !h->n[event])
		event++;
	if (each && h->n[HOOK_MDA])
		event = HOOK_MDA;
	if (event >= HOOK_DISCONNECT)
		return;
	if (event == HOOK_RECIPIENT)	/* it is not in the list yet */
		recipients_clear(&x->session.txn.recipients);
	var = hooks_environment(&x->session, event, event == HOOK_RECIPIENT ||
	    event == HOOK_MDA ? a : NULL, a);
	for (; var && *var; var++)
		page_field(hooks_event_name(event), "%s", *var);
}

/*
 * MAIL and RCPT, as they are judged where no command has a say.  Returns
 * whether the recipient is accepted, or a command would be asked first.
 */
static bool
try_mail(struct rehearsal *x, const char *address)
{
	struct session *s = &x->session;
	const char *verb = "MAIL";
	char path[ADDRESS_MAX + 16];
	struct reply r = mail_open(s, "FROM:<>");
	bool ours;

	if (!r.code) {
		verb = "RCPT";
		snprintf(path, sizeof path, "TO:<%s>", address);
		r = rcpt_check(s, path, &x->recipient);
	}
	ours = !r.code;
	if (ours)
		r = rcpt_add(s, &x->recipient, NULL);
	if (!r.code)
		r = reply_make(250, "2.1.5 Ok");
	page_field(verb, "%d %s", r.code, r.text);
	if (ours)
		show_mailbox(x);
	return !reply_refuses(&r) ||
	    (ours && x->server->hooks.n[HOOK_RECIPIENT]);
}

static void
show_questions(const struct settings *s)
{
	unsigned event, i;

	for (event = 0; event < HOOK_EVENTS; event++)
		for (i = 0; i < s->commands[event].n; i++)
			page_field("asks", "%s: %s", hooks_event_name(event),
			    s->commands[event].values[i]);
}

/* Returns what try_mail() does. */
static bool
try_address(struct rehearsal *x, const struct place *p,
    const char *address, bool authenticated)
{
	const struct proto_options *o = &x->server->options;
	const bool encrypted = listener_kinds[p->kind].tls ||
	    o->require_tls || (authenticated && !o->plain_auth);
	bool accepted;

	begin_session(x, p, encrypted);
	if (authenticated) {
		strcpy(x->session.auth.user, "user");
		x->session.auth.mechanism = "PLAIN";
		session_set_protocol(&x->session);
	}
	printf("\n%s at %s %s%s%s\n", address, listener_kinds[p->kind].name,
	    p->address, encrypted ? ", encrypted" : "",
	    authenticated ? ", authenticated" : "");
	accepted = try_mail(x, address);
	if (accepted) {
		show_questions(x->server->settings);
		show_environment(x);
	}
	session_end(&x->session);
	return accepted;
}

void
rehearse_addresses(struct rehearsal *x)
{
	const struct settings *s = x->server->settings;
	const struct option_list *list = &s->given.operands;
	const struct place *p;
	unsigned i;

	for (i = 0; i < list->n; i++)
		for (p = x->places.all; p < x->places.all + x->places.n; p++)
			if (!try_address(x, p, list->values[i], false) &&
			    s->auth)
				try_address(x, p, list->values[i], true);
}
