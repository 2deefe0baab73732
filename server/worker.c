/* What a worker does: accept, serve, and again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/net/proxy.h"
#include "lib/proc/confine.h"
#include "lib/proc/title.h"
#include "proto.h"
#include "server/worker.h"

enum { PROXY_TIMEOUT = 5000 };	/* ms, for the whole header */

/* What a signal handler has to reach. */
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
 * Let the client be who the proxy says it is.  HAProxy looks whether a server
 * is well with a header that tells of that very connection, if not with LOCAL.
 */
static void
take_header(struct client *client, const struct proxy_header *h)
{
	client->probe = h->local || (h->source.family != AF_UNSPEC &&
	    endpoint_same(&h->source, &client->remote));
	if (client->probe)
		return;
	strcpy(client->via, client_address(client));
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

/* A proxy says first of whom it speaks, or is not served. */
static bool
ask_proxy(struct server *server, struct client *client, int fd)
{
	struct proxy_header header;
	const char *failed;

	if (!is_proxy(server, client))
		return true;
	failed = proxy_read(&header, fd, PROXY_TIMEOUT, &worker_stop,
	    server->limits.wait_mask);
	if (failed) {
		log_proxy_failure(client, failed);
		return false;
	}
	take_header(client, &header);
	return true;
}

void
worker_serve(struct server *server, struct client *client, int in, int out)
{
	static const unsigned char nobody[SCOREBOARD_KEY];
	struct stream stream;

	/* busy, with a proxy perhaps; the session knows with whom */
	scoreboard_serve(&server->board, client_address(client), nobody);
	if (!ask_proxy(server, client, in))
		return;
	/* here we know whom we speak with */
	if (stream_open(&stream, in, out, &server->limits) < 0) {
		log_errno("session-failed", "what", "stream");
		return;
	}
	proto_serve(&server->options, client, &stream);
}

/* Nobody else wants to be served here any more, either. */
static void
leave_listeners(void)
{
	if (!serving)
		return;
	serving->limits.pressure_fd = -1;
	listeners_close(&serving->listeners);
}

/* Asked to stop: the port is free at once, the session comes to its end. */
static void
on_stop(int sig)
{
	(void)sig;
	worker_stop = 1;
	leave_listeners();
}

/* The session that it serves, if there is one, is the last one. */
static void
on_retire(int sig)
{
	(void)sig;
	retired = 1;
	leave_listeners();
}

/* A command has ended: it is waited for where that matters. */
static void
on_child(int sig)
{
	(void)sig;
}

/*
 * These signals are blocked but while this process waits, so that there is no
 * moment between looking for what they tell and waiting in which one is missed.
 */
void
worker_prepare_signals(struct server *server, sigset_t *waiting)
{
	struct sigaction action = { .sa_handler = on_stop };
	struct sigaction retire = { .sa_handler = on_retire };
	struct sigaction child = { .sa_handler = on_child };
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

/* A Maildir where another one was is out of a confined worker's reach. */
static void
find_maildir(struct store *store)
{
	if (store_is_gone(store))
		store_reopen(store);
}

void
worker_sweep(const struct server *server)
{
	if (store_is_one(&server->store))
		maildir_sweep(&server->store.one);
}

static int
confine(const struct listeners *l, struct confine_options *options)
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

/* What lies in tmp and new may be elsewhere, by a symbolic link. */
int
worker_settle(struct server *server)
{
	const struct store *store = &server->store;
	const int transcripts = server->options.transcripts;
	int dirs[4];
	struct confine_options options = { .dirs = dirs,
	    .syslog = log_is_syslog() };

	find_maildir(&server->store);
	if (settings_command(server->settings))
		return 0;
	if (store_is_one(store)) {
		dirs[options.n_dirs++] = store->one.dir;
		dirs[options.n_dirs++] = store->one.tmp;
		dirs[options.n_dirs++] = store->one.new;
	} else {
		dirs[options.n_dirs++] = store->base;
	}
	if (transcripts >= 0)
		dirs[options.n_dirs++] = transcripts;
	if (confine(&server->listeners, &options) == 0)
		return 0;
	log_errno("worker-failed", "what", "confinement");
	return -1;
}

/* Several listeners: wake one worker for a connection, not all of them. */
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
 * Wait for a connection.  The handlers of signals close the listeners, so
 * that accept fails even if the signal comes just before it.  But what epoll
 * told of is taken, for nobody else was woken for it.
 */
static int
next_connection(const struct server *server, int epoll,
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
is_contested(void *ctx, bool leave)
{
	struct server *server = ctx;

	return leave ? scoreboard_yield(&server->board) :
	    scoreboard_is_under_pressure(&server->board);
}

/*
 * What says that others want this worker: the pool's pressure, or in a small
 * pool, which keeps no worker free, a connection that nobody accepts.
 */
static void
watch_rivals(struct server *server, int epoll)
{
	struct stream_limits *l = &server->limits;

	l->is_under_pressure = is_contested;
	l->ctx = server;
	l->pressure_fd = scoreboard_pressure_fd(&server->board);
	if (l->pressure_fd < 0)
		l->pressure_fd = epoll < 0 ? server->listeners.all[0].fd : epoll;
}

static void
wait_openly(struct scoreboard *board)
{
	scoreboard_wait(board);
	title_set("smtpd: worker %u waiting", scoreboard_worker(board));
}

/* accept failed: is it only this connection, or this machine? */
static void
accept_failed(void)
{
	const struct timespec pause = { 0, 100 * 1000 * 1000 };

	switch (errno) {
	case EINTR:
	case EAGAIN:
	case EBADF:		/* the signal handler closed it */
	case ECONNABORTED:
	case EPROTO:
		break;
	case EINVAL:		/* it listens no more: the master will see */
		retired = 1;
		/* fall through */
	default:
		log_errno("accept-failed", "what", "connection");
		nanosleep(&pause, NULL);
	}
}

/* Its reader waits for the end.  Descriptor 1 must not become a client's. */
void
worker_close_ready_fd(const struct server *server)
{
	if (server->ready_fd == STDOUT_FILENO)
		dup2(STDIN_FILENO, STDOUT_FILENO);
	else if (server->ready_fd >= 0)
		close(server->ready_fd);
}

/* Its successor may find a Maildir that it can't reach; or none, either. */
static bool
is_spent(const struct server *server, long long served)
{
	const long long most = server->settings->recycle_after;

	return (most && served >= most) ||
	    (served && store_is_gone(&server->store));
}

int
worker_run(void *ctx)
{
	struct server *server = ctx;
	const long long limit = server->settings->recycle_after;
	struct client client;
	sigset_t waiting;
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
	watch_rivals(server, epoll);
	if (worker_settle(server) < 0)
		return EX_OSERR;
	while (!worker_stop && !retired && !is_spent(server, served)) {
		wait_openly(&server->board);
		fd = next_connection(server, epoll, &waiting, &client);
		if (fd < 0) {
			accept_failed();
			continue;
		}
		worker_serve(server, &client, fd, fd);
		close(fd);
		served++;
	}
	if (limit && served >= limit)
		worker_sweep(server);
	return EX_OK;
}
