/*
 * A server with the shim t/fail.so: a pool of one worker with a Unix socket, or
 * a process for each session.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "every.h"

#define ARGS_MAX	40

static struct fail_control *
map_control(const char *root)
{
	char path[4096];
	struct fail_control *c;
	int fd;

	snprintf(path, sizeof(path), "%s/control", root);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd == -1 || ftruncate(fd, sizeof(*c)) == -1)
		err(2, "%s", path);
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		err(2, "%s", path);
	close(fd);
	setenv("FAIL_CONTROL", path, 1);
	return c;
}

void
server_open(struct server *s, const struct scenario *scenario,
    const char *root)
{
	char path[4096];

	*s = (struct server){ .scenario = scenario, .root = root };
	s->control = map_control(root);
	if (getcwd(path, sizeof(path) - 16) == NULL)
		err(2, "here");
	setenv("LD_PRELOAD", strcat(path, "/t/fail.so"), 1);
	snprintf(path, sizeof(path), "%s/handed", root);
	setenv("HANDED", path, 1);
}

static void
run(const struct server *s)
{
	const struct scenario *is = s->scenario;
	char maildir[4200], spool[4200], listen[4200];
	const char *args[ARGS_MAX] = {
		"./smtpd", "-H", "mx.example", "-n", "1", "--min-free", "0",
		"--recycle-after", "0", "--drain-timeout", "1", "-m", maildir,
		"-l", listen, "--spool", spool,
	};
	int i, n = 17;

	snprintf(maildir, sizeof(maildir), "%s/mail/%s", s->root,
	    is->own ? "{mailbox}" : "u0");
	snprintf(spool, sizeof(spool), "%s/spool", s->root);
	snprintf(listen, sizeof(listen), "%s@%s%s", is->lmtp ? "lmtp" : "smtp",
	    is->inetd ? "-" : s->root, is->inetd ? "" : "/socket");
	if (geteuid() == 0) {
		args[n++] = "--user";
		args[n++] = "root";
	}
	if (is->inetd)
		args[n++] = "-i";
	for (i = 0; is->options[i] != NULL; i++)
		args[n++] = is->options[i];
	/* the last -m is used */
	execv(args[0], (char *const *)args);
	err(2, "%s", args[0]);
}

/* Start a process with fd as descriptors 0 and 1, and a file as its log. */
static pid_t
spawn(struct server *s, int fd)
{
	char path[4096];
	pid_t pid;
	int log;

	snprintf(path, sizeof(path), "%s/log", s->root);
	switch (pid = fork()) {
	case -1:
		err(2, "fork");
	case 0:
		log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
		if (dup2(fd, 0) == -1 || dup2(fd, 1) == -1 ||
		    dup2(log, 2) == -1)
			err(2, "%s", path);
		s->control->pid = getpid();
		run(s);
	}
	return pid;
}

static int
count_children(pid_t pid, pid_t *first)
{
	char path[64];
	FILE *f;
	int n = 0, child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	f = fopen(path, "r");
	while (f != NULL && fscanf(f, "%d", &child) == 1) {
		if (n++ == 0 && first != NULL)
			*first = child;
	}
	if (f != NULL)
		fclose(f);
	return n;
}

/* Commands are children of the launcher, which is one of the worker. */
int
server_children(const struct server *s)
{
	const int n = count_children(s->worker, NULL);

	if (!s->scenario->launcher)
		return n;
	return n - 1 + count_children(s->launcher, NULL);
}

void
server_forget(const struct server *s)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/log", s->root);
	if (truncate(path, 0) == -1 && errno != ENOENT)
		err(2, "%s", path);
}

int
server_says(const struct server *s, const char *word)
{
	char path[4200], line[4200];
	FILE *f;
	int said = 0;

	snprintf(path, sizeof(path), "%s/log", s->root);
	if ((f = fopen(path, "r")) == NULL)
		err(2, "%s", path);
	while (!said && fgets(line, sizeof(line), f) != NULL)
		said = strstr(line, word) != NULL;
	fclose(f);
	return said;
}

/* Find the worker and its launcher; a child that tries --tls may be there. */
static void
find_worker(struct server *s)
{
	int tries = 0;

	s->launcher = 0;
	while (count_children(s->pid, &s->worker) != 1 ||
	    (s->scenario->launcher &&
	    count_children(s->worker, &s->launcher) != 1)) {
		if (tries++ == 3000)
			errx(2, "%s: there is not one worker",
			    s->scenario->name);
		poll(NULL, 0, 10);
	}
	s->control->pid = s->of_launcher ? s->launcher : s->worker;
}

/* Returns 0 if it does not end. */
static int
await_end(pid_t pid)
{
	int tries;

	for (tries = 0; kill(pid, 0) == 0 && tries < 3000; tries++)
		poll(NULL, 0, 10);
	return tries < 3000;
}

void
server_end_launcher(const struct server *s)
{
	if (count_children(s->worker, NULL) == 1)
		kill(s->launcher, SIGKILL);
	await_end(s->launcher);
}

int
server_renew(struct server *s)
{
	kill(s->worker, SIGHUP);
	if (!await_end(s->worker))
		return 0;
	find_worker(s);
	return 1;
}

int
server_stands(const struct server *s)
{
	pid_t worker = 0;

	return (count_children(s->pid, &worker) == 1 || s->of_launcher) &&
	    worker == s->worker;
}

/* Connect to its socket.  Returns -1 if the server is not listening (yet). */
static int
try(const struct server *s)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.90s/socket", s->root);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	close(fd);
	return -1;
}

void
server_start(struct server *s)
{
	struct connection c = { .fd = -1 };
	int null, tries;

	s->control->armed = 0;
	s->pid = s->worker = s->launcher = 0;
	if (s->scenario->inetd)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	s->pid = spawn(s, null);
	close(null);
	for (tries = 0; (c.fd = try(s)) == -1 && tries < 3000; tries++)
		poll(NULL, 0, 10);
	if (c.fd == -1 || !client_expect(&c, "NOOP", 220))
		errx(2, "%s: the server does not start: see %s/log",
		    s->scenario->name, s->root);
	client_quit(&c);
	find_worker(s);
}

void
server_connect(struct server *s, struct connection *c)
{
	int pair[2];

	*c = (struct connection){ .fd = -1 };
	if (!s->scenario->inetd) {
		c->fd = try(s);
		return;
	}
	if (s->pid != 0)
		server_stop(s);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		err(2, "socketpair");
	s->pid = s->worker = spawn(s, pair[1]);
	close(pair[1]);
	c->fd = pair[0];
}

int
server_stop(struct server *s)
{
	int status = 0;

	if (s->pid == 0)
		return 0;
	if (!s->scenario->inetd)
		kill(s->pid, SIGTERM);
	while (waitpid(s->pid, &status, 0) == -1 && errno == EINTR)
		;
	s->pid = s->worker = 0;
	return status;
}
