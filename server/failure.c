/* Errors at start-up: one ends the program, with --explain all are listed. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/log.h"
#include "server/failure.h"

void
failure_report(struct server *server, int status, const char *fmt, ...)
{
	struct failure *more;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!server->settings->explain)
		fatal(status, "%s", text);
	more = realloc(server->failures,
	    (server->n_failures + 1) * sizeof *more);
	if (more)
		server->failures = more;
	if (!more || !(more[server->n_failures].text = strdup(text)))
		fatal(EX_OSERR, "out of memory");
	more[server->n_failures++].status = status;
}
