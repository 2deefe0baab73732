/*
 * The process: what the command line asks for is checked and opened, then
 * privileges are dropped, then a pool of workers serves one session at a time
 * each; or, under inetd, this process serves the one it was given.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "inetd.h"
#include "log.h"
#include "pool.h"
#include "server.h"
#include "sockets.h"
#include "status.h"
#include "user.h"
#include "worker.h"

enum {
	CHECK_TIMEOUT = 60 * 1000,	/* ms, for each command */
	DOT_TIMEOUT = 5 * 60 * 1000,	/* ms, for all after the dot */
};

/* Returns whether there is a user to become. */
static bool
find_user(const struct settings *s, struct user *u)
{
	const char *missing;

	if (!s->user && geteuid() == 0)
		fatal(EX_USAGE, "started as root: say with --user as whom to "
		    "run (--user root, if that is really meant)");
	if (!s->user)
		return false;
	missing = user_find(u, s->user);
	if (missing)
		fatal(EX_NOUSER, "--user %s: there is no such %s", s->user,
		    missing);
	setenv("HOME", u->home, 1);
	setenv("USER", u->name, 1);
	setenv("LOGNAME", u->name, 1);
	if (geteuid() == 0)
		return true;
	if (u->uid != geteuid() || u->gid != getegid())
		fatal(EX_NOPERM, "--user %s: only root can become another "
		    "user or group", s->user);
	return false;
}

static void
open_store(struct server *server, const struct user *u)
{
	const struct settings *s = &server->settings;
	const struct maildir_owner owner = { u ? u->uid : 0, u ? u->gid : 0 };

	if (strcmp(s->maildir, "none") == 0) {
		if (store_open_spool(&server->store, s->spool) < 0)
			fatal(EX_CANTCREAT, "--spool %s: %s", s->spool,
			    strerror(errno));
		return;
	}
	if (store_open(&server->store, s->maildir, s->delimiters,
	    u ? &owner : NULL) == 0)
		return;
	fatal(EX_CANTCREAT, "maildir %s: %s%s", s->maildir, strerror(errno),
	    errno == ENOENT ? "; make the directory above it first" : "");
}

/* Say why mail can't be kept, and exit. */
static void
store_failed(const struct settings *s, const struct store *store)
{
	if (store->spool_only)
		fatal(EX_CANTCREAT, "--spool %s: %s for uid %ld", s->spool,
		    strerror(errno), (long)geteuid());
	if (errno == EXDEV)
		fatal(EX_CONFIG, "maildir %s: tmp and new are on different "
		    "devices", s->maildir);
	fatal(EX_CANTCREAT, "maildir %s: %s for uid %ld; give it to that "
	    "user, or run as its owner with --user", s->maildir,
	    strerror(errno), (long)geteuid());
}

/* After this, nothing is done as root. */
static void
drop_privileges(struct server *server, const struct user *u)
{
	const struct settings *s = &server->settings;

	if (u && user_become(u) < 0)
		fatal(EX_OSERR, "can't become %s: %s", s->user,
		    strerror(errno));
	if (store_check(&server->store) < 0)
		store_failed(s, &server->store);
}

