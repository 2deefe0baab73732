/*
 * Linked into the smtpd of t/coverage only: a process writes its counters
 * however it ends, unless it is killed.  gcc does that for exit(); this adds
 * _exit() and execv(), by the linker's --wrap, and keeps t/fail.so from making
 * the calls that write them fail.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void __gcov_dump(void);
void __gcov_reset(void);
void __real__exit(int) __attribute__((noreturn));
int __real_execv(const char *, char *const[]);
void __wrap__exit(int) __attribute__((noreturn));
int __wrap_execv(const char *, char *const[]);

static void (*fail_end)(void);	/* of t/fail.so, if it is loaded */

static void
mend(void)
{
	if (fail_end)
		fail_end();
}

__attribute__((constructor)) static void
setup(void)
{
	void *sym = dlsym(RTLD_DEFAULT, "fail_end");

	memcpy(&fail_end, &sym, sizeof(sym));
	atexit(mend);
}

void
__wrap__exit(int status)
{
	mend();
	__gcov_dump();
	__real__exit(status);
}

int
__wrap_execv(const char *path, char *const argv[])
{
	int error;

	mend();
	__gcov_dump();
	__real_execv(path, argv);
	error = errno;
	__gcov_reset();
	errno = error;
	return -1;
}
