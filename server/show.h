/* The file that status.h describes, as a table for people. */
#ifndef SHOW_H
#define SHOW_H

/*
 * Print it to standard output, in 80 columns; in colour on a terminal, but not
 * with NO_COLOR set.  Exits by fatal() where it is no such file.
 */
void show_print(const char *path);

#endif
