/*
 * Addresses of milters and connections to them.  Every wait has a deadline.
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "contrib/milter/peer.h"

long long
peer_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

int
peer_wait(int fd, short events, long long deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	long long left;
	int n;

	do {
		left = deadline - peer_clock();
		n = left > 0 ? poll(&p, 1, (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : -1;
}

static bool
copy_part(char *to, size_t size, const char *from, size_t n)
{
	if (n == 0 || n >= size)
		return false;
	memcpy(to, from, n);
	to[n] = '\0';
	return true;
}

/* PORT@HOST, or HOST:PORT, as Postfix has it. */
static const char *
parse_host(struct peer *p, const char *text)
{
	const char *at = strchr(text, '@');
	const char *colon = strrchr(text, ':');
	const char *host = at ? at + 1 : text;
	size_t n;
	bool good;

	if (!at && !colon)
		return "no port and host";
	n = at ? strlen(host) : (size_t)(colon - text);
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	good = copy_part(p->host, sizeof p->host, host, n);
	if (at)
		good = good && copy_part(p->port, sizeof p->port, text,
		    (size_t)(at - text));
	else
		good = good && copy_part(p->port, sizeof p->port, colon + 1,
		    strlen(colon + 1));
	return good ? NULL : "no port or host, or one that is too long";
}

const char *
peer_parse(struct peer *p, const char *text)
{
	const char *colon = strchr(text, ':');
	const size_t n = colon ? (size_t)(colon - text) : 0;

	*p = (struct peer){ .text = text, .family = AF_UNSPEC };
	if (n == 4 && memcmp(text, "inet", n) == 0)
		return parse_host(p, colon + 1);
	if (n == 5 && memcmp(text, "inet6", n) == 0) {
		p->family = AF_INET6;
		return parse_host(p, colon + 1);
	}
	if (!(n == 4 && memcmp(text, "unix", n) == 0) &&
	    !(n == 5 && memcmp(text, "local", n) == 0))
		return "not inet:PORT@HOST, inet6:PORT@HOST or unix:PATH";
	p->family = AF_UNIX;
	p->path = colon + 1;
	if (!*p->path || strlen(p->path) >=
	    sizeof ((struct sockaddr_un *)NULL)->sun_path)
		return "no path, or one that is too long";
	return NULL;
}

/* Connect to one address.  Returns the socket, or -1 with errno set. */
static int
try_address(const struct sockaddr *to, socklen_t len, long long deadline)
{
	const int fd = socket(to->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error = 0;
	socklen_t size = sizeof error;

	if (fd < 0)
		return -1;
	if (connect(fd, to, len) == 0)
		return fd;
	error = errno;
	if (error == EINPROGRESS) {
		if (peer_wait(fd, POLLOUT, deadline) < 0)
			error = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error,
		    &size) < 0)
			error = errno;
		if (error == 0)
			return fd;
	}
	close(fd);
	errno = error;
	return -1;
}

static int
connect_unix(const struct peer *p, long long deadline)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct timespec moment = { .tv_nsec = 10000000 };
	int fd;

	strcpy(un.sun_path, p->path);
	/* EAGAIN: its queue is full, and nothing tells when it has room */
	while ((fd = try_address((struct sockaddr *)&un, sizeof un,
	    deadline)) < 0 && errno == EAGAIN && peer_clock() < deadline)
		nanosleep(&moment, NULL);
	return fd;
}

int
peer_connect(const struct peer *p, long long deadline, const char **error)
{
	struct addrinfo hints = { .ai_family = p->family,
	    .ai_socktype = SOCK_STREAM }, *list, *a;
	int fd = -1, rc;

	if (p->family == AF_UNIX) {
		fd = connect_unix(p, deadline);
		*error = strerror(errno);
		return fd;
	}
	rc = getaddrinfo(p->host, p->port, &hints, &list);
	if (rc != 0) {
		*error = gai_strerror(rc);
		return -1;
	}
	for (a = list; a && fd < 0; a = a->ai_next)
		fd = try_address(a->ai_addr, a->ai_addrlen, deadline);
	*error = strerror(errno);
	freeaddrinfo(list);
	return fd;
}
