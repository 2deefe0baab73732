/*
 * A command line parser that is driven by a table.  It checks the syntax of
 * values only, and exits at the first error.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/log.h"
#include "lib/option.h"

struct suffix {
	char letter;
	long long factor;
};

static const struct suffix sizes[] = {
	{ 'k', 1024 }, { 'M', 1024 * 1024 }, { 'G', 1024 * 1024 * 1024 },
	{ 'K', 1024 }, { 'm', 1024 * 1024 }, { 'g', 1024 * 1024 * 1024 },
	{ '\0', 1 },
};

static const struct suffix times[] = {
	{ 's', 1000 }, { 'm', 60 * 1000 }, { 'h', 60 * 60 * 1000 },
	{ '\0', 1000 },
};

/* Returns the number, or -1 if text is not one or it is too large. */
static long long
parse_scaled(const char *text, int base, const struct suffix *suffix)
{
	char *end;
	long long n;

	/* NOLINTNEXTLINE(*-core.NullDereference): the table has an argument */
	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	n = strtoll(text, &end, base);
	if (errno)
		return -1;
	if (!suffix)
		return *end ? -1 : n;
	while (suffix->letter && suffix->letter != *end)
		suffix++;
	if (suffix->letter)
		end++;
	if (*end || n > LLONG_MAX / 1000 / suffix->factor)
		return -1;
	return n * suffix->factor;
}

static void
append_value(struct option_list *list, const char *value)
{
	list->values = realloc(list->values,
	    (list->n + 1) * sizeof *list->values);
	if (!list->values)
		fatal(EX_OSERR, "out of memory");
	list->values[list->n++] = value;
}

static void
set_number(const struct option *o, long long *number, const char *value)
{
	static const struct {
		int base;
		const struct suffix *suffixes;
		const char *expected;
	} forms[] = {
		[OPTION_NUMBER] = { 10, NULL, "a whole number" },
		[OPTION_SIZE] = { 10, sizes,
		    "a size in bytes such as 500000, 64k, 10M or 1G" },
		[OPTION_TIME] = { 10, times,
		    "a time such as 30, 30s, 5m or 1h" },
		[OPTION_MODE] = { 8, NULL, "an octal mode such as 077" },
	};
	long long n = parse_scaled(value, forms[o->type].base,
	    forms[o->type].suffixes);

	if (n < 0)
		fatal(EX_USAGE, "--%s: invalid value '%s'; use %s", o->name,
		    value, forms[o->type].expected);
	*number = n;
}

static void
set(const struct option *o, void *base, const char *value)
{
	void *field = (char *)base + o->offset;

	if (o->type == OPTION_FLAG)
		*(bool *)field = true;
	else if (o->type == OPTION_STRING)
		*(const char **)field = value;
	else if (o->type == OPTION_LIST)
		append_value(field, value);
	else
		set_number(o, field, value);
}

/* The edit distance of two names; a name above LENGTH bytes is never close. */
static size_t
edit_distance(const char *a, size_t len, const char *b)
{
	enum { LENGTH = 40 };
	const size_t other = strlen(b);
	size_t row[LENGTH + 1], i, j, last, best;

	if (len > LENGTH || other > LENGTH)
		return LENGTH;
	for (j = 0; j <= other; j++)
		row[j] = j;
	for (i = 0; i < len; i++) {
		last = row[0]++;
		for (j = 0; j < other; j++) {
			best = last + (a[i] != b[j]);
			last = row[j + 1];
			if (best > last + 1)
				best = last + 1;
			if (best > row[j] + 1)
				best = row[j] + 1;
			row[j + 1] = best;
		}
	}
	return row[other];
}

/* Find the option whose name differs in at most a third of the bytes. */
static const struct option *
find_nearest(const struct option *table, const char *name, size_t len)
{
	const struct option *o, *nearest = NULL;
	size_t least = len / 3 + 1, n;

	for (o = table; o->name; o++) {
		if (o->type == OPTION_GROUP)
			continue;
		n = edit_distance(name, len, o->name);
		if (n < least) {
			least = n;
			nearest = o;
		}
	}
	return nearest;
}

/* Find the option that begins with name, if there is only one. */
static const struct option *
find_by_prefix(const struct option *table, const char *name, size_t len)
{
	const struct option *o, *match = NULL;

	for (o = table; o->name; o++) {
		if (strncmp(name, o->name, len) != 0)
			continue;
		if (match)
			return NULL;
		match = o;
	}
	return match;
}

