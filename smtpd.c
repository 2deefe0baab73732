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
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "pool.h"
#include "settings.h"
#include "user.h"

enum {
	CHECK_TIMEOUT = 60 * 1000,	/* ms, for each command */
	DOT_TIMEOUT = 5 * 60 * 1000,	/* ms, for all after the dot */
};

struct server {
	struct settings settings;
	struct store store;
	struct basic_options basic;
	struct listeners listeners;
	struct hooks hooks;
};

/* What a signal handler has to reach. */
static volatile sig_atomic_t stop;
static struct listeners *listening;

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
open_listeners(struct server *server, const struct user *u)
{
	const struct settings *s = &server->settings;
	struct listener_options options = {
		.backlog = (int)s->backlog,
		.uid = u ? u->uid : (uid_t)-1, .gid = u ? u->gid : (gid_t)-1,
	};
	struct listener_error error;
	unsigned i;

	for (i = 0; i < s->listen.n; i++) {
		options.kind = (int)s->kinds[i];
		if (listener_open(&server->listeners,
		    s->listen.values[i], &options, &error) < 0)
			fatal(error.status, "--listen %s", error.text);
	}
	if (server->listeners.n > 1 &&
	    listeners_set_nonblocking(&server->listeners) < 0)
		fatal(EX_OSERR, "--listen: %s", strerror(errno));
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
	if (hooks_open(&server->hooks, s->inetd) < 0)
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
	s->limits.stop = &stop;
}

static void
serve(struct server *server, const struct client *client, int in, int out)
{
	struct stream stream;
	bool quit;

	if (stream_open(&stream, in, out, &server->settings.limits) < 0) {
		log_errno("session-failed", "what", "stream");
		return;
	}
	quit = proto_serve(&server->settings.proto, client, &stream);
	stream_close(&stream, !quit);
}

/* Asked to stop: the port is free at once, the session comes to its end. */
static void
on_stop(int sig)
{
	(void)sig;
	stop = 1;
	if (listening)
		listeners_close(listening);
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
static void
prepare_signals(struct server *server, sigset_t *waiting)
{
	struct sigaction action = { .sa_handler = on_stop };
	struct sigaction child = { .sa_handler = on_child };
	sigset_t handled;

	sigemptyset(&handled);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigaddset(&handled, SIGCHLD);
	sigprocmask(SIG_BLOCK, &handled, waiting);
	sigdelset(waiting, SIGTERM);
	sigdelset(waiting, SIGINT);
	sigdelset(waiting, SIGCHLD);
	server->settings.limits.wait_mask = waiting;
	server->hooks.wait_mask = waiting;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGCHLD, &child, NULL);
}

static void
local_endpoint(struct endpoint *e, int fd)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;

	getsockname(fd, (struct sockaddr *)&sa, &len);
	endpoint_set(e, (struct sockaddr *)&sa);
}

/* Remove what a killed process left, once in a worker's life. */
static void
sweep(const struct server *server)
{
	if (!server->store.per_user && !server->store.spool_only)
		maildir_sweep(&server->store.one);
}

/* The port in a super-server's variable; 0 where there is none. */
static unsigned
port_from(const char *variable)
{
	const char *text = getenv(variable);
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n <= 65535 ? (unsigned)n : 0;
}

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* Who is it, by the socket or else by the super-server's variables? */
static void
identify_client(struct client *client, bool is_socket)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	const char *ip;

	if (is_socket && is_listening(STDIN_FILENO))
		fatal(EX_UNAVAILABLE, "--inetd: descriptor 0 is a listening "
		    "socket; it must be a connection (nowait)");
	if (is_socket && getpeername(STDIN_FILENO, (struct sockaddr *)&sa,
	    &len) < 0)
		exit(EX_OK);		/* the client has gone already */
	endpoint_set(&client->remote, (struct sockaddr *)&sa);
	local_endpoint(&client->local, STDIN_FILENO);
	client->trusted = getenv("RELAYCLIENT") != NULL;
	if (client->remote.family != AF_UNSPEC)
		return;
	if ((ip = getenv("TCPREMOTEIP")) || (ip = getenv("REMOTE_HOST"))) {
		client->remote_unknown = true;
		endpoint_parse(&client->remote, ip);
	}
	if ((ip = getenv("TCPLOCALIP")))
		endpoint_parse(&client->local, ip);
	if (client->remote.family != AF_UNSPEC) {
		client->remote.port = port_from("TCPREMOTEPORT");
		client->local.port = port_from("TCPLOCALPORT");
	}
}

