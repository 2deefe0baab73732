/* Who holds an address: the process that listens where this one would. */
#ifndef HOLDER_H
#define HOLDER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Find the process that listens at HOST:PORT, [IPV6]:PORT, :PORT or at the path
 * of a Unix socket, and write "PROGRAM (pid N)" to text, without control
 * characters.  Returns false if there is none, or if /proc does not show it,
 * which it does for root only, or for processes of the same user.
 */
bool holder_find(const char *address, char *text, size_t size);

#endif
