/*
 * The directory that a path leads to, for root, which must know whose symbolic
 * links it follows: their owner chooses where root ends up.
 */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>

/*
 * Open a directory, for its descriptor to be used in place of the path:
 * O_PATH.  *foreign: on the way was a symbolic link that belongs neither to
 * root nor to the user of this process.  Returns the descriptor, which is the
 * caller's, or -1 with errno set.
 */
int path_open_dir(const char *path, bool *foreign);

#endif
