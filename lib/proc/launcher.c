/*
 * The launcher.  It trusts nothing that its worker says.  It cannot be confined
 * itself, because the commands would inherit that; so it is small, has no
 * descriptor but the log and the socket of its worker, and reads nothing that a
 * client sent but the values of variables, which it checks.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/proc/descriptors.h"
#include "lib/proc/launcher.h"
#include "lib/proc/process.h"
#include "lib/proc/title.h"

enum {
	SOCKET = 3,		/* the descriptor of the socket */
	WORKER = 4,		/* that of the worker, if there is one */
	USELESS_SIGNALS = 8,	/* to a command that has ended just before */
};

/* What a descriptor must be. */
enum { NOTHING, ANY_FILE, ANY_PIPE, ANY_SOCKET, ANY_STREAM };

/* The descriptors of each use; the bits of those that may be missing. */
static const struct shape {
	unsigned optional;
	int n;
	unsigned char type[REQUEST_DESCRIPTORS];
} shapes[USES] = {
	[USE_HOOK] = { 1, 3, { ANY_FILE, ANY_PIPE, ANY_PIPE } },
	[USE_AUTH] = { 0, 4, { NOTHING, ANY_PIPE, ANY_PIPE, ANY_PIPE } },
	[USE_TLS] = { 0, 6, { ANY_STREAM, ANY_STREAM, ANY_PIPE, ANY_SOCKET,
	    ANY_SOCKET, ANY_PIPE } },
	[USE_LOOKUP] = { 0, 3, { NOTHING, ANY_PIPE, NOTHING } },
};

struct launcher {
	const struct launcher_table *table;
	pid_t worker;
	bool has_descriptor;		/* of the worker */
	pid_t jobs[JOBS];		/* 0: none */
	int null_error;			/* why there is no /dev/null; or 0 */
	unsigned useless_signals;	/* since the last start */
	sigset_t waiting;		/* signals blocked in a wait */
	struct request request;
	int fds[REQUEST_DESCRIPTORS];	/* that came with it; -1: none */
};

/*
 * End, and take the hook with it: nobody is left who would apply its timeout,
 * and its client gets no 250.  A command of --tls ends by itself, once it has
 * passed on the last reply.
 */
__attribute__((noreturn))
static void
end_launcher(const struct launcher *l, int status)
{
	const long long end = clock_ms() + HOOK_GRACE;
	const pid_t hook = l->jobs[JOB_HOOK];
	long long left = HOOK_GRACE;

	if (hook)
		process_signal(hook, SIGTERM);
	while (hook && !process_has_exited(hook) && left > 0) {
		clock_poll(NULL, 0, left, &l->waiting);
		left = end - clock_ms();
	}
	if (hook)
		process_signal(hook, SIGKILL);
	_exit(status);
}

/*
 * The worker asked for what no worker asks for: it was taken over, and is
 * ended.  Another process can't have its number while it is our parent.
 */
__attribute__((noreturn))
static void
refuse_request(const struct launcher *l, const char *reason)
{
	struct log_line line;

	log_begin(&line, LEVEL_ERROR, "launcher-refused");
	log_num(&line, "pid", l->worker);
	log_str(&line, "error", reason);
	log_end(&line);
	if (getppid() == l->worker)
		kill(l->worker, SIGKILL);
	else if (l->has_descriptor)
		process_kill_descriptor(WORKER);
	end_launcher(l, 1);
}

