/*
 * The environment of a command: that of this process without some variables,
 * and variables that are set anew for each command.
 */
#ifndef ENVIRONMENT_H
#define ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* The name of a variable that a command may get from a session. */
struct environment_name {
	const char *name;
	bool lines;		/* its value may have several lines */
};

struct environment {
	char **vars;		/* for exec; ends with NULL */

	size_t inherited;	/* how many come from environment_open(), which
				   are the first and are not freed */

	/* private */
	size_t n, room;
};

/*
 * Start with the variables of this process, except those in dropped, an array
 * that ends with NULL.  A name that ends in '*' is a prefix.  Returns 0, or -1
 * with errno set.
 */
int environment_open(struct environment *, const char *const *dropped);

/* Remove and free what was set since environment_open(). */
void environment_clear(struct environment *);

/* The variables set since environment_open(); the array ends with NULL. */
char **environment_own(const struct environment *);

/*
 * Add a variable that environment_open() dropped; the strings are copied.  A
 * NULL value leaves it unset.  Returns 0, or -1 with errno set.
 */
int environment_set(struct environment *, const char *name,
    const char *value);

#endif
