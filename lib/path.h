/*
 * Open a directory by its path and report symbolic links of other users in it.
 * For root, which must not act on a directory that another user has chosen.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Open a directory with O_PATH.  Sets *foreign if the path led through a
 * symbolic link that is owned neither by root nor by the user of this process.
 * Returns the descriptor, which the caller closes, or -1 with errno set.
 */
int path_open_dir(const char *path, bool *foreign);

/*
 * The path as an absolute one, for people: it is written to buf if it is
 * relative.  Returns the path itself if the working directory is unknown.
 */
const char *path_absolute(const char *path, char *buf, size_t size);

#endif
