/*
 * Arrays that grow.  Their size is doubled when the number of elements is a
 * power of two, so no capacity is stored.
 */
#include <stdlib.h>
#include <string.h>

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
