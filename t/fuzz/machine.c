/*
 * The client, the clock, the log and the commands.  The Makefile makes
 * lib/net/stream.c and lib/log.c call these functions instead of the system;
 * lib/clock.c, lib/proc/invocation.c and lib/proc/hook.c are replaced.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/proc/hook.h"
#include "lib/log.h"
#include "machine.h"
#include "smtp/hook_env.h"

static struct machine *machine;
static long long now;
static int lowest;		/* lowest free descriptor at the start */
static int transcript = -1;

/* Replacements for system calls of the same name. */
int machine_ppoll(struct pollfd *, nfds_t, const struct timespec *,
    const sigset_t *);
int machine_poll(struct pollfd *, nfds_t, int);
ssize_t machine_read(int, void *, size_t);
ssize_t machine_recv(int, void *, size_t, int);
ssize_t machine_send(int, const void *, size_t, int);
int machine_ioctl(int, unsigned long, ...);
int machine_fstat(int, struct stat *);
int machine_shutdown(int, int);
ssize_t machine_writev(int, const struct iovec *, int);
time_t machine_time(time_t *);
int machine_openat(int, const char *, int, ...);

static int
lowest_descriptor(void)
{
	const int fd = dup(STDIN_FILENO);

	CHECK(fd >= 0);
	close(fd);
	return fd;
}

void
machine_enter(struct machine *m)
{
	machine = m;
	now = 1000000;
	lowest = lowest_descriptor();
	disk_begin(m->fail_at);
}

void
machine_leave(void)
{
	disk_end(machine);
	if (transcript >= 0) {
		gather_file(&machine->transcript, transcript);
		close(transcript);
		transcript = -1;
	}
	CHECK(lowest_descriptor() == lowest);
	machine = NULL;
}

void
machine_free(struct machine *m)
{
	while (m->n_kept)
		gather_free(&m->kept[--m->n_kept]);
	free(m->kept);
	gather_free(&m->out);
	gather_free(&m->transcript);
}

long long
clock_ms(void)
{
	return now;
}

long long
clock_elapsed_us(void)
{
	return now * 1000;
}

long long
clock_us(void)
{
	return 1700000000000000;
}

void
clock_date(char *out, time_t t)
{
	(void)t;
	strcpy(out, "Tue, 14 Nov 2023 22:13:20 +0000");
}

time_t
machine_time(time_t *t)
{
	(void)t;
	return 1700000000;
}

/* Waiting for a client that stalls moves the clock to the deadline. */
int
machine_ppoll(struct pollfd *p, nfds_t n, const struct timespec *timeout,
    const sigset_t *mask)
{
	nfds_t i;

	(void)mask;
	for (i = 1; i < n; i++)
		CHECK(p[i].fd == -1);
	CHECK(p[0].fd == MACHINE_FD || !p[0].events);
	p[0].revents = 0;
	if (fuzz_chance(&machine->cuts, 16) == 1) {
		errno = EINTR;
		return -1;
	}
	if (p[0].events == POLLOUT || (p[0].events &&	/* else a pause */
	    (machine->n_in || !machine->stalls))) {
		p[0].revents = p[0].events;
		return 1;
	}
	CHECK(timeout != NULL);
	now += (long long)timeout->tv_sec * 1000 +
	    timeout->tv_nsec / 1000000;
	return 0;
}

int
clock_poll(struct pollfd *p, nfds_t n, long long ms, const sigset_t *mask)
{
	const struct timespec t = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000) * 1000000,
	};

	return machine_ppoll(p, n, ms < 0 ? NULL : &t, mask);
}

/* No other client waits for a worker. */
int
machine_poll(struct pollfd *p, nfds_t n, int timeout)
{
	(void)p, (void)n, (void)timeout;
	return 0;
}

ssize_t
machine_read(int fd, void *buf, size_t size)
{
	size_t n;

	CHECK(fd == MACHINE_FD && size > 0);
	if (machine->n_in == 0)
		return 0;
	if (fuzz_chance(&machine->cuts, 16) == 1) {
		errno = EAGAIN;
		return -1;
	}
	n = machine->n_in < size ? machine->n_in : size;
	n = fuzz_cut(&machine->cuts, n);
	memcpy(buf, machine->in, n);
	machine->in += n;
	machine->n_in -= n;
	return (ssize_t)n;
}

/* Returns at once. */
ssize_t
machine_recv(int fd, void *buf, size_t size, int flags)
{
	CHECK(flags == MSG_DONTWAIT);
	if (machine->n_in || !machine->stalls)
		return machine_read(fd, buf, size);
	errno = EAGAIN;
	return -1;
}

ssize_t
machine_send(int fd, const void *buf, size_t n, int flags)
{
	(void)flags;
	CHECK(fd == MACHINE_FD && n > 0);
	if (fuzz_chance(&machine->cuts, 16) == 1) {
		errno = EAGAIN;
		return -1;
	}
	n = fuzz_cut(&machine->cuts, n);
	gather(&machine->out, buf, n);
	return (ssize_t)n;
}

/* FIONREAD */
int
machine_ioctl(int fd, unsigned long request, ...)
{
	va_list ap;

	(void)request;
	CHECK(fd == MACHINE_FD);
	va_start(ap, request);
	*va_arg(ap, int *) = (int)machine->n_in;
	va_end(ap);
	return 0;
}

