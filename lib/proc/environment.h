/*
 * The environment of a command: this process's own, less what is not for it,
 * and variables that change from one command to the next.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stddef.h>

struct environment {
	char **vars;		/* for exec; ends with NULL */

	/* private */
	size_t n, room;
	size_t inherited;	/* the first so many are not freed */
};

/*
 * Begin with the variables of this process whose names are not in dropped,
 * which ends with NULL; one that ends with '*' stands for all that begin so.
 * Returns 0, or -1 with errno set.
 */
int environment_open(struct environment *, const char *const *dropped);

/* Forget what was set since environment_open(). */
void environment_clear(struct environment *);

/* What was set since; the array ends with NULL. */
char **environment_own(const struct environment *);

/*
 * Set a variable that environment_open() dropped; a NULL value leaves it
 * unset.  Returns 0, or -1 with errno set.
 */
int environment_set(struct environment *, const char *name,
    const char *value);

#endif
