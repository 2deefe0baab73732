/* The pool as those see it who run it. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/proc/title.h"
#include "server/service.h"
#include "server/status.h"
#include "server/worker.h"

enum {
	TICK = 1000,		/* ms: no more often is STATUS= sent, or a file
				   written */
	IDLE_EXIT = 5 * 1000,	/* ms, under inetd (wait) */
};

/* What a client on this machine connects to. */
static void
print_url(const char *address)
{
	if (strncmp(address, "0.0.0.0:", 8) == 0 ||
	    strncmp(address, "[::]:", 5) == 0)
		dprintf(STDERR_FILENO, "smtp://localhost%s",
		    strrchr(address, ':'));
	else
		dprintf(STDERR_FILENO, "smtp://%s", address);
}

/* A listener that takes mail as curl sends it; NULL where none does. */
static const struct listener *
find_plain(const struct server *server)
{
	const struct settings *s = server->settings;
	const struct listener *l = server->listeners.all;
	unsigned i;

	if (s->proto.require_auth || s->proto.require_tls || s->proxy_from.n ||
	    server->store.per_user)
		return NULL;
	for (i = 0; i < server->listeners.n; i++)
		if (l[i].kind == KIND_SMTP && *l[i].address != '/')
			return &l[i];
	return NULL;
}

/* Who started it at a terminal is told what to do next, in two lines. */
static void
greet(const struct server *server)
{
	const struct settings *s = server->settings;
	const struct listener *l = server->listeners.all;
	const struct listener *plain = find_plain(server);
	const char *domain = s->domains.n && *s->domains.values[0] != '*' ?
	    s->domains.values[0] : s->hostname;
	unsigned i;

	for (i = 0; i < server->listeners.n; i++)
		dprintf(STDERR_FILENO, "%s%s", i ? ", " : "smtpd listens on ",
		    l[i].address);
	dprintf(STDERR_FILENO, "; mail goes to %s.  Ctrl-C ends it.\nTry: ",
	    strcmp(s->maildir, "none") == 0 ? "your commands" : s->maildir);
	if (plain) {
		dprintf(STDERR_FILENO, "echo Hello | curl -sS --crlf ");
		print_url(plain->address);
		dprintf(STDERR_FILENO, " --mail-rcpt you@%s -T -\n", domain);
	} else {
		dprintf(STDERR_FILENO, "smtpd --explain you@%s, with the same "
		    "options\n", domain);
	}
}

static void
log_listener(const struct settings *s, const struct listener *listener)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "listening");
	log_str(&l, "address", listener->address);
	log_str(&l, "maildir", s->maildir);
	log_num(&l, "workers", s->workers);
	log_end(&l);
}

/* Local clients may send to any domain; are all of them really local? */
static void
warn_of_domain(const struct settings *s, const struct listener *listener)
{
	struct endpoint e;
	struct log_line l;

	endpoint_set_local(&e, listener->fd);
	if (!settings_any_domain(s, (enum listener_kind)listener->kind, &e))
		return;
	log_begin(&l, LEVEL_WARNING, "any-domain");
	log_str(&l, "address", listener->address);
	log_str(&l, "error", SETTINGS_ANY_DOMAIN);
	log_end(&l);
}

/* The pool accepts: say so to the log, and to who waits for it. */
static void
announce(void *ctx)
{
	struct server *server = ctx;
	const struct settings *s = server->settings;
	unsigned i;

	status_update(&server->status, &server->board);
	if (log_is_terminal())
		greet(server);
	for (i = 0; i < server->listeners.n; i++) {
		if (!log_is_terminal())
			log_listener(s, &server->listeners.all[i]);
		warn_of_domain(s, &server->listeners.all[i]);
		if (server->ready_fd >= 0)
			dprintf(server->ready_fd, "%s\n",
			    server->listeners.all[i].address);
	}
	worker_close_ready_fd(server);
	notify_send(&server->notify, "READY=1\nMAINPID=%ld", (long)getpid());
}

static void
stop(void *ctx)
{
	struct server *server = ctx;

	notify_send(&server->notify, "STOPPING=1");
	restart_cancel(server);
	listeners_unlink(&server->listeners);
	listeners_close(&server->listeners);
}

/*
 * A worker that was taken over can shut down a listener for all.  Where there
 * is no other way, a new start has to open it.
 */
static void
mend_listener(struct server *server, const struct listener *listener)
{
	const int backlog = (int)server->settings->backlog;
	struct log_line l;

	if (listener_reopen(listener, backlog) == 0) {
		log_begin(&l, LEVEL_WARNING, "listener-reopened");
		log_str(&l, "address", listener->address);
		log_end(&l);
		return;
	}
	log_errno("listener-lost", "address", listener->address);
	if (!server->listener_lost)
		kill(getpid(), SIGTERM);
	server->listener_lost = true;
}

