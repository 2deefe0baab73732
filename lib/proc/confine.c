/*
 * Confinement by seccomp and Landlock.  libc has no functions for them, and not
 * all systems have the header of Landlock, so its constants are defined here.
 * The list of system calls is what a session needs with glibc and musl, and no
 * more.  It covers the processors below; others are not supported.
 *
 * Sanitizers and similar tools make further system calls.  A build with
 * AddressSanitizer is unconfined, and so is one with -DUNCONFINED.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/proc/confine.h"

#if defined __SANITIZE_ADDRESS__
#define UNCONFINED
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define UNCONFINED
#endif
#endif

#if defined UNCONFINED
#define ARCH 0			/* none */
#elif defined __x86_64__ && defined __LP64__
#define ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__ && defined __AARCH64EL__
#define ARCH AUDIT_ARCH_AARCH64
#elif defined __i386__
#define ARCH AUDIT_ARCH_I386
#elif defined __ARM_EABI__ && defined __ARMEL__
#define ARCH AUDIT_ARCH_ARM
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined __s390x__
#define ARCH AUDIT_ARCH_S390X
#else
#define ARCH 0
#endif

#if ARCH

/*
 * There, glibc has one system call for sockets, socketcall(2), whose arguments
 * are in memory, where a filter can't see them.  What must be checked is called
 * by its own number instead, which Linux has from 4.3 on.
 */
#if (defined __i386__ || defined __s390x__) && defined __GLIBC__
#define MULTIPLEXED

int
shutdown(int fd, int how)
{
	return (int)syscall(SYS_shutdown, fd, how);
}

ssize_t
sendmsg(int fd, const struct msghdr *m, int flags)
{
	return syscall(SYS_sendmsg, fd, m, flags);
}
#endif

/* System calls that are allowed with any arguments. */
static const unsigned calls[] = {
	/* connections */
	SYS_read, SYS_write, SYS_writev, SYS_recvfrom, SYS_ppoll,
	SYS_epoll_pwait, SYS_accept4, SYS_getsockname, SYS_shutdown, SYS_close,
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_send
	SYS_send, SYS_recv,
#endif
	/* the Maildir */
	SYS_openat, SYS_mkdirat, SYS_linkat, SYS_renameat, SYS_unlinkat,
	SYS_getdents64, SYS_fsync, SYS_pread64, SYS_lseek, SYS_copy_file_range,
#ifdef SYS_newfstatat
	SYS_newfstatat, SYS_fstat, SYS_fstatfs,
#else		/* 32 bits */
	SYS_statx, SYS_fstatat64, SYS_fstat64, SYS_stat64,
#endif
#ifdef SYS_fstatfs64
	SYS_fstatfs64,
#endif
#ifdef SYS__llseek
	SYS__llseek,
#endif
#ifdef SYS_stat
	SYS_stat,
#endif
#ifdef SYS_sync_file_range
	SYS_sync_file_range,
#else
	SYS_sync_file_range2,
#endif
	/* memory, time and signals */
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_getrandom,
	SYS_nanosleep, SYS_restart_syscall, SYS_rt_sigprocmask,
	SYS_rt_sigreturn, SYS_getpid, SYS_gettid, SYS_exit, SYS_exit_group,
#ifdef __s390x__	/* its arguments are in memory */
	SYS_mmap,
#endif
#ifdef SYS_clock_gettime64
	SYS_clock_gettime64, SYS_clock_nanosleep_time64, SYS_ppoll_time64,
#endif
#ifdef SYS_clock_gettime
	SYS_clock_gettime, SYS_gettimeofday, SYS_clock_nanosleep,
#else		/* the names in musl for 32 bits, before Linux 5.1 */
	SYS_clock_gettime32, SYS_gettimeofday_time32,
#endif
#ifdef SYS_time
	SYS_time,
#endif
#ifdef SYS_sigreturn
	SYS_sigreturn,
#endif
};

/* Calls that are allowed if (argument & mask) == is; arg counts from 0. */
struct rule {
	unsigned call, arg, mask, is;
};

