/*
 * The master forks another launcher for a worker that has lost its own.  The
 * worker sends the socket of the new one, of a pair that it made before it was
 * confined, so that nothing of the former launcher is left in it.  The master
 * reads nothing that a worker can choose but that descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/proc/launch.h"
#include "lib/proc/process.h"
#include "lib/proc/relaunch.h"

int
relaunch_open(struct relaunch *r, const struct launcher_table *table)
{
	const int on = 1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	*r = (struct relaunch){ ends[0], ends[1], table };
	if (setsockopt(r->master, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
	    fcntl(r->master, F_SETOWN, getpid()) < 0 ||
	    fcntl(r->master, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return -1;
	return 0;
}

void
relaunch_join(struct relaunch *r)
{
	close(r->master);
	r->master = -1;
}

/* Was this socket made by the worker itself, as one of a pair? */
static bool
is_pair_of(int fd, pid_t worker)
{
	struct ucred made = { .pid = 0 };
	socklen_t len = sizeof made;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &made, &len) == 0 &&
	    made.pid == worker;
}

static void
refuse_worker(pid_t worker, const char *reason)
{
	struct log_line l;

	log_begin(&l, LEVEL_ERROR, "launcher-refused");
	log_num(&l, "pid", worker);
	log_str(&l, "error", reason);
	log_end(&l);
	kill(worker, SIGKILL);
}

/*
 * The worker is a child that was not waited for, so its number is not that of
 * another process.  Later it could be: the launcher is given a descriptor.
 */
static void
fork_launcher(const struct relaunch *r, int fd, pid_t worker)
{
	const int pidfd = process_descriptor(worker);
	const pid_t pid = pidfd < 0 ? -1 : process_fork();
	struct log_line l;

	if (pid == 0)
		launcher_run(r->table, fd, worker, pidfd);
	if (pid < 0) {
		log_errno("fork-failed", "what", "launcher");
	} else {
		log_begin(&l, LEVEL_WARNING, "launcher-replaced");
		log_num(&l, "pid", worker);
		log_end(&l);
	}
	if (pidfd >= 0)
		close(pidfd);
}

/* fd is what came with the request; -1: nothing, or too much. */
static void
serve_request(const struct relaunch *r, struct pool *pool, pid_t worker, int fd)
{
	const unsigned requests = pool_count_request(pool, worker);

	if (requests == 0)
		return;		/* it has ended, or was of another master */
	if (fd < 0 || !is_pair_of(fd, worker))
		refuse_worker(worker, "not the socket of a launcher");
	else if (requests > LAUNCH_SPARES)
		refuse_worker(worker, "too many launchers");
	else
		fork_launcher(r, fd, worker);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"	/* in the macro of musl */
static struct cmsghdr *
next_control(struct msghdr *m, struct cmsghdr *c)
{
	return CMSG_NXTHDR(m, c);
}
#pragma GCC diagnostic pop

/* Take the sender and the descriptor from a message. */
static void
read_control(struct msghdr *m, pid_t *worker, int *fd)
{
	struct cmsghdr *c;
	struct ucred sender;

	for (c = CMSG_FIRSTHDR(m); c; c = next_control(m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS) {
			memcpy(&sender, CMSG_DATA(c), sizeof sender);
			*worker = sender.pid;
		} else if (c->cmsg_type == SCM_RIGHTS) {
			memcpy(fd, CMSG_DATA(c), sizeof *fd);
		}
	}
}

/* Returns false if there is no request. */
static bool
receive_relaunch(const struct relaunch *r, struct pool *pool)
{
	union {
		struct cmsghdr align;
		/* no more than one descriptor, which CMSG_SPACE() exceeds */
		char bytes[CMSG_SPACE(sizeof(struct ucred)) +
		    CMSG_LEN(sizeof(int))];
	} control;
	char byte;
	struct iovec part = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	pid_t worker = 0;
	int fd = -1;

	if (recvmsg(r->master, &m, MSG_CMSG_CLOEXEC) < 0)
		return errno == EINTR;
	read_control(&m, &worker, &fd);
	serve_request(r, pool, worker, m.msg_flags & MSG_CTRUNC ? -1 : fd);
	if (fd >= 0)
		close(fd);
	return true;
}

void
relaunch_serve(const struct relaunch *r, struct pool *pool)
{
	while (receive_relaunch(r, pool))
		;
}
