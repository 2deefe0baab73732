/*
 * The title of this process, as ps(1) shows it.  It replaces the arguments in
 * place; nothing is allocated after title_init().
 */
#ifndef TITLE_H
#define TITLE_H

enum { TITLE_MAX = 128 };	/* bytes with the NUL; longer ones are cut */

/*
 * Reserve the memory of the arguments and the environment for the title.  Call
 * it first in main(): both are copied, and earlier pointers into the
 * environment become invalid.  Returns the arguments to use from now on.
 */
char **title_init(int argc, char **argv);

/*
 * Set the title, without a system call.  Does nothing if title_init() ran out
 * of memory; then ps shows the command line.
 */
__attribute__((format(printf, 1, 2)))
void title_set(const char *fmt, ...);

/* Set the text after the title; it replaces the previous one. */
void title_set_suffix(const char *);

#endif
