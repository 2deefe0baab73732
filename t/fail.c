/*
 * A shim for LD_PRELOAD that breaks the machine: it makes chosen calls of
 * libc fail with a chosen errno, and says so.  It knows nothing of the
 * program that it is loaded into, which must be linked dynamically.
 *
 *	FAIL=RULE[,RULE...]	RULE is NAME[@KIND]:K[+]:ERRNO: the K-th call
 *				of NAME (with + all from the K-th on) fails.
 *				Each process counts its own.  ERRNO may be
 *				"short": half of the octets are written;
 *				"zero": none are, and 0 is returned; or
 *				"kill": the process dies there, by SIGKILL.
 *	FAIL_CLOCK=SECONDS	the monotonic clock is that much ahead
 *	FAIL_WHEN=FILE		both only while FILE's first octet is '1'; only
 *				such calls are counted
 *	FAIL_LOG=FILE		append a line for each call that was failed
 *	FAIL_TRACE=FILE		append a line for each call seen, failed or not
 *
 * KIND is file, dir, sock, pipe, stderr or other: what the descriptor is.
 * Without it write, fsync and close mean regular files other than the standard
 * descriptors, and open means opens that create.  A line reads "NAME KIND",
 * KIND being "-" where there is no descriptor.
 *
 * FAIL_WHEN is mapped and the logs are opened at start, so that the shim also
 * works in a process that may open nothing any more.
 */
#undef _FORTIFY_SOURCE		/* its inlines would redefine what we do */
#undef _FILE_OFFSET_BITS	/* so that open is open, not open64 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* RTLD_NEXT */
#endif

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RULES_MAX	16
#define LOG_FD		900	/* out of the program's way */

enum { SHORT = -1, KILL = -2, ZERO = -3 };	/* stand where an errno does */

#ifdef __GLIBC__
#define SOCKADDR	__SOCKADDR_ARG	/* a union, with _GNU_SOURCE */
#else
#define SOCKADDR	struct sockaddr *restrict
#endif

struct rule {
	char name[16], kind[8];
	long first, count;
	int more;		/* and all later ones */
	int error;
};

static const struct {
	const char *name;
	int value;
} errors[] = {
	{ "short", SHORT }, { "kill", KILL }, { "zero", ZERO },
	{ "EACCES", EACCES }, { "EAGAIN", EAGAIN }, { "EBUSY", EBUSY },
	{ "ECONNABORTED", ECONNABORTED },
	{ "EDQUOT", EDQUOT }, { "EEXIST", EEXIST }, { "EFBIG", EFBIG },
	{ "EINTR", EINTR }, { "EINVAL", EINVAL }, { "EIO", EIO },
	{ "EMFILE", EMFILE }, { "EMLINK", EMLINK }, { "ENFILE", ENFILE },
	{ "ENOENT", ENOENT }, { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC },
	{ "ENOSYS", ENOSYS }, { "EPERM", EPERM }, { "EROFS", EROFS },
	{ "ESTALE", ESTALE }, { "EXDEV", EXDEV },
};

static struct rule rules[RULES_MAX];
static int nrules;
static const volatile char *armed;	/* NULL: always */
static long ahead;			/* seconds */
static int log_fd = -1, trace_fd = -1;

/*
 * The next definition of a function: ISO C has no cast from what dlsym
 * returns, so it is copied into *to.
 */
static void
next(void *to, const char *name)
{
	void *sym = dlsym(RTLD_NEXT, name);

	memcpy(to, &sym, sizeof(sym));
}

static void
complain(const char *what)
{
	dprintf(STDERR_FILENO, "fail.so: bad %s\n", what);
	_exit(125);
}

static int
open_log(const char *variable, int fd)
{
	const char *name = getenv(variable);
	long raw;

	if (name == NULL)
		return -1;
	raw = syscall(SYS_openat, AT_FDCWD, name,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	fd = fcntl((int)raw, F_DUPFD_CLOEXEC, fd);
	if (fd == -1)
		complain(variable);
	syscall(SYS_close, (int)raw);
	return fd;
}

static void
map_switch(void)
{
	const char *name = getenv("FAIL_WHEN");
	long fd;
	void *at;

	if (name == NULL)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
	at = mmap(NULL, 1, PROT_READ, MAP_SHARED, (int)fd, 0);
	if (fd == -1 || at == MAP_FAILED)
		complain("FAIL_WHEN");
	syscall(SYS_close, (int)fd);
	armed = at;
}

static int
parse_error(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, name) == 0)
			return errors[i].value;
	complain("errno in FAIL");
	return 0;
}

static const char *
parse_rule(const char *s, struct rule *r)
{
	char name[32], error[16], more[2] = "";
	char *at;
	int n = 0;

	if (sscanf(s, "%31[a-z_0-9@]:%ld%1[+]:%15[A-Za-z]%n", name, &r->first,
	    more, error, &n) != 4 &&
	    sscanf(s, "%31[a-z_0-9@]:%ld:%15[A-Za-z]%n", name, &r->first,
	    error, &n) != 3)
		complain("rule in FAIL");
	if ((at = strchr(name, '@')) != NULL) {
		*at++ = '\0';
		snprintf(r->kind, sizeof(r->kind), "%.7s", at);
	}
	snprintf(r->name, sizeof(r->name), "%.15s", name);
	r->more = *more != '\0';
	r->error = parse_error(error);
	return s + n;
}

