/*
 * The pool as a service: the callbacks of the pool, and what is reported to the
 * administrator and the service manager.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/path.h"
#include "lib/proc/title.h"
#include "server/commands.h"
#include "server/service.h"
#include "server/status.h"
#include "server/warnings.h"
#include "server/worker.h"

enum {
	TICK = 1000,		/* ms between updates of STATUS= and --status */
	IDLE_EXIT = 5 * 1000,	/* ms, with "wait" of inetd */
};

/*
 * Print a command that sends a message to this listener.  It needs bash alone,
 * which Debian always has.
 */
static void
print_trial(const char *address, const char *domain)
{
	const char *port = strrchr(address, ':');
	int len = (int)(port - address);

	if (strncmp(address, "0.0.0.0:", 8) == 0) {
		address = "127.0.0.1";
		len = 9;
	} else if (strncmp(address, "[::]:", 5) == 0) {
		address = "::1";
		len = 3;
	} else if (*address == '[') {
		address++;
		len -= 2;
	}
	dprintf(STDERR_FILENO, "bash -c 'exec 3<>/dev/tcp/%.*s/%s && "
	    "printf \"%%s\\r\\n\" \"EHLO me\" \"MAIL FROM:<me@example.org>\" "
	    "\"RCPT TO:<you@%s>\" DATA \"Subject: hello\" \"\" Hello. . QUIT "
	    ">&3 && cat <&3'\n", len, address, port + 1, domain);
}

/*
 * Find a listener that accepts mail without AUTH, TLS or PROXY, from a client
 * that sends everything at once; NULL: none.
 */
static const struct listener *
find_open_listener(const struct server *server)
{
	const struct settings *s = server->settings;
	const struct listener *l = server->listeners.all;
	unsigned i;

	if (s->proto.require_auth || s->proto.require_tls || s->proxy_from.n ||
	    s->proto.greet_delay || server->store.per_user)
		return NULL;
	for (i = 0; i < server->listeners.n; i++)
		if (l[i].kind == KIND_SMTP && *l[i].address != '/')
			return &l[i];
	return NULL;
}

/* At a terminal, say what was started and how to try it. */
static void
print_welcome(const struct server *server)
{
	const struct settings *s = server->settings;
	const struct listener *l = server->listeners.all;
	const struct listener *plain = find_open_listener(server);
	const char *domain = s->domains.n && *s->domains.values[0] != '*' ?
	    s->domains.values[0] : s->hostname;
	char path[PATH_MAX];
	unsigned i;

	for (i = 0; i < server->listeners.n; i++)
		dprintf(STDERR_FILENO, "%s%s", i ? ", " : "smtpd listens on ",
		    l[i].address);
	dprintf(STDERR_FILENO, "; mail goes to %s.  Press Ctrl-C to stop.\n"
	    "Try: ",
	    strcmp(s->maildir, "none") == 0 ? "your commands" :
	    path_absolute(s->maildir, path, sizeof path));
	if (plain)
		print_trial(plain->address, domain);
	else
		dprintf(STDERR_FILENO, "smtpd --explain you@%s, with the same "
		    "options\n", domain);
}

static void
log_listener(const struct settings *s, const struct listener *listener)
{
	char path[PATH_MAX];
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "listening");
	log_str(&l, "address", listener->address);
	log_str(&l, "maildir", strcmp(s->maildir, "none") == 0 ? "none" :
	    path_absolute(s->maildir, path, sizeof path));
	log_num(&l, "workers", s->workers);
	log_end(&l);
}

/* The pool accepts connections: tell the log, --ready-fd and systemd. */
static void
announce_ready(void *ctx)
{
	struct server *server = ctx;
	const struct settings *s = server->settings;
	unsigned i;

	status_update(&server->status, &server->board);
	if (log_is_terminal())
		print_welcome(server);
	for (i = 0; i < server->listeners.n && !log_is_terminal(); i++)
		log_listener(s, &server->listeners.all[i]);
	warnings_log(server);
	for (i = 0; i < server->listeners.n && server->ready_fd >= 0; i++)
		dprintf(server->ready_fd, "%s\n",
		    server->listeners.all[i].address);
	worker_close_ready_fd(server);
	notify_send(&server->notify, "READY=1\nMAINPID=%ld", (long)getpid());
}

