/*
 * A library for LD_PRELOAD that acts like an attacker who has taken over the
 * program: at its first fsync of a file or TLS handshake it makes a system call
 * that the program itself never makes, and logs the result.
 *
 *	ESCAPE=ATTEMPT		a name of the table below, which "names" logs at
 *				the start; one that asks the launcher; "open",
 *				"shutdown", "disconnect", "complain": what libc
 *				does when it finds corrupted memory, or
 *				"scribble": claim on the scoreboard that all
 *				workers are starting, for a minute
 *	ESCAPE_FD=FD		the socket of "shutdown", "disconnect" and
 *				"lend-listener"
 *	ESCAPE_PATH=FILE	what "open" opens for reading, or creates if it
 *				is missing
 *	ESCAPE_VALUE=TEXT	a variable for "start"
 *	ESCAPE_LOG=FILE		append "landlock VERSION" at the start, and
 *				"ATTEMPT ok" or "ATTEMPT ERROR"
 *
 * The log is opened at the start, because later that may be forbidden.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* RTLD_NEXT */
#endif

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/proc/request.h"

#define LOG_FD		901	/* out of the program's way */
#define ARG(x)		((long)(intptr_t)(x))

static char *const words[] = { "/bin/true", NULL };
static const struct sockaddr_in nobody = { .sin_family = AF_INET };

static const struct attempt {
	const char *name;
	long call, args[6];
} attempts[] = {
	{ "execve", SYS_execve, { ARG("/bin/true"), ARG(words), 0 } },
	{ "fork", SYS_clone, { SIGCHLD } },
	{ "socket", SYS_socket, { AF_INET, SOCK_STREAM, 0 } },
	{ "socketpair", SYS_socketpair, { AF_UNIX, SOCK_STREAM, 0, 0 } },
	{ "socketpair_inet", SYS_socketpair,
	    { AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0, 0 } },
	{ "connect", SYS_connect, { 0, ARG(&nobody), sizeof(nobody) } },
	{ "bind", SYS_bind, { 0, ARG(&nobody), sizeof(nobody) } },
	{ "sendto", SYS_sendto, { 0, ARG("x"), 1, 0, ARG(&nobody),
	    sizeof(nobody) } },
	{ "sendmsg", SYS_sendmsg, { 0, 0, 0 } },
	{ "kill", SYS_kill, { 0, 0 } },
	{ "tgkill", SYS_tgkill, { 1, 1, 0 } },
	{ "ptrace", SYS_ptrace, { PTRACE_TRACEME } },
	{ "prctl", SYS_prctl, { PR_SET_DUMPABLE, 1 } },
	{ "setuid", SYS_setuid, { 0 } },
	{ "fchmod", SYS_fchmod, { 0, 0777 } },
	{ "fchown", SYS_fchown, { 0, 0, 0 } },
	{ "symlinkat", SYS_symlinkat, { ARG("x"), AT_FDCWD, ARG("x") } },
	{ "truncate", SYS_truncate, { ARG("/nonexistent"), 0 } },
	{ "memfd", SYS_memfd_create, { ARG("x"), 0 } },
	{ "io_uring", 425, { 1, 0 } },
#if defined SYS_mmap2
	{ "mmap", SYS_mmap2, { 0, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
#elif !defined __s390x__	/* whose arguments are in memory */
	{ "mmap", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
#endif
#if defined __i386__ || defined __s390x__
	{ "socketcall", SYS_socketcall, { SYS_CONNECT, 0 } },
	{ "socketcall_sendmsg", SYS_socketcall, { SYS_SENDMSG, 0 } },
#endif
	{ "mprotect", SYS_mprotect, { 0, 0, PROT_EXEC } },
	{ "tiocsti", SYS_ioctl, { 2, TIOCSTI, ARG("x") } },
	{ "setown", SYS_fcntl, { 0, F_SETOWN, 1 } },
#ifdef __x86_64__
	{ "x32", 0x40000000 | SYS_getpid, { 0 } },
#endif
};

static int log_fd = -1, tried;

static void
say(const char *what, const char *result)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "%s %s\n", what, result);

	syscall(SYS_write, log_fd, line, (size_t)len);
}

__attribute__((constructor)) static void
setup(void)
{
	const char *name = getenv("ESCAPE_LOG");
	const char *attempt = getenv("ESCAPE");
	const size_t n = sizeof(attempts) / sizeof(*attempts);
	char version[24];
	size_t i;
	int fd;

	if (name == NULL)
		return;
	fd = open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	log_fd = fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD);
	if (fd == -1 || log_fd == -1)
		_exit(125);
	close(fd);
	snprintf(version, sizeof(version), "%ld",
	    syscall(444, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */));
	say("landlock", version);
	for (i = 0; attempt && strcmp(attempt, "names") == 0 && i < n; i++)
		say("name", attempts[i].name);
}

