/*
 * The functions of libc that t/fail.c can make fail, each with its name in a
 * rule.  t/35-failures.bats lists those that smtpd calls and that are not here,
 * with the reason.
 */
#undef _FORTIFY_SOURCE		/* its inlines would redefine what we do */
#undef _FILE_OFFSET_BITS	/* so that open is open, not open64 */
#undef _TIME_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* RTLD_NEXT */
#endif

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fail.h"

#ifdef __GLIBC__
#define SOCKADDR	__SOCKADDR_ARG	/* a union, with _GNU_SOURCE */
#define CONST_SOCKADDR	__CONST_SOCKADDR_ARG
#define IOCTL_REQUEST	unsigned long
#else
#define SOCKADDR	struct sockaddr *restrict
#define CONST_SOCKADDR	const struct sockaddr *
#define IOCTL_REQUEST	int
#endif

/* What a function returns that was not made to fail. */
#define RETURN(error, result) do {					\
	__typeof__(result) returned = (result);				\
									\
	if ((error) == FAIL_AFTER)					\
		fail_after();						\
	return returned;						\
} while (0)

/* NOLINTBEGIN(bugprone-macro-parentheses): types, names, lists of parameters */

/* A function that returns `failed` when it fails. */
#define WRAP_ALL(type, function, params, args, name, fd, at, failed, got)\
type function params;							\
type									\
function params								\
{									\
	static type (*real) params;					\
	int error = fail_begin(name, fd, at);				\
	type result;							\
									\
	if (error == FAIL_LIE)						\
		return 0;						\
	if (error != 0 && error != FAIL_AFTER)				\
		return failed;						\
	if (real == NULL)						\
		fail_next(&real, #function);					\
	result = real args;						\
	RETURN(error, got(result));					\
}

#define WRAP(type, function, params, args, name, fd)			\
WRAP_ALL(type, function, params, args, name, fd, fd, -1, )

/* A function that returns a descriptor. */
#define WRAP_FD(function, params, args, name, fd)			\
WRAP_ALL(int, function, params, args, name, fd, fd, -1, fail_given)

/* A function that returns an object. */
#define WRAP_OBJECT(type, function, params, args, name)		\
WRAP_ALL(type *, function, params, args, name, -1, -1, NULL, )

/* A function that opens a file; mode is passed only if it creates it. */
#define WRAP_OPEN(function, params, args)				\
int function params;							\
int									\
function params								\
{									\
	static int (*real) params;					\
	va_list ap;							\
	mode_t mode = 0;						\
	int error;							\
									\
	if (flags & O_CREAT) {						\
		va_start(ap, flags);					\
		mode = va_arg(ap, mode_t);				\
		va_end(ap);						\
	}								\
	error = fail_begin(flags & O_CREAT ? "open" : "open_old", -1, -1);	\
	if (error != 0 && error != FAIL_AFTER)				\
		return -1;						\
	if (real == NULL)						\
		fail_next(&real, #function);					\
	RETURN(error, fail_given(real args));				\
}

/* A function that writes len bytes to fd, and may write half or none. */
#define WRAP_WRITE(function, params, args, name)			\
ssize_t function params;						\
ssize_t									\
function params								\
{									\
	static ssize_t (*real) params;					\
	int error = fail_begin(name, fd, fd);				\
	ssize_t result;							\
									\
	if (error == FAIL_SHORT)					\
		len -= len / 2;						\
	else if (error == FAIL_ZERO)					\
		return 0;						\
	else if (error == FAIL_LIE)					\
		return (ssize_t)len;					\
	else if (error != 0 && error != FAIL_AFTER)			\
		return -1;						\
	if (real == NULL)						\
		fail_next(&real, #function);					\
	result = real args;						\
	RETURN(error, result);						\
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
	int error = fail_begin("write", fd, fd);

	if (error == FAIL_SHORT && n > 0) {
		half = *iov;
		half.iov_len -= half.iov_len / 2;
		iov = &half;
		n = 1;
	} else if (error != 0 && error != FAIL_AFTER)
		return -1;
	if (real == NULL)
		fail_next(&real, "writev");
	RETURN(error, real(fd, iov, n));
}

WRAP(ssize_t, read, (int fd, void *buf, size_t len), (fd, buf, len), "read",
    fd)
WRAP(ssize_t, recv, (int fd, void *buf, size_t len, int flags),
    (fd, buf, len, flags), "read", fd)
WRAP(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags),
    "read", fd)
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags),
    (fd, m, flags), "ask", fd)