static void
release_listeners(void *ctx)
{
	struct server *server = ctx;

	notify_send(&server->notify, "STOPPING=1");
	restart_cancel(server);
	listeners_unlink(&server->listeners);
	listeners_close(&server->listeners);
}

/*
 * A compromised worker can shut down a listener that all share.  If it cannot
 * be opened again, the server stops, so that its manager restarts it.
 */
static void
repair_listener(struct server *server, const struct listener *listener)
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
repair_listeners(void *ctx)
{
	struct server *server = ctx;
	unsigned i;

	for (i = 0; i < server->listeners.n; i++)
		if (listener_is_shut(&server->listeners.all[i]))
			repair_listener(server, &server->listeners.all[i]);
}

static void
begin_restart(void *ctx)
{
	struct server *server = ctx;

	repair_listeners(server);
	if (!server->listener_lost)
		restart_begin(server);
}

static void
handle_child(void *ctx, struct pool *pool, pid_t pid, int status)
{
	restart_child_ended(ctx, pool, pid, status);
}

static void
exec_restart(void *ctx, const struct pool *pool)
{
	restart_exec(ctx, pool);
}

static void
replace_launchers(void *ctx, struct pool *pool)
{
	struct server *server = ctx;

	if (server->relaunch.fd >= 0)
		relaunch_serve(&server->relaunch, pool);
}

static void
log_status(void *ctx)
{
	struct server *server = ctx;

	status_log(&server->board);
}

/* Send STATUS=, which systemctl status shows, if it has changed. */
static void
send_status(struct server *server)
{
	const char *failure = server->restart.failure;
	char text[sizeof server->status_sent];

	snprintf(text, sizeof text, "%u of %lld workers busy; "
	    "%llu sessions, %llu messages%s%s",
	    scoreboard_busy(&server->board), server->settings->workers,
	    scoreboard_total(&server->board, COUNT_SESSIONS),
	    scoreboard_total(&server->board, COUNT_MESSAGES),
	    *failure ? "; last restart failed: " : "", failure);
	if (strcmp(text, server->status_sent) == 0)
		return;
	strcpy(server->status_sent, text);
	notify_send(&server->notify, "STATUS=%s", text);
}

/*
 * Send WATCHDOG=1 if it is due and the pool has a worker, busy or not.  Returns
 * in how many ms to look again.
 */
static long long
send_watchdog(struct server *server, const struct pool *pool)
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
update_status(void *ctx, const struct pool *pool)
{
	struct server *server = ctx;
	long long wait;

	status_update(&server->status, &server->board);
	if (server->notify.fd < 0)
		return server->status.path ? TICK : -1;
	send_status(server);
	wait = send_watchdog(server, pool);
	return wait < TICK ? wait : TICK;
}

/* Adopt the scoreboard of the former program, or create a new one. */
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
		.begin = worker_begin, .work = worker_run, .ready = announce_ready,
		.drain = release_listeners, .ended = repair_listeners,
		.hangup = begin_restart, .child = handle_child,
		.room = exec_restart, .report = log_status,
		.asked = replace_launchers, .tick = update_status,
		.ctx = server,
	};
	struct log_line l;
	unsigned killed;

	open_scoreboard(server, h);
	commands_prepare(server);
	title_set("smtpd: master");
	tzset();	/* once, not in each worker */
	worker_sweep(server);
	killed = pool_run(&options);
	status_close(&server->status);
	log_begin(&l, LEVEL_INFO, "stopped");
	log_num(&l, "killed", killed);
	log_end(&l);
	return server->listener_lost ? EX_UNAVAILABLE : EX_OK;
}
