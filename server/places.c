/* Where clients can connect, opened or not, with what their sessions see. */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "server/places.h"

#define SERVER_IP "192.0.2.2"	/* RFC 5737 3: for examples */

/* The address of a listener from its text; none for a Unix socket or a name. */
static void
parse_local(struct endpoint *e, const char *address)
{
	const char *colon = strrchr(address, ':');
	char host[LISTENER_ADDRESS_MAX];
	const int bracket = *address == '[';
	int len = colon ? (int)(colon - address) - 2 * bracket : 0;

	*e = (struct endpoint){ .family = AF_UNSPEC };
	if (*address == '/')
		return;
	snprintf(host, sizeof host, "%.*s", len, address + bracket);
	endpoint_parse(e, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host);
	e->port = colon ? (unsigned)atoi(colon + 1) : 0;
}

/*
 * Our end of a connection to that listener.  All addresses, and names, stand
 * for one that is reached over a network.
 */
static void
set_local(struct place *p)
{
	const unsigned port = p->local.port;

	if (*p->address == '/' || endpoint_is_loopback(&p->local) ||
	    (p->local.family != AF_UNSPEC && !endpoint_has_loopback(&p->local)))
		return;
	endpoint_parse(&p->local, SERVER_IP);
	p->local.port = port;
}

/* May every client that seems to be on this machine send to any domain? */
static bool
accepts_from_proxies(const struct settings *s, const struct place *p)
{
	struct endpoint loopback = p->local;

	if (!endpoint_is_loopback(&p->local))
		endpoint_parse(&loopback, "127.0.0.1");
	return s->domains.n == 0 && !s->proto.require_auth &&
	    !listener_kinds[p->kind].auth && endpoint_has_loopback(&p->local) &&
	    !networks_contain(&s->proxies, &loopback);
}

static void
add_place(struct places *x, const struct settings *s, int kind,
    const char *address, const char *source, const char *state)
{
	struct place *p = &x->all[x->n++];

	*p = (struct place){ (enum listener_kind)kind, address, source, state,
	    { .family = AF_UNSPEC }, false };
	parse_local(&p->local, address);
	p->any_domain = accepts_from_proxies(s, p);
	set_local(p);
}

void
places_find(struct places *x, const struct server *server, bool pool)
{
	const struct settings *s = server->settings;
	const struct listener *l = server->listeners.all;
	const char *own = s->listen.n ? "option" : "default";
	unsigned i;

	x->n = 0;
	x->all = calloc(server->listeners.n + server->n_unopened + 1,
	    sizeof *x->all);
	if (!x->all)
		fatal(EX_OSERR, "out of memory");
	if (!pool)
		add_place(x, s, (int)server->inetd_kind, "descriptor 0",
		    "option", "one connection");
	for (i = 0; i < server->listeners.n; i++, l++)
		add_place(x, s, l->kind, l->address, !l->inherited ? own :
		    server->inetd ? "inetd" : "systemd", "available");
	for (i = 0; i < server->n_unopened; i++)
		add_place(x, s, server->unopened[i].kind,
		    server->unopened[i].spec, own,
		    server->unopened[i].error.text);
}
