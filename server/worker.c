/*
 * A worker: accept, serve, repeat.  Signals are handled only while it waits, so
 * that none is missed between a check and a wait.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/memory.h"
#include "lib/net/proxy.h"
#include "lib/proc/confine.h"
#include "lib/proc/title.h"
#include "proto.h"
#include "server/commands.h"
#include "server/worker.h"

enum { PROXY_TIMEOUT = 5000 };	/* ms, for the whole header */

/* For signal handlers. */
volatile sig_atomic_t worker_stop;
static volatile sig_atomic_t retired;
static struct server *serving;

static void
log_proxy_failure(const struct client *client, const char *error)
{
	struct log_line l;

	log_begin(&l, LEVEL_WARNING, "proxy-failed");
	log_str(&l, "client", client_address(client));
	log_str(&l, "error", error);
	log_end(&l);
}

/*
 * The client becomes the one in the header.  A health check of HAProxy has
 * LOCAL, or the addresses of its own connection.  A client whose address the
 * proxy does not know is shown with that of the connection, but has none, so
 * that it is never local or trusted.
 */
static void
apply_proxy_header(struct client *client, const struct proxy_header *h)
{
	client->probe = h->local || (h->source.family != AF_UNSPEC &&
	    endpoint_same(&h->source, &client->remote));
	if (client->probe)
		return;
	strcpy(client->via, client_address(client));
	if (h->source.family == AF_UNSPEC)
		strcpy(client->shown, client->remote.ip);
	client->remote = h->source;
	client->local = h->destination;
	client->remote_unknown = h->source.family == AF_UNSPEC;
	client->trusted = false;
	client->tls.encrypted = h->encrypted;
	tls_set_variable(&client->tls, "SSL_PROTOCOL", h->protocol);
	tls_set_variable(&client->tls, "SSL_CIPHER", h->cipher);
	tls_set_variable(&client->tls, "SSL_PEER_CERT_SUBJECT", h->subject);
	tls_set_variable(&client->tls, "SSL_TLS_SNI_SERVERNAME", h->authority);
}

static bool
is_proxy(const struct server *server, const struct client *client)
{
	const struct settings *s = server->settings;

	if (client->remote.family == AF_UNSPEC)
		return s->unix_proxies && !client->remote_unknown;
	return networks_contain(&s->proxies, &client->remote);
}

/* Returns false if the peer is a proxy and its header is not valid. */
static bool
read_proxy_header(struct server *server, struct client *client, int fd)
{
	struct proxy_header header;
	const char *failed;

	if (!is_proxy(server, client))
		return true;
	failed = proxy_read(&header, fd, PROXY_TIMEOUT, &worker_stop,
	    server->limits.wait_mask);
	if (failed) {
		if (!worker_stop)
			log_proxy_failure(client, failed);
		return false;
	}
	apply_proxy_header(client, &header);
	return true;
}

unsigned long long
worker_serve(struct server *server, struct client *client, int in, int out)
{
	static const unsigned char nobody[SCOREBOARD_KEY];
	struct stream stream;

	/* the session sets the key, once the client is known */
	scoreboard_serve(&server->board, client_address(client), nobody);
	if (!read_proxy_header(server, client, in))
		return 0;
	if (stream_open(&stream, in, out, &server->limits) < 0) {
		log_errno("session-failed", "what", "stream");
		return 0;
	}
	proto_serve(&server->options, client, &stream);
	return stream.received;
}

/* In a signal handler: no pressure, and no more connections. */
static void
close_listeners(void)
{
	if (!serving)
		return;
	serving->limits.pressure_fd = -1;
	listeners_close(&serving->listeners);
}

/* Stop: the port is free at once, and the session ends early. */
static void
on_stop(int sig)
{
	(void)sig;
	worker_stop = 1;
	close_listeners();
}

/* Retire: the current session is the last one. */
static void
on_retire(int sig)
{
	(void)sig;
	retired = 1;
	close_listeners();
}

/* The launcher has ended: this only interrupts a wait. */
static void
on_child(int sig)
{
	(void)sig;
}