__attribute__((constructor)) static void
setup(void)
{
	const char *s = getenv("FAIL");

	if (s == NULL)
		s = "";
	while (*s != '\0') {
		if (nrules == RULES_MAX)
			complain("number of rules in FAIL");
		s = parse_rule(s, &rules[nrules]);
		if (*s != '\0' && (*s++ != ',' || *s == '\0'))
			complain("rule in FAIL");
		nrules++;
	}
	if ((s = getenv("FAIL_CLOCK")) != NULL)
		ahead = atol(s);
	map_switch();
	log_fd = open_log("FAIL_LOG", LOG_FD);
	trace_fd = open_log("FAIL_TRACE", LOG_FD);
}

static const char *
kind_of(int fd)
{
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return "-";
	if (fd == STDERR_FILENO)
		return "stderr";
	return S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "dir" :
	    S_ISSOCK(st.st_mode) ? "sock" : S_ISFIFO(st.st_mode) ? "pipe" :
	    "other";
}

static void
note(int fd, const char *name, const char *kind)
{
	char line[32];
	int len, saved = errno;

	if (fd == -1)
		return;
	len = snprintf(line, sizeof(line), "%s %s\n", name, kind);
	syscall(SYS_write, fd, line, (size_t)len);
	errno = saved;
}

/* Does the rule speak of this descriptor? */
static int
meant(const struct rule *r, int fd, const char *kind)
{
	if (*r->kind != '\0')
		return strcmp(r->kind, kind) == 0;
	return fd == -1 || strcmp(r->name, "accept") == 0 ||
	    (fd > STDERR_FILENO && strcmp(kind, "file") == 0);
}

/*
 * A call of a function begins, on a descriptor or on -1.  Returns 0 if it is
 * to go on, else an errno, which is set, or SHORT or ZERO.
 */
static int
broken(const char *name, int fd)
{
	const char *kind;
	struct rule *r;

	if (nrules == 0 && trace_fd == -1)
		return 0;
	kind = kind_of(fd);
	note(trace_fd, name, kind);
	if (armed != NULL && *armed != '1')
		return 0;
	for (r = rules; r < rules + nrules; r++) {
		if (strcmp(r->name, name) != 0 || !meant(r, fd, kind))
			continue;
		r->count++;
		if (r->count != r->first && (r->count < r->first || !r->more))
			continue;
		note(log_fd, name, kind);
		if (r->error == KILL)
			raise(SIGKILL);
		if (r->error > 0)
			errno = r->error;
		return r->error;
	}
	return 0;
}

