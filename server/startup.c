/*
 * The steps of a start, each of which exits by fatal() if it fails.  With
 * --explain, failure_report() collects most failures, and the start goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/net/activation.h"
#include "lib/path.h"
#include "lib/proc/descriptors.h"
#include "server/commands.h"
#include "server/failure.h"
#include "server/inetd.h"
#include "server/sockets.h"
#include "server/startup.h"
#include "server/worker.h"
#include "smtp/transcript.h"

enum {
	CHECK_TIMEOUT = 60 * 1000,	/* ms, for each command */
	DOT_TIMEOUT = 5 * 60 * 1000,	/* ms, for all after the dot */
};

const struct user *
startup_find_user(const struct settings *s)
{
	static struct user u;
	const char *missing;

	if (!s->user && geteuid() == 0)
		fatal(EX_USAGE, "started as root: give --user and the user to "
		    "run as, such as smtpd; useradd --system creates one");
	if (!s->user)
		return NULL;
	missing = user_find(&u, s->user);
	if (missing)
		fatal(EX_NOUSER, "--user %s: there is no such %s%s", s->user,
		    missing, strcmp(missing, "user") == 0 ?
		    "; useradd --system creates one" : "");
	setenv("HOME", u.home, 1);
	setenv("USER", u.name, 1);
	setenv("LOGNAME", u.name, 1);
	if (geteuid() == 0)
		return &u;
	if (u.uid != geteuid() || u.gid != getegid())
		fatal(EX_NOPERM, "--user %s: only root can become another "
		    "user or group", s->user);
	return NULL;
}

/* errno says why the Maildir can't be opened. */
static void
report_unopened_store(struct server *server, const char *path)
{
	const int error = errno;
	char whole[PATH_MAX];

	path = path_absolute(path, whole, sizeof whole);
	if (error == EACCES)
		failure_report(server, EX_CANTCREAT, "maildir %s: %s for uid "
		    "%ld; start smtpd in a directory that this user can write "
		    "to, or name one with --maildir", path, strerror(error),
		    (long)geteuid());
	else
		failure_report(server, EX_CANTCREAT, "maildir %s: %s%s", path,
		    strerror(error), error == ENOENT ?
		    "; create the parent directory first" :
		    error == ELOOP ? "; root does not create it behind a "
		    "symbolic link of another user: create it first" : "");
}

/*
 * After a restart, the user may not be able to search the path of the store;
 * then the descriptors of the former program are used.
 */
void
startup_open_store(struct server *server, const struct user *u,
    const struct handover *h)
{
	const struct settings *s = server->settings;
	const struct maildir_owner owner = { u ? u->uid : 0, u ? u->gid : 0 };
	const bool spool_only = strcmp(s->maildir, "none") == 0;
	const char *path = spool_only ? s->spool : s->maildir;
	int failed;

	failed = spool_only ? store_open_spool(&server->store, path) :
	    store_open(&server->store, path, s->delimiters, u ? &owner : NULL);
	if (failed && errno == EACCES && h->present) {
		failed = store_inherit(&server->store, path, s->delimiters,
		    spool_only, h->base, h->maildir);
	} else if (!failed && h->present) {
		close(h->base);
		if (h->maildir >= 0)
			close(h->maildir);
	}
	server->storeless = failed;
	if (failed && spool_only)
		failure_report(server, EX_CANTCREAT, "--spool %s: %s", path,
		    strerror(errno));
	else if (failed)
		report_unopened_store(server, path);
}

/* errno says why the user that serves cannot write to the store. */
static void
report_store_failure(struct server *server, const struct store *store)
{
	const struct settings *s = server->settings;
	const int error = errno;
	char whole[PATH_MAX];
	const char *maildir = path_absolute(s->maildir, whole, sizeof whole);

	if (store == &server->store)
		server->storeless = true;
	if (store->spool_only)
		failure_report(server, EX_CANTCREAT, "--spool %s: %s for uid "
		    "%ld", s->spool, strerror(error), (long)geteuid());
	else if (error == EXDEV)
		failure_report(server, EX_CONFIG, "maildir %s: tmp and new "
		    "are on different devices", maildir);
	else
		failure_report(server, EX_CANTCREAT, "maildir %s: %s for uid "
		    "%ld; chown it to that user, or run as its owner with "
		    "--user", maildir, strerror(error), (long)geteuid());
}