/* The commands, checked as the user that will run them. */
static void
open_hooks(struct server *server)
{
	const struct settings *s = &server->settings;
	const char *error;
	unsigned event, i;

	for (event = 0; event < HOOK_EVENTS; event++)
		for (i = 0; i < s->commands[event].n; i++) {
			error = hooks_add(&server->hooks, event,
			    s->commands[event].values[i]);
			if (error)
				fatal(EX_UNAVAILABLE, "--%s '%s': %s",
				    hooks_event_name(event),
				    s->commands[event].values[i], error);
		}
	error = s->auth ? hooks_set_auth(&server->hooks, s->auth) : NULL;
	if (error)
		fatal(EX_UNAVAILABLE, "--auth '%s': %s", s->auth, error);
	if (hooks_open(&server->hooks, s->inetd && !s->proxies.n &&
	    !s->proto.xclients.n && !s->proto.resolve) < 0)
		fatal(EX_OSERR, "environment: %s", strerror(errno));
	if (s->auth && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		fatal(EX_OSERR, "not dumpable: %s", strerror(errno));
	server->hooks.timeout = s->hook_timeout < 0 ? CHECK_TIMEOUT :
	    s->hook_timeout;
	server->hooks.dot_timeout = s->hook_timeout < 0 ? DOT_TIMEOUT :
	    s->hook_timeout;
	server->hooks.soft_bounce = s->soft_bounce;
	if (!s->allow_setuid && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fatal(EX_OSERR, "no_new_privs: %s; --allow-setuid goes "
		    "without", strerror(errno));
}

static struct reply
new_envelope(void *ctx, struct mail *mail, unsigned long long size,
    struct envelope **e)
{
	return basic_envelope_new(ctx, mail, size, e);
}

static void
connect_parts(struct server *server)
{
	struct settings *s = &server->settings;

	server->basic = (struct basic_options){
		.store = &server->store, .hardlink = s->hardlink,
		.max_hops = s->max_hops, .min_free = s->min_free,
	};
	s->proto.new_envelope = new_envelope;
	s->proto.ctx = &server->basic;
	s->proto.hooks = &server->hooks;
	s->proto.board = &server->board;
	s->limits.stop = &worker_stop;
}

/* The pool accepts: say so to the log, and to who waits for it. */
static void
announce(void *ctx)
{
	struct server *server = ctx;
	const struct settings *s = &server->settings;
	struct log_line l;
	unsigned i;

	for (i = 0; i < server->listeners.n; i++) {
		log_begin(&l, LEVEL_INFO, "listening");
		log_str(&l, "address", server->listeners.all[i].address);
		log_str(&l, "maildir", s->maildir);
		log_num(&l, "workers", s->workers);
		log_end(&l);
		if (s->ready_fd >= 0)
			dprintf((int)s->ready_fd, "%s\n",
			    server->listeners.all[i].address);
	}
	worker_close_ready_fd(s);
	notify_send(&server->notify, "READY=1\nMAINPID=%ld", (long)getpid());
}

static void
close_listeners(void *ctx)
{
	struct server *server = ctx;

	notify_send(&server->notify, "STOPPING=1");
	listeners_unlink(&server->listeners);
	listeners_close(&server->listeners);
}

static void
report(void *ctx)
{
	struct server *server = ctx;

	status_log(&server->board);
}

static int
run_pool(struct server *server)
{
	const struct settings *s = &server->settings;
	const struct pool_options options = {
		.workers = (unsigned)s->workers,
		.drain_timeout = s->drain_timeout,
		.board = &server->board,
		.work = worker_run, .ready = announce, .drain = close_listeners,
		.report = report, .ctx = server,
	};
	struct log_line l;
	unsigned killed;

	if (scoreboard_create(&server->board, options.workers) < 0)
		fatal(EX_OSERR, "shared memory for %u workers: %s",
		    options.workers, strerror(errno));
	killed = pool_run(&options);
	log_begin(&l, LEVEL_INFO, "stopped");
	log_num(&l, "killed", killed);
	log_end(&l);
	return EX_OK;
}

/* Else a socket of ours could become descriptor 2, and read the log. */
static void
open_standard_descriptors(bool inetd)
{
	int fd;

	if (inetd && fcntl(STDIN_FILENO, F_GETFD) < 0)
		fatal(EX_USAGE, "--inetd: descriptor 0 is not open");
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			fatal(EX_OSERR, "/dev/null: %s", strerror(errno));
}

int
main(int argc, char **argv)
{
	static struct server server;
	struct settings *s = &server.settings;
	struct user user;
	bool become;

	settings_read(s, argc, argv);
	open_standard_descriptors(s->inetd);
	connect_parts(&server);
	umask((mode_t)s->mask);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	become = find_user(s, &user);
	sockets_take(&server);
	if (!s->inetd) {
		sockets_open(&server, become ? &user : NULL);
		notify_open(&server.notify);
	}
	open_store(&server, become ? &user : NULL);
	drop_privileges(&server, become ? &user : NULL);
	open_hooks(&server);
	return s->inetd ? inetd_run(&server) : run_pool(&server);
}
