/*
 * The process: what the command line asks for is checked and opened, then
 * privileges are dropped, then a pool of workers serves one session at a time
 * each; or, under inetd, this process serves the one it was given.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "listener.h"
#include "log.h"
#include "option.h"
#include "pool.h"
#include "proto.h"
#include "user.h"

#define VERSION "0.1"

struct settings {
	struct option_list listen, domains, trust;
	const char *hostname, *maildir, *delimiters, *user;
	const char *bare_newline, *log;
	long long workers, recycle_after, backlog, mask;
	long long ready_fd;		/* -1: none */
	long long max_hops, min_free;	/* -1: twice max_size */
	bool inetd, hardlink, help, version;
	struct log_options log_options;
	struct proto_options proto;
	struct stream_limits limits;
	long long drain_timeout;
};

struct server {
	struct settings settings;
	struct store store;
	struct basic_options basic;
	struct listeners listeners;
	char hostname[NI_MAXHOST];
};

/* What a signal handler has to reach. */
static volatile sig_atomic_t stop;
static struct listeners *listening;

static void
set_defaults(struct settings *s)
{
	*s = (struct settings){
		.maildir = "./Maildir", .delimiters = "+",
		.bare_newline = "reject", .log = "text",
		.workers = 100, .recycle_after = 1000, .backlog = 1024,
		.mask = 077, .ready_fd = -1, .max_hops = 100, .min_free = -1,
		.drain_timeout = 30 * 1000,
		.proto = {
			.max_size = 10240000, .max_recipients = 1000,
			.max_mails = 1000, .max_errors = 20,
		},
		.limits = {
			.read_timeout = 5 * 60 * 1000,
			.write_timeout = 5 * 60 * 1000,
			.session_timeout = 60 * 60 * 1000,
			.min_rate = 500,
		},
	};
}