/* A limit that tcpserver's rules set for this client. */
static void
take_limit(const char *variable, long long *limit)
{
	const char *text = getenv(variable);
	char *end;

	if (!text)
		return;
	errno = 0;
	*limit = strtoll(text, &end, 10);
	if (errno || *end || end == text || *limit < 0)
		fatal(EX_USAGE, "%s is a whole number, not '%s'", variable,
		    text);
}

/* Serve what inetd gave us: a socket, or two pipes. */
static int
run_inetd(struct server *server)
{
	struct settings *s = &server->settings;
	struct client client = { .kind = s->kinds[0] };
	struct stat st;
	sigset_t waiting;
	bool is_socket;

	is_socket = fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
	identify_client(&client, is_socket);
	take_limit("DATABYTES", &s->proto.max_size);
	take_limit("MAXRCPTS", &s->proto.max_recipients);
	prepare_signals(server, &waiting);
	sweep(server);
	serve(server, &client, STDIN_FILENO,
	    is_socket ? STDIN_FILENO : STDOUT_FILENO);
	return EX_OK;
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
 * Wait for a connection.  The handler of SIGTERM closes the listeners, so
 * that accept fails even if the signal comes just before it.
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
	}
	sigprocmask(SIG_SETMASK, waiting, &working);
	fd = accept4(listener->fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
	sigprocmask(SIG_SETMASK, &working, NULL);
	if (fd >= 0) {
		client->kind = (enum listener_kind)listener->kind;
		endpoint_set(&client->remote, (struct sockaddr *)&sa);
		local_endpoint(&client->local, fd);
	}
	return fd;
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
	default:
		log_errno("accept-failed", "what", "connection");
		nanosleep(&pause, NULL);
	}
}

/* Its reader waits for the end.  Descriptor 1 must not become a client's. */
static void
close_ready_fd(const struct settings *s)
{
	if (s->ready_fd == STDOUT_FILENO)
		dup2(STDIN_FILENO, STDOUT_FILENO);
	else if (s->ready_fd >= 0)
		close((int)s->ready_fd);
}

/* A worker's life (pool.h). */
static int
work(void *ctx)
{
	struct server *server = ctx;
	const struct settings *s = &server->settings;
	struct client client = { .trusted = false };
	sigset_t waiting;
	long long served = 0;
	int fd, epoll = -1;

	close_ready_fd(s);
	listening = &server->listeners;
	prepare_signals(server, &waiting);
	sweep(server);
	if (server->listeners.n > 1 &&
	    (epoll = watch_listeners(&server->listeners)) < 0) {
		log_errno("worker-failed", "what", "epoll");
		return EX_OSERR;
	}
	while (!stop && (!s->recycle_after || served < s->recycle_after)) {
		fd = next_connection(server, epoll, &waiting, &client);
		if (fd < 0) {
			accept_failed();
			continue;
		}
		serve(server, &client, fd, fd);
		close(fd);
		served++;
	}
	return EX_OK;
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
	close_ready_fd(s);
}

static void
close_listeners(void *ctx)
{
	struct server *server = ctx;

	listeners_unlink(&server->listeners);
	listeners_close(&server->listeners);
}

static int
run_pool(struct server *server)
{
	const struct settings *s = &server->settings;
	const struct pool_options options = {
		.workers = (unsigned)s->workers,
		.drain_timeout = s->drain_timeout,
		.work = work, .ready = announce, .drain = close_listeners,
		.ctx = server,
	};
	struct log_line l;
	unsigned killed = pool_run(&options);

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
	if (!s->inetd)
		open_listeners(&server, become ? &user : NULL);
	open_store(&server, become ? &user : NULL);
	drop_privileges(&server, become ? &user : NULL);
	open_hooks(&server);
	return s->inetd ? run_inetd(&server) : run_pool(&server);
}