static void
mend_listeners(void *ctx)
{
	struct server *server = ctx;
	unsigned i;

	for (i = 0; i < server->listeners.n; i++)
		if (listener_is_shut(&server->listeners.all[i]))
			mend_listener(server, &server->listeners.all[i]);
}

static void
restart(void *ctx)
{
	struct server *server = ctx;

	mend_listeners(server);
	if (!server->listener_lost)
		restart_begin(server);
}

static void
child_ended(void *ctx, struct pool *pool, pid_t pid, int status)
{
	restart_child_ended(ctx, pool, pid, status);
}

static void
take_place(void *ctx, const struct pool *pool)
{
	restart_exec(ctx, pool);
}

static void
report(void *ctx)
{
	struct server *server = ctx;

	status_log(&server->board);
}

/* What systemctl status shows, when it has changed. */
static void
tell_status(struct server *server)
{
	const char *failure = server->restart.failure;
	char text[sizeof server->status_sent];

	snprintf(text, sizeof text, "%u of %lld workers busy; "
	    "%llu sessions, %llu messages%s%s",
	    scoreboard_busy(&server->board), server->settings->workers,
	    scoreboard_total(&server->board, COUNT_SESSIONS),
	    scoreboard_total(&server->board, COUNT_MESSAGES),
	    *failure ? "; the last restart failed: " : "", failure);
	if (strcmp(text, server->status_sent) == 0)
		return;
	strcpy(server->status_sent, text);
	notify_send(&server->notify, "STATUS=%s", text);
}

/*
 * A full pool is healthy; one that has no worker is not.  Returns when the next
 * sign of life is due, in ms.
 */
static long long
give_sign(struct server *server, const struct pool *pool)
{
	const long long period = server->notify.watchdog;
	const long long now = clock_ms();

	if (!period)
		return TICK;
	if (now < server->watchdog_at)
		return server->watchdog_at - now;
	if (pool_workers(pool, NULL, 0) == 0)
		return period < TICK ? period : TICK;
	notify_send(&server->notify, "WATCHDOG=1");
	server->watchdog_at = now + period;
	return period;
}

static long long
tick(void *ctx, const struct pool *pool)
{
	struct server *server = ctx;
	long long sign;

	status_update(&server->status, &server->board);
	if (server->notify.fd < 0)
		return server->status.path ? TICK : -1;
	tell_status(server);
	sign = give_sign(server, pool);
	return sign < TICK ? sign : TICK;
}

/* That of a former program, if this one can read it; else a new one. */
static void
open_scoreboard(struct server *server, const struct handover *h)
{
	const unsigned workers = (unsigned)server->settings->workers;
	const bool adopted = h->board >= 0 &&
	    scoreboard_adopt(&server->board, h->board, workers) == 0;
	unsigned i;

	if (h->board >= 0 && !adopted)
		close(h->board);
	if (!adopted && scoreboard_create(&server->board, workers) < 0)
		fatal(EX_OSERR, "shared memory for %u workers: %s", workers,
		    strerror(errno));
	for (i = 0; i < h->n_workers; i++)
		if (!adopted ||
		    h->workers[i].slot >= scoreboard_slots(&server->board))
			h->workers[i].slot = POOL_NO_SLOT;
	if (h->present)
		scoreboard_count(&server->board, SCOREBOARD_RESTARTS, 1);
}

int
service_run(struct server *server, const struct handover *h)
{
	const struct settings *s = server->settings;
	const struct pool_options options = {
		.workers = (unsigned)s->workers,
		.drain_timeout = s->drain_timeout,
		.board = &server->board,
		.former = h->workers, .n_former = h->n_workers,
		.idle_exit = server->inetd ? IDLE_EXIT : 0,
		.sessions = COUNT_SESSIONS,
		.work = worker_run, .ready = announce, .drain = stop,
		.ended = mend_listeners, .hangup = restart, .child = child_ended,
		.room = take_place,
		.report = report, .tick = tick,
		.ctx = server,
	};
	struct log_line l;
	unsigned killed;

	open_scoreboard(server, h);
	title_set("smtpd: master");
	tzset();	/* once, and not in each worker */
	if (store_is_exposed(&server->store)) {
		log_begin(&l, LEVEL_WARNING, "maildir-exposed");
		log_str(&l, "maildir", s->maildir);
		log_end(&l);
	}
	restart_warn(&server->restart);
	worker_sweep(server);
	killed = pool_run(&options);
	status_close(&server->status);
	log_begin(&l, LEVEL_INFO, "stopped");
	log_num(&l, "killed", killed);
	log_end(&l);
	return server->listener_lost ? EX_UNAVAILABLE : EX_OK;
}
