/*
 * Arrays that grow, one element at a time; memory that is given back; and
 * memory that is not for children.
 */
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

/*
 * Zeroed memory that children do not get, so that what is written between forks
 * is not kept for each child.  Returns NULL with errno set on failure.
 */
void *memory_allocate_unshared(size_t n);
void memory_free_unshared(void *, size_t n);	/* which may be NULL */

#endif
