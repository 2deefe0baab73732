/* Messages to the service manager.  A failure never stops the server. */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/net/notify.h"

static void
log_notify_failure(const char *what)
{
	struct log_line l;
	int error = errno;

	log_begin(&l, LEVEL_WARNING, "notify-failed");
	log_str(&l, "what", what);
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

/* Connect to a Unix socket; a leading '@' means an abstract one. */
static int
connect_to_manager(const char *name)
{
	const struct timeval timeout = { .tv_sec = 1 };
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const size_t len = strlen(name);
	int fd, error;

	if ((*name != '/' && *name != '@') || len < 2 ||
	    len >= sizeof sa.sun_path) {
		errno = EINVAL;
		return -1;
	}
	memcpy(sa.sun_path, name, len);
	if (*name == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)&sa,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout,
	    sizeof timeout) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* Half of systemd's interval, in ms; 0 if it does not watch this process. */
static long long
watchdog_period(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	long long n;

	if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	n = strtoll(usec, NULL, 10);
	return n > 0 ? n / 2000 : 0;
}

void
notify_open(struct notify *n, int connected)
{
	const char *name = getenv("NOTIFY_SOCKET");

	*n = (struct notify){ .fd = connected };
	if (!name || !*name)
		return;
	if (connected < 0)
		n->fd = connect_to_manager(name);
	if (n->fd < 0)
		log_notify_failure(name);
	else
		n->watchdog = watchdog_period();
}

void
notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}

void
notify_send(struct notify *n, const char *fmt, ...)
{
	char text[NOTIFY_MAX];
	va_list ap;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (send(n->fd, text, strlen(text), MSG_NOSIGNAL) >= 0) {
		n->failing = false;
		return;
	}
	if (!n->failing)
		log_notify_failure("message");
	n->failing = true;
}
