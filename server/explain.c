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
#include "server/warnings.h"

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
source_of(const struct settings *s, const struct option *o)
{
	const char *value = o->type == OPTION_STRING ?
	    *(const char *const *)((const char *)s + o->offset) : NULL;
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

/* Print an option, below the title of its group if that is not NULL. */
static void
explain_option(const struct settings *s, const struct option *o,
    const char *source, const char *group)
{
	char text[4096];
	unsigned i;

	if (group)
		page_title(group);
	if (!option_format(o, s, 0, text, sizeof text))
		format_unset(s, o, text, sizeof text);
	page_field(o->name, "%-24s  %s", text, source);
	for (i = 1; option_format(o, s, i, text, sizeof text); i++)
		page_field(o->name, "%-24s  %s", text, source);
}

void
explain_settings(const struct settings *s)
{
	const bool all = s->log_options.verbose;
	struct settings effective = *s;
	const char *group = NULL, *source;
	const struct option *o;

	if (s->inetd)
		settings_read_limits(&effective.proto);
	printf(all ? "All settings\n" : "Settings that differ from the "
	    "defaults; -v prints all\n");
	for (o = settings_options(); o->name; o++) {
		if (o->type == OPTION_GROUP)
			group = o->help;
		if (o->type == OPTION_GROUP || is_listed_elsewhere(o))
			continue;
		source = source_of(&effective, o);
		if (all || strcmp(source, "default") != 0) {
			explain_option(&effective, o, source, group);
			group = NULL;
		}
	}
	fflush(stdout);
}

static void
explain_listeners(const struct places *x)
{
	const struct place *p;

	page_title("Listeners");
	for (p = x->all; p < x->all + x->n; p++)
		page_field(listener_kinds[p->kind].name, "%-24s  %-8s  %s",
		    p->address, p->source, p->state);
}

/* Returns 1, for it is one. */
static unsigned
explain_command(const char *event, const char *command, char *const *argv)
{
	const char *path = argv ? argv[0] : "/bin/sh";

	page_field(event, "%-7s  %s (%s): %s", argv ? "direct" : "sh", path,
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

/* How workers are confined, or why not; and what starts the commands. */
static void
explain_confinement(const struct server *server)
{
	const unsigned means = confine_support();

	page_title("Confinement");
	if (!means)
		page_field("workers", "not confined: %s", confine_gap());
	else
		page_field("workers", "by %s", means == CONFINE_CALLS ?
		    "seccomp alone: this kernel has no Landlock" :
		    means == CONFINE_FILES ?
		    "Landlock alone: this kernel has no seccomp" :
		    "seccomp and Landlock");
	if (server->commands.n)
		page_field("commands", "not confined: a launcher for each "
		    "worker starts them");
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
print_warning(const char *text)
{
	printf("warning: %s\n", text);
}

int
explain_server(struct server *server, bool pool)
{
	static struct rehearsal x;
	unsigned i;

	x.server = server;
	places_find(&x.places, server, pool);
	explain_listeners(&x.places);
	rehearse_offers(&x);
	explain_commands(server);
	explain_confinement(server);
	explain_store(server);
	if (!server->storeless)
		rehearse_addresses(&x);
	putchar('\n');
	warnings_list(server, &x.places, pool, print_warning);
	warnings_try_tls(server, print_warning);
	free(x.places.all);
	for (i = 0; i < server->n_failures; i++)
		printf("smtpd would not start: %s\n",
		    server->failures[i].text);
	if (i == 0)
		printf("smtpd would start.\n");
	settings_flush();
	return server->n_failures ? server->failures[0].status : EX_OK;
}