WRAP(ssize_t, pread, (int fd, void *buf, size_t len, off_t at),
    (fd, buf, len, at), "read", fd)
WRAP(int, fsync, (int fd), (fd), "fsync", fd)
WRAP(int, fdatasync, (int fd), (fd), "fsync", fd)
WRAP(int, sync_file_range, (int fd, off64_t at, off64_t n, unsigned flags),
    (fd, at, n, flags), "begin_sync", fd)

/* What gives a name tells of the directory that gets it, and of the file. */
#define WRAP_NAMING(function, params, args, name, at)			\
int function params;							\
int									\
function params								\
{									\
	static int (*real) params;					\
	int error = fail_begin(name, -1, at);				\
									\
	fail_names(fd, from);						\
	if (error == FAIL_LIE)						\
		return 0;						\
	if (error != 0 && error != FAIL_AFTER)				\
		return -1;						\
	if (real == NULL)						\
		fail_next(&real, #function);				\
	RETURN(error, real args);					\
}

WRAP(int, rename, (const char *from, const char *to), (from, to), "rename", -1)
WRAP_NAMING(renameat, (int fd, const char *from, int tofd, const char *to),
    (fd, from, tofd, to), "rename", tofd)
WRAP_NAMING(renameat2, (int fd, const char *from, int tofd, const char *to,
    unsigned int flags), (fd, from, tofd, to, flags), "rename", tofd)
WRAP(int, link, (const char *from, const char *to), (from, to), "link", -1)
WRAP_NAMING(linkat, (int fd, const char *from, int tofd, const char *to,
    int flags), (fd, from, tofd, to, flags), "link", tofd)
WRAP(int, unlink, (const char *path), (path), "unlink", -1)
WRAP(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags),
    "unlink", -1)
WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode), "mkdir", -1)
/* The directory that gets the name is noted; rules do not ask for it. */
WRAP_ALL(int, mkdirat, (int fd, const char *path, mode_t mode),
    (fd, path, mode), "mkdir", -1, fd, -1, )
WRAP(int, fstat, (int fd, struct stat *st), (fd, st), "stat", fd)
WRAP(int, stat, (const char *path, struct stat *st), (path, st), "stat", -1)
WRAP(int, lstat, (const char *path, struct stat *st), (path, st), "stat", -1)
WRAP(int, fstatat, (int fd, const char *path, struct stat *st, int flags),
    (fd, path, st, flags), "stat", -1)
WRAP(int, access, (const char *path, int mode), (path, mode), "access", -1)
WRAP(int, faccessat, (int fd, const char *path, int mode, int flags),
    (fd, path, mode, flags), "access", -1)
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), "chown", -1)
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode), "chmod", -1)
WRAP(int, fchownat, (int fd, const char *path, uid_t uid, gid_t gid,
    int flags), (fd, path, uid, gid, flags), "chown", -1)
WRAP(int, ftruncate, (int fd, off_t len), (fd, len), "truncate", -1)
WRAP(off_t, lseek, (int fd, off_t at, int from), (fd, at, from), "lseek", -1)
WRAP(pid_t, fork, (void), (), "fork", -1)
WRAP(pid_t, _Fork, (void), (), "fork", -1)
WRAP(pid_t, waitpid, (pid_t pid, int *status, int flags),
    (pid, status, flags), "wait", -1)
WRAP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int flags),
    (type, id, info, flags), "wait", -1)
