/*
 * Programs on disk, as the user of this process sees them: where one is, and
 * why it can't be executed.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Replace the name of a program by its path, which is allocated unless the name
 * has a slash.  Returns NULL, or the reason in words why this user can't
 * execute it; the next call overwrites that text.
 */
const char *program_find(char **name);

/*
 * Is the program a script whose interpreter is missing?  This reads its first
 * line, and the name after "#! /usr/bin/env", too.  If so, the interpreter is
 * written to name.  Returns false if the file can't be read.
 */
bool program_lacks_interpreter(const char *path, char *name, size_t size);

#endif
