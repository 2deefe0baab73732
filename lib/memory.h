/* Arrays that grow. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>

/*
 * Add an element to an array of *n elements of this size each; array points to
 * the pointer to it, which is NULL at first.  Returns it, not set, with *n one
 * more, or NULL with errno set.
 */
void *memory_grow(void *array, size_t *n, size_t size);

#endif