static long
open_path(const char *path)
{
	struct stat st;
	int there = stat(path, &st) == 0;

	return syscall(SYS_openat, AT_FDCWD, path,
	    there ? O_RDONLY : O_WRONLY | O_CREAT, 0666);
}

/* Two ways to make a listener deaf, for all that share it. */
static long
close_socket(const char *name, const char *fd)
{
	static const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

	if (fd == NULL)
		_exit(125);
	return strcmp(name, "shutdown") == 0 ?
	    syscall(SYS_shutdown, atoi(fd), SHUT_RD) :
	    syscall(SYS_connect, atoi(fd), &nowhere, sizeof(nowhere));
}

/* Pairs of sockets for launchers.  In a pool the first is for the master. */
static int pairs[8][2], n_pairs;

/*
 * One end of a pair, counted from that of the launcher, which is in ESCAPE_POOL;
 * the pair before that of the first launcher is for the master.
 */
static int
find_socket(int pair, int end)
{
	const char *launcher = getenv("ESCAPE_POOL");

	return pairs[pair + (launcher == NULL ? 0 : atoi(launcher))][end];
}

/* Send a message, with n descriptors.  Returns as sendmsg(2). */
static long
request_by(int fd, const struct request_header *h, const void *rest, size_t len,
    const int *fds, size_t n)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(16 * sizeof(int))];
	} control;
	struct iovec parts[] = {
		{ (void *)(intptr_t)h, sizeof(*h) },
		{ (void *)(intptr_t)rest, len },
	};
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = 2 };

	if (n > 0) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n * sizeof(*fds));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n * sizeof(*fds));
		memcpy(CMSG_DATA(&control.align), fds, n * sizeof(*fds));
	}
	return syscall(SYS_sendmsg, fd, &m, MSG_NOSIGNAL);
}

static long
request(const struct request_header *h, const void *rest, size_t len,
    const int *fds, size_t n)
{
	return request_by(find_socket(0, 0), h, rest, len, fds, n);
}

/* Ask the master for n launchers, with these descriptors. */
static long
ask_master(int times, const int *fds, size_t n)
{
	const struct request_header h = { 0 };
	long result = 0;

	while (times-- > 0 && result >= 0)
		result = request_by(find_socket(-1, 0), &h, NULL, 0, fds, n);
	return result;
}

/* What it asks of the master.  Returns -2 if name is not such an attempt. */
static long
attack_master(const char *name)
{
	const int fds[] = { find_socket(1, 1), find_socket(1, 1), 2 };

	if (strcmp(name, "ask-nothing") == 0)
		return ask_master(1, NULL, 0);
	if (strcmp(name, "ask-file") == 0)
		return ask_master(1, fds + 2, 1);
	if (strcmp(name, "ask-two") == 0)
		return ask_master(1, fds, 2);
	if (strcmp(name, "ask-many") == 0)
		return ask_master(10000, fds, 1);
	if (strcmp(name, "ask-shutdown") == 0)
		return syscall(SYS_shutdown, find_socket(-1, 0), SHUT_RDWR);
	if (strcmp(name, "ask-close") == 0)
		return syscall(SYS_close, find_socket(-1, 0));
	return -2;
}

