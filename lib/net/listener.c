/*
 * Listening sockets.  A Unix socket of another server that still runs is never
 * replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/net/holder.h"
#include "lib/net/listener.h"
#include "lib/net/net.h"
#include "lib/path.h"

struct attempt {	/* the arguments of one listener_open() */
	struct listeners *listeners;
	const struct listener_options *options;
	struct listener_error *error;
};

static int
set_error(const struct attempt *a, int status, const char *what,
    const char *why)
{
	a->error->status = status;
	snprintf(a->error->text, sizeof a->error->text, "%s: %s", what, why);
	return -1;
}

/* Is the address a wildcard? */
static bool
is_wildcard(const char *address)
{
	return *address == ':' || strncmp(address, "[::]:", 5) == 0 ||
	    strncmp(address, "0.0.0.0:", 8) == 0;
}

/* Can only one of the two addresses be bound? */
static bool
is_conflict(const char *a, const char *b)
{
	const char *port = strrchr(a, ':'), *other = strrchr(b, ':');

	return port && other && strcmp(port, other) == 0 &&
	    (is_wildcard(a) || is_wildcard(b) || strcmp(a, b) == 0);
}

/* Does a listener of this process have the address already? */
static bool
has_listener(const struct listeners *l, const char *what)
{
	unsigned i;

	for (i = 0; i < l->n; i++)
		if (is_conflict(l->all[i].address, what))
			return true;
	return false;
}

/* Name the process that has the address, if the system tells. */
static int
set_error_in_use(const struct attempt *a, const char *what)
{
	char holder[300], why[400];

	if (has_listener(a->listeners, what))
		return set_error(a, EX_UNAVAILABLE, what,
		    "address already in use by another --listen");
	if (holder_find(what, holder, sizeof holder))
		snprintf(why, sizeof why, "address already in use by %s",
		    holder);
	else
		snprintf(why, sizeof why, "address already in use by another "
		    "server; as root, ss -lptx shows which");
	return set_error(a, EX_UNAVAILABLE, what, why);
}

static int
set_error_errno(const struct attempt *a, const char *what)
{
	if (errno == EACCES || errno == EPERM)
		return set_error(a, EX_NOPERM, what, *what == '/' ?
		    "permission denied" : "permission denied; a port below "
		    "1024 needs root, and then --user, or a socket of systemd");
	if (errno == EADDRINUSE)
		return set_error_in_use(a, what);
	if (errno == EADDRNOTAVAIL)
		return set_error(a, EX_UNAVAILABLE, what,
		    "this host does not have that address");
	if (errno == ELOOP)
		return set_error(a, EX_NOPERM, what, "a symbolic link of "
		    "another user leads there, which root does not follow");
	return set_error(a, EX_UNAVAILABLE, what, strerror(errno));
}

static int
add_listener(const struct attempt *a, int fd, const char *address)
{
	struct listeners *l = a->listeners;
	struct listener *all;

	all = realloc(l->all, (l->n + 1) * sizeof *all);
	if (!all)
		return set_error_errno(a, address);
	l->all = all;
	all += l->n++;
	*all = (struct listener){ .fd = fd, .kind = a->options->kind };
	snprintf(all->address, sizeof all->address, "%s", address);
	return 0;
}

static int
add_inet_listener(const struct attempt *a, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof sa;
	struct endpoint e;
	char address[LISTENER_ADDRESS_MAX];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return set_error_errno(a, "getsockname");
	endpoint_set(&e, (struct sockaddr *)&sa);
	snprintf(address, sizeof address, strchr(e.ip, ':') ?
	    "[%s]:%u" : "%s:%u", e.ip, e.port);
	if (add_listener(a, fd, address) < 0)
		return -1;
	a->listeners->all[a->listeners->n - 1].name = sa;
	return 0;
}

/* Bind and listen on an address; dual: [::] accepts IPv4, too. */
static int
bind_inet(const struct attempt *a, const struct addrinfo *ai, int dual)
{
	int fd, error, on = 1, v6only = !dual;

	fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* accepted sockets inherit it; replies are written in one piece */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (ai->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only,
		    sizeof v6only);
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 &&
	    listen(fd, a->options->backlog) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Open the wildcard: one socket for both families if the system has both. */
static int
open_wildcard(const struct attempt *a, const char *spec, const char *port)
{
	static const char *const hosts[] = { "::", "0.0.0.0" };
	struct addrinfo *ai, hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST |
		    AI_NUMERICSERV,
	};
	size_t i;
	int fd, failed;

	for (i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		failed = getaddrinfo(hosts[i], port, &hints, &ai);
		if (failed)
			return set_error(a, EX_USAGE, spec,
			    gai_strerror(failed));
		fd = bind_inet(a, ai, 1);
		freeaddrinfo(ai);
		if (fd >= 0)
			return add_inet_listener(a, fd);
		if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
			break;
	}
	return set_error_errno(a, spec);
}

