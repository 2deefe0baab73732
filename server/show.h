/* The status file (server/status.h) as a table for people. */
#ifndef SHOW_H
#define SHOW_H

/*
 * Print the file to standard output, in 80 columns.  Colours are used on a
 * terminal, unless NO_COLOR is set.  Returns the exit status; calls fatal() if
 * the file is not a status file.
 */
int show_print(const char *path);

#endif
