/* The file that status.h describes, as a table for people. */
#ifndef TABLE_H
#define TABLE_H

/*
 * Print it to standard output, in 80 columns; in colour on a terminal, but not
 * with NO_COLOR set.  Exits by fatal() where it is no such file.
 */
void table_print(const char *path);

#endif
