/* Arrays that grow. */
#include <stdlib.h>

#include "lib/memory.h"

void *
memory_grow(void *array, size_t *n, size_t size)
{
	char *more, **base = array;

	if ((*n & (*n - 1)) == 0) {	/* a power of two: it is full */
		more = realloc(*base, (*n ? 2 * *n : 1) * size);
		if (!more)
			return NULL;
		*base = more;
	}
	return *base + (*n)++ * size;
}