static void
parse(struct settings *s, int argc, char **argv)
{
	const struct option table[] = {
	{ 'l', "listen", OPTION_LIST, &s->listen, "ADDR",
	    "HOST:PORT, [V6]:PORT, :PORT, /path or -; repeatable (:25)" },
	{ 'i', "inetd", OPTION_FLAG, &s->inetd, NULL,
	    "serve the connection on descriptor 0" },
	{ 'H', "hostname", OPTION_STRING, &s->hostname, "NAME",
	    "the name to announce (the system's)" },
	{ 'm', "maildir", OPTION_STRING, &s->maildir, "DIR",
	    "keep mail there; {mailbox}, {domain} (./Maildir)" },
	{ 0, "hardlink", OPTION_FLAG, &s->hardlink, NULL,
	    "one file for all recipients, without Delivered-To" },
	{ 0, "recipient-delimiter", OPTION_STRING, &s->delimiters, "CHARS",
	    "each ends the mailbox in a local part (+)" },
	{ 'd', "domain", OPTION_LIST, &s->domains, "NAME",
	    "take mail for it; repeatable; * is any" },
	{ 0, "trust", OPTION_LIST, &s->trust, "NET",
	    "clients that may send to any domain; repeatable" },
	{ 'n', "workers", OPTION_NUMBER, &s->workers, "N",
	    "processes, and so sessions at a time (100)" },
	{ 'u', "user", OPTION_STRING, &s->user, "USER[:GROUP]",
	    "run as, once the sockets are bound" },
	{ 0, "umask", OPTION_MODE, &s->mask, "MODE",
	    "of what is written (077)" },
	{ 'r', "read-timeout", OPTION_TIME, &s->limits.read_timeout, "TIME",
	    "for a command, or a pause in the data (5m)" },
	{ 'w', "write-timeout", OPTION_TIME, &s->limits.write_timeout, "TIME",
	    "for a reply to be taken (5m)" },
	{ 0, "session-timeout", OPTION_TIME, &s->limits.session_timeout,
	    "TIME", "for a session (1h)" },
	{ 0, "min-rate", OPTION_SIZE, &s->limits.min_rate, "SIZE",
	    "octets a second, after a minute of data (500)" },
	{ 's', "max-size", OPTION_SIZE, &s->proto.max_size, "SIZE",
	    "octets of a message (10240000)" },
	{ 0, "max-recipients", OPTION_NUMBER, &s->proto.max_recipients, "N",
	    "of a message (1000)" },
	{ 0, "max-mails", OPTION_NUMBER, &s->proto.max_mails, "N",
	    "of a session (1000)" },
	{ 0, "max-errors", OPTION_NUMBER, &s->proto.max_errors, "N",
	    "of a session (20)" },
	{ 0, "max-hops", OPTION_NUMBER, &s->max_hops, "N",
	    "Received fields of a message (100)" },
	{ 0, "min-free", OPTION_SIZE, &s->min_free, "SIZE",
	    "octets that must stay free on the disk (2 x max-size)" },
	{ 0, "recycle-after", OPTION_NUMBER, &s->recycle_after, "N",
	    "replace a worker after so many sessions (1000)" },
	{ 0, "drain-timeout", OPTION_TIME, &s->drain_timeout, "TIME",
	    "for messages to come to their end on SIGTERM (30s)" },
	{ 0, "backlog", OPTION_NUMBER, &s->backlog, "N",
	    "connections that may wait for a worker (1024)" },
	{ 0, "bare-newline", OPTION_STRING, &s->bare_newline, "HOW",
	    "reject or accept lines that end in LF alone (reject)" },
	{ 0, "strict", OPTION_FLAG, &s->proto.strict, NULL,
	    "take what RFC 5321 allows, to the letter" },
	{ 0, "log", OPTION_STRING, &s->log, "FORM", "text or json (text)" },
	{ 'v', "verbose", OPTION_FLAG, &s->log_options.verbose, NULL,
	    "log connections, too" },
	{ 0, "syslog", OPTION_FLAG, &s->log_options.syslog, NULL,
	    "log there, not to standard error" },
	{ 0, "ready-fd", OPTION_NUMBER, &s->ready_fd, "N",
	    "write the addresses there when the pool accepts" },
	{ 0, "help", OPTION_FLAG, &s->help, NULL, "print this" },
	{ 0, "version", OPTION_FLAG, &s->version, NULL, "print the version" },
	{ 0, NULL, OPTION_FLAG, NULL, NULL, NULL },
	};

	option_parse(table, argc, argv);
	if (s->help) {
		printf("usage: smtpd [option ...]\n"
		    "Receive mail by SMTP and keep it in a Maildir.\n\n");
		option_help(table);
		printf("\nSIZE is octets, or 64k, 10M, 1G; TIME is seconds, or "
		    "30s, 5m, 1h; 0 is no limit.\n"
		    "As root, --user is needed.  See smtpd(8).\n");
		exit(EX_OK);
	}
	if (s->version) {
		printf("smtpd " VERSION "\n");
		exit(EX_OK);
	}
}

/* Which of two words is it?  True for the second one. */
static bool
choose(const char *option, const char *word, const char *first,
    const char *second)
{
	if (strcmp(word, first) != 0 && strcmp(word, second) != 0)
		fatal(EX_USAGE, "--%s is %s or %s, not '%s'", option, first,
		    second, word);
	return strcmp(word, second) == 0;
}

static void
check_number(const char *option, long long n, long long least, long long most)
{
	if (n < least || n > most)
		fatal(EX_USAGE, "--%s is a number from %lld to %lld", option,
		    least, most);
}

static void
parse_trust(struct settings *s)
{
	struct network *nets;
	unsigned i;

	nets = calloc(s->trust.n + 1, sizeof *nets);
	if (!nets)
		fatal(EX_OSERR, "out of memory");
	for (i = 0; i < s->trust.n; i++)
		if (network_parse(&nets[i], s->trust.values[i]) < 0)
			fatal(EX_USAGE, "--trust takes a network such as "
			    "192.0.2.0/24 or 2001:db8::/32, not '%s'",
			    s->trust.values[i]);
	s->proto.trusted = nets;
	s->proto.n_trusted = s->trust.n;
}

