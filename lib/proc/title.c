/*
 * The title of this process.  It is written over the arguments that the kernel
 * has put on the stack, and over the environment after them if it is longer.
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
	size_t stem;		/* bytes written by title_set() */
	char **arguments, **environment;	/* copies of the originals */
} title;

/* Copy n strings into one allocation.  Returns NULL without memory. */
static char **
copy_string_array(char **from, size_t n)
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

/* The end of the strings, as far as they are adjacent in memory. */
static char *
end_of_strings(char *end, char **strings)
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
	title.arguments = copy_string_array(argv, (size_t)argc);
	title.environment = copy_string_array(environ, n);
	if (!title.arguments || !title.environment || argc < 1)
		return argv;
	title.at = argv[0];
	title.used = (size_t)(end_of_strings(NULL, argv) - title.at);
	title.room = (size_t)(end_of_strings(title.at + title.used, environ) -
	    title.at);
	environ = title.environment;
	return title.arguments;
}

/* Write text at an offset, and clear what follows.  Returns its end. */
static size_t
write_title(size_t at, const char *text)
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
	title.stem = write_title(0, text);
}

void
title_set_suffix(const char *text)
{
	if (title.at)
		write_title(title.stem, text);
}