/* Start the first command as a worker does, with this variable. */
static long
start(const char *variable, uint32_t row)
{
	const struct request_header h = { REQUEST_START, row, 6 };
	int pipe[2], fds[2];
	long result;

	if (syscall(SYS_pipe2, pipe, O_CLOEXEC) < 0)
		return -1;
	fds[0] = fds[1] = pipe[1];
	result = request(&h, variable, variable ? strlen(variable) + 1 : 0, fds,
	    2);
	close(pipe[1]);
	return result;
}

static long
request_many(uint32_t kind)
{
	const struct request_header h = { kind, JOB_HOOK, 0 };
	long i, result = 0;

	for (i = 0; i < 10000 && result >= 0; i++)
		result = kind == REQUEST_START ? start(NULL, 0) :
		    request(&h, NULL, 0, NULL, 0);
	return result;
}

static long
request_large(void)
{
	static char text[1 << 20];
	const struct request_header h = { REQUEST_LOG, 3, 0 };

	memset(text, 'x', sizeof(text));
	return request(&h, text, sizeof(text), NULL, 0);
}

/* With the log, or the client, in place of a pipe or a message. */
static long
request_other_file(const char *name)
{
	const struct request_header h = { REQUEST_START, 0,
	    strcmp(name, "stdin") == 0 ? 7 : 6 };
	const int fds[] = { 0, 2, 2 };

	return request(&h, NULL, 0, fds, h.descriptors == 7 ? 3 : 2);
}

/*
 * Start the first command, which is that of --tls, with this socket in place of
 * the pairs between it and the worker.
 */
static long
lend(int fd)
{
	const struct request_header h = { REQUEST_START, 0, 0x3f };
	int ends[2], fds[6];

	if (syscall(SYS_pipe2, ends, O_CLOEXEC) < 0)
		return -1;
	fds[0] = ends[0];
	fds[1] = fds[2] = fds[5] = ends[1];
	fds[3] = fds[4] = fd;
	return request(&h, NULL, 0, fds, 6);
}

/* What it asks of the launcher.  Returns -2 if name is not such an attempt. */
static long
ask_launcher(const char *name)
{
	const struct request_header unknown = { 99, 0, 0 };
	const struct request_header other_job = { REQUEST_KILL, 7, 0 };
	const struct request_header bare = { REQUEST_START, 0, 6 };
	const struct request_header line = { REQUEST_LOG, 3, 0 };
	const int fds[9] = { 0 };
	const char *fd = getenv("ESCAPE_FD");

	if (strcmp(name, "start") == 0)
		return start(getenv("ESCAPE_VALUE"), 0);
	if (strcmp(name, "row") == 0)
		return start(NULL, 1000);
	if (strcmp(name, "control") == 0)
		return start("SMTP_HELO=a\nb", 0);
	if (strcmp(name, "starts") == 0)
		return request_many(REQUEST_START);
	if (strcmp(name, "signals") == 0)
		return request_many(REQUEST_KILL);
	if (strcmp(name, "large") == 0)
		return request_large();
	if (strcmp(name, "stdin") == 0 || strcmp(name, "stdout") == 0)
		return request_other_file(name);
	if (strcmp(name, "lend-launcher") == 0)
		return lend(find_socket(0, 0));
	if (strcmp(name, "lend-listener") == 0)
		return lend(fd ? atoi(fd) : -1);
	if (strcmp(name, "missing") == 0)
		return request(&bare, NULL, 0, NULL, 0);
	if (strcmp(name, "descriptors") == 0)
		return request(&bare, NULL, 0, fds, 9);
	if (strcmp(name, "unknown") == 0)
		return request(&unknown, NULL, 0, NULL, 0);
	if (strcmp(name, "short") == 0)
		return syscall(SYS_write, find_socket(0, 0), "x", 1);
	if (strcmp(name, "job") == 0)
		return request(&other_job, NULL, 0, NULL, 0);
	if (strcmp(name, "line") == 0)
		return request(&line, "a\nb", 3, NULL, 0);
	if (strcmp(name, "close") == 0)
		return syscall(SYS_close, find_socket(0, 0));
	return -2;
}

/* The scoreboard; see lib/proc/scoreboard.c. */
static unsigned *board;
static size_t board_size;