static void
answer_worker(const struct launcher *l, enum request_job job, bool ended,
    int error, int status)
{
	const struct request_answer a = {
		.job = job, .ended = ended, .error = error, .status = status,
	};

	if (send(SOCKET, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		refuse_request(l, "the worker does not read answers");
	end_launcher(l, 1);	/* the worker must not wait for an answer */
}

/*
 * Is it a connection?  A socket of a launcher or of the master is none, and
 * would outlive the worker in a command; so would a listener.
 */
static bool
is_stream_connection(int fd)
{
	socklen_t len = sizeof(int);
	int type, listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    type != SOCK_STREAM)
		return false;
	len = sizeof listens;
	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	    !listens;
}

static bool
has_type(int fd, int type)
{
	struct stat st;

	if (type == NOTHING || fstat(fd, &st) < 0)
		return false;
	switch (type) {
	case ANY_FILE:
		return S_ISREG(st.st_mode);
	case ANY_PIPE:
		return S_ISFIFO(st.st_mode);
	case ANY_SOCKET:
		return is_stream_connection(fd);
	default:
		return is_stream_connection(fd) || S_ISFIFO(st.st_mode);
	}
}

static void
check_descriptors(const struct launcher *l, const struct shape *shape)
{
	int i;

	for (i = 0; i < REQUEST_DESCRIPTORS; i++)
		if (l->fds[i] >= 0 ? !has_type(l->fds[i], shape->type[i]) :
		    shape->type[i] != NOTHING && !(shape->optional & 1U << i))
			refuse_request(l, "not the descriptors of the command");
}

/* Commands don't expect EAGAIN.  Other flags, such as O_APPEND, stay. */
static void
set_blocking(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	if (flags >= 0 && (flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

static void
prepare_descriptors(const struct launcher *l, enum launcher_use use)
{
	const int on = 1;

	if (use == USE_TLS) {
		/* a handshake has small packets that wait for each other */
		setsockopt(l->fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		return;
	}
	set_blocking(l->fds[1]);
	if (l->fds[2] >= 0)
		set_blocking(l->fds[2]);
}

/* In the child: no descriptor of the launcher is left open. */
__attribute__((noreturn))
static void
run_function(const struct launcher *l, const struct launcher_row *row)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	dup2(l->fds[1], STDOUT_FILENO);
	close(SOCKET);
	close(WORKER);
	close(l->fds[1]);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	_exit(row->run(l->request.variables, l->request.n));
}

/* The environment: what all get, the event, and what the worker sent. */
static char **
compose_environment(const struct launcher *l, const char *event)
{
	const struct launcher_table *t = l->table;
	char **var = t->environment + t->n_environment;
	unsigned i;

	if (event)
		*var++ = (char *)event;
	for (i = 0; i < l->request.n; i++)
		*var++ = l->request.variables[i];
	*var = NULL;
	return t->environment;
}

/* Returns 0, or an error number. */
static int
start_row(struct launcher *l, const struct launcher_row *row, pid_t *pid)
{
	int fds[REQUEST_DESCRIPTORS], i;
	char *shell[INVOCATION_SHELL];

	if (row->run) {
		*pid = fork();
		if (*pid == 0)
			run_function(l, row);
		return *pid < 0 ? errno : 0;
	}
	if (l->fds[STDIN_FILENO] < 0 && l->null_error)
		return l->null_error;
	for (i = 0; i < REQUEST_DESCRIPTORS; i++)
		fds[i] = l->fds[i] < 0 ? STDIN_FILENO : l->fds[i];
	return process_start(pid, invocation_words(row->program, shell),
	    compose_environment(l, row->event), fds, shapes[row->use].n,
	    row->use == USE_TLS ? 0 : SIGTERM);
}

static void
start_command(struct launcher *l)
{
	const struct launcher_row *row = &l->table->rows[l->request.number];
	const enum request_job job = row->use == USE_TLS ? JOB_TLS : JOB_HOOK;
	pid_t pid = 0;
	int error;

	if (l->jobs[job])
		refuse_request(l, "too many commands at once");
	check_descriptors(l, &shapes[row->use]);
	prepare_descriptors(l, row->use);
	error = start_row(l, row, &pid);
	l->useless_signals = 0;
	if (!error)
		l->jobs[job] = pid;
	if (error || job == JOB_TLS)
		answer_worker(l, job, error != 0, error, 0);
}

/* It may have ended when the request was on its way. */
static void
signal_command(struct launcher *l, enum request_job job, int sig)
{
	if (l->jobs[job])
		process_signal(l->jobs[job], sig);
	else if (++l->useless_signals > USELESS_SIGNALS)
		refuse_request(l, "too many signals");
}

/* The rest of a group is killed before its number could be used again. */
static void
reap_commands(struct launcher *l)
{
	int job, status;
	pid_t pid;

	for (job = 0; job < JOBS; job++) {
		pid = l->jobs[job];
		if (!pid || !process_has_exited(pid))
			continue;
		kill(-pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		l->jobs[job] = 0;
		answer_worker(l, (enum request_job)job, true, 0, status);
	}
}

/*
 * Give each descriptor of the message the number that its header has for it.
 */
static void
take_descriptors(struct launcher *l, struct msghdr *m)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(m);	/* all are in one */
	size_t n = 0, used = 0;
	int got[REQUEST_DESCRIPTORS], i;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof *got;
		memcpy(got, CMSG_DATA(c), n * sizeof *got);
	}
	for (i = 0; i < REQUEST_DESCRIPTORS; i++) {
		l->fds[i] = -1;
		if (!(l->request.descriptors & 1U << i))
			continue;
		if (used == n)
			refuse_request(l, "a descriptor is missing");
		l->fds[i] = got[used++];
	}
	if (used != n)
		refuse_request(l, "too many descriptors");
}

static void
handle_request(struct launcher *l)
{
	switch (l->request.kind) {
	case REQUEST_START:
		start_command(l);
		break;
	case REQUEST_TERMINATE:
		signal_command(l, (enum request_job)l->request.number, SIGTERM);
		break;
	case REQUEST_KILL:
		signal_command(l, (enum request_job)l->request.number, SIGKILL);
		break;
	default:
		log_forward((int)l->request.number, l->request.line);
	}
}

/* Receive a request and do it.  Ends after the last one of the worker. */
static void
receive_request(struct launcher *l)
{
	static char message[REQUEST_MAX + 1];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(REQUEST_DESCRIPTORS * sizeof(int))];
	} control;
	struct iovec part = { message, REQUEST_MAX };
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes,
	};
	const ssize_t n = recvmsg(SOCKET, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const char *wrong;
	int i;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		end_launcher(l, 0);
	if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		refuse_request(l, "the request is too large");
	wrong = request_parse(&l->request, message, (size_t)n, l->table->n,
	    l->table->names);
	if (wrong)
		refuse_request(l, wrong);
	take_descriptors(l, &m);
	handle_request(l);
	for (i = 0; i < REQUEST_DESCRIPTORS; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
}

/* SIGCHLD only interrupts a wait: a command has ended, or the worker. */
static void
on_exit_signal(int sig)
{
	(void)sig;
}

/*
 * All signals but SIGCHLD are blocked: a launcher ends with its worker, which
 * may have a message to deliver after the stop of the server.
 */
static void
prepare_launcher_signals(struct launcher *l)
{
	const struct sigaction action = { .sa_handler = on_exit_signal };
	int sig;

	for (sig = 1; sig < NSIG; sig++)	/* which commands inherit */
		signal(sig, SIG_DFL);
	sigfillset(&l->waiting);
	sigprocmask(SIG_BLOCK, &l->waiting, NULL);
	sigdelset(&l->waiting, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	prctl(PR_SET_PDEATHSIG, SIGCHLD);	/* Landlock may forbid it */
}

/* Without /dev/null nothing that needs it can start. */
static int
open_null(struct launcher *l)
{
	int ends[2];

	if (descriptors_set_null(STDIN_FILENO) == 0)
		return 0;
	l->null_error = errno;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	return dup2(ends[0], STDIN_FILENO);
}

/*
 * Keep the log, the socket and what is known of the worker.  Descriptors of
 * requests are above those of any command, because process_start() moves them.
 */
static void
arrange_descriptors(struct launcher *l, int fd, int pidfd)
{
	int from[REQUEST_DESCRIPTORS] = { [SOCKET] = fd, [WORKER] = pidfd };
	int i;

	if (open_null(l) < 0 || dup2(STDIN_FILENO, STDOUT_FILENO) < 0)
		_exit(1);
	l->has_descriptor = pidfd >= 0;
	for (i = SOCKET; i < REQUEST_DESCRIPTORS; i++)
		from[i] = fcntl(from[i] <= 0 ? STDIN_FILENO : from[i],
		    F_DUPFD_CLOEXEC, REQUEST_DESCRIPTORS);
	for (i = SOCKET; i < REQUEST_DESCRIPTORS; i++)
		if (dup3(from[i], i, O_CLOEXEC) < 0)
			_exit(1);
	descriptors_close_from(REQUEST_DESCRIPTORS);
}

/*
 * Wait for an event.  The socket alone does not say that the worker has ended:
 * another process may have the other end.  Then no request is added, and after
 * those that are waiting comes the end of the socket.
 */
static void
handle_next_request(struct launcher *l)
{
	struct pollfd p[] = {
		{ .fd = SOCKET, .events = POLLIN },
		{ .fd = l->has_descriptor ? WORKER : -1, .events = POLLIN },
	};

	if (!l->has_descriptor && getppid() != l->worker)
		shutdown(SOCKET, SHUT_RD);
	if (clock_poll(p, 2, -1, &l->waiting) <= 0)
		return;
	if (p[1].revents)
		shutdown(SOCKET, SHUT_RD);
	if (p[0].revents)
		receive_request(l);
}

void
launcher_run(const struct launcher_table *table, int fd, pid_t worker,
    int pidfd)
{
	struct launcher l = { .table = table, .worker = worker };

	prepare_launcher_signals(&l);
	log_speak_for(worker);
	title_set("smtpd: launcher of %ld", (long)worker);
	arrange_descriptors(&l, fd, pidfd);
	memory_release_stack();
	for (;;) {
		reap_commands(&l);
		handle_next_request(&l);
	}
}
