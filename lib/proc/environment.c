/* The environment of a command.  Only added variables are owned and freed. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/proc/environment.h"

static bool
is_dropped(const char *var, const char *const *dropped)
{
	size_t len;

	for (; *dropped; dropped++) {
		len = strcspn(*dropped, "*");
		if (strncmp(var, *dropped, len) == 0 &&
		    ((*dropped)[len] == '*' || var[len] == '='))
			return true;
	}
	return false;
}

/* Append a string, which the array owns from now on. */
static int
append_variable(struct environment *e, char *var)
{
	char **more;

	if (e->n + 1 >= e->room) {
		more = realloc(e->vars, 2 * (e->room + 8) * sizeof *more);
		if (!more)
			return -1;
		e->vars = more;
		e->room = 2 * (e->room + 8);
	}
	e->vars[e->n++] = var;
	e->vars[e->n] = NULL;
	return 0;
}

int
environment_open(struct environment *e, const char *const *dropped)
{
	char **var;

	*e = (struct environment){ .vars = NULL };
	for (var = environ; *var; var++)
		if (!is_dropped(*var, dropped) && append_variable(e, *var) < 0)
			return -1;
	e->inherited = e->n;
	return 0;
}

void
environment_clear(struct environment *e)
{
	while (e->n > e->inherited)
		free(e->vars[--e->n]);
	if (e->vars)
		e->vars[e->n] = NULL;
}

char **
environment_own(const struct environment *e)
{
	return e->vars + e->inherited;
}

int
environment_set(struct environment *e, const char *name, const char *value)
{
	char *var;
	size_t len;

	if (!value)
		return 0;
	len = strlen(name) + strlen(value) + 2;
	var = malloc(len);
	if (!var)
		return -1;
	snprintf(var, len, "%s=%s", name, value);
	if (append_variable(e, var) == 0)
		return 0;
	free(var);
	return -1;
}