#ifdef SYS_fcntl64
#define CALL_FCNTL SYS_fcntl64
#else
#define CALL_FCNTL SYS_fcntl
#endif

static const struct rule rules[] = {
	{ SYS_sendto, 5, ~0U, 0 },	/* no destination address */
#ifdef SYS_mmap2
	{ SYS_mmap2, 2, PROT_EXEC, 0 },
#elif !defined __s390x__
	{ SYS_mmap, 2, PROT_EXEC, 0 },
#endif
	{ SYS_mprotect, 2, PROT_EXEC, 0 },
	{ SYS_ioctl, 1, ~0U, FIONREAD },
	{ CALL_FCNTL, 1, ~0U, F_GETFL },
	{ CALL_FCNTL, 1, ~0U, F_GETFD },
	{ CALL_FCNTL, 1, ~0U, F_SETFD },
#ifdef MULTIPLEXED
	{ SYS_socketcall, 0, ~0U, SYS_ACCEPT4 },
	{ SYS_socketcall, 0, ~0U, SYS_GETSOCKNAME },
	{ SYS_socketcall, 0, ~0U, SYS_SEND },
	{ SYS_socketcall, 0, ~0U, SYS_RECV },
#endif
};

enum {
	N_CALLS = sizeof calls / sizeof *calls,
	N_RULES = sizeof rules / sizeof *rules,
	EXTRA_RULES = 8,
	SOCKETS_MAX = 8,	/* to launchers, in three rules */
	PER_LISTENER = 5,	/* instructions for each listener */
	LISTENERS_MAX = 300,
	PROGRAM_LEAST = 8 + 6 * (N_RULES + EXTRA_RULES) + 2 * N_CALLS +
	    3 * (SOCKETS_MAX + 5),
	PROGRAM_MAX = PROGRAM_LEAST + PER_LISTENER * LISTENERS_MAX,
};

_Static_assert(PROGRAM_MAX <= BPF_MAXINSNS, "the limit of seccomp");

struct program {
	unsigned short n;
	struct sock_filter *code;
};

static void
add_instruction(struct program *p, unsigned code, unsigned k, unsigned jt,
    unsigned jf)
{
	p->code[p->n++] = (struct sock_filter){ (unsigned short)code,
	    (unsigned char)jt, (unsigned char)jf, k };
}

static void
add_load(struct program *p, size_t offset)
{
	add_instruction(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* Skip n instructions unless the loaded value is k. */
static void
add_skip_unless(struct program *p, unsigned k, unsigned n)
{
	add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K, k, 0, n);
}

static void
add_action(struct program *p, unsigned action)
{
	add_instruction(p, BPF_RET | BPF_K, action, 0, 0);
}

/* Only the low half of an argument is compared. */
static void
add_load_argument(struct program *p, unsigned arg)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	const size_t low = 4;
#else
	const size_t low = 0;
#endif

	add_load(p, offsetof(struct seccomp_data, args) + 8 * (size_t)arg + low);
}

static void
add_rule(struct program *p, unsigned call, unsigned arg, unsigned mask,
    unsigned is)
{
	add_load(p, offsetof(struct seccomp_data, nr));
	add_skip_unless(p, call, 4);
	add_load_argument(p, arg);
	add_instruction(p, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	add_skip_unless(p, is, 1);
	add_action(p, SECCOMP_RET_ALLOW);
}

/* The call kills the process unless this is its first argument. */
static void
add_refusal_unless(struct program *p, unsigned call, unsigned is)
{
	add_load(p, offsetof(struct seccomp_data, nr));
	add_skip_unless(p, call, 3);
	add_load_argument(p, 0);
	add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K, is, 1, 0);
	add_action(p, SECCOMP_RET_KILL_PROCESS);
}

/* Take an action if a call's first argument, a descriptor say, is this one. */
static void
add_first_rule(struct program *p, unsigned call, int first, unsigned action)
{
	add_load(p, offsetof(struct seccomp_data, nr));
	add_skip_unless(p, call, 3);
	add_load_argument(p, 0);
	add_skip_unless(p, (unsigned)first, 1);
	add_action(p, action);
}

