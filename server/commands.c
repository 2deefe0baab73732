/* The table of all commands, which the launcher of each worker has. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/log.h"
#include "lib/net/resolve.h"
#include "server/commands.h"

/* Rows besides those of hooks: --auth, --tls, --resolve. */
enum { OTHER_ROWS = 3 };

static void *
allocate_table(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		fatal(EX_OSERR, "out of memory");
	return p;
}

/* Append a row.  Returns its number. */
static unsigned
add_row(struct launcher_table *t, struct launcher_row row)
{
	struct launcher_row *rows = (struct launcher_row *)t->rows;

	rows[t->n] = row;
	return t->n++;
}

static const char *
format_event(enum hook_event event)
{
	const char *name = hooks_event_name(event);
	const size_t size = strlen(name) + sizeof "SMTP_EVENT=";
	char *text = allocate_table(size, 1);

	snprintf(text, size, "SMTP_EVENT=%s", name);
	return text;
}

static void
add_hooks(struct launcher_table *t, struct hooks *h)
{
	unsigned event, i;
	const char *text;

	for (event = 0; event < HOOK_EVENTS; event++) {
		text = h->n[event] ? format_event(event) : NULL;
		for (i = 0; i < h->n[event]; i++)
			h->list[event][i].row = add_row(t,
			    (struct launcher_row){ .use = USE_HOOK,
			    .program = &h->list[event][i], .event = text });
	}
}

/* What the commands get of the environment of this process. */
static void
copy_environment(struct launcher_table *t, const struct environment *e)
{
	t->environment = allocate_table(e->inherited + LAUNCHER_ROOM,
	    sizeof *t->environment);
	memcpy(t->environment, e->vars, e->inherited * sizeof *e->vars);
	t->n_environment = e->inherited;
	t->names = hook_env_names;
}

void
commands_open(struct server *server)
{
	struct launcher_table *t = &server->commands;
	struct hooks *h = &server->hooks;
	struct proto_options *o = &server->options;
	unsigned event, n = OTHER_ROWS;

	for (event = 0; event < HOOK_EVENTS; event++)
		n += h->n[event];
	t->rows = allocate_table(n, sizeof *t->rows);
	add_hooks(t, h);
	if (h->auth.command)
		h->auth.row = add_row(t, (struct launcher_row){
		    .use = USE_AUTH, .program = &h->auth });
	if (server->tls.argv)
		o->tls.row = add_row(t, (struct launcher_row){
		    .use = USE_TLS, .program = &server->tls });
	if (o->resolve)
		o->lookup_row = add_row(t, (struct launcher_row){
		    .use = USE_LOOKUP, .run = resolve_run });
	copy_environment(t, &h->environment);
	server->launch.fd = -1;
	o->launch = &server->launch;
}

static bool
needs_launcher(const struct server *server, bool in_pool)
{
	return server->commands.n > 0 || (log_is_syslog() && in_pool);
}

void
commands_prepare(struct server *server)
{
	server->relaunch.fd = -1;
	if (needs_launcher(server, true) &&
	    relaunch_open(&server->relaunch, &server->commands) < 0)
		fatal(EX_OSERR, "socket for launchers: %s", strerror(errno));
}

int
commands_launch(struct server *server, bool in_pool)
{
	if (!needs_launcher(server, in_pool))
		return 0;
	if (launch_open(&server->launch, &server->commands,
	    in_pool ? server->relaunch.fd : -1) < 0) {
		log_errno("fork-failed", "what", "launcher");
		return -1;
	}
	if (in_pool)
		relaunch_join(&server->relaunch);
	log_relay(launch_log, &server->launch);
	return 0;
}
