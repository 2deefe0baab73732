/*
 * A command as a process of its own.  posix_spawn(3) is used, because fork(2)
 * would copy the page tables of a large process.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/proc/process.h"

/* Not all systems have them in a header.  They are the same on all processors. */
enum { PIDFD_SEND_SIGNAL = 424, PIDFD_OPEN = 434 };

int
process_start(pid_t *pid, char **argv, char **environment, const int *fds,
    int n)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int i, error = 0;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP |
	    POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&files);
	for (i = 0; i < n && !error; i++)	/* each allocates memory */
		error = fds[i] < 0 ? posix_spawn_file_actions_addopen(&files,
		    i, "/dev/null", O_RDWR, 0) :
		    posix_spawn_file_actions_adddup2(&files, fds[i], i);
	if (!error)
		error = posix_spawn(pid, argv[0], &files, &attributes, argv,
		    environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	return error;
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