/* The same for the sockets to launchers. */
static void
add_sockets_rule(struct program *p, const struct confine_options *o,
    unsigned call, unsigned action)
{
	const unsigned n = (unsigned)o->n_sockets;
	unsigned i;

	add_load(p, offsetof(struct seccomp_data, nr));
	add_skip_unless(p, call, n + 3);
	add_load_argument(p, 0);
	for (i = 0; i < n; i++)
		add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K,
		    (unsigned)o->sockets[i], n - i, 0);
	add_instruction(p, BPF_JMP | BPF_JA, 1, 0, 0);
	add_action(p, action);
}

/*
 * What a worker needs to ask its launcher for a command, or for another
 * launcher.  Only these sockets have sendmsg(2), which can pass descriptors and
 * name another socket; they can't be closed, so that no other gets the number,
 * or shut down, because all workers have one of them.  Pairs of sockets are
 * Unix streams, which can't send elsewhere.
 */
static void
allow_launcher(struct program *p, const struct confine_options *o)
{
	if (o->n_sockets == 0)
		return;
	add_sockets_rule(p, o, SYS_close, SECCOMP_RET_KILL_PROCESS);
	add_sockets_rule(p, o, SYS_shutdown, SECCOMP_RET_KILL_PROCESS);
	add_sockets_rule(p, o, SYS_sendmsg, SECCOMP_RET_ALLOW);
	add_rule(p, SYS_pipe2, 0, 0, 0);
	if (!o->tls)
		return;
	add_refusal_unless(p, SYS_socketpair, AF_UNIX);
	add_rule(p, SYS_socketpair, 1, ~0U, SOCK_STREAM | SOCK_CLOEXEC);
}

/* The workers share the listeners.  shutdown(2) would close them for all. */
static void
protect_listeners(struct program *p, const struct confine_options *o)
{
	size_t i;

	for (i = 0; i < o->n_listeners; i++)
		add_first_rule(p, SYS_shutdown, o->listeners[i],
		    SECCOMP_RET_KILL_PROCESS);
}

/* syslog(3) connects again after an error; that fails. */
static void
refuse_sockets(struct program *p)
{
	static const unsigned refused[] = { SYS_socket, SYS_connect };
	size_t i;

	for (i = 0; i < sizeof refused / sizeof *refused; i++) {
		add_load(p, offsetof(struct seccomp_data, nr));
		add_skip_unless(p, refused[i], 1);
		add_action(p, SECCOMP_RET_ERRNO | EACCES);
	}
#ifdef MULTIPLEXED
	add_first_rule(p, SYS_socketcall, SYS_SOCKET,
	    SECCOMP_RET_ERRNO | EACCES);
	add_first_rule(p, SYS_socketcall, SYS_CONNECT,
	    SECCOMP_RET_ERRNO | EACCES);
#endif
}

/*
 * System calls of x32 have other numbers, and those of i386 another
 * architecture, so both are denied.
 */
