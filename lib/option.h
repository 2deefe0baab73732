/*
 * A command line parser that is driven by a table.  Long options can't be
 * abbreviated: a script that uses "--max" would break as soon as a second
 * option begins with it.
 */
#ifndef OPTION_H
#define OPTION_H

#include <stdbool.h>
#include <stddef.h>

enum { OPTION_ROWS = 128 };	/* of a table, at most, with its end */

enum option_type {
	OPTION_FLAG,		/* bool */
	OPTION_STRING,		/* const char * */
	OPTION_LIST,		/* struct option_list; repeatable */
	OPTION_NUMBER,		/* long long, 0 or more */
	OPTION_SIZE,		/* long long, bytes; k, M, G */
	OPTION_TIME,		/* long long, milliseconds; s, m, h */
	OPTION_MODE,		/* long long, octal */
	OPTION_GROUP,		/* no option, but the heading of those that
				   follow; its name is "" */
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
	const char *argument;	/* its name in --help; NULL: a flag */
	const char *help;	/* one line; of a group, its heading */
};

/* The options and operands of a command line. */
struct option_given {
	bool row[OPTION_ROWS];		/* this row of the table was used */
	struct option_list operands;	/* arguments that are not options */
};

/*
 * Parse argv into the struct at base.  The table ends with a NULL name.  Values
 * point into argv.  After "--", all arguments are operands.  Calls fatal() with
 * EX_USAGE on an error.
 */
void option_parse(const struct option *, void *base, struct option_given *,
    int argc, char **argv);

/*
 * Format the i-th value as it could be given on a command line; a flag is
 * "yes" or "no".  Returns false if there is no such value.
 */
bool option_format(const struct option *, const void *base, unsigned i,
    char *text, size_t size);

/*
 * Print the headings, and a line for each option, to standard output.  A
 * repeatable option has "..." after its argument.
 */
void option_help(const struct option *);

#endif