/* A function that returns -1 when it fails. */
#define WRAP(type, function, params, args, name, fd)			\
type function params;							\
type									\
function params								\
{									\
	static type (*real) params;					\
									\
	if (broken(name, fd))						\
		return -1;						\
	if (real == NULL)						\
		next(&real, #function);					\
	return real args;						\
}

/* One that opens, and is asked about only when it creates. */
#define WRAP_OPEN(function, params, args)				\
int function params;							\
int									\
function params								\
{									\
	static int (*real) params;					\
	va_list ap;							\
	mode_t mode = 0;						\
									\
	if (flags & O_CREAT) {						\
		va_start(ap, flags);					\
		mode = va_arg(ap, mode_t);				\
		va_end(ap);						\
		if (broken("open", -1))					\
			return -1;					\
	}								\
	if (real == NULL)						\
		next(&real, #function);					\
	return real args;						\
}

/* One that writes len octets to fd, and may write half of them, or none. */
#define WRAP_WRITE(function, params, args, name)			\
ssize_t function params;						\
ssize_t									\
function params								\
{									\
	static ssize_t (*real) params;					\
	int error = broken(name, fd);					\
									\
	if (error == SHORT)						\
		len -= len / 2;						\
	else if (error == ZERO)						\
		return 0;						\
	else if (error != 0)						\
		return -1;						\
	if (real == NULL)						\
		next(&real, #function);					\
	return real args;						\
}

WRAP_OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat, (int dir, const char *path, int flags, ...),
    (dir, path, flags, mode))
#ifdef __GLIBC__
WRAP_OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
WRAP_OPEN(openat64, (int dir, const char *path, int flags, ...),
    (dir, path, flags, mode))
#endif

WRAP_WRITE(write, (int fd, const void *buf, size_t len), (fd, buf, len),
    "write")
WRAP_WRITE(pwrite, (int fd, const void *buf, size_t len, off_t at),
    (fd, buf, len, at), "write")
WRAP_WRITE(sendfile, (int fd, int from, off_t *at, size_t len),
    (fd, from, at, len), "copy")
WRAP_WRITE(send, (int fd, const void *buf, size_t len, int flags),
    (fd, buf, len, flags), "write")
#ifdef __GLIBC__
WRAP_WRITE(pwrite64, (int fd, const void *buf, size_t len, off64_t at),
    (fd, buf, len, at), "write")
WRAP_WRITE(sendfile64, (int fd, int from, off64_t *at, size_t len),
    (fd, from, at, len), "copy")
WRAP_WRITE(copy_file_range, (int from, off64_t *in, int fd, off64_t *out,
    size_t len, unsigned int flags), (from, in, fd, out, len, flags), "copy")
#else
WRAP_WRITE(copy_file_range, (int from, off_t *in, int fd, off_t *out,
    size_t len, unsigned int flags), (from, in, fd, out, len, flags), "copy")
#endif

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
	static ssize_t (*real)(int, const struct iovec *, int);
	struct iovec half;
	int error = broken("write", fd);

	if (error == SHORT && n > 0) {
		half = *iov;
		half.iov_len -= half.iov_len / 2;
		iov = &half;
		n = 1;
	} else if (error != 0)
		return -1;
	if (real == NULL)
		next(&real, "writev");
	return real(fd, iov, n);
}

WRAP(int, fsync, (int fd), (fd), "fsync", fd)
WRAP(int, fdatasync, (int fd), (fd), "fsync", fd)
WRAP(int, rename, (const char *from, const char *to), (from, to), "rename", -1)
WRAP(int, renameat, (int fd, const char *from, int tofd, const char *to),
    (fd, from, tofd, to), "rename", -1)
WRAP(int, renameat2, (int fd, const char *from, int tofd, const char *to,
    unsigned int flags), (fd, from, tofd, to, flags), "rename", -1)
WRAP(int, link, (const char *from, const char *to), (from, to), "link", -1)
WRAP(int, linkat, (int fd, const char *from, int tofd, const char *to,
    int flags), (fd, from, tofd, to, flags), "link", -1)
WRAP(int, unlink, (const char *path), (path), "unlink", -1)
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags),
    "unlink", -1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), "mkdir", -1)
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode),
    "mkdir", -1)
WRAP(pid_t, fork, (void), (), "fork", -1)
WRAP(int, accept, (int fd, SOCKADDR sa, socklen_t *len), (fd, sa, len),
    "accept", fd)
WRAP(int, accept4, (int fd, SOCKADDR sa, socklen_t *len, int flags),
    (fd, sa, len, flags), "accept", fd)
WRAP(int, statvfs, (const char *path, struct statvfs *st), (path, st),
    "statvfs", -1)
WRAP(int, fstatvfs, (int fd, struct statvfs *st), (fd, st), "statvfs", -1)
#ifdef __GLIBC__
WRAP(int, statvfs64, (const char *path, struct statvfs64 *st), (path, st),
    "statvfs", -1)
WRAP(int, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st), "statvfs", -1)

/* What _FORTIFY_SOURCE makes of opens without a mode: they create nothing. */
int __open_2(const char *, int);
int __open64_2(const char *, int);
int __openat_2(int, const char *, int);
int __openat64_2(int, const char *, int);

int
__open_2(const char *path, int flags)
{
	return open(path, flags);
}

int
__open64_2(const char *path, int flags)
{
	return open64(path, flags);
}

int
__openat_2(int dir, const char *path, int flags)
{
	return openat(dir, path, flags);
}

int
__openat64_2(int dir, const char *path, int flags)
{
	return openat64(dir, path, flags);
}
#endif

/* The descriptor is closed all the same, as Linux does it. */
int
close(int fd)
{
	static int (*real)(int);
	int error = 0;

	if (fd == log_fd || fd == trace_fd)
		return 0;
	if (fd > STDERR_FILENO)
		error = broken("close", fd);
	if (real == NULL)
		next(&real, "close");
	if (real(fd) == -1)
		return -1;
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

/*
 * dlsym itself may allocate, and does without when it can't; so while it
 * looks for the real ones, there are none.
 */
#define WRAP_ALLOC(function, params, args)				\
void *									\
function params								\
{									\
	static void *(*real) params;					\
	static int looking;						\
									\
	if (real == NULL) {						\
		if (looking)						\
			return NULL;					\
		looking = 1;						\
		next(&real, #function);					\
		looking = 0;						\
	}								\
	if (broken("malloc", -1))					\
		return NULL;						\
	return real args;						\
}

WRAP_ALLOC(malloc, (size_t len), (len))
WRAP_ALLOC(calloc, (size_t n, size_t len), (n, len))
WRAP_ALLOC(realloc, (void *old, size_t len), (old, len))

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);

	if (real == NULL)
		next(&real, "clock_gettime");
	if (real(clock, ts) == -1)
		return -1;
	if (ahead != 0 && clock != CLOCK_REALTIME &&
	    (armed == NULL || *armed == '1'))
		ts->tv_sec += ahead;
	return 0;
}
