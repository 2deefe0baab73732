/*
 * Files: what comes from a pipe or a file is mapped; what is written is written
 * as a whole.
 */
#ifndef MILTER_FILE_H
#define MILTER_FILE_H

#include <stddef.h>

/*
 * The content of a descriptor from its offset on, to be read, as long as the
 * process lives; what is not a file is copied to one.  Returns NULL with errno
 * set.
 */
const char *file_map(int fd, size_t *len);

/* A file without a name in $TMPDIR or /tmp.  Returns -1 with errno set. */
int file_temporary(void);

/* Write n bytes.  Returns -1 with errno set. */
int file_write(int fd, const void *, size_t n);

#endif
