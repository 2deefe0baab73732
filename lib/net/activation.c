/*
 * Sockets passed by a service manager.  Whether a descriptor is a listening
 * socket is not checked here.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/net/activation.h"

/* Parse a decimal number; -1 if text is not one or is negative. */
static long
parse_decimal(const char *text)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	return errno || end == text || *end || n < 0 ? -1 : n;
}

static int
adopt_descriptors(struct activation *a, const char *fds, const char *names)
{
	const long n = parse_decimal(fds);
	int fd;

	if (n < 0 || n > INT_MAX - ACTIVATION_FIRST) {
		errno = EINVAL;
		return -1;
	}
	for (fd = ACTIVATION_FIRST; fd < ACTIVATION_FIRST + n; fd++)
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return -1;
	if (names && !(a->names = strdup(names)))
		return -1;
	a->n = (int)n;
	return 0;
}

int
activation_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const long n = pid && fds && parse_decimal(pid) == getpid() ?
	    parse_decimal(fds) : 0;

	return n < 0 || n > INT_MAX - ACTIVATION_FIRST ? 0 : (int)n;
}

int
activation_take(struct activation *a)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int failed = 0;

	*a = (struct activation){ .n = 0 };
	if (pid && fds && parse_decimal(pid) == getpid())
		failed = adopt_descriptors(a, fds, getenv("LISTEN_FDNAMES"));
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return failed;
}

const char *
activation_name(const struct activation *a, int i, size_t *len)
{
	const char *name = a->names ? a->names : "";

	for (; i > 0; i--) {
		name += strcspn(name, ":");
		name += *name == ':';
	}
	*len = strcspn(name, ":");
	return name;
}
