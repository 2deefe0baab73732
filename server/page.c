/* The layout of --explain.  It only prints; the text comes from the caller. */
#include <stdarg.h>
#include <stdio.h>

#include "server/page.h"

void
page_title(const char *text)
{
	printf("\n%s\n", text);
}

void
page_field(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("  %-20s  ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}
