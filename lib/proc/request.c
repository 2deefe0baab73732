/*
 * What a worker may ask of its launcher.  Whatever is not one of the known
 * requests, to the last byte, is invalid.
 */
#include <stdbool.h>
#include <string.h>

#include "lib/proc/request.h"

enum { PRIORITIES = 8 };	/* of syslog(3) */

_Static_assert(REQUEST_VARIABLES <= 64, "request_parse() has a bit for each");

/* Are n bytes free of control characters, except newlines if lines is set? */
static bool
has_only_printable(const char *p, size_t n, bool lines)
{
	for (; n > 0; p++, n--)
		if (((unsigned char)*p < ' ' && !(lines && *p == '\n')) ||
		    *p == 0x7f)
			return false;
	return true;
}

int
request_check_variable(const char *variable,
    const struct environment_name *names)
{
	const size_t len = strcspn(variable, "=");
	const char *value = variable + len + 1;
	size_t n;
	int i;

	if (variable[len] == '\0')
		return -1;
	for (i = 0; names[i].name; i++)
		if (strncmp(names[i].name, variable, len) == 0 &&
		    names[i].name[len] == '\0')
			break;
	n = strlen(value);
	if (!names[i].name || n > (names[i].lines ? (size_t)REQUEST_LIST_MAX :
	    (size_t)REQUEST_VALUE_MAX) ||
	    !has_only_printable(value, n, names[i].lines))
		return -1;
	return i;
}

/* The variables: each ends with a NUL, and is there once at most. */
static const char *
parse_variables(struct request *r, char *p, const char *end,
    const struct environment_name *names)
{
	uint64_t seen = 0;
	int name;

	if (p < end && end[-1] != '\0')
		return "incomplete variable";
	for (; p < end; p += strlen(p) + 1) {
		if (r->n == REQUEST_VARIABLES)
			return "too many variables";
		name = request_check_variable(p, names);
		if (name < 0 || name >= REQUEST_VARIABLES)
			return "invalid variable";
		if (seen & (uint64_t)1 << name)
			return "the same variable twice";
		seen |= (uint64_t)1 << name;
		r->variables[r->n++] = p;
	}
	return NULL;
}

/* A line of the log, to which its end is added. */
static const char *
parse_log_line(struct request *r, char *p, size_t n)
{
	if (r->number >= PRIORITIES)
		return "invalid priority";
	if (n > REQUEST_LINE_MAX || !has_only_printable(p, n, false))
		return "invalid line";
	p[n] = '\0';
	r->line = p;
	return NULL;
}

const char *
request_parse(struct request *r, char *message, size_t n, unsigned rows,
    const struct environment_name *names)
{
	struct request_header h;
	char *rest = message + sizeof h;

	if (n < sizeof h || n > REQUEST_MAX)
		return "invalid length";
	memcpy(&h, message, sizeof h);
	if (h.kind >= REQUEST_KINDS)
		return "unknown request";
	r->kind = (enum request_kind)h.kind;
	r->number = h.number;
	r->descriptors = h.descriptors;
	r->n = 0;
	r->line = NULL;
	if (h.descriptors >= 1U << REQUEST_DESCRIPTORS ||
	    (h.kind != REQUEST_START && h.descriptors))
		return "invalid descriptors";
	if (h.kind == REQUEST_LOG)
		return parse_log_line(r, rest, n - sizeof h);
	if (h.kind == REQUEST_START)
		return h.number >= rows ? "no such command" :
		    parse_variables(r, rest, message + n, names);
	if (h.number >= JOBS || n != sizeof h)
		return "invalid signal";
	return NULL;
}
