/* Arrays that grow, one element at a time. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/*
 * Append an element of size bytes to an array of *n elements.  array is the
 * address of the pointer to the array, which is NULL at first; the caller
 * frees it.  Returns the new element, uninitialized, and increments *n; or
 * returns NULL with errno set, and the array is as before.
 */
void *memory_grow(void *array, size_t *n, size_t size);

#endif