WRAP(int, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms), "poll", -1)
WRAP(int, ppoll, (struct pollfd *p, nfds_t n, const struct timespec *t,
    const sigset_t *set), (p, n, t, set), "poll", -1)
WRAP(int, epoll_pwait, (int fd, struct epoll_event *e, int n, int ms,
    const sigset_t *set), (fd, e, n, ms, set), "poll", -1)
WRAP(int, epoll_ctl, (int fd, int op, int other, struct epoll_event *e),
    (fd, op, other, e), "epoll", -1)
WRAP_FD(epoll_create1, (int flags), (flags), "epoll", -1)
WRAP_FD(eventfd, (unsigned int n, int flags), (n, flags), "eventfd", -1)
WRAP_FD(memfd_create, (const char *name, unsigned int flags), (name, flags),
    "memfd", -1)
WRAP_FD(dup2, (int fd, int to), (fd, to), "dup", -1)
WRAP_FD(dup3, (int fd, int to, int flags), (fd, to, flags), "dup", -1)
WRAP_FD(socket, (int family, int type, int proto), (family, type, proto),
    "socket", -1)
WRAP_FD(accept, (int fd, SOCKADDR sa, socklen_t *len), (fd, sa, len),
    "accept", fd)
WRAP_FD(accept4, (int fd, SOCKADDR sa, socklen_t *len, int flags),
    (fd, sa, len, flags), "accept", fd)
WRAP(int, bind, (int fd, CONST_SOCKADDR sa, socklen_t len), (fd, sa, len),
    "bind", -1)
WRAP(int, connect, (int fd, CONST_SOCKADDR sa, socklen_t len), (fd, sa, len),
    "connect", -1)
WRAP(int, listen, (int fd, int n), (fd, n), "listen", -1)
WRAP(int, getsockname, (int fd, SOCKADDR sa, socklen_t *len), (fd, sa, len),
    "sockname", -1)
WRAP(int, getpeername, (int fd, SOCKADDR sa, socklen_t *len), (fd, sa, len),
    "sockname", -1)
WRAP(int, getsockopt, (int fd, int level, int name, void *restrict value,
    socklen_t *restrict len), (fd, level, name, value, len), "sockopt", -1)
WRAP(int, setsockopt, (int fd, int level, int name, const void *value,
    socklen_t len), (fd, level, name, value, len), "sockopt", -1)
WRAP(int, shutdown, (int fd, int how), (fd, how), "shutdown", -1)
WRAP(ssize_t, getrandom, (void *buf, size_t len, unsigned int flags),
    (buf, len, flags), "random", -1)
WRAP(int, statvfs, (const char *path, struct statvfs *st), (path, st),
    "statvfs", -1)
