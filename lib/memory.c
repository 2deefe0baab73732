/*
 * Arrays that grow.  Their size is doubled when the number of elements is a
 * power of two, so no capacity is stored.  And memory that is given back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "lib/memory.h"

void *
memory_grow(void *array, size_t *n, size_t size)
{
	char *base, *more;

	/* a pointer to a struct must not be read as a char pointer */
	memcpy(&base, array, sizeof base);
	if ((*n & (*n - 1)) == 0) {	/* a power of two: full */
		more = realloc(base, (*n ? 2 * *n : 1) * size);
		if (!more)
			return NULL;
		memcpy(array, &more, sizeof more);
		base = more;
	}
	return base + (*n)++ * size;
}

enum {
	OWN_FRAMES = 1024,		/* bytes for the calls made here */
	STACK_RELEASED = 512 * 1024,	/* bytes below them; within 1 MiB of a
					   stack the kernel maps nothing else */
};

/* Fails for the parts that are not mapped, and releases the others. */
void
memory_release(void *p, size_t n)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t start = ((uintptr_t)p + page - 1) / page * page;
	const uintptr_t end = ((uintptr_t)p + n) / page * page;

	if (start < end)
		(void)!madvise((void *)start, end - start, MADV_DONTNEED);
}

/* Its frame is that of a function of its own, or the caller's would be lost. */
__attribute__((noinline))
void
memory_release_stack(void)
{
	char *frame = __builtin_frame_address(0);

	memory_release(frame - OWN_FRAMES - STACK_RELEASED, STACK_RELEASED);
}

/* musl does this by itself. */
void
memory_release_heap(void)
{
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}

void *
memory_allocate_unshared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)!madvise(p, n, MADV_DONTFORK);
	return p;
}

void
memory_free_unshared(void *p, size_t n)
{
	if (p)
		munmap(p, n);
}