static void
build_program(struct program *p, const struct confine_options *o)
{
	const unsigned self = (unsigned)getpid();
	size_t i;

	p->n = 0;
	add_load(p, offsetof(struct seccomp_data, arch));
	add_instruction(p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	add_action(p, SECCOMP_RET_KILL_PROCESS);
	protect_listeners(p, o);
	for (i = 0; i < N_RULES; i++)
		add_rule(p, rules[i].call, rules[i].arg, rules[i].mask,
		    rules[i].is);
	add_rule(p, SYS_tgkill, 0, ~0U, self);		/* abort(3) */
	add_rule(p, SYS_tkill, 0, ~0U, self);
	if (o->syslog)
		refuse_sockets(p);
	allow_launcher(p, o);
	add_load(p, offsetof(struct seccomp_data, nr));
	for (i = 0; i < N_CALLS; i++) {
		add_skip_unless(p, calls[i], 1);
		add_action(p, SECCOMP_RET_ALLOW);
	}
	add_action(p, SECCOMP_RET_KILL_PROCESS);
}

/* The array is no larger than needed: each worker has its pages to itself. */
static int
limit_calls(const struct confine_options *o)
{
	const size_t n = o->n_listeners < LISTENERS_MAX ? o->n_listeners :
	    LISTENERS_MAX;
	struct sock_filter code[PROGRAM_LEAST + PER_LISTENER * n];
	struct program p = { .code = code };
	struct sock_fprog filter = { .filter = code };

	if (o->n_listeners > n || o->n_sockets > SOCKETS_MAX) {
		errno = E2BIG;
		return -1;
	}
	build_program(&p, o);
	filter.len = p.n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

/* From <linux/landlock.h> of Linux 6.12. */
enum {
	LANDLOCK_CREATE = 444,		/* numbers of the calls */
	LANDLOCK_ADD = 445,
	LANDLOCK_RESTRICT = 446,
	LANDLOCK_VERSION = 1,		/* a flag of the first */
	LANDLOCK_BENEATH = 1,		/* a type of the second */

	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_REFER = 1 << 13,
	FS_ALLOWED = FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR |
	    FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG | FS_REFER,
};

struct ruleset {
	uint64_t files;
	uint64_t net;		/* from version 4 */
	uint64_t scoped;	/* from version 6 */
};

struct beneath {
	uint64_t allowed;
	int32_t dir;
} __attribute__((packed));

/* Version 1 denies every rename from one directory to another. */
enum { LANDLOCK_LEAST = 2 };

static long
landlock_version(void)
{
	return syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_VERSION);
}

/*
 * Deny all that this version can deny, but FS_ALLOWED below the directories.
 */
static int
limit_files(const struct confine_options *o)
{
	const long version = landlock_version();
	const struct ruleset all = {
		.files = version >= 5 ? 0xffff : version >= 3 ? 0x7fff : 0x3fff,
		.net = version >= 4 ? 0x3 : 0,
		.scoped = version >= 6 ? 0x3 : 0,
	};
	struct beneath place = { .allowed = FS_ALLOWED };
	long failed = 0;
	int fd, error;
	size_t i;

	fd = (int)syscall(LANDLOCK_CREATE, &all, sizeof all, 0);
	if (fd < 0)
		return -1;
	for (i = 0; !failed && i < o->n_dirs; i++) {
		place.dir = o->dirs[i];
		failed = syscall(LANDLOCK_ADD, fd, LANDLOCK_BENEATH, &place, 0);
	}
	if (!failed)
		failed = syscall(LANDLOCK_RESTRICT, fd, 0);
	error = errno;
	close(fd);
	errno = error;
	return failed ? -1 : 0;
}

int
confine_socketpair(int type, int fds[2])
{
#ifdef MULTIPLEXED
	return (int)syscall(SYS_socketpair, AF_UNIX, type, 0, fds);
#else
	return socketpair(AF_UNIX, type, 0, fds);
#endif
}

unsigned
confine_support(void)
{
	const unsigned kill = SECCOMP_RET_KILL_PROCESS;
	unsigned support = 0;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) == 0)
		support |= CONFINE_CALLS;
	if (landlock_version() >= LANDLOCK_LEAST)
		support |= CONFINE_FILES;
	return support;
}

int
confine_self(const struct confine_options *o)
{
	const unsigned support = confine_support();

	tzset();	/* later, libc could not read the time zone */
	if (support && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if ((support & CONFINE_FILES) && limit_files(o) < 0)
		return -1;
	if ((support & CONFINE_CALLS) && limit_calls(o) < 0)
		return -1;
	return 0;
}

const char *
confine_gap(void)
{
	switch (confine_support()) {
	case CONFINE_CALLS | CONFINE_FILES:
		return NULL;
	case CONFINE_CALLS:
		return "this kernel has no Landlock; Linux has it from 5.19 on";
	case CONFINE_FILES:
		return "this kernel has no seccomp";
	default:
		return "this kernel has neither seccomp nor Landlock";
	}
}

#else

unsigned
confine_support(void)
{
	return 0;
}

const char *
confine_gap(void)
{
	return "this build can't, or not on this processor";
}

int
confine_self(const struct confine_options *o)
{
	(void)o;
	return 0;
}

int
confine_socketpair(int type, int fds[2])
{
	return socketpair(AF_UNIX, type, 0, fds);
}

#endif