void
startup_drop_privileges(const struct settings *s, const struct user *u)
{
	const char *failed;

	if (u && user_become(u) < 0)
		fatal(EX_OSERR, "--user %s: cannot become that user: %s",
		    s->user, strerror(errno));
	failed = user_confine(s->allow_setuid);
	if (failed)
		fatal(EX_OSERR, "%s: %s", failed, strerror(errno));
}

static void
check_stores(struct server *server)
{
	const struct settings *s = server->settings;

	if (!server->storeless && store_check(&server->store) < 0)
		report_store_failure(server, &server->store);
	if (s->commands[HOOK_DSN].n &&
	    (store_open_spool(&server->spool, s->spool) < 0 ||
	    store_check(&server->spool) < 0))
		report_store_failure(server, &server->spool);
}

static void
open_transcripts(struct server *server)
{
	const struct settings *s = server->settings;

	if (!s->transcript)
		return;
	server->options.transcripts = transcript_open_directory(s->transcript);
	if (server->options.transcripts < 0)
		failure_report(server, EX_CANTCREAT, "--transcript %s: %s for "
		    "uid %ld, which must be able to create files there",
		    s->transcript, strerror(errno), (long)geteuid());
}

static void
open_status(struct server *server)
{
	const char *file = server->settings->status;

	if (status_open(&server->status, file) < 0)
		failure_report(server, EX_CANTCREAT, "--status %s: %s for uid "
		    "%ld, which must be able to create files there", file,
		    strerror(errno), (long)geteuid());
}

/* The commands are checked as the user that will run them. */
static void
open_hooks(struct server *server, bool inetd)
{
	const struct settings *s = server->settings;
	const char *error;
	unsigned event, i;

	for (event = 0; event < HOOK_EVENTS; event++)
		for (i = 0; i < s->commands[event].n; i++) {
			error = hooks_add(&server->hooks, event,
			    s->commands[event].values[i]);
			if (error)
				failure_report(server, EX_UNAVAILABLE,
				    "--%s '%s': %s", hooks_event_name(event),
				    s->commands[event].values[i], error);
		}
	error = s->auth ? hooks_set_auth(&server->hooks, s->auth) : NULL;
	if (error)
		failure_report(server, EX_UNAVAILABLE, "--auth '%s': %s",
		    s->auth, error);
	if (hooks_open(&server->hooks, inetd && !s->proxy_from.n &&
	    !s->proto.xclients.n && !s->proto.resolve) < 0)
		fatal(EX_OSERR, "environment: %s", strerror(errno));
	server->hooks.timeout = s->hook_timeout < 0 ? CHECK_TIMEOUT :
	    s->hook_timeout;
	server->hooks.dot_timeout = s->hook_timeout < 0 ? DOT_TIMEOUT :
	    s->hook_timeout;
	server->hooks.soft_bounce = s->soft_bounce;
}

/* The command of --tls is run without a shell. */
static void
open_tls(struct server *server)
{
	struct invocation *command = &server->tls;
	const struct settings *s = server->settings;
	const char *error;

	if (!s->tls)
		return;
	error = invocation_parse(command, s->tls, NULL);
	if (error)
		failure_report(server, EX_UNAVAILABLE, "--tls '%s': %s",
		    s->tls, error);
	else if (!command->argv)
		fatal(EX_USAGE, "--tls '%s': it runs without a shell; put "
		    "shell syntax into a script", s->tls);
	server->options.tls.argv = command->argv;
}

