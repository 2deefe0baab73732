/*
 * A command line read by a table.  Long options are never abbreviated: a
 * script that relies on "--max" breaks when a second one begins so.
 */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTION_ROWS = 128 };	/* of a table, with its end */

enum option_type {
	OPTION_FLAG,		/* bool */
	OPTION_STRING,		/* const char * */
	OPTION_LIST,		/* struct option_list; repeatable */
	OPTION_NUMBER,		/* long long, 0 or more */
	OPTION_SIZE,		/* long long, octets; k, M, G */
	OPTION_TIME,		/* long long, milliseconds; s, m, h */
	OPTION_MODE,		/* long long, octal */
};

struct option_list {
	const char **values;
	unsigned n;
};

struct option {
	char letter;		/* 0: none */
	const char *name;
	enum option_type type;
	size_t offset;		/* of the value, in the caller's struct */
	const char *argument;	/* its name for --help; NULL: a flag */
	const char *help;
};

/* What a command line had. */
struct option_given {
	bool row[OPTION_ROWS];		/* of the table */
	struct option_list operands;	/* that are no options */
};

/*
 * Read argv into the struct at base, by a table that ends with a NULL name.
 * Exits by fatal() with EX_USAGE where it can't be read.
 */
void option_parse(const struct option *, void *base, struct option_given *,
    int argc, char **argv);

/*
 * The i-th value as it can be given, or what a flag is.  False where there is
 * none.
 */
bool option_say(const struct option *, const void *base, unsigned i,
    char *text, size_t size);

/* Print a line for each option to standard output. */
void option_help(const struct option *);

#endif
