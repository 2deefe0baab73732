/*
 * A shim for LD_PRELOAD that makes chosen calls of libc fail with a chosen
 * errno, and logs them.  It does not depend on the program that it is loaded
 * into, which must be linked dynamically.
 *
 *	FAIL=RULE[,RULE...]	RULE is NAME[@KIND]:K[+]:ERRNO: the K-th call
 *				of NAME (with + all from the K-th on) fails.
 *				Each process counts its own calls.  ERRNO may
 *				be "short": half of the bytes are written;
 *				"zero": none are, and 0 is returned; "lie":
 *				nothing is done, and 0 is returned; or
 *				"kill", "after": the process dies by SIGKILL
 *				before or after the call.
 *	FAIL_RUN=COMMAND	"after" runs this command instead, to simulate
 *				another process between two calls
 *	FAIL_CLOCK=SECONDS	the monotonic clock is ahead by this much
 *	FAIL_WHEN=FILE		both only while FILE's first byte is '1'; only
 *				such calls are counted
 *	FAIL_LOG=FILE		append a line for each call that failed
 *	FAIL_TRACE=FILE		append a line for each call, failed or not
 *	FAIL_FS=NUMBER		f_type of every file system, or 0 for the real
 *				one; without it that of ext4, so that tests see
 *				the same calls wherever they run
 *	FAIL_CONTROL=FILE	the shared file that t/fail.h describes
 *
 * KIND is the kind of the descriptor: file, dir, sock, pipe, stderr or other.
 * Without it read, write, fsync and close mean regular files other than the
 * standard descriptors.  open means opens that create a file, open_old the
 * others.  A line is "NAME KIND"; KIND is "-" if there is no descriptor.
 *
 * Files are mapped and the logs are opened at start, so that the shim also
 * works in a process that is no longer allowed to open files.
 */
#undef _FORTIFY_SOURCE		/* its inlines would redefine what we do */
#undef _FILE_OFFSET_BITS	/* so that open is open, not open64 */
#undef _TIME_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* RTLD_NEXT */
#endif

#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fail.h"

#define RULES_MAX	16
#define LOG_FD		900	/* out of the program's way */

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
	{ "short", FAIL_SHORT }, { "zero", FAIL_ZERO }, { "lie", FAIL_LIE },
	{ "kill", FAIL_KILL }, { "after", FAIL_AFTER },
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
static unsigned long fs_type = 0xef53;	/* 0: as it is */
static int log_fd = -1, trace_fd = -1;
static fd_set ask_fds;		/* of launchers */
static struct fail_control *control;	/* NULL: there is no driver */
static long blocks;			/* allocated and not freed */

/*
 * The next definition of a function: ISO C has no cast from what dlsym
 * returns, so it is copied into *to.
 */
void
fail_next(void *to, const char *name)
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

/* Returns NULL if the variable is not set. */
static void *
map_file(const char *variable, size_t len, int may_write)
{
	const char *name = getenv(variable);
	long fd;
	void *at;

	if (name == NULL)
		return NULL;
	fd = syscall(SYS_openat, AT_FDCWD, name,
	    (may_write ? O_RDWR : O_RDONLY) | O_CLOEXEC, 0);
	at = mmap(NULL, len, PROT_READ | (may_write ? PROT_WRITE : 0),
	    MAP_SHARED, (int)fd, 0);
	if (fd == -1 || at == MAP_FAILED)
		complain(variable);
	syscall(SYS_close, (int)fd);
	return at;
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
	if ((s = getenv("FAIL_FS")) != NULL)
		fs_type = strtoul(s, NULL, 0);
	armed = map_file("FAIL_WHEN", 1, 0);
	control = map_file("FAIL_CONTROL", sizeof(*control), 1);
	log_fd = open_log("FAIL_LOG", LOG_FD);
	trace_fd = open_log("FAIL_TRACE", LOG_FD);
}

void
fail_asks_by(int fd)
{
	FD_SET(fd, &ask_fds);
}