/* A listener is [KIND@]ADDRESS; "-" is descriptor 0. */
static const char *
listen_address(const char *spec)
{
	size_t len = strcspn(spec, "@:/");

	if (spec[len] != '@')
		return spec;
	if (len != 4 || strncmp(spec, "smtp", 4) != 0)
		fatal(EX_USAGE, "--listen %s: unknown kind '%.*s'; there is "
		    "smtp", spec, (int)len, spec);
	return spec + len + 1;
}

static void
settle_listeners(struct settings *s)
{
	static const char *standard[] = { ":25" };
	unsigned i;

	for (i = 0; i < s->listen.n; i++)
		if (strcmp(listen_address(s->listen.values[i]), "-") == 0)
			s->inetd = true;
	if (s->inetd && s->listen.n > 1)
		fatal(EX_USAGE, "--inetd and --listen - serve descriptor 0 "
		    "and nothing else");
	if (s->listen.n == 0)
		s->listen = (struct option_list){ standard, 1 };
}

static void
settle_hostname(struct server *server)
{
	const char *name = server->settings.hostname;

	if (!name) {
		if (gethostname(server->hostname,
		    sizeof server->hostname - 1) < 0)
			fatal(EX_OSERR, "gethostname: %s", strerror(errno));
		name = server->hostname;
	}
	if (!address_is_host(name))
		fatal(EX_USAGE, "the hostname '%s' is no domain name; give "
		    "one with --hostname", name);
	server->settings.proto.hostname = name;
}

/* From what the options say to what will be in force. */
static void
settle(struct server *server)
{
	struct settings *s = &server->settings;

	s->log_options.json = choose("log", s->log, "text", "json");
	log_open(&s->log_options);
	s->proto.accept_bare_newline = choose("bare-newline", s->bare_newline,
	    "reject", "accept");
	check_number("workers", s->workers, 1, 100000);
	check_number("backlog", s->backlog, 1, 65535);
	check_number("umask", s->mask, 0, 0777);
	settle_listeners(s);
	settle_hostname(server);
	parse_trust(s);
	s->proto.domains = s->domains.values;
	s->proto.n_domains = s->domains.n;
	if (s->min_free < 0)
		s->min_free = 2 * s->proto.max_size;
	if (s->ready_fd >= 0 && (s->ready_fd > 65535 ||
	    fcntl((int)s->ready_fd, F_SETFD, FD_CLOEXEC) < 0))
		fatal(EX_USAGE, "--ready-fd %lld: that descriptor is not "
		    "open", s->ready_fd);
	s->limits.stop_timeout = s->drain_timeout;
	s->limits.stop = &stop;
	server->basic = (struct basic_options){
		.store = &server->store, .hardlink = s->hardlink,
		.max_hops = s->max_hops, .min_free = s->min_free,
	};
}

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
	if (geteuid() == 0)
		return true;
	if (u->uid != geteuid())
		fatal(EX_NOPERM, "--user %s: only root can become another "
		    "user", s->user);
	return false;
}

static void
open_listeners(struct server *server, const struct user *u)
{
	const struct settings *s = &server->settings;
	const struct listener_options options = {
		.backlog = (int)s->backlog,
		.uid = u ? u->uid : (uid_t)-1, .gid = u ? u->gid : (gid_t)-1,
	};
	struct listener_error error;
	unsigned i;

	for (i = 0; i < s->listen.n; i++)
		if (listener_open(&server->listeners,
		    listen_address(s->listen.values[i]), &options,
		    &error) < 0)
			fatal(error.status, "--listen %s", error.text);
}

static void
open_store(struct server *server, const struct user *u)
{
	const struct settings *s = &server->settings;
	const struct maildir_owner owner = { u ? u->uid : 0, u ? u->gid : 0 };

	if (store_open(&server->store, s->maildir, s->delimiters,
	    u ? &owner : NULL) == 0)
		return;
	if (errno == EXDEV)
		fatal(EX_CONFIG, "maildir %s: tmp and new are on different "
		    "devices", s->maildir);
	fatal(EX_CANTCREAT, "maildir %s: %s%s", s->maildir, strerror(errno),
	    errno == ENOENT ? "; make the directory above it first" : "");
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
		fatal(EX_CANTCREAT, "maildir %s: %s for uid %ld; give it to "
		    "that user, or run as its owner with --user", s->maildir,
		    strerror(errno), (long)geteuid());
}

