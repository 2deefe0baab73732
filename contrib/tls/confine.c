/*
 * Confinement by seccomp and Landlock, for which libc has no functions.  The
 * list of system calls is what OpenSSL needs for a connection with glibc or
 * musl, and no more.  It covers x86_64 and aarch64.  Other architectures, and
 * builds with AddressSanitizer or -DUNCONFINED, are unconfined.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "contrib/tls/confine.h"

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
#else
#define ARCH 0
#endif

#if ARCH

/* A call that is allowed if (argument & mask) == is; arg counts from 0. */
struct rule {
	unsigned call, arg, mask, is;
};
#define ANY 0, 0, 0

static const struct rule always[] = {
	{ SYS_read, ANY }, { SYS_write, ANY }, { SYS_writev, ANY },
	{ SYS_ppoll, ANY }, { SYS_close, ANY }, { SYS_shutdown, ANY },
#ifdef SYS_poll
	{ SYS_poll, ANY },
#endif
	/* stdio, for the result and for error messages */
	{ SYS_fstat, ANY }, { SYS_newfstatat, ANY },
	{ SYS_fcntl, 1, ~0U, F_GETFL },
	/* memory, time, randomness, locks and signals */
	{ SYS_mmap, 2, PROT_EXEC, 0 }, { SYS_mprotect, 2, PROT_EXEC, 0 },
	{ SYS_brk, ANY }, { SYS_munmap, ANY }, { SYS_mremap, ANY },
	{ SYS_madvise, ANY }, { SYS_getrandom, ANY }, { SYS_futex, ANY },
	{ SYS_clock_gettime, ANY }, { SYS_gettimeofday, ANY },
#ifdef SYS_time
	{ SYS_time, ANY },
#endif
	{ SYS_getpid, ANY }, { SYS_gettid, ANY }, { SYS_rt_sigprocmask, ANY },
	{ SYS_rt_sigreturn, ANY }, { SYS_restart_syscall, ANY },
	{ SYS_exit, ANY }, { SYS_exit_group, ANY },
};

/* To read the certificates of further servers. */
static const struct rule files[] = {
	{ SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
	{ SYS_lseek, ANY }, { SYS_faccessat, ANY },
#ifdef SYS_open
	{ SYS_open, 1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY },
	{ SYS_access, ANY },
#endif
};

enum {
	N_ALWAYS = sizeof always / sizeof *always,
	N_FILES = sizeof files / sizeof *files,
	PROGRAM_MAX = 4 + 6 * (N_ALWAYS + N_FILES + 1),
};

struct program {
	unsigned short n;
	struct sock_filter code[PROGRAM_MAX];
};

static void
put(struct program *p, unsigned code, unsigned k, unsigned jt, unsigned jf)
{
	p->code[p->n++] = (struct sock_filter){ (unsigned short)code,
	    (unsigned char)jt, (unsigned char)jf, k };
}

static void
load(struct program *p, size_t offset)
{
	put(p, BPF_LD | BPF_W | BPF_ABS, (unsigned)offset, 0, 0);
}

/* Only the low half of an argument is compared, which comes first. */
static void
put_rule(struct program *p, const struct rule *r)
{
	load(p, offsetof(struct seccomp_data, nr));
	put(p, BPF_JMP | BPF_JEQ | BPF_K, r->call, 0, 4);
	load(p, offsetof(struct seccomp_data, args) + 8 * (size_t)r->arg);
	put(p, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
	put(p, BPF_JMP | BPF_JEQ | BPF_K, r->is, 0, 1);
	put(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
}

static int
limit_calls(int with_files)
{
	const struct rule own_abort = { SYS_tgkill, 0, ~0U,
	    (unsigned)getpid() };
	struct program p = { .n = 0 };
	struct sock_fprog filter = { .filter = p.code };
	size_t i;

	load(&p, offsetof(struct seccomp_data, arch));
	put(&p, BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	put(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	for (i = 0; i < N_ALWAYS; i++)
		put_rule(&p, &always[i]);
	for (i = 0; with_files && i < N_FILES; i++)
		put_rule(&p, &files[i]);
	put_rule(&p, &own_abort);
	put(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	filter.len = p.n;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

/* From <linux/landlock.h>, which not all systems have. */
enum {
	LANDLOCK_CREATE = 444,		/* numbers of the calls */
	LANDLOCK_ADD = 445,
	LANDLOCK_RESTRICT = 446,
	LANDLOCK_BENEATH = 1,		/* a type of the second */

	FS_READ_FILE = 1 << 2,
	FS_ALL = 0x1fff,		/* of the first version */
};

struct beneath {
	uint64_t allowed;
	int32_t file;
} __attribute__((packed));

/* Allow a file NAME.pem; if it is a link, its present target. */
static void
allow(int rules, int dir, const char *name)
{
	const size_t len = strlen(name);
	struct beneath file = { .allowed = FS_READ_FILE };

	if (len <= 4 || strcmp(name + len - 4, ".pem") != 0)
		return;
	file.file = openat(dir, name, O_PATH | O_CLOEXEC);
	if (file.file < 0)
		return;
	syscall(LANDLOCK_ADD, rules, LANDLOCK_BENEATH, &file, 0);
	close(file.file);
}

static int
limit_files(const char *servers)
{
	const uint64_t all = FS_ALL;
	const int rules = (int)syscall(LANDLOCK_CREATE, &all, sizeof all, 0);
	DIR *dir;
	struct dirent *entry;
	int failed;

	if (rules < 0)
		return errno == ENOSYS || errno == EOPNOTSUPP ? 0 : -1;
	dir = opendir(servers);
	while (dir && (entry = readdir(dir)))
		allow(rules, dirfd(dir), entry->d_name);
	if (dir)
		closedir(dir);
	failed = (int)syscall(LANDLOCK_RESTRICT, rules, 0);
	close(rules);
	return failed;
}

int
confine_self(const char *servers)
{
	const unsigned kill = SECCOMP_RET_KILL_PROCESS;

	tzset();	/* OpenSSL checks dates, later libc can't read it */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	if (servers && limit_files(servers) < 0)
		return -1;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) < 0)
		return 0;
	return limit_calls(servers != NULL);
}

#else

int
confine_self(const char *servers)
{
	(void)servers;
	return 0;
}

#endif