/* The kind of a descriptor, and its inode. */
static const char *
kind_of(int fd, unsigned long long *inode)
{
	static int (*real)(int, struct stat *);
	struct stat st;

	if (real == NULL)
		fail_next(&real, "fstat");
	if (fd == -1 || real(fd, &st) == -1)
		return "-";
	*inode = st.st_ino;
	if (fd == STDERR_FILENO)
		return "stderr";
	if (fd < FD_SETSIZE && FD_ISSET(fd, &ask_fds))
		return "ask";
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

/* Does the rule apply to this descriptor? */
static int
meant(const struct rule *r, int fd, const char *kind)
{
	if (*r->kind != '\0')
		return strcmp(r->kind, kind) == 0;
	return fd == -1 || strcmp(r->name, "accept") == 0 ||
	    (fd > STDERR_FILENO && strcmp(kind, "file") == 0);
}

void
fail_die(void)
{
	raise(SIGKILL);
}

void
fail_after(void)
{
	const char *command = getenv("FAIL_RUN");
	const int saved = errno;

	if (command == NULL)
		fail_die();
	/* NOLINTNEXTLINE(cert-env33-c): a test's own command */
	else if (system(command) != 0)
		complain("end of FAIL_RUN");
	errno = saved;
}

int
fail_is_driven(void)
{
	return control != NULL && control->pid == (pid_t)syscall(SYS_getpid);
}

static void
record(const char *name, const char *kind, unsigned long long inode)
{
	const long max = sizeof(control->events) / sizeof(*control->events);
	struct fail_event *e;

	if (control->n_events == max)
		complain("number of events");
	e = &control->events[control->n_events++];
	snprintf(e->name, sizeof(e->name), "%s", name);
	e->kind = strcmp(kind, "stderr") == 0 ? 'e' : *kind;
	e->inode = inode;
	e->named = 0;
}

/* What the driver wants of this call; returns as fail_begin() does. */
static int
ordered(const char *name, int fd, int at)
{
	struct fail_control *c = control;
	unsigned long long inode = 0;
	const char *kind = kind_of(fd, &inode);

	if (strcmp(c->lie, name) == 0 &&
	    (*c->lie_kind == '\0' || strcmp(c->lie_kind, kind) == 0))
		return FAIL_LIE;
	if (!c->armed)
		return 0;
	if (at != fd)
		kind_of(at, &inode);
	record(name, kind, inode);
	if (strcmp(c->name, "any") == 0 ? strcmp(name, "malloc") == 0 :
	    strcmp(c->name, name) != 0)
		return 0;
	if (*c->kind != '\0' && strcmp(c->kind, kind) != 0)
		return 0;
	c->count++;
	if (c->count != c->first && (c->count < c->first || !c->more))
		return 0;
	c->fired++;
	if (c->error == FAIL_KILL)
		fail_die();
	return c->error;
}

static int
ruled(const char *name, int fd)
{
	unsigned long long inode;
	const char *kind = kind_of(fd, &inode);
	struct rule *r;

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
		if (r->error == FAIL_KILL)
			fail_die();
		return r->error;
	}
	return 0;
}

int
fail_begin(const char *name, int fd, int at)
{
	const int saved = errno;
	int error = 0;

	if (fail_is_driven())
		error = ordered(name, fd, at);
	if (error == 0 && (nrules > 0 || trace_fd != -1))
		error = ruled(name, fd);
	errno = error > 0 ? error : saved;
	return error;
}

void
fail_names(int dir, const char *name)
{
	static int (*real)(int, const char *, struct stat *, int);
	const int saved = errno;
	struct stat st;

	if (!fail_is_driven() || !control->armed)
		return;
	if (real == NULL)
		fail_next(&real, "fstatat");
	if (real(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		control->events[control->n_events - 1].named = st.st_ino;
	errno = saved;
}

unsigned long
fail_fs(void)
{
	return fs_type;
}

int
fail_given(int fd)
{
	if (fd >= 0 && fail_is_driven() && fd > control->highest)
		control->highest = fd;
	return fd;
}

int
fail_is_log(int fd)
{
	return fd == log_fd || fd == trace_fd;
}

void
fail_misclosed(void)
{
	if (fail_is_driven())
		control->misclosed++;
}

void
fail_count_block(int n)
{
	blocks += n;
	if (fail_is_driven())
		control->blocks = blocks;
}

int
fail_hoards(void)
{
	return control != NULL && strcmp(control->lie, "free") == 0 &&
	    fail_is_driven();
}

void
fail_end(void)
{
	nrules = 0;
	trace_fd = -1;
	control = NULL;
}

/* The same with seconds of 32 and 64 bits, where there are both. */
/* NOLINTBEGIN(bugprone-macro-parentheses): type is one */
#define WRAP_CLOCK(function, type)					\
int function(clockid_t, type *);					\
int									\
function(clockid_t clock, type *ts)					\
{									\
	static int (*real)(clockid_t, type *);				\
									\
	if (real == NULL)						\
		fail_next(&real, #function);				\
	if (real(clock, ts) == -1)					\
		return -1;						\
	if (ahead != 0 && clock != CLOCK_REALTIME &&			\
	    (armed == NULL || *armed == '1'))				\
		ts->tv_sec += ahead;					\
	return 0;							\
}
/* NOLINTEND(bugprone-macro-parentheses) */

WRAP_CLOCK(clock_gettime, struct timespec)
#if defined __TIMESIZE && __TIMESIZE == 32
struct wide_timespec {
	long long tv_sec;
	int tv_nsec, padding;		/* or the other way round */
};
WRAP_CLOCK(__clock_gettime64, struct wide_timespec)
#endif