/* The states of all slots are last, and the number of slots is the fourth word. */
static long
scribble(void)
{
	const struct timespec tick = { 0, 1000 };
	volatile unsigned *states;
	unsigned i, round;

	if (board == NULL)
		_exit(125);
	states = board + board_size / sizeof(*board) - board[3];
	for (round = 0; round < 300000; round++) {
		for (i = 0; i < board[3]; i++)
			states[i] = 1;		/* SLOT_STARTING */
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &tick, NULL);
	}
	return 0;
}

/* The launcher has time to do something about it. */
static void
linger(void)
{
	const struct timespec while_it_may = { 5, 0 };

	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &while_it_may, NULL);
}

static void
attempt(const char *name)
{
	const struct attempt *a = attempts;
	const struct attempt *end = a + sizeof(attempts) / sizeof(*a);
	const char *path = getenv("ESCAPE_PATH");
	long result;

	if (strcmp(name, "open") == 0 && path != NULL) {
		result = open_path(path);
	} else if (strcmp(name, "shutdown") == 0 ||
	    strcmp(name, "disconnect") == 0) {
		result = close_socket(name, getenv("ESCAPE_FD"));
	} else if (strcmp(name, "scribble") == 0) {
		result = scribble();
	} else if (strcmp(name, "complain") == 0) {
		result = syscall(SYS_write, STDERR_FILENO, "*** abc\n", 8);
	} else if ((result = ask_launcher(name)) != -2 ||
	    (result = attack_master(name)) != -2) {
		if (result >= 0 && strcmp(name, "start") != 0)
			linger();
	} else {
		while (a < end && strcmp(a->name, name) != 0)
			a++;
		if (a == end)
			_exit(125);
		result = syscall(a->call, a->args[0], a->args[1], a->args[2],
		    a->args[3], a->args[4], a->args[5]);
	}
	say(name, result < 0 ? strerror(errno) : "ok");
}

int
socketpair(int family, int type, int protocol, int fds[2])
{
	const long result = syscall(SYS_socketpair, family, type, protocol, fds);

	if (result == 0 && (type & ~SOCK_CLOEXEC) == SOCK_SEQPACKET &&
	    n_pairs < 8)
		memcpy(pairs[n_pairs++], fds, sizeof(pairs[0]));
	return (int)result;
}

static void *
map(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
#ifdef SYS_mmap
	void *p = (void *)syscall(SYS_mmap, at, size, prot, flags, fd, offset);
#else
	void *p = (void *)syscall(SYS_mmap2, at, size, prot, flags, fd,
	    (long)(offset / 4096));
#endif

	if (flags == MAP_SHARED && p != MAP_FAILED) {
		board = p;
		board_size = size;
	}
	return p;
}

/* Either name is that of a program with 64-bit offsets. */
void *
mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	return map(at, size, prot, flags, fd, offset);
}

#if defined(__GLIBC__) && !defined(__USE_FILE_OFFSET64)
void *
mmap64(void *at, size_t size, int prot, int flags, int fd, off64_t offset)
{
	return map(at, size, prot, flags, fd, (off_t)offset);
}
#endif

int
fsync(int fd)
{
	static int (*real)(int);
	const char *name = getenv("ESCAPE");
	struct stat st;
	void *sym;

	if (name != NULL && !tried && fstat(fd, &st) == 0 &&
	    S_ISREG(st.st_mode)) {
		tried = 1;
		attempt(name);
	}
	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "fsync");
		memcpy(&real, &sym, sizeof(real));
	}
	return real(fd);
}

/* What smtpd-tls calls first with octets of the network. */
int SSL_accept(void *ssl);

int
SSL_accept(void *ssl)
{
	static int (*real)(void *);
	const char *name = getenv("ESCAPE");
	void *sym;

	if (name != NULL && !tried) {
		tried = 1;
		attempt(name);
	}
	if (real == NULL) {
		sym = dlsym(RTLD_NEXT, "SSL_accept");
		memcpy(&real, &sym, sizeof(real));
	}
	return real(ssl);
}

int
close(int fd)
{
	return fd == log_fd ? 0 : (int)syscall(SYS_close, fd);
}
