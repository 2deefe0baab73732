/* Descriptors that a process was left by the program that started it. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <stddef.h>

/* Close each descriptor from first on, except those in keep. */
void descriptors_close(int first, const int *keep, size_t n);

/* Close each descriptor from first on. */
void descriptors_close_from(int first);

/*
 * Open /dev/null on each standard descriptor that is closed, so that no other
 * file becomes one.  Returns those that were, as bits from 1 << 0 on, or -1
 * with errno set.
 */
int descriptors_fill_standard(void);

/* Replace a descriptor by /dev/null.  Returns 0, or -1 with errno set. */
int descriptors_set_null(int fd);

#endif
