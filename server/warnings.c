/*
 * The warnings of a start.  Each says what is risky or will fail, and what to
 * do about it.  Nothing here ends a start.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc/program.h"
#include "lib/proc/confine.h"
#include "server/handshake.h"
#include "server/warnings.h"
#include "server/worker.h"

/* What is looked at, and who hears of it. */
struct inspection {
	const struct server *server;
	const struct settings *settings;
	const struct places *places;
	warning_report *report;
};

__attribute__((format(printf, 3, 4)))
static void
warn_if(const struct inspection *x, bool risky, const char *fmt, ...)
{
	char text[LOG_VALUE_MAX];
	va_list ap;

	if (!risky)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	x->report(text);
}

/* Can other hosts connect? */
static bool
is_public(const struct places *x)
{
	const struct place *p;

	for (p = x->all; p < x->all + x->n; p++)
		if (p->local.family != AF_UNSPEC &&
		    !endpoint_is_loopback(&p->local))
			return true;
	return false;
}

static bool
has_any_domain(const struct places *x)
{
	const struct place *p;

	for (p = x->all; p < x->all + x->n; p++)
		if (p->any_domain)
			return true;
	return false;
}

static bool
has_domain(const struct settings *s, const char *domain)
{
	unsigned i;

	for (i = 0; i < s->domains.n; i++)
		if (strcasecmp(s->domains.values[i], domain) == 0)
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

static void
inspect_auth(const struct inspection *x)
{
	const struct settings *s = x->settings;
	const bool tls = s->tls || s->proxy_from.n;

	warn_if(x, s->auth && s->proto.plain_auth, "--plain-auth allows "
	    "passwords in clear; set --tls instead, unless a proxy encrypts");
	warn_if(x, s->auth && !s->proto.plain_auth && !tls, "AUTH is offered "
	    "only over TLS; set --tls");
	warn_if(x, !s->auth && s->proto.plain_auth, "--plain-auth has no "
	    "effect without --auth");
}

/* What an option is for may be an extension that is not offered. */
static void
inspect_disabled(const struct inspection *x)
{
	const struct settings *s = x->settings;
	const struct {
		const char *option, *extension;
		bool set;
	} rows[] = {
		{ "auth", "AUTH", s->auth },
		{ "dsn", "DSN", s->commands[HOOK_DSN].n },
		{ "xclient-from", "XCLIENT", s->xclient_from.n },
	};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		warn_if(x, rows[i].set &&
		    !options_enabled(&s->proto, rows[i].extension),
		    "--%s has no effect with --disable %s", rows[i].option,
		    rows[i].extension);
}

static void
inspect_clients(const struct inspection *x)
{
	const struct settings *s = x->settings;
	const struct store *store = &x->server->store;
	const bool public = is_public(x->places);

	warn_if(x, public && has_domain(s, "*"), store->path &&
	    store_is_one(store) && geteuid() == 0 ? "mail for any domain is "
	    "accepted from any client, into root's Maildir; list domains with "
	    "--domain" : "mail for any domain is accepted from any client; "
	    "list domains with --domain");
	warn_if(x, has_any_domain(x->places), "local clients may send to any "
	    "domain, and so may all clients of a proxy or tunnel on this "
	    "machine; give --domain, or --proxy-from");
	warn_if(x, includes_all(&s->proto.trusted), "--trust includes every "
	    "address; list only your own networks");
	warn_if(x, includes_all(&s->proto.lenient), "--lenient-from includes "
	    "every address, so any client can smuggle messages; list only "
	    "your devices");
	warn_if(x, includes_all(&s->proxies) || includes_all(&s->proto.xclients),
	    "any client may claim another address; restrict --proxy-from and "
	    "--xclient-from");
	warn_if(x, s->workers > 1 && (s->proto.max_per_client == 0 ||
	    s->proto.max_per_client >= s->workers), "one client can occupy "
	    "all workers; set --max-per-client below --workers");
	warn_if(x, public && !strchr(s->hostname, '.'), "the hostname is not "
	    "fully qualified; set --hostname");
}

/* Commands that don't use their standard input or output get it there. */
static bool
lacks_null_device(const struct settings *s)
{
	struct stat st;

	return settings_command(s) && (access("/dev/null", R_OK | W_OK) < 0 ||
	    stat("/dev/null", &st) < 0 || !S_ISCHR(st.st_mode));
}

static void
inspect_system(const struct inspection *x)
{
	const struct store *store = &x->server->store;
	const bool has_store = !x->server->storeless;

	warn_if(x, geteuid() == 0, "network input is parsed as root; set "
	    "--user");
	warn_if(x, confine_gap(), "%s confined: %s", confine_support() ?
	    "workers are only partly" : "workers are not", confine_gap());
	warn_if(x, lacks_null_device(x->settings), "there is no /dev/null that "
	    "uid %ld can use, so commands will fail; create it with mknod -m "
	    "666 /dev/null c 1 3", (long)geteuid());
	warn_if(x, has_store && store_is_exposed(store), "any local user can "
	    "add mail to the Maildir or remove it; chmod o-w %s", store->path);
	warn_if(x, has_store && store_is_read_only(store), "no mail can be "
	    "stored: %s is read-only; under systemd, add ReadWritePaths=%s to "
	    "the unit", store->base_path, store->base_path);
	warn_if(x, has_store && store_check_room(store,
	    (unsigned long long)x->settings->min_free) < 0, "less space is "
	    "free than --min-free: MAIL would get 452 now");
}

/* The kernel can't run a script whose interpreter is missing. */
static void
inspect_script(const struct inspection *x, const char *option,
    const char *command, char *const *argv)
{
	char name[PATH_MAX];
	size_t len;

	if (!argv || !program_lacks_interpreter(argv[0], name, sizeof name))
		return;
	len = strlen(name);
	if (len && name[len - 1] == '\r')
		warn_if(x, true, "--%s '%s' will fail: its first line ends in "
		    "CR LF; save it with LF line ends", option, command);
	else
		warn_if(x, true, "--%s '%s' will fail: its interpreter %s is "
		    "missing; install it or correct the #! line", option,
		    command, name);
}

static void
inspect_commands(const struct inspection *x)
{
	const struct settings *s = x->settings;
	const struct hooks *h = &x->server->hooks;
	unsigned event, i;

	for (event = 0; event < HOOK_EVENTS; event++)
		for (i = 0; i < h->n[event]; i++)
			inspect_script(x, hooks_event_name(event),
			    h->list[event][i].command,
			    h->list[event][i].argv);
	if (s->auth)
		inspect_script(x, "auth", s->auth, h->auth.argv);
	if (s->tls)
		inspect_script(x, "tls", s->tls, x->server->options.tls.argv);
}

/*
 * A postmaster is required in each domain (RFC 5321 4.5.1).  previous is the
 * path in the last warning, because with {mailbox} alone all have the same.
 */
static void
inspect_postmaster(const struct inspection *x, const char *domain,
    const char *problem, char *previous)
{
	const struct store *store = &x->server->store;
	char path[PATH_MAX];

	if (*domain == '*' || store_find(store, "postmaster", domain, path) !=
	    STORE_UNKNOWN || strcmp(path, previous) == 0)
		return;
	warn_if(x, true, "%s; make %s%s", problem, store_prefix(store), path);
	strcpy(previous, path);
}

/* With a command for recipients, it may be another one's. */
static void
inspect_postmasters(const struct inspection *x)
{
	const struct settings *s = x->settings;
	char problem[320], previous[PATH_MAX] = "";
	const char *domain;
	unsigned i;

	if (x->server->storeless || !x->server->store.per_user ||
	    s->commands[HOOK_RECIPIENT].n)
		return;
	for (i = 0; i < s->domains.n || i == 0; i++) {
		domain = s->domains.n ? s->domains.values[i] : s->hostname;
		snprintf(problem, sizeof problem, "postmaster@%s has no "
		    "mailbox", domain);
		inspect_postmaster(x, domain, problem, previous);
	}
	if (!has_domain(s, s->hostname))
		inspect_postmaster(x, s->hostname, "RCPT TO:<postmaster> "
		    "would be rejected", previous);
}

/* SIGHUP, as the user that this process has become. */
static void
inspect_restart(const struct inspection *x)
{
	const struct restart *r = &x->server->restart;
	const char *obstacle = restart_obstacle(r);

	warn_if(x, obstacle, "SIGHUP could not restart %s: %s for uid %ld; "
	    RESTART_HINT, *r->path ? r->path : "smtpd", obstacle,
	    (long)geteuid());
}

void
warnings_list(const struct server *server, const struct places *places,
    bool pool, warning_report *report)
{
	const struct inspection x = { server, server->settings, places,
	    report };

	inspect_auth(&x);
	inspect_disabled(&x);
	inspect_clients(&x);
	inspect_system(&x);
	inspect_commands(&x);
	inspect_postmasters(&x);
	if (pool)
		inspect_restart(&x);
}

void
warnings_try_tls(struct server *server, warning_report *report)
{
	const struct inspection x = { .report = report };
	char complaint[HANDSHAKE_COMPLAINT_MAX];
	char *const *argv = server->options.tls.argv;

	if (!argv || access(argv[0], X_OK) < 0)
		return;
	if (handshake_try(server, complaint))
		warn_if(&x, *complaint, "--tls: %s", complaint);
	else
		warn_if(&x, true, "--tls does not work: %s", *complaint ?
		    complaint : "it does not answer a client");
}

static void
log_warning(const char *text)
{
	struct log_line l;

	log_begin(&l, LEVEL_WARNING, "warning");
	log_str(&l, "text", text);
	log_end(&l);
}

/* The pool does not wait for the command; it reaps the child. */
static void
fork_tls_trial(struct server *server)
{
	const pid_t pid = server->settings->tls ? fork() : -1;

	if (pid != 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	worker_close_ready_fd(server);
	listeners_close(&server->listeners);
	warnings_try_tls(server, log_warning);
	_exit(0);
}

void
warnings_log(struct server *server)
{
	struct places places;

	places_find(&places, server, true);
	warnings_list(server, &places, true, log_warning);
	free(places.all);
	fork_tls_trial(server);
}
