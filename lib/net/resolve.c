/* The host name of an address, which is believed only if it is confirmed. */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/net/resolve.h"
#include "lib/text/address.h"
#include "lib/text/utf8.h"

/*
 * Is it a host name?  A name that ends in a number would be parsed as an
 * address, and so confirm itself (RFC 1123 2.1).
 */
static bool
is_host_name(const char *name)
{
	const char *dot = strrchr(name, '.');
	const char *last = dot ? dot + 1 : name;

	return strlen(name) < RESOLVE_NAME_MAX && *name != '[' &&
	    address_is_host(name, true) && !utf8_is_beyond_ascii(name) &&
	    !(*last >= '0' && *last <= '9');
}

static int
look_up_name(const struct endpoint *e, char *name, size_t size)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	memcpy(&v4.sin_addr, e->addr, sizeof v4.sin_addr);
	memcpy(&v6.sin6_addr, e->addr, sizeof v6.sin6_addr);
	return e->family == AF_INET ?
	    getnameinfo((struct sockaddr *)&v4, sizeof v4, name,
		(socklen_t)size, NULL, 0, NI_NAMEREQD) :
	    getnameinfo((struct sockaddr *)&v6, sizeof v6, name,
		(socklen_t)size, NULL, 0, NI_NAMEREQD);
}

/* Does the name resolve to this address? */
static bool
is_confirmed(const char *name, const struct endpoint *e)
{
	const struct addrinfo hints = {
		.ai_family = e->family, .ai_socktype = SOCK_STREAM,
	};
	const size_t len = e->family == AF_INET ? 4 : 16;
	struct addrinfo *list, *a;
	struct endpoint other;

	if (getaddrinfo(name, NULL, &hints, &list) != 0)
		return false;
	for (a = list; a; a = a->ai_next) {
		endpoint_set(&other, a->ai_addr);
		if (other.family == e->family &&
		    memcmp(other.addr, e->addr, len) == 0)
			return true;
	}
	return false;
}

int
resolve_run(char *const *variables, unsigned n)
{
	static const char wanted[] = "TCPREMOTEIP=";
	char name[NI_MAXHOST];
	struct endpoint e = { .family = AF_UNSPEC };

	if (n == 1 && strncmp(*variables, wanted, sizeof wanted - 1) == 0)
		endpoint_parse(&e, *variables + sizeof wanted - 1);
	if (e.family != AF_UNSPEC &&
	    look_up_name(&e, name, sizeof name) == 0 && is_host_name(name) &&
	    is_confirmed(name, &e))
		file_write(STDOUT_FILENO, name, strlen(name));
	return 0;
}

/* Read up to end of file.  Returns false at the deadline or when stopped. */
static bool
read_lookup(int fd, char *name, const volatile sig_atomic_t *stop,
    const sigset_t *wait_mask)
{
	const long long deadline = clock_ms() + RESOLVE_TIMEOUT;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long left;
	size_t n = 0;
	ssize_t got = 1;

	while (got > 0) {
		left = deadline - clock_ms();
		if (left <= 0 || *stop)
			return false;
		if (clock_poll(&p, 1, left, wait_mask) <= 0)
			continue;	/* SIGCHLD, or the deadline */
		got = read(fd, name + n, RESOLVE_NAME_MAX - 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	name[n] = '\0';
	return got == 0;
}

/* Wait for the end of the lookup, which was killed. */
static void
await_lookup_end(struct launch *l, const sigset_t *wait_mask)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	int error, status;

	while (!launch_has_ended(l, JOB_HOOK, &error, &status))
		clock_poll(&p, 1, -1, wait_mask);
}

void
resolve_name(struct launch *l, unsigned row, const struct endpoint *e,
    char name[RESOLVE_NAME_MAX], const volatile sig_atomic_t *stop,
    const sigset_t *wait_mask)
{
	char variable[sizeof "TCPREMOTEIP=" + sizeof e->ip];
	char *variables[] = { variable, NULL };
	int fds[2], given[] = { -1, -1 };
	bool complete = false;

	*name = '\0';
	if (e->family == AF_UNSPEC || pipe2(fds, O_CLOEXEC) < 0)
		return;
	snprintf(variable, sizeof variable, "TCPREMOTEIP=%s", e->ip);
	given[1] = fds[1];
	if (launch_start(l, row, JOB_HOOK, variables, given, 2) == 0) {
		close(fds[1]);
		complete = read_lookup(fds[0], name, stop, wait_mask);
		launch_signal(l, JOB_HOOK, SIGKILL);
		await_lookup_end(l, wait_mask);
	} else {
		close(fds[1]);
	}
	close(fds[0]);
	if (!complete)
		*name = '\0';
}
