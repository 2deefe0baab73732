/* The listening sockets of the process. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/net/activation.h"
#include "lib/proc/descriptors.h"
#include "server/failure.h"
#include "server/sockets.h"

/* Is fd a connection, as with Accept=yes of systemd.socket(5)? */
static bool
is_connection(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;

	return getpeername(fd, (struct sockaddr *)&sa, &len) == 0;
}

/* Serve a connection from systemd as one from inetd. */
static void
adopt_connection(struct server *server, enum listener_kind kind)
{
	const struct settings *s = server->settings;

	if (s->listen.n > 0 && !s->inetd)
		fatal(EX_USAGE, "--listen: systemd passed a connection "
		    "(Accept=yes), so this process cannot listen");
	server->inetd = true;
	if (kind != KINDS)
		server->inetd_kind = kind;
	if (dup2(ACTIVATION_FIRST, STDIN_FILENO) < 0)
		fatal(EX_OSERR, "descriptor 0: %s", strerror(errno));
	close(ACTIVATION_FIRST);
}

/*
 * Adopt the listening socket on descriptor 0 ("wait" in inetd.conf).  /dev/null
 * replaces it there, because hooks inherit descriptor 0.
 */
static void
adopt_inetd_listener(struct server *server)
{
	struct listener_options options = {
		.kind = (int)server->inetd_kind,
	};
	struct listener_error error;
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd < 0 ||
	    listener_adopt(&server->listeners, fd, &options, &error) < 0)
		fatal(EX_OSERR, "--inetd: %s", fd < 0 ? strerror(errno) :
		    error.text);
	if (descriptors_set_null(STDIN_FILENO) < 0 ||
	    descriptors_set_null(STDOUT_FILENO) < 0)
		fatal(EX_OSERR, "/dev/null: %s", strerror(errno));
}

void
sockets_adopt(struct server *server)
{
	const struct settings *s = server->settings;
	struct listener_options options = { .backlog = 0 };
	struct listener_error error;
	struct activation a;
	enum listener_kind kind;
	const char *name;
	size_t len;
	int i;

	if (activation_take(&a) < 0)
		fatal(EX_USAGE, "LISTEN_FDS or LISTEN_FDNAMES is invalid: %s",
		    strerror(errno));
	if (server->ready_fd >= ACTIVATION_FIRST &&
	    server->ready_fd < ACTIVATION_FIRST + a.n)
		fatal(EX_USAGE, "--ready-fd %d: it is a socket of "
		    "LISTEN_FDS", server->ready_fd);
	for (i = 0; i < a.n; i++) {
		name = activation_name(&a, i, &len);
		kind = settings_kind(s, "LISTEN_FDNAMES", name, len);
		if (a.n == 1 && is_connection(ACTIVATION_FIRST)) {
			adopt_connection(server, kind);
			break;
		}
		if (server->inetd)
			fatal(EX_USAGE, "--inetd serves descriptor 0 only, "
			    "but LISTEN_FDS has listeners");
		options.kind = kind == KINDS ? KIND_SMTP : (int)kind;
		if (listener_adopt(&server->listeners, ACTIVATION_FIRST + i,
		    &options, &error) < 0)
			fatal(error.status, "LISTEN_FDS: %s", error.text);
	}
	free(a.names);
	if (server->inetd && listener_is_open(STDIN_FILENO))
		adopt_inetd_listener(server);
}

/* With --explain, a listener that cannot be opened is stored for the page. */
static void
open_listener(struct server *server, const char *spec,
    const struct listener_options *options)
{
	struct unopened *more, un = { .spec = spec, .kind = options->kind };

	if (listener_open(&server->listeners, spec, options, &un.error) == 0)
		return;
	failure_report(server, un.error.status, "--listen %s", un.error.text);
	more = realloc(server->unopened,
	    (server->n_unopened + 1) * sizeof *more);
	if (!more)
		fatal(EX_OSERR, "out of memory");
	more[server->n_unopened++] = un;
	server->unopened = more;
}

void
sockets_open(struct server *server, const struct user *u)
{
	const struct settings *s = server->settings;
	struct listeners *l = &server->listeners;
	struct listener_options options = {
		.backlog = (int)s->backlog,
		.uid = u ? u->uid : (uid_t)-1, .gid = u ? u->gid : (gid_t)-1,
	};
	unsigned i;

	for (i = 0; i < s->listen.n; i++) {
		options.kind = (int)s->kinds[i];
		open_listener(server, s->listen.values[i], &options);
	}
	options.kind = KIND_SMTP;
	if (l->n == 0 && s->listen.n == 0)
		open_listener(server, ":25", &options);
	if (s->explain)			/* as root may still remove them */
		listeners_unlink(l);
}
