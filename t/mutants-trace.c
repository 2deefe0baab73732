/*
 * Linked into the smtpd that t/mutants has the suites run first: each block of
 * code that runs leaves a mark in the file of $MUTANTS_TRACE, at its offset in
 * the program.  A process that is confined or killed leaves its marks as well,
 * for the file is mapped before main().
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define TRACE_SIZE (1 << 20)	/* more than the code has */

void __sanitizer_cov_trace_pc(void);

extern const char __executable_start[];

static unsigned char *marks;

__attribute__((constructor)) static void
map_marks(void)
{
	const char *name = getenv("MUTANTS_TRACE");
	int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
	void *memory;

	if (fd < 0)
		return;
	if (ftruncate(fd, TRACE_SIZE) == 0) {
		memory = mmap(NULL, TRACE_SIZE, PROT_READ | PROT_WRITE,
		    MAP_SHARED, fd, 0);
		if (memory != MAP_FAILED)
			marks = memory;
	}
	close(fd);
}

void
__sanitizer_cov_trace_pc(void)
{
	uintptr_t at = (uintptr_t)__builtin_return_address(0) -
	    (uintptr_t)__executable_start;

	if (marks && at < TRACE_SIZE)
		marks[at] = 1;
}