__attribute__((noreturn))
static void
reject_unknown_option(const struct option *table, const char *name, size_t len)
{
	const struct option *similar = find_nearest(table, name, len);

	if (!similar)
		similar = find_by_prefix(table, name, len);
	if (similar)
		fatal(EX_USAGE, "unknown option --%.*s; did you mean --%s?  "
		    "See smtpd --help", (int)len, name, similar->name);
	fatal(EX_USAGE, "unknown option --%.*s; see smtpd --help", (int)len,
	    name);
}

/* After a forgotten value, the next option must not become the value. */
static bool
is_value(const char *next)
{
	return next && (strncmp(next, "--", 2) != 0 || !next[2]);
}

/* Parse --name, --name=value or --name value.  Returns the arguments used. */
static int
parse_long(const struct option *table, void *base, struct option_given *given,
    char **argv)
{
	const char *arg = *argv + 2;
	size_t len = strcspn(arg, "=");
	const struct option *o;

	for (o = table; o->name; o++)
		if (o->type != OPTION_GROUP && strlen(o->name) == len &&
		    strncmp(o->name, arg, len) == 0)
			break;
	if (!o->name)
		reject_unknown_option(table, arg, len);
	given->row[o - table] = true;
	if (!o->argument && arg[len])
		fatal(EX_USAGE, "--%s does not take a value", o->name);
	if (!o->argument || arg[len]) {
		set(o, base, arg[len] ? arg + len + 1 : NULL);
		return 1;
	}
	if (!is_value(argv[1]))
		fatal(EX_USAGE, "--%s requires a value: --%s %s", o->name,
		    o->name, o->argument);
	set(o, base, argv[1]);
	return 2;
}

/* Parse -abc, -l value or -lvalue.  Returns the arguments used. */
static int
parse_short(const struct option *table, void *base, struct option_given *given,
    char **argv)
{
	const char *arg = *argv + 1;
	const struct option *o;

	for (; *arg; arg++) {
		for (o = table; o->name && o->letter != *arg; o++)
			;
		if (!o->name)
			fatal(EX_USAGE, "unknown option -%c; see smtpd --help",
			    isprint((unsigned char)*arg) ? *arg : '?');
		given->row[o - table] = true;
		if (o->argument && !arg[1] && !is_value(argv[1]))
			fatal(EX_USAGE, "-%c requires a value: -%c %s",
			    o->letter, o->letter, o->argument);
		if (o->argument) {
			set(o, base, arg[1] ? arg + 1 : argv[1]);
			return arg[1] ? 1 : 2;
		}
		set(o, base, NULL);
	}
	return 1;
}

void
option_parse(const struct option *table, void *base,
    struct option_given *given, int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0) {
		if (strncmp(argv[i], "--", 2) == 0)
			i += parse_long(table, base, given, argv + i);
		else if (argv[i][0] == '-' && argv[i][1])
			i += parse_short(table, base, given, argv + i);
		else
			append_value(&given->operands, argv[i++]);
	}
	for (i++; i < argc; i++)
		append_value(&given->operands, argv[i]);
}

static void
format_time(long long ms, char *text, size_t size)
{
	const struct suffix *unit = times + 2;

	while (unit > times && ms % unit->factor)
		unit--;
	if (ms)
		snprintf(text, size, "%lld%c", ms / unit->factor, unit->letter);
	else
		snprintf(text, size, "0");
}

bool
option_format(const struct option *o, const void *base, unsigned i, char *text,
    size_t size)
{
	const void *field = (const char *)base + o->offset;
	const struct option_list *list = field;
	const char *word = NULL;
	long long n;

	if (o->type == OPTION_FLAG)
		word = *(const bool *)field ? "yes" : "no";
	else if (o->type == OPTION_STRING)
		word = *(const char *const *)field;
	else if (o->type == OPTION_LIST)
		word = i < list->n ? list->values[i] : NULL;
	if (o->type <= OPTION_LIST) {
		snprintf(text, size, "%s", word ? word : "");
		return word && (i == 0 || o->type == OPTION_LIST);
	}
	n = *(const long long *)field;
	if (o->type == OPTION_TIME)
		format_time(n, text, size);
	else
		snprintf(text, size, o->type == OPTION_MODE ? "%03llo" :
		    "%lld", n);
	return n >= 0 && i == 0;
}

void
option_help(const struct option *table)
{
	const struct option *o;
	char left[64];

	for (o = table; o->name; o++) {
		if (o->type == OPTION_GROUP) {
			printf("%s%s\n", o == table ? "" : "\n", o->help);
			continue;
		}
		snprintf(left, sizeof left, "  %c%c%s --%s%s%s%s",
		    o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		    o->letter ? "," : " ", o->name, o->argument ? " " : "",
		    o->argument ? o->argument : "",
		    o->type == OPTION_LIST ? "..." : "");
		printf("%-33s %s\n", left, o->help);
	}
}