WRAP(int, fstatvfs, (int fd, struct statvfs *st), (fd, st), "statvfs", -1)
#define WRAP_STATFS(function, type)					\
int									\
function(int fd, struct type *st)					\
{									\
	static int (*real)(int, struct type *);				\
	int error = fail_begin("statfs", -1, -1), result;		\
									\
	if (error != 0 && error != FAIL_AFTER)				\
		return -1;						\
	if (real == NULL)						\
		fail_next(&real, #function);				\
	result = real(fd, st);						\
	if (result == 0 && fail_fs() != 0)				\
		st->f_type = (__typeof__(st->f_type))fail_fs();		\
	RETURN(error, result);						\
}

WRAP_STATFS(fstatfs, statfs)
WRAP_OBJECT(DIR, opendir, (const char *path), (path), "opendir")
WRAP_OBJECT(DIR, fdopendir, (int fd), (fd), "opendir")
WRAP_OBJECT(struct dirent, readdir, (DIR *d), (d), "readdir")
WRAP_OBJECT(FILE, fopen, (const char *restrict path,
    const char *restrict mode), (path, mode), "open_old")
WRAP_ALL(void *, mmap, (void *at, size_t len, int prot, int flags, int fd,
    off_t from), (at, len, prot, flags, fd, from), "mmap", -1, -1, MAP_FAILED, )
#ifdef __GLIBC__
WRAP(int, fstat64, (int fd, struct stat64 *st), (fd, st), "stat", fd)
WRAP(int, stat64, (const char *path, struct stat64 *st), (path, st), "stat",
    -1)
WRAP(int, lstat64, (const char *path, struct stat64 *st), (path, st), "stat",
    -1)
WRAP(int, fstatat64, (int fd, const char *path, struct stat64 *st, int flags),
    (fd, path, st, flags), "stat", -1)
WRAP(ssize_t, pread64, (int fd, void *buf, size_t len, off64_t at),
    (fd, buf, len, at), "read", fd)
WRAP(int, ftruncate64, (int fd, off64_t len), (fd, len), "truncate", -1)
WRAP(off64_t, lseek64, (int fd, off64_t at, int from), (fd, at, from),
    "lseek", -1)
WRAP_OBJECT(struct dirent64, readdir64, (DIR *d), (d), "readdir")
WRAP_OBJECT(FILE, fopen64, (const char *restrict path,
    const char *restrict mode), (path, mode), "open_old")
WRAP_ALL(void *, mmap64, (void *at, size_t len, int prot, int flags, int fd,
    off64_t from), (at, len, prot, flags, fd, from), "mmap", -1, -1,
    MAP_FAILED, )
WRAP(int, statvfs64, (const char *path, struct statvfs64 *st), (path, st),
    "statvfs", -1)
WRAP_STATFS(fstatfs64, statfs64)
WRAP(int, fstatvfs64, (int fd, struct statvfs64 *st), (fd, st), "statvfs", -1)

/* NOLINTNEXTLINE(bugprone-reserved-identifier): the name is glibc's */
ssize_t __pread64_chk(int, void *, size_t, off64_t, size_t);

ssize_t
__pread64_chk(int fd, void *buf, size_t len, off64_t at, size_t size)
{
	(void)size;
	return pread64(fd, buf, len, at);
}

/* With _FORTIFY_SOURCE these are opens without a mode, which create nothing. */
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

/* The third argument is no larger than a pointer. */
#define WRAP_VARIADIC(function, request, name, got)		\
int									\
function(int fd, request command, ...)					\
{									\
	static int (*real)(int, request, ...);				\
	va_list ap;							\
	void *arg;							\
	int error = fail_begin(name, -1, -1);				\
									\
	va_start(ap, command);						\
	arg = va_arg(ap, void *);					\
	va_end(ap);							\
	if (error != 0 && error != FAIL_AFTER)				\
		return -1;						\
	if (real == NULL)						\
		fail_next(&real, #function);					\
	RETURN(error, got(real(fd, command, arg)));			\
}

#define IS_DUP	(command == F_DUPFD || command == F_DUPFD_CLOEXEC)
#define DUP_GIVEN(fd)	(IS_DUP ? fail_given(fd) : (fd))

WRAP_VARIADIC(fcntl, int, IS_DUP ? "dup" : "fcntl", DUP_GIVEN)
WRAP_VARIADIC(ioctl, IOCTL_REQUEST, "ioctl", )
#ifdef __GLIBC__
WRAP_VARIADIC(fcntl64, int, IS_DUP ? "dup" : "fcntl", DUP_GIVEN)
#endif

/* What _TIME_BITS=64 makes of them where a long has 32 bits. */
#if defined __TIMESIZE && __TIMESIZE == 32
int __fcntl_time64(int, int, ...);
int __ioctl_time64(int, unsigned long, ...);
WRAP_VARIADIC(__fcntl_time64, int, IS_DUP ? "dup" : "fcntl", DUP_GIVEN)
WRAP_VARIADIC(__ioctl_time64, IOCTL_REQUEST, "ioctl", )
WRAP(int, __fstat64_time64, (int fd, void *st), (fd, st), "stat", fd)
WRAP(int, __stat64_time64, (const char *path, void *st), (path, st), "stat",
    -1)
WRAP(int, __lstat64_time64, (const char *path, void *st), (path, st), "stat",
    -1)
WRAP(int, __fstatat64_time64, (int fd, const char *path, void *st, int flags),
    (fd, path, st, flags), "stat", -1)
WRAP(int, __ppoll64, (struct pollfd *p, nfds_t n, const void *t,
    const sigset_t *set), (p, n, t, set), "poll", -1)
WRAP(int, __getsockopt64, (int fd, int level, int name, void *restrict value,
    socklen_t *restrict len), (fd, level, name, value, len), "sockopt", -1)
WRAP(int, __setsockopt64, (int fd, int level, int name, const void *value,
    socklen_t len), (fd, level, name, value, len), "sockopt", -1)
#endif

#define WRAP_PAIR(function, params, args, asks)				\
int									\
function params								\
{									\
	static int (*real) params;					\
	int error = fail_begin("pipe", -1, -1), result;			\
									\
	if (error != 0 && error != FAIL_AFTER)				\
		return -1;						\
	if (real == NULL)						\
		fail_next(&real, #function);					\
	result = real args;						\
	if (result == 0) {						\
		fail_given(fds[0]);						\
		fail_given(fds[1]);						\
		if (asks)							\
			fail_asks_by(fds[0]);					\
	}								\
	RETURN(error, result);						\
}

WRAP_PAIR(pipe2, (int fds[2], int flags), (fds, flags), 0)
WRAP_PAIR(socketpair, (int family, int type, int proto, int fds[2]),
    (family, type, proto, fds), (type & ~SOCK_CLOEXEC) == SOCK_SEQPACKET)

/* No caller passes more arguments. */
WRAP(int, clone, (int (*fn)(void *), void *stack, int flags, void *arg, ...),
    (fn, stack, flags, arg), "spawn", -1)

/* The descriptor is closed even if the call fails, as on Linux. */
int
close(int fd)
{
	static int (*real)(int);
	int error = 0;

	if (fail_is_log(fd))
		return 0;
	if (fd > STDERR_FILENO)
		error = fail_begin("close", fd, fd);
	if (error == FAIL_LIE)
		return 0;
	if (real == NULL)
		fail_next(&real, "close");
	if (real(fd) == -1) {
		fail_misclosed();
		return -1;
	}
	if (error <= 0)
		RETURN(error, 0);
	errno = error;
	return -1;
}

/*
 * dlsym may allocate memory itself, but works without it; so allocations fail
 * while it looks up the real functions.  It may also free memory.
 */
#define WRAP_ALLOC(function, params, args, is_new)			\
void *									\
function params								\
{									\
	static void *(*real) params;					\
	static int looking;						\
	const int fresh = is_new;					\
	void *block;							\
									\
	if (real == NULL) {						\
		if (looking)						\
			return NULL;					\
		looking = 1;						\
		fail_next(&real, #function);					\
		looking = 0;						\
	}								\
	if (fail_begin("malloc", -1, -1))					\
		return NULL;						\
	block = real args;						\
	if (block != NULL && fresh)					\
		fail_count_block(1);						\
	return block;							\
}

WRAP_ALLOC(malloc, (size_t len), (len), 1)
#ifdef __GLIBC__
WRAP_ALLOC(calloc, (size_t n, size_t len), (n, len), 1)
#else
WRAP_ALLOC(calloc, (size_t n, size_t len), (n, len), 0)	/* calls malloc */
#endif
WRAP_ALLOC(realloc, (void *old, size_t len), (old, len), old == NULL)

/* NOLINTEND(bugprone-macro-parentheses) */

void
free(void *block)
{
	static void (*real)(void *);
	static int looking;

	if (block == NULL || looking || fail_hoards())
		return;
	if (real == NULL) {
		looking = 1;
		fail_next(&real, "free");
		looking = 0;
	}
	real(block);
	fail_count_block(-1);
}
