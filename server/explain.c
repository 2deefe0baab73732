/* What smtpd would do if started.  It reports as many failures as possible. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/proc/confine.h"
#include "server/explain.h"
#include "server/page.h"
#include "server/rehearse.h"

#define SERVER_IP "192.0.2.2"	/* RFC 5737 3: for examples */

/* Options that are actions, or have a section of their own. */
static bool
is_listed_elsewhere(const struct option *o)
{
	static const char *const names[] = {
		"listen", "inetd", "show", "explain", "help", "version",
	};
	const size_t commands = offsetof(struct settings, commands);
	size_t i;

	for (i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(o->name, names[i]) == 0)
			return true;
	return o->offset >= commands && o->offset < commands +
	    sizeof(struct option_list[HOOK_EVENTS]);
}

static const char *
source_of(const struct settings *s, const struct option *o, const char *value)
{
	const char *state = getenv("STATE_DIRECTORY");
	const bool given = s->given.row[o - settings_options()];

	if (s->inetd && ((strcmp(o->name, "max-size") == 0 &&
	    getenv("DATABYTES")) || (strcmp(o->name, "max-recipients") == 0 &&
	    getenv("MAXRCPTS"))))
		return "environment";
	if (state && *state && value && (value == s->maildir ||
	    value == s->spool || value == s->transcript) &&
	    strncmp(value, state, strcspn(state, ":")) == 0)
		return given ? "option, below systemd's STATE_DIRECTORY" :
		    "default, below systemd's STATE_DIRECTORY";
	if (given)
		return "option";
	return strcmp(o->name, "hostname") == 0 ? "system" : "default";
}

/* What holds where an option is not given. */
static void
format_unset(const struct settings *s, const struct option *o, char *text,
    size_t size)
{
	if (strcmp(o->name, "domain") == 0)
		snprintf(text, size, "%s; any for local clients", s->hostname);
	else
		snprintf(text, size, "%s", o->type == OPTION_TIME ?
		    "60s; 5m for all after the dot" : "none");
}

static void
explain_option(const struct settings *s, const struct option *o)
{
	const char *value = o->type == OPTION_STRING ?
	    *(const char *const *)((const char *)s + o->offset) : NULL;
	const char *source = source_of(s, o, value);
	char text[4096];
	unsigned i;

	if (!option_format(o, s, 0, text, sizeof text))
		format_unset(s, o, text, sizeof text);
	page_field(o->name, "%-24s %s", text, source);
	for (i = 1; option_format(o, s, i, text, sizeof text); i++)
		page_field(o->name, "%-24s %s", text, source);
}

void
explain_settings(const struct settings *s)
{
	struct settings effective = *s;
	const struct option *o;

	if (s->inetd)
		settings_read_limits(&effective.proto);
	printf("Settings\n");
	for (o = settings_options(); o->name; o++)
		if (o->type != OPTION_GROUP && !is_listed_elsewhere(o))
			explain_option(&effective, o);
	fflush(stdout);
}

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

static void
add_place(struct rehearsal *x, int kind, const char *address,
    const char *source, const char *state)
{
	struct place *p = &x->places[x->n++];

	*p = (struct place){ (enum listener_kind)kind, address, source, state,
	    { .family = AF_UNSPEC }, false };
	parse_local(&p->local, address);
	p->any_domain = settings_any_domain(x->server->settings, p->kind,
	    &p->local);
	set_local(p);
}

static void
find_places(struct rehearsal *x, bool pool)
{
	const struct server *server = x->server;
	const struct settings *s = server->settings;
	const struct listener *l = server->listeners.all;
	const char *own = s->listen.n ? "option" : "default";
	unsigned i;

	x->places = calloc(server->listeners.n + server->n_unopened + 1,
	    sizeof *x->places);
	if (!x->places)
		fatal(EX_OSERR, "out of memory");
	if (!pool)
		add_place(x, (int)server->inetd_kind, "descriptor 0", "option",
		    "one connection");
	for (i = 0; i < server->listeners.n; i++, l++)
		add_place(x, l->kind, l->address, !l->inherited ? own :
		    server->inetd ? "inetd" : "systemd", "available");
	for (i = 0; i < server->n_unopened; i++)
		add_place(x, server->unopened[i].kind,
		    server->unopened[i].spec, own,
		    server->unopened[i].error.text);
}

