/* Memory for what grows, and for what stays together. */
#include <stdlib.h>
#include <string.h>

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

int
memory_keep(char *copies[3], const char *a, const char *b, const char *c)
{
	copies[0] = malloc(strlen(a) + strlen(b) + strlen(c) + 3);
	if (!copies[0])
		return -1;
	copies[1] = stpcpy(copies[0], a) + 1;
	copies[2] = stpcpy(copies[1], b) + 1;
	strcpy(copies[2], c);
	return 0;
}
