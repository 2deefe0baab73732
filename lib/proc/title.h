/* What ps(1) shows of this process. */
#ifndef TITLE_H
#define TITLE_H

enum { TITLE_MAX = 128 };	/* octets with the NUL; a longer one is cut */

/*
 * First thing in a program: take the place where its arguments and environment
 * lie for the title.  They are copied; returns the arguments, to be used from
 * now on.  Pointers into the environment from before don't last.
 */
char **title_init(int argc, char **argv);

/*
 * Set the title, without a system call.  Until then ps shows the command
 * line.  Does nothing where title_init() found no memory.
 */
__attribute__((format(printf, 1, 2)))
void title_set(const char *fmt, ...);

/* Say what stands behind it, as often as it changes. */
void title_end(const char *);

#endif