static void
explain_listeners(const struct rehearsal *x)
{
	const struct place *p;

	page_title("Listeners");
	for (p = x->places; p < x->places + x->n; p++)
		page_field(listener_kinds[p->kind].name, "%-24s %-8s %s",
		    p->address, p->source, p->state);
}

/* Returns 1, for it is one. */
static unsigned
explain_command(const char *event, const char *command, char *const *argv)
{
	const char *path = argv ? argv[0] : "/bin/sh";

	page_field(event, "%-7s %s (%s): %s", argv ? "direct" : "sh", path,
	    access(path, X_OK) == 0 ? "executable" : "not executable",
	    command);
	return 1;
}

static void
explain_commands(const struct server *server)
{
	const struct settings *s = server->settings;
	const struct hooks *h = &server->hooks;
	unsigned event, i, n = 0;

	page_title("Commands");
	for (event = 0; event < HOOK_EVENTS; event++)
		for (i = 0; i < h->n[event]; i++)
			n += explain_command(hooks_event_name(event),
			    s->commands[event].values[i],
			    h->list[event][i].argv);
	if (s->auth)
		n += explain_command("auth", s->auth, h->auth.argv);
	if (s->tls)
		n += explain_command("tls", s->tls, server->options.tls.argv);
	if (n == 0)
		printf("  none\n");
}

/* How workers are confined, or why not. */
static void
explain_confinement(const struct settings *s)
{
	const char *command = settings_command(s);
	const unsigned means = confine_support();

	page_title("Confinement");
	if (command)
		page_field("confined", "no: --%s runs a command", command);
	else if (!means)
		page_field("confined", "no: this kernel, or this build, "
		    "can't");
	else
		page_field("confined", "by %s", means == CONFINE_CALLS ?
		    "seccomp alone: this kernel has no Landlock" :
		    means == CONFINE_FILES ?
		    "Landlock alone: this kernel has no seccomp" :
		    "seccomp and Landlock");
}

static const char *
user_name(uid_t uid)
{
	const struct passwd *pw = getpwuid(uid);

	return pw ? pw->pw_name : "unknown";
}

static void
explain_directory(int fd)
{
	struct statvfs vfs;
	struct stat st;

	if (fstat(fd, &st) == 0) {
		page_field("owner", "%s (%ld:%ld)", user_name(st.st_uid),
		    (long)st.st_uid, (long)st.st_gid);
		page_field("mode", "%04o", (unsigned)st.st_mode & 07777);
	}
	if (fstatvfs(fd, &vfs) < 0)
		return;
	page_field("bytes free", "%llu",
	    (unsigned long long)vfs.f_bavail * vfs.f_frsize);
	if (vfs.f_files)
		page_field("inodes free", "%llu",
		    (unsigned long long)vfs.f_favail);
}

static void
explain_store(const struct server *server)
{
	const struct settings *s = server->settings;
	const struct store *store = &server->store;

	page_title("Mail");
	if (server->storeless) {
		page_field("kept in", "unavailable; see below");
		return;
	}
	page_field("kept by", "%s (%ld:%ld)", user_name(geteuid()),
	    (long)geteuid(), (long)getegid());
	if (store_is_one(store))
		page_field("kept in", "%s, one Maildir for all",
		    store->path);
	else if (store->per_user)
		page_field("kept in", "%s, below %s", store->path,
		    store->base_path);
	else
		page_field("kept in", "nothing; temporarily in %s",
		    store->path);
	explain_directory(store_is_one(store) ? store->one.dir : store->base);
	if (s->commands[HOOK_DSN].n) {
		page_field("reports", "temporarily in %s", s->spool);
		explain_directory(server->spool.base);
	}
}

static void
warn(bool risky, const char *text)
{
	if (risky)
		printf("warning: %s\n", text);
}

/* Can other hosts connect? */
static bool
is_public(const struct rehearsal *x)
{
	const struct place *p;

	for (p = x->places; p < x->places + x->n; p++)
		if (p->local.family != AF_UNSPEC &&
		    !endpoint_is_loopback(&p->local))
			return true;
	return false;
}

static bool
has_any_domain(const struct rehearsal *x)
{
	const struct place *p;

	for (p = x->places; p < x->places + x->n; p++)
		if (p->any_domain)
			return true;
	return false;
}

static bool
accepts_any_domain(const struct settings *s)
{
	unsigned i;

	for (i = 0; i < s->domains.n; i++)
		if (strcmp(s->domains.values[i], "*") == 0)
			return true;
	return false;
}

