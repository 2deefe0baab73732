/*
 * A command as a process of its own.  fork(2) would copy page tables, and
 * posix_spawn(3) makes a system call for each signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc/process.h"

/* Not all systems have them in a header.  They are the same on all processors. */
enum { PIDFD_SEND_SIGNAL = 424, PIDFD_OPEN = 434 };

enum { PROCESS_STACK = 64 * 1024 };	/* of a child before exec */

struct execution {
	char **argv, **environment;
	const int *fds;
	int n;
	int death_signal;
	int error;
};

/* Returns 0, or -1 with errno set. */
static int
place_descriptors(const struct execution *e)
{
	int i;

	for (i = 0; i < e->n; i++)
		if (e->fds[i] == i ? fcntl(i, F_SETFD, 0) < 0 :
		    dup2(e->fds[i], i) < 0)
			return -1;
	return 0;
}

/* The child, which uses the memory of its parent until it executes the file. */
static int
execute(void *ctx)
{
	struct execution *e = ctx;
	sigset_t none;

	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, e->death_signal) == 0 &&
	    setpgid(0, 0) == 0 && place_descriptors(e) == 0 &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0)
		execve(e->argv[0], e->argv, e->environment);
	e->error = errno;
	return 127;
}

int
process_start(pid_t *pid, char **argv, char **environment, const int *fds,
    int n, int death_signal)
{
	static char stack[PROCESS_STACK] __attribute__((aligned(16)));
	struct execution e = { argv, environment, fds, n, death_signal, 0 };

	/* returns when the child has executed the file, or has ended */
	*pid = clone(execute, stack + sizeof stack,
	    CLONE_VM | CLONE_VFORK | SIGCHLD, &e);
	if (*pid < 0)
		return errno;
	if (e.error)
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
	return e.error;
}

/* _Fork(3) leaves out what threads would need. */
pid_t
process_fork(void)
{
#if defined __GLIBC__ && defined __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
	return _Fork();
#endif
#endif
	return fork();
}

int
process_has_exited(pid_t pid)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != 0;
}

int
process_descriptor(pid_t pid)
{
	return (int)syscall(PIDFD_OPEN, pid, 0);
}

void
process_kill_descriptor(int fd)
{
	syscall(PIDFD_SEND_SIGNAL, fd, SIGKILL, NULL, 0);
}

void
process_signal(pid_t pid, int sig)
{
	kill(-pid, sig);
	kill(pid, sig);
}

static void
report_stderr_line(struct stderr_lines *s)
{
	s->line[s->n] = '\0';
	s->n = 0;
	if (s->lines == STDERR_LINES_MAX)
		return;
	s->lines++;
	s->report(s->ctx, s->line);
}

void
stderr_lines_add(struct stderr_lines *s, const char *p, size_t n)
{
	for (; n > 0; p++, n--) {
		if (*p == '\n')
			report_stderr_line(s);
		else if (s->n < STDERR_LINE_MAX)
			s->line[s->n++] = *p;
	}
}

void
stderr_lines_finish(struct stderr_lines *s)
{
	if (s->n)
		report_stderr_line(s);
}
