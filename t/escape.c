/*
 * A library for LD_PRELOAD that acts like an attacker who has taken over the
 * program: at its first fsync of a file or TLS handshake it makes a system call
 * that the program itself never makes, and logs the result.
 *
 *	ESCAPE=ATTEMPT		a name of the table below, "open", "shutdown",
 *				"disconnect", or "complain": what libc does when
 *				it finds corrupted memory
 *	ESCAPE_FD=FD		the socket of "shutdown" and "disconnect"
 *	ESCAPE_PATH=FILE	what "open" opens for reading, or creates if it
 *				is missing
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

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
#ifdef SYS_mmap
	{ "mmap", SYS_mmap, { 0, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
#else
	{ "mmap", SYS_mmap2, { 0, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 } },
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
	char version[24];
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
	} else if (strcmp(name, "complain") == 0) {
		result = syscall(SYS_write, STDERR_FILENO, "*** abc\n", 8);
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