static struct reply
new_envelope(void *ctx, struct mail *mail, unsigned long long size,
    struct envelope **e)
{
	return basic_envelope_new(ctx, mail, size, e);
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

/*
 * SIGTERM and SIGINT are blocked but while this process waits, so that there
 * is no moment between looking at `stop' and waiting in which one is missed.
 */
static void
prepare_signals(struct stream_limits *limits, sigset_t *waiting)
{
	struct sigaction action = { .sa_handler = on_stop };
	sigset_t stopping;

	sigemptyset(&stopping);
	sigaddset(&stopping, SIGTERM);
	sigaddset(&stopping, SIGINT);
	sigprocmask(SIG_BLOCK, &stopping, waiting);
	sigdelset(waiting, SIGTERM);
	sigdelset(waiting, SIGINT);
	limits->wait_mask = waiting;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

static void
local_endpoint(struct endpoint *e, int fd)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;

	getsockname(fd, (struct sockaddr *)&sa, &len);
	endpoint_set(e, (struct sockaddr *)&sa);
}

/* Serve what inetd gave us: a socket, or two pipes. */
static int
run_inetd(struct server *server)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	struct client client;
	struct stat st;
	sigset_t waiting;
	bool is_socket;

	if (fstat(STDIN_FILENO, &st) < 0)
		fatal(EX_USAGE, "--inetd: descriptor 0 is not open");
	is_socket = S_ISSOCK(st.st_mode);
	if (is_socket && getpeername(STDIN_FILENO, (struct sockaddr *)&sa,
	    &len) < 0)
		fatal(EX_UNAVAILABLE, "--inetd: descriptor 0: %s",
		    strerror(errno));
	endpoint_set(&client.remote, (struct sockaddr *)&sa);
	local_endpoint(&client.local, STDIN_FILENO);
	prepare_signals(&server->settings.limits, &waiting);
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
		event.data.fd = l->all[i].fd;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd,
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
	int fd = server->listeners.all[0].fd;

	if (epoll >= 0) {
		if (epoll_pwait(epoll, &event, 1, -1, waiting) < 1)
			return -1;
		fd = event.data.fd;
	}
	sigprocmask(SIG_SETMASK, waiting, &working);
	fd = accept4(fd, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
	sigprocmask(SIG_SETMASK, &working, NULL);
	if (fd >= 0) {
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
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_errno("accept-failed", "what", "connection");
		nanosleep(&pause, NULL);
	}
}

/* A worker's life (pool.h). */
static int
work(void *ctx)
{
	struct server *server = ctx;
	const struct settings *s = &server->settings;
	struct client client;
	sigset_t waiting;
	long long served = 0;
	int fd, epoll = -1;

	listening = &server->listeners;
	prepare_signals(&server->settings.limits, &waiting);
	if (!server->store.per_user)
		maildir_sweep(&server->store.one);
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
	if (s->ready_fd >= 0)
		close((int)s->ready_fd);
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
	int status = pool_run(&options);

	log_begin(&l, LEVEL_INFO, "stopped");
	log_num(&l, "status", status);
	log_end(&l);
	return status;
}

int
main(int argc, char **argv)
{
	static struct server server;
	struct settings *s = &server.settings;
	struct user user;
	bool become;

	set_defaults(s);
	parse(s, argc, argv);
	settle(&server);
	s->proto.new_envelope = new_envelope;
	s->proto.ctx = &server.basic;
	umask((mode_t)s->mask);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	become = find_user(s, &user);
	if (!s->inetd)
		open_listeners(&server, become ? &user : NULL);
	open_store(&server, become ? &user : NULL);
	drop_privileges(&server, become ? &user : NULL);
	return s->inetd ? run_inetd(&server) : run_pool(&server);
}