static int
open_host(const struct attempt *a, const char *spec, const char *host,
    const char *port)
{
	struct addrinfo *all, *ai, hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	int fd, failed, added = 0;

	failed = getaddrinfo(host, port, &hints, &all);
	if (failed)
		return set_error(a, EX_NOHOST, spec, gai_strerror(failed));
	for (ai = all; ai && added == 0; ai = ai->ai_next) {
		fd = bind_inet(a, ai, 0);
		added = fd < 0 ? set_error_errno(a, spec) :
		    add_inet_listener(a, fd);
	}
	freeaddrinfo(all);
	return added;
}

/* getaddrinfo(3) would accept 65537 as 1. */
static bool
is_port(const char *s)
{
	return strspn(s, "0123456789") == strlen(s) && strlen(s) <= 5 &&
	    *s && atol(s) <= 65535;
}

static int
open_inet(const struct attempt *a, const char *spec)
{
	const char *colon = strrchr(spec, ':');
	char host[NI_MAXHOST];
	size_t len;

	if (!colon || strchr(colon, ']') || strncmp(spec, "[]", 2) == 0)
		return set_error(a, EX_USAGE, spec, "invalid address; use "
		    "HOST:PORT, [IPV6]:PORT, :PORT or a /path");
	if (!is_port(colon + 1))
		return set_error(a, EX_USAGE, spec,
		    "invalid port; use a number from 0 to 65535");
	len = (size_t)(colon - spec);
	if (len == 0)
		return open_wildcard(a, spec, colon + 1);
	if (*spec == '[' && colon[-1] == ']' && len > 2) {
		spec++;
		len -= 2;
	} else if (memchr(spec, ':', len)) {
		return set_error(a, EX_USAGE, spec,
		    "invalid address; an IPv6 address needs brackets: "
		    "[ADDRESS]:PORT");
	}
	if (len >= sizeof host)
		return set_error(a, EX_USAGE, spec,
		    "the host name is too long");
	memcpy(host, spec, len);
	host[len] = '\0';
	return open_host(a, spec, host, colon + 1);
}

/* The path of a Unix socket: its directory, opened, and its name. */
struct socket_path {
	int dir;
	const char *name;
};

/* Root does not follow a symbolic link of another user. */
static int
open_socket_path(struct socket_path *p, const char *path)
{
	char dir[sizeof ((struct sockaddr_un *)0)->sun_path];
	bool foreign;

	p->name = strrchr(path, '/') + 1;
	snprintf(dir, sizeof dir, "%.*s", (int)(p->name - path), path);
	p->dir = path_open_dir(dir, &foreign);
	if (p->dir >= 0 && foreign && geteuid() == 0) {
		close(p->dir);
		errno = ELOOP;
		return -1;
	}
	return p->dir < 0 ? -1 : 0;
}

