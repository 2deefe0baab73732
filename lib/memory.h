/* Memory for what grows, and for what stays together, in few pieces. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/*
 * Add an element to an array of *n elements of this size each; array points to
 * the pointer to it, which is NULL at first.  Returns it, not set, with *n one
 * more, or NULL with errno set.
 */
void *memory_grow(void *array, size_t *n, size_t size);

/*
 * Copy three strings into one piece of memory, that the caller frees by the
 * first copy.  Returns 0, or -1 with errno set.
 */
int memory_keep(char *copies[3], const char *a, const char *b, const char *c);

#endif