static bool
includes_all(const struct networks *networks)
{
	unsigned i;

	for (i = 0; i < networks->n; i++)
		if (networks->all[i].bits == 0)
			return true;
	return false;
}

/* A postmaster is needed in each domain (RFC 5321 4.5.1). */
static void
warn_of_postmaster(const struct server *server, const char *domain)
{
	char path[PATH_MAX];

	if (*domain != '*' && store_find(&server->store, "postmaster", domain,
	    path) == STORE_UNKNOWN)
		printf("warning: postmaster@%s has no mailbox; make %s%s\n",
		    domain, store_prefix(&server->store), path);
}

/* With a command for recipients, it may be another one's. */
static void
explain_postmasters(const struct server *server)
{
	const struct settings *s = server->settings;
	unsigned i;

	if (server->storeless || !server->store.per_user ||
	    s->commands[HOOK_RECIPIENT].n)
		return;
	for (i = 0; i < s->domains.n; i++)
		warn_of_postmaster(server, s->domains.values[i]);
	if (s->domains.n == 0)
		warn_of_postmaster(server, s->hostname);
}

static bool
can_encrypt(const struct server *server)
{
	char *const *argv = server->options.tls.argv;

	return argv && access(argv[0], X_OK) == 0;
}

/* Each says what is risky, and what to do about it. */
static void
explain_risks(const struct rehearsal *x)
{
	const struct settings *s = x->server->settings;
	const struct store *store = &x->server->store;
	const bool public = is_public(x), root = geteuid() == 0;
	const bool tls = s->tls || s->proxy_from.n;
	const unsigned long long room = (unsigned long long)s->min_free;

	putchar('\n');
	warn(root, "network input is parsed as root; set --user");
	warn(s->auth && s->proto.plain_auth, "--plain-auth allows passwords "
	    "in clear; set --tls instead, unless a proxy encrypts");
	warn(s->auth && !s->proto.plain_auth && !tls, "AUTH is offered only "
	    "over TLS; set --tls");
	warn(public && accepts_any_domain(s), store->path &&
	    store_is_one(store) && root ? "mail for any domain is accepted "
	    "from any client, into root's Maildir; list domains with "
	    "--domain" : "mail for any domain is accepted from any client; "
	    "list domains with --domain");
	warn(has_any_domain(x), SETTINGS_ANY_DOMAIN);
	warn(includes_all(&s->proto.trusted), "--trust includes every "
	    "address; list only your own networks");
	warn(includes_all(&s->proxies) || includes_all(&s->proto.xclients),
	    "any client may claim another address; restrict --proxy-from and "
	    "--xclient-from");
	warn(s->workers > 1 && (s->proto.max_per_client == 0 ||
	    s->proto.max_per_client >= s->workers), "one client can occupy "
	    "all workers; set --max-per-client below --workers");
	warn(!x->server->storeless && store_is_exposed(store), "any local "
	    "user can add mail to the Maildir or remove it; chmod o-w");
	warn(!x->server->storeless && store_check_room(store, room) < 0,
	    "less space is free than --min-free: MAIL would get 452 now");
	warn(public && !strchr(s->hostname, '.'), "the hostname is not fully "
	    "qualified; set --hostname");
}

/* SIGHUP, as the user that this process has become. */
static void
explain_restart(const struct restart *r)
{
	const char *obstacle = restart_obstacle(r);

	if (obstacle)
		printf("warning: SIGHUP could not restart %s: %s; "
		    RESTART_HINT "\n", *r->path ? r->path : "smtpd", obstacle);
}

int
explain_server(struct server *server, bool pool)
{
	static struct rehearsal x;
	unsigned i;

	x.server = server;
	find_places(&x, pool);
	explain_listeners(&x);
	rehearse_offers(&x);
	explain_commands(server);
	explain_confinement(server->settings);
	explain_store(server);
	if (!server->storeless)
		rehearse_addresses(&x);
	explain_risks(&x);
	explain_postmasters(server);
	if (pool)
		explain_restart(&server->restart);
	if (can_encrypt(server) && !rehearse_handshake(&x))
		printf("warning: --tls does not work: %s\n", *x.complaint ?
		    x.complaint : "it does not answer a client");
	free(x.places);
	for (i = 0; i < server->n_failures; i++)
		printf("smtpd would not start: %s\n",
		    server->failures[i].text);
	if (i == 0)
		printf("smtpd would start.\n");
	settings_flush();
	return server->n_failures ? server->failures[0].status : EX_OK;
}
