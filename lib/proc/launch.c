/* A worker's side of its launcher. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/proc/launch.h"
#include "lib/proc/process.h"

static int
make_pair(int ends[2])
{
	const int room = 2 * REQUEST_MAX;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
	return 0;
}

/*
 * A confined worker can't make a socket with the number of another one, which
 * alone may pass descriptors, so the spare ones are made before.
 */
static int
make_spares(struct launch *l)
{
	int ends[2];

	while (l->master >= 0 && l->n_spares < LAUNCH_SPARES) {
		if (make_pair(ends) < 0)
			return -1;
		l->spares[l->n_spares++] =
		    (struct launch_spare){ ends[0], ends[1] };
	}
	return 0;
}

/* Nothing is written before the fork: the launcher shares the memory. */
int
launch_open(struct launch *l, const struct launcher_table *table, int master)
{
	const pid_t worker = getpid();
	int ends[2], error;
	pid_t pid;

	if (make_pair(ends) < 0)
		return -1;
	pid = process_fork();
	if (pid == 0)
		launcher_run(table, ends[1], worker,
		    process_descriptor(worker));
	error = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		errno = error;
		return -1;
	}
	*l = (struct launch){
		.fd = ends[0], .table = table, .master = master
	};
	return make_spares(l);
}

size_t
launch_sockets(const struct launch *l, int fds[LAUNCH_SOCKETS])
{
	size_t n = 0;
	unsigned i;

	if (l->fd >= 0)
		fds[n++] = l->fd;
	if (l->fd >= 0 && l->master >= 0)
		fds[n++] = l->master;
	for (i = 0; i < l->n_spares; i++)
		fds[n++] = l->spares[i].fd;
	return n;
}

bool
launch_is_last(const struct launch *l)
{
	return l->fd >= 0 && l->master >= 0 && l->n_spares == 0;
}

static void
note_answer(struct launch *l, const struct request_answer *a)
{
	struct launch_job *job;

	if (a->job >= JOBS)
		return;
	job = &l->jobs[a->job];
	job->started = true;
	if (!a->ended)
		return;
	job->running = false;
	job->error = a->error;
	job->status = a->status;
}

union launch_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(REQUEST_DESCRIPTORS * sizeof(int))];
};

/* Append the descriptors to the message. */
static void
attach_descriptors(struct msghdr *m, uint32_t *bits, union launch_control *control,
    const int *fds, int n)
{
	struct cmsghdr *c = &control->align;
	int given[REQUEST_DESCRIPTORS], i;
	size_t used = 0;

	for (i = 0; i < n; i++)
		if (fds[i] >= 0) {
			*bits |= 1U << i;
			given[used++] = fds[i];
		}
	if (used == 0)
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	/* a size_t in glibc, a socklen_t in POSIX and musl */
	c->cmsg_len = (socklen_t)CMSG_LEN(used * sizeof *given);
	memcpy(CMSG_DATA(c), given, used * sizeof *given);
	m->msg_control = c;
	m->msg_controllen = (socklen_t)CMSG_SPACE(used * sizeof *given);
}

/*
 * Have the master fork another launcher, for the next spare socket.  Requests
 * wait there.  Ours of the former one stays open, unused.
 */
static bool
replace_launcher(struct launch *l)
{
	struct launch_spare next;
	uint32_t bits = 0;
	char byte = 0;
	struct iovec part = { &byte, 1 };
	union launch_control control = { .bytes = "" };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t sent;

	if (l->n_spares == 0)
		return false;
	next = l->spares[--l->n_spares];
	attach_descriptors(&m, &bits, &control, &next.far, 1);
	do
		sent = sendmsg(l->master, &m, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	close(next.far);
	l->fd = next.fd;
	return sent >= 0;
}

/* What the launcher ran is lost.  Another one takes over for what follows. */
static void
note_loss(struct launch *l)
{
	int i;

	for (i = 0; i < JOBS; i++)
		if (l->jobs[i].running) {
			l->jobs[i].running = false;
			l->jobs[i].error = LAUNCH_LOST;
		}
	l->lost = !replace_launcher(l);
}

/* Read the answers that are there. */
static void
read_answers(struct launch *l)
{
	struct request_answer a;
	ssize_t n;

	while (!l->lost) {
		n = recv(l->fd, &a, sizeof a, MSG_DONTWAIT);
		if (n == (ssize_t)sizeof a)
			note_answer(l, &a);
		else if (n < 0 && errno == EAGAIN)
			return;
		else if (!(n < 0 && errno == EINTR))
			note_loss(l);
	}
}

const char *
launch_error(int error)
{
	return error == LAUNCH_LOST ? "the launcher has died" : strerror(error);
}

/* Send a message with descriptors.  Returns 0, or an error number. */
static int
send_request(struct launch *l, struct msghdr *m)
{
	while (l->fd >= 0 && !l->lost) {
		if (sendmsg(l->fd, m, MSG_NOSIGNAL) >= 0)
			return 0;
		if (errno == EPIPE || errno == ECONNRESET)
			note_loss(l);
		else if (errno != EINTR)
			return errno;
	}
	return LAUNCH_LOST;
}

int
launch_start(struct launch *l, unsigned row, enum request_job job,
    char *const *variables, const int *fds, int n)
{
	struct request_header h = { REQUEST_START, row, 0 };
	struct iovec parts[1 + REQUEST_VARIABLES] = { { &h, sizeof h } };
	union launch_control control = { .bytes = "" };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 1 };
	int error;

	if (l->fd < 0)
		return LAUNCH_LOST;
	for (; *variables; variables++) {
		if (m.msg_iovlen > REQUEST_VARIABLES)
			return E2BIG;
		if (request_check_variable(*variables, l->table->names) < 0)
			return EINVAL;
		parts[m.msg_iovlen++] = (struct iovec){ *variables,
		    strlen(*variables) + 1 };
	}
	attach_descriptors(&m, &h.descriptors, &control, fds, n);
	error = send_request(l, &m);
	if (!error)
		l->jobs[job] = (struct launch_job){ .running = true };
	return error;
}

void
launch_signal(struct launch *l, enum request_job job, int sig)
{
	struct request_header h = {
		sig == SIGKILL ? REQUEST_KILL : REQUEST_TERMINATE, job, 0
	};
	struct iovec part = { &h, sizeof h };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (l->jobs[job].running)
		send_request(l, &m);
}

bool
launch_has_ended(struct launch *l, enum request_job job, int *error,
    int *status)
{
	read_answers(l);
	*error = l->jobs[job].error;
	*status = l->jobs[job].status;
	return !l->jobs[job].running;
}

void
launch_await_start(struct launch *l, enum request_job job,
    const sigset_t *wait_mask)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };

	for (;;) {
		read_answers(l);
		if (l->jobs[job].started || !l->jobs[job].running)
			return;
		clock_poll(&p, 1, -1, wait_mask);
	}
}

bool
launch_is_lost(struct launch *l)
{
	if (l->fd >= 0)
		read_answers(l);
	return l->lost;
}

void
launch_log(void *ctx, int priority, const char *line, size_t len)
{
	struct launch *l = ctx;
	struct request_header h = { REQUEST_LOG, (uint32_t)priority, 0 };
	struct iovec parts[] = {
		{ &h, sizeof h }, { (char *)(uintptr_t)line, len },
	};
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

	send_request(l, &m);
}
