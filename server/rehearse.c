/* A simulated session, and a TLS client that sends only a ClientHello. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/file.h"
#include "server/page.h"
#include "server/rehearse.h"
#include "server/worker.h"
#include "smtp/hello.h"
#include "smtp/mail.h"
#include "smtp/starttls.h"

#define CLIENT_IP "192.0.2.1"	/* RFC 5737 3: for examples */

enum {
	HANDSHAKE = 22,		/* a record of that type, RFC 8446 5.1 */
	PATIENCE = 10 * 1000,	/* ms, for the answer */
};

/*
 * A ClientHello (RFC 8446 4.1.2) for TLS 1.3 and 1.2, with usual ciphers,
 * signatures and groups, and no key: the server is to ask for one (4.1.4).
 */
static const char client_hello[] =
    "\x16\3\1\0\x74\1\0\0\x70\3\3smtpd --explain says hello to it\0"
    "\0\x14\x13\1\x13\2\x13\3\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9"
    "\xcc\xa8\0\x9e\1\0\0\x33"
    "\0\x0a\0\x08\0\6\0\x1d\0\x17\0\x18"
    "\0\x0d\0\x14\0\x12\4\3\5\3\6\3\x08\7\x08\4\x08\5\x08\6\4\1\5\1"
    "\0\x2b\0\5\4\3\4\3\3" "\0\x33\0\2\0";

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

	for (p = x->places; p < x->places + x->n; p++) {
		for (q = x->places; q->kind != p->kind; q++)
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
		r = rcpt_add(s, &x->recipient, &x->recipient);
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
		for (p = x->places; p < x->places + x->n; p++)
			if (!try_address(x, p, list->values[i], false) &&
			    s->auth)
				try_address(x, p, list->values[i], true);
}

/* The first line is the best one. */
static void
keep_line(void *ctx, const char *line)
{
	struct rehearsal *x = ctx;

	if (!*x->complaint)
		snprintf(x->complaint, sizeof x->complaint, "%s", line);
}

/* Is what comes back the beginning of a handshake? */
static bool
answers(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char type = 0;

	return file_write(fd, client_hello, sizeof client_hello) == 0 &&
	    poll(&p, 1, PATIENCE) > 0 && read(fd, &type, 1) == 1 &&
	    type == HANDSHAKE;
}

bool
rehearse_handshake(struct rehearsal *x)
{
	static sigset_t waiting;
	struct server *server = x->server;
	int ends[2];
	struct tls_run run = {
		.config = &server->options.tls, .wait_mask = &waiting,
		.stderr_lines = { .report = keep_line, .ctx = x },
	};
	bool begun, good;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return true;
	worker_prepare_signals(server, &waiting);
	environment_clear(&server->hooks.environment);
	run.environment = server->hooks.environment.vars;
	run.in = run.out = ends[1];
	begun = tls_begin(&run) == 0;
	close(ends[1]);
	good = begun && answers(ends[0]);
	close(ends[0]);
	if (begun)
		tls_end(&run);
	else
		keep_line(x, run.failed);
	return good;
}
