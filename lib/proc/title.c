/*
 * What ps(1) shows of this process: what stands where the kernel once put the
 * arguments, on into the environment if it is longer.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/proc/title.h"

static struct {
	char *at;
	size_t room, used;
	size_t stem;		/* octets that title_set() made */
	char **arguments, **environment;	/* copies of what was there */
} title;

/* Copy n strings, in one piece; NULL where there is no memory. */
static char **
copy(char **from, size_t n)
{
	size_t i, size = (n + 1) * sizeof *from;
	char **to, *p;

	for (i = 0; i < n; i++)
		size += strlen(from[i]) + 1;
	to = malloc(size);
	if (!to)
		return NULL;
	p = (char *)(to + n + 1);
	for (i = 0; i < n; i++) {
		to[i] = p;
		p = stpcpy(p, from[i]) + 1;
	}
	to[n] = NULL;
	return to;
}

/* The end of those strings that follow each other in memory. */
static char *
extend(char *end, char **strings)
{
	for (; *strings && (!end || *strings == end); strings++)
		end = *strings + strlen(*strings) + 1;
	return end;
}

char **
title_init(int argc, char **argv)
{
	size_t n = 0;

	while (environ[n])
		n++;
	title.arguments = copy(argv, (size_t)argc);
	title.environment = copy(environ, n);
	if (!title.arguments || !title.environment || argc < 1)
		return argv;
	title.at = argv[0];
	title.used = (size_t)(extend(NULL, argv) - title.at);
	title.room = (size_t)(extend(title.at + title.used, environ) -
	    title.at);
	environ = title.environment;
	return title.arguments;
}

/* Put text behind the first so many octets, and nothing behind it. */
static size_t
put(size_t at, const char *text)
{
	size_t n = at + strlen(text) + 1;

	if (n > title.room)
		n = title.room;
	memcpy(title.at + at, text, n - 1 - at);
	memset(title.at + n - 1, 0, n > title.used ? 1 : title.used - n + 1);
	title.used = n;
	return n - 1;
}

void
title_set(const char *fmt, ...)
{
	char text[TITLE_MAX];
	va_list ap;

	if (!title.at)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	title.stem = put(0, text);
}

void
title_end(const char *text)
{
	if (title.at)
		put(title.stem, text);
}