int
machine_fstat(int fd, struct stat *st)
{
	CHECK(fd == MACHINE_FD);
	memset(st, 0, sizeof *st);
	st->st_mode = S_IFSOCK;
	return 0;
}

int
machine_shutdown(int fd, int how)
{
	(void)how;
	CHECK(fd == MACHINE_FD);
	return 0;
}

/* Read the transcript of the session; there is only one. */
int
machine_openat(int directory, const char *name, int flags, ...)
{
	(void)directory, (void)name;
	CHECK(transcript < 0 && flags & O_EXCL);
	transcript = memfd_create("transcript", MFD_CLOEXEC);
	CHECK(transcript >= 0);
	return dup(transcript);
}

/* Check that it is one printable line, whatever the client has sent. */
ssize_t
machine_writev(int fd, const struct iovec *v, int n)
{
	const char *s = v->iov_base;
	size_t i;

	CHECK(fd == STDERR_FILENO && n == 1);
	CHECK(v->iov_len > 1 && v->iov_len <= LOG_LINE_MAX);
	for (i = 0; i + 1 < v->iov_len; i++)
		CHECK((unsigned char)s[i] >= ' ' && s[i] != 0x7f);
	CHECK(s[i] == '\n');
	machine->n_logged += memmem(s, v->iov_len, " event=message ", 15) ||
	    memmem(s, v->iov_len, " event=discarded ", 17);
	return (ssize_t)v->iov_len;
}

const char *
invocation_parse(struct invocation *program, const char *command,
    const char *argument)
{
	*program = (struct invocation){ .command = command, .argument = argument };
	return NULL;
}

char **
invocation_words(const struct invocation *program, char *shell[INVOCATION_SHELL])
{
	(void)program;
	return shell;
}

/* The launcher would refuse what is no variable of hooks, or has controls. */
static void
check_variables(char *const *variables)
{
	for (; *variables; variables++)
		CHECK(request_check_variable(*variables, hook_env_names) >= 0);
}

/* checkpassword: reads a name, a password and a time; accepts "secret". */
static void
check_password(struct hook_run *run)
{
	char buf[4096];
	const ssize_t n = read(run->credentials, buf, sizeof buf - 1);
	const char *password;
	size_t name;

	CHECK(n > 0 && buf[n - 1] == '\0');
	name = strlen(buf);
	CHECK(name > 0 && name <= 255);
	password = buf + name + 1;
	CHECK(password < buf + n && *password);
	CHECK(password + strlen(password) + 1 < buf + n);
	run->status = strcmp(password, "secret") == 0 ? 0 :
	    strcmp(password, "broken") == 0 ? 111 : 1;
}

/* A filter that does not change the message. */
static void
pass_on(const struct hook_run *run)
{
	CHECK(file_append(run->output, run->input, 0) == 0);
}

void
hook_run(struct hook_run *run)
{
	static const struct {
		int status;
		bool complained;
		const char *failed, *out;
	} answers[] = {
		{ 0, false, NULL, "" }, { 0, false, NULL, "" },
		{ 0, false, NULL, "" }, { 0, true, NULL, "hello\n" },
		{ 99, false, NULL, "" }, { 1, false, NULL, "" },
		{ 1, true, NULL, "" }, { 75, false, NULL, "" },
		{ 100, false, NULL, "" }, { 127, true, NULL, "" },
		{ 0, false, "killed by signal 9", "" },
		{ 0, false, NULL, "550 5.7.1 No\n" },
		{ 1, false, NULL, "450-4.7.1 Not\n450 4.7.1 now\n" },
		{ 0, false, NULL, "421 4.7.0 Go away\n" },
		{ 0, false, NULL, "HEADER=X-Seen: by a hook\n" },
		{ 0, false, NULL, "HEADER=no header\n" },
		{ 0, false, NULL, "MAILBOX=other@mx.example\n" },
		{ 0, false, NULL, "MAILBOX=alias@mx.example\nHEADER=A: b\n" },
		{ 0, false, NULL, "DISCARD=unwanted\n" },
		{ 99, false, NULL, "DISCARD=unwanted\nFOLDER=Junk\n" },
		{ 0, false, NULL, "HEADER=A: b\nDISCARD=\n" },
		{ 0, false, NULL, "FOLDER=Junk\n" },
		{ 0, false, NULL, "FOLDER=Lists.a b\nMAILBOX=other@mx.example\n" },
		{ 0, false, NULL, "FOLDER=Junk\nFOLDER=inbox\n" },
		{ 0, false, NULL, "FOLDER=../x\n" },
	};
	const size_t n = sizeof answers / sizeof *answers -
	    (machine->discards ? 0 : 7);
	const size_t i = fuzz_chance(&machine->answers, (unsigned)n);

	check_variables(run->variables);
	run->failed = answers[i].failed;
	run->lost = false;
	run->status = answers[i].status;
	run->complained = answers[i].complained;
	run->n_out = strlen(answers[i].out);
	strcpy(run->out, answers[i].out);
	if (run->complained && run->complain)
		run->complain(run->ctx, "a complaint");
	if (run->credentials >= 0) {
		run->failed = NULL;
		check_password(run);
		return;
	}
	if (run->output >= 0 && run->status == 0 && !run->failed)
		pass_on(run);
}