void
worker_prepare_signals(struct server *server, sigset_t *waiting)
{
	struct sigaction action = { .sa_handler = on_stop };
	struct sigaction retire = { .sa_handler = on_retire };
	struct sigaction child = {
		.sa_handler = on_child, .sa_flags = SA_NOCLDWAIT,
	};
	sigset_t handled;

	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGHUP);
	sigaddset(&handled, SIGCHLD);
	sigprocmask(SIG_BLOCK, &handled, waiting);
	sigdelset(waiting, SIGTERM);
	sigdelset(waiting, SIGINT);
	sigdelset(waiting, SIGHUP);
	sigdelset(waiting, SIGCHLD);
	server->limits.wait_mask = waiting;
	server->hooks.wait_mask = waiting;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &retire, NULL);
	sigaction(SIGCHLD, &child, NULL);
}

/* A confined worker cannot open a Maildir that has replaced its own. */
static void
reopen_gone_store(struct store *store)
{
	if (store_is_gone(store))
		store_reopen(store);
}

void
worker_sweep(const struct server *server)
{
	if (store_is_one(&server->store))
		maildir_sweep(server->store.one.dir, ".");
}

static int
confine_worker(const struct listeners *l, struct confine_options *options)
{
	int *fds = calloc(l->n + 1, sizeof *fds);
	unsigned i;
	int failed;

	if (!fds)
		return -1;
	for (i = 0; i < l->n; i++)
		fds[i] = l->all[i].fd;
	options->listeners = fds;
	options->n_listeners = l->n;
	failed = confine_self(options);
	free(fds);
	return failed;
}

/* tmp and new are listed because they may be symbolic links. */
int
worker_confine(struct server *server)
{
	const struct store *store = &server->store;
	const int transcripts = server->options.transcripts;
	int dirs[5], sockets[LAUNCH_SOCKETS];
	struct confine_options options = {
		.dirs = dirs, .sockets = sockets,
		.n_sockets = launch_sockets(&server->launch, sockets),
		.tls = server->tls.argv != NULL,
		.syslog = log_is_syslog() && server->launch.fd < 0,
	};

	reopen_gone_store(&server->store);
	if (store_is_one(store)) {
		dirs[options.n_dirs++] = store->one.dir;
		dirs[options.n_dirs++] = store->one.tmp;
		dirs[options.n_dirs++] = store->one.new;
	} else {
		dirs[options.n_dirs++] = store->base;
	}
	if (server->settings->commands[HOOK_DSN].n)
		dirs[options.n_dirs++] = server->spool.base;
	if (transcripts >= 0)
		dirs[options.n_dirs++] = transcripts;
	if (confine_worker(&server->listeners, &options) == 0)
		return 0;
	log_errno("worker-failed", "what", "confinement");
	return -1;
}

/* Several listeners: a connection wakes one worker, not all of them. */
static int
watch_listeners(const struct listeners *l)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLEXCLUSIVE };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	unsigned i;

	for (i = 0; epoll >= 0 && i < l->n; i++) {
		event.data.u32 = i;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, l->all[i].fd,
		    &event) < 0)
			return -1;
	}
	return epoll;
}

/*
 * Wait for a connection.  Signal handlers close the listeners, so that accept
 * fails even if the signal comes just before it.  But after epoll has reported
 * a connection, signals are blocked: no other worker was woken for it.
 */
static int
accept_connection(const struct server *server, int epoll,
    const sigset_t *waiting, struct client *client)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	struct epoll_event event;
	sigset_t working;
	const struct listener *listener = server->listeners.all;
	int fd;

	if (epoll >= 0) {
		if (epoll_pwait(epoll, &event, 1, -1, waiting) < 1)
			return -1;
		listener += event.data.u32;
	} else {
		sigprocmask(SIG_SETMASK, waiting, &working);
	}
	fd = accept4(listener->fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
	if (epoll < 0)
		sigprocmask(SIG_SETMASK, &working, NULL);
	if (fd >= 0) {
		*client = (struct client){
			.kind = (enum listener_kind)listener->kind,
		};
		endpoint_set(&client->remote, (struct sockaddr *)&sa);
		endpoint_set_local(&client->local, fd);
	}
	return fd;
}