/* Remove a socket that refuses connections: its server is gone. */
static int
remove_stale(const struct socket_path *p, const struct sockaddr_un *sa)
{
	struct stat st;
	int fd, stale;

	if (fstatat(p->dir, p->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	stale = connect(fd, (const struct sockaddr *)sa, sizeof *sa) < 0 &&
	    errno == ECONNREFUSED;
	close(fd);
	if (stale)
		return unlinkat(p->dir, p->name, 0);
	errno = EADDRINUSE;
	return -1;
}

/*
 * A user that can write to the directory could replace the socket by another
 * file of root.  So the owner is changed only of a socket that belongs to this
 * process's user and has no other name.
 */
static int
change_owner(const struct socket_path *p, uid_t uid, gid_t gid)
{
	struct stat st;
	int fd, changed = -1, error;

	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;	/* a sandbox may forbid the call */
	fd = openat(p->dir, p->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		;
	else if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_nlink != 1)
		errno = EPERM;
	else
		changed = fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
	error = errno;
	close(fd);
	errno = error;
	return changed;
}

/* The owner is set before listen(2), so that no client can connect earlier. */
static int
bind_at(const struct attempt *a, const struct socket_path *p,
    const struct sockaddr_un *sa, mode_t mode, gid_t gid)
{
	mode_t mask;
	int fd, bound, error;

	if (remove_stale(p, sa) < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	mask = umask(~mode & 0777);
	bound = bind(fd, (const struct sockaddr *)sa, sizeof *sa);
	umask(mask);
	if (bound == 0 && change_owner(p, a->options->uid, gid) == 0 &&
	    listen(fd, a->options->backlog) == 0)
		return fd;
	error = errno;
	if (bound == 0)
		unlinkat(p->dir, p->name, 0);
	close(fd);
	errno = error;
	return -1;
}

static int
bind_unix(const struct attempt *a, const struct sockaddr_un *sa, mode_t mode,
    gid_t gid)
{
	struct socket_path p;
	int fd, error;

	if (open_socket_path(&p, sa->sun_path) < 0)
		return -1;
	fd = bind_at(a, &p, sa, mode, gid);
	error = errno;
	close(p.dir);
	errno = error;
	return fd;
}

static int
open_unix(const struct attempt *a, const char *spec)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strcspn(spec, ",");
	const char *p = spec + len;
	mode_t mode = 0600;
	gid_t gid = a->options->gid;
	struct group *gr;
	char *end;
	int fd;

	if (len >= sizeof sa.sun_path)
		return set_error(a, EX_USAGE, spec, "the path is too long");
	memcpy(sa.sun_path, spec, len);
	for (; *p; p = end) {
		if (strncmp(p, ",mode=", 6) == 0) {
			mode = (mode_t)strtoul(p + 6, &end, 8);
			if (end == p + 6 || mode > 0777)
				return set_error(a, EX_USAGE, spec,
				    "invalid mode; use octal, such as "
				    "mode=0660");
		} else if (strncmp(p, ",group=", 7) == 0) {
			char name[64];
			size_t n = strcspn(p + 7, ",");

			snprintf(name, sizeof name, "%.*s", (int)n, p + 7);
			gr = getgrnam(name);
			if (!gr)
				return set_error(a, EX_NOUSER, spec,
				    "no such group");
			gid = gr->gr_gid;
			end = (char *)(p + 7 + n);
		} else {
			return set_error(a, EX_USAGE, spec, "only ,mode=0660 "
			    "and ,group=NAME are allowed after a path");
		}
	}
	fd = bind_unix(a, &sa, mode, gid);
	return fd < 0 ? set_error_errno(a, spec) :
	    add_listener(a, fd, sa.sun_path);
}

int
listener_open(struct listeners *l, const char *spec,
    const struct listener_options *options, struct listener_error *error)
{
	const struct attempt a = { l, options, error };

	return *spec == '/' ? open_unix(&a, spec) : open_inet(&a, spec);
}

bool
listener_is_open(int fd)
{
	int on = 0;
	socklen_t len = sizeof on;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* A Unix socket that was shut down still has SO_ACCEPTCONN. */
bool
listener_is_shut(const struct listener *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };

	return !listener_is_open(l->fd) || (poll(&p, 1, 0) > 0 &&
	    p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/*
 * A TCP socket keeps its port, so this needs no privilege and bind(2) fails,
 * unless the system chose the port: then it could choose another one.  The
 * connect(2) clears the state that a second shutdown(2) leaves.
 */
int
listener_reopen(const struct listener *l, int backlog)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
	const socklen_t len = l->name.ss_family == AF_INET6 ?
	    sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct sockaddr_storage now;
	socklen_t n = sizeof now;

	if (l->name.ss_family == AF_UNSPEC) {
		errno = EOPNOTSUPP;
		return -1;
	}
	/* what fails here shows in the name below */
	(void)connect(l->fd, &nowhere, sizeof nowhere);
	(void)bind(l->fd, (const struct sockaddr *)&l->name, len);
	if (listen(l->fd, backlog) < 0 ||
	    getsockname(l->fd, (struct sockaddr *)&now, &n) < 0)
		return -1;
	if (n == len && memcmp(&now, &l->name, n) == 0)
		return 0;
	errno = EADDRINUSE;
	return -1;
}

/* Add an inherited Unix socket, whose address is its path or "@name". */
static int
adopt_unix(const struct attempt *a, int fd)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	socklen_t len = sizeof sa - 1;	/* so that a NUL follows */

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return set_error_errno(a, "getsockname");
	if (sa.sun_path[0] == '\0')
		sa.sun_path[0] = '@';
	return add_listener(a, fd, sa.sun_path);
}

int
listener_adopt(struct listeners *l, int fd,
    const struct listener_options *options, struct listener_error *error)
{
	const struct attempt a = { l, options, error };
	char what[32];
	int type, family, on = 1;
	socklen_t len = sizeof type;

	snprintf(what, sizeof what, "descriptor %d", fd);
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return set_error(&a, EX_UNAVAILABLE, what, "not a socket");
	if (type != SOCK_STREAM || !listener_is_open(fd))
		return set_error(&a, EX_UNAVAILABLE, what,
		    "not a listening stream socket");
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return set_error_errno(&a, what);
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if ((family == AF_UNIX ? adopt_unix(&a, fd) :
	    add_inet_listener(&a, fd)) < 0)
		return -1;
	l->all[l->n - 1].inherited = true;
	return 0;
}

int
listeners_set_blocking(const struct listeners *l)
{
	unsigned i;
	int flags;

	for (i = 0; i < l->n; i++) {
		flags = fcntl(l->all[i].fd, F_GETFL);
		if (flags < 0)
			return -1;
		flags = l->n > 1 ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
		if (fcntl(l->all[i].fd, F_SETFL, flags) < 0)
			return -1;
	}
	return 0;
}

void
listeners_close(struct listeners *l)
{
	unsigned i;

	for (i = 0; i < l->n; i++)
		close(l->all[i].fd);
	l->n = 0;
}

/* Where the path still leads to a socket, and to no other place. */
static void
unlink_socket(const char *path)
{
	struct socket_path p;
	struct stat st;

	if (open_socket_path(&p, path) < 0)
		return;
	if (fstatat(p.dir, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode))
		unlinkat(p.dir, p.name, 0);
	close(p.dir);
}

void
listeners_unlink(const struct listeners *l)
{
	unsigned i;

	for (i = 0; i < l->n; i++)
		if (l->all[i].address[0] == '/' && !l->all[i].inherited)
			unlink_socket(l->all[i].address);
}
