/* Arrays that grow, one element at a time; and memory that is given back. */
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

/*
 * Give back memory to the kernel, for a process that will wait: the whole pages
 * of a buffer whose content is not needed, what returned functions have left on
 * the stack, or what is free in the heap.  Using a page again costs a fault.
 */
void memory_release(void *, size_t n);
void memory_release_stack(void);
void memory_release_heap(void);

#endif