static struct reply
create_envelope(void *ctx, struct mail *mail, unsigned long long size,
    struct envelope **e)
{
	return basic_envelope_new(ctx, mail, size, e);
}

static void
init_options(struct server *server)
{
	const struct settings *s = server->settings;

	server->options = s->proto;
	server->limits = s->limits;
	server->basic = (struct basic_options){
		.store = &server->store, .hardlink = s->hardlink,
		.max_hops = s->max_hops, .min_free = s->min_free,
	};
	server->options.new_envelope = create_envelope;
	server->options.ctx = &server->basic;
	server->options.hooks = &server->hooks;
	server->options.spool = &server->spool;
	server->options.board = &server->board;
	server->limits.stop = &worker_stop;
}

/* The program before a restart has written to it and closed it. */
static void
check_ready_fd(struct server *server, bool restarted)
{
	const struct settings *s = server->settings;

	server->ready_fd = -1;
	if (restarted || s->ready_fd < 0)
		return;
	if (s->ready_fd == STDIN_FILENO || s->ready_fd == STDERR_FILENO)
		fatal(EX_USAGE, "--ready-fd %lld: it is standard input or "
		    "the log; use 1, or 3 and above", s->ready_fd);
	if (s->ready_fd > INT_MAX || (s->ready_fd == STDOUT_FILENO &&
	    server->filled & 1 << STDOUT_FILENO) ||
	    fcntl((int)s->ready_fd, F_SETFD, FD_CLOEXEC) < 0)
		fatal(EX_USAGE, "--ready-fd %lld: the descriptor is not "
		    "open", s->ready_fd);
	server->ready_fd = (int)s->ready_fd;
}

void
startup_fill_descriptors(struct server *server)
{
	server->filled = descriptors_fill_standard();
	if (server->filled < 0)
		fatal(EX_OSERR, "/dev/null: %s", strerror(errno));
}

/*
 * A descriptor left open would be open in each worker, too.  After a restart,
 * all that are open are in use.
 */
void
startup_close_inherited(const struct settings *s)
{
	const int keep[] = {
		(int)s->ready_fd,
		inetd_descriptor("SSLCTLFD"),
		inetd_descriptor("SSLREADFD"),
		inetd_descriptor("SSLWRITEFD"),
	};

	if (!getenv("SMTPD_STATE"))
		descriptors_close(ACTIVATION_FIRST + activation_count(), keep,
		    sizeof keep / sizeof *keep);
}

/* A pool reads nothing there, and does not share a file with the starter. */
static void
leave_standard_input(void)
{
	if (descriptors_set_null(STDIN_FILENO) < 0)
		fatal(EX_OSERR, "/dev/null: %s", strerror(errno));
}

void
startup_prepare(struct server *server, const struct settings *s,
    struct handover *h)
{
	server->settings = s;
	server->inetd = s->inetd;
	server->inetd_kind = s->kinds[0];
	handover_read(h, server);
	check_ready_fd(server, h->present);
	if (s->inetd && server->filled & 1 << STDIN_FILENO)
		fatal(EX_USAGE, "--inetd: descriptor 0 is not open");
	init_options(server);
	umask((mode_t)s->mask);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

bool
startup_open_sockets(struct server *server, const struct user *u,
    const struct handover *h)
{
	if (!h->present)
		sockets_adopt(server);
	if (!h->present && !server->inetd)
		sockets_open(server, u);
	if (server->listeners.n + server->n_unopened == 0) {
		settings_read_limits(&server->options);
		return false;
	}
	if (listeners_set_blocking(&server->listeners) < 0)
		fatal(EX_OSERR, "--listen: %s", strerror(errno));
	notify_open(&server->notify, h->notify);
	leave_standard_input();
	return true;
}

void
startup_open_rest(struct server *server, bool pool)
{
	check_stores(server);
	open_transcripts(server);
	open_hooks(server, !pool);
	open_tls(server);
	commands_open(server);
	if (pool)
		open_status(server);
}