static bool
is_worker_wanted(void *ctx, bool leave)
{
	struct server *server = ctx;

	return leave ? scoreboard_yield(&server->board) :
	    scoreboard_is_under_pressure(&server->board);
}

/*
 * Let streams watch for pressure.  A small pool keeps no worker free; there, it
 * is a connection that no worker accepts.
 */
static void
watch_pressure(struct server *server, int epoll)
{
	struct stream_limits *l = &server->limits;

	l->is_under_pressure = is_worker_wanted;
	l->ctx = server;
	l->pressure_fd = scoreboard_pressure_fd(&server->board);
	if (l->pressure_fd < 0)
		l->pressure_fd = epoll < 0 ? server->listeners.all[0].fd :
		    epoll;
}

static void
show_waiting(struct scoreboard *board)
{
	scoreboard_wait(board);
	title_set("smtpd: worker %u waiting", scoreboard_worker(board));
}

static void
handle_accept_error(void)
{
	const struct timespec pause = { 0, 100 * 1000 * 1000 };

	switch (errno) {
	case EINTR:
	case EAGAIN:
	case EBADF:		/* the signal handler closed it */
	case ECONNABORTED:
	case EPROTO:
		break;
	case EINVAL:		/* it was shut down: the master repairs it */
		retired = 1;
		/* fall through */
	default:
		log_errno("accept-failed", "what", "connection");
		nanosleep(&pause, NULL);
	}
}

/* Descriptor 1 stays open, so that no client gets it. */
void
worker_close_ready_fd(struct server *server)
{
	if (server->ready_fd == STDOUT_FILENO)
		dup2(STDIN_FILENO, STDOUT_FILENO);
	else if (server->ready_fd >= 0)
		close(server->ready_fd);
	server->ready_fd = -1;		/* its number may be used again */
}

/*
 * A store that is gone may be in reach of the worker that replaces this one,
 * and so is another launcher.
 */
static bool
is_used_up(const struct server *server, long long served)
{
	const long long limit = server->settings->recycle_after;

	return (limit && served >= limit) ||
	    (served && (store_is_gone(&server->store) ||
	    launch_is_last(&server->launch)));
}

int
worker_begin(void *ctx)
{
	return commands_launch(ctx, true) < 0 ? EX_OSERR : 0;
}

int
worker_run(void *ctx)
{
	struct server *server = ctx;
	const long long limit = server->settings->recycle_after;
	struct client client;
	sigset_t waiting;
	unsigned long long received;
	long long served = 0;
	int fd, epoll = -1;

	worker_close_ready_fd(server);
	notify_close(&server->notify);
	serving = server;
	worker_prepare_signals(server, &waiting);
	if (server->listeners.n > 1 &&
	    (epoll = watch_listeners(&server->listeners)) < 0) {
		log_errno("worker-failed", "what", "epoll");
		return EX_OSERR;
	}
	watch_pressure(server, epoll);
	if (worker_confine(server) < 0)
		return EX_OSERR;
	memory_release_stack();
	while (!worker_stop && !retired && !is_used_up(server, served) &&
	    !launch_is_lost(&server->launch)) {
		show_waiting(&server->board);
		fd = accept_connection(server, epoll, &waiting, &client);
		if (fd < 0) {
			handle_accept_error();
			continue;
		}
		received = worker_serve(server, &client, fd, fd);
		close(fd);
		if (received > STREAM_SMALL) {
			memory_release_stack();
			memory_release_heap();
		}
		served++;
	}
	if (limit && served >= limit)
		worker_sweep(server);
	if (!worker_stop && !retired && launch_is_lost(&server->launch)) {
		errno = EPIPE;
		log_errno("worker-failed", "what", "launcher");
		return EX_OSERR;
	}
	return EX_OK;
}
