/*
 * One launcher for each worker, or a few for all?  16 processes ask for
 * /bin/true all the time, with three descriptors as a hook gets them, and 1, 2,
 * 4, 8 or 16 launchers start it by lib/proc/process.  They take turns; told are
 * the medians of the rates.  Built and run by t/bench/launchers.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/proc/process.h"

enum { ASKING = 16, SHAPES = 5, REQUEST = 315, FDS = 3, ROUNDS_MAX = 99 };

static int ends[ASKING][2];	/* of who asks, of the launcher */

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS * sizeof(int))];
};

static void
on_child(int sig)
{
	(void)sig;
}

static void
ask(int fd)
{
	static char text[REQUEST];
	struct iovec part = { text, sizeof text };
	union control control = { .align = { .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(FDS * sizeof(int)) } };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof control.bytes };
	int out[2], error[2], fds[FDS];
	char answer[16];

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(error, O_CLOEXEC) < 0)
		err(2, "pipe2");
	fds[0] = STDIN_FILENO;
	fds[1] = out[1];
	fds[2] = error[1];
	memcpy(CMSG_DATA(&control.align), fds, sizeof fds);
	if (sendmsg(fd, &m, 0) < 0)
		err(2, "sendmsg");
	close(out[1]);
	close(error[1]);
	if (recv(fd, answer, sizeof answer, 0) != sizeof answer)
		errx(2, "no answer");
	close(out[0]);
	close(error[0]);
}

static pid_t
start(int fd)
{
	static char *argv[] = { "/bin/true", NULL };
	char text[REQUEST];
	struct iovec part = { text, sizeof text };
	union control control;
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1,
	    .msg_control = &control, .msg_controllen = sizeof control.bytes };
	int fds[FDS], i, error;
	pid_t pid;

	if (recvmsg(fd, &m, MSG_CMSG_CLOEXEC) != REQUEST)
		_exit(0);
	memcpy(fds, CMSG_DATA(&control.align), sizeof fds);
	error = process_start(&pid, argv, environ, fds, FDS, 0);
	if (error)
		errx(2, "/bin/true: %s", strerror(error));
	for (i = 0; i < FDS; i++)
		close(fds[i]);
	return pid;
}

/* Be a launcher of the sockets first, first + step, ... */
static void
serve(int first, int step)
{
	const struct sigaction action = { .sa_handler = on_child };
	struct pollfd p[ASKING];
	pid_t jobs[ASKING] = { 0 }, pid;
	char answer[16] = { 0 };
	sigset_t all, waiting;
	int i, n = 0;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	waiting = all;
	sigdelset(&waiting, SIGCHLD);
	sigaction(SIGCHLD, &action, NULL);
	for (i = first; i < ASKING; i += step)
		p[n++] = (struct pollfd){ ends[i][1], POLLIN, 0 };
	for (;;) {
		while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
			for (i = 0; i < n; i++)
				if (jobs[i] == pid) {
					jobs[i] = 0;
					send(p[i].fd, answer, sizeof answer, 0);
				}
		if (ppoll(p, (nfds_t)n, NULL, &waiting) <= 0)
			continue;
		for (i = 0; i < n; i++)
			if (p[i].revents)
				jobs[i] = start(p[i].fd);
	}
}

static pid_t
child(void)
{
	const pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static double
rate(int launchers, int times)
{
	struct timespec a, b;
	pid_t pids[ASKING];
	int i, j;

	for (i = 0; i < ASKING; i++)
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
		    ends[i]) < 0)
			err(2, "socketpair");
	for (i = 0; i < launchers; i++)
		if ((pids[i] = child()) == 0)
			serve(i, launchers);
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (i = 0; i < ASKING; i++)
		if (child() == 0) {
			for (j = 0; j < times / ASKING; j++)
				ask(ends[i][0]);
			_exit(0);
		}
	for (i = 0; i < ASKING; i++)
		wait(NULL);
	clock_gettime(CLOCK_MONOTONIC, &b);
	for (i = 0; i < launchers; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	for (i = 0; i < ASKING; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return times / ((double)(b.tv_sec - a.tv_sec) +
	    (double)(b.tv_nsec - a.tv_nsec) / 1e9);
}

static int
compare_rates(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	static double rates[SHAPES][ROUNDS_MAX];
	const int rounds = argc > 1 ? atoi(argv[1]) : 9;
	const int times = argc > 2 ? atoi(argv[2]) : 1600;
	int i, j;

	if (rounds < 1 || rounds > ROUNDS_MAX || times < ASKING)
		errx(2, "usage: launchers [ROUNDS [COMMANDS]]");
	for (j = 0; j < rounds; j++)
		for (i = 0; i < SHAPES; i++)
			rates[i][j] = rate(1 << i, times);
	for (i = 0; i < SHAPES; i++) {
		qsort(rates[i], (size_t)rounds, sizeof *rates[i], compare_rates);
		printf("%2d launchers: %.0f commands/s (%.0f to %.0f)\n", 1 << i,
		    rates[i][rounds / 2], rates[i][0], rates[i][rounds - 1]);
	}
	return 0;
}
