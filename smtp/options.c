/*
 * The extensions that --disable takes away.  What else an extension needs, such
 * as a command for AUTH, is decided where it is offered.
 */
#include <strings.h>

#include "smtp/options.h"

/* The name in EHLO, and the extension without which it must not be offered. */
static const struct {
	const char *name, *needs;
} extensions[] = {
	{ "PIPELINING", NULL },
	{ "SIZE", NULL },
	{ "8BITMIME", NULL },
	{ "CHUNKING", NULL },
	{ "BINARYMIME", "CHUNKING" },	/* RFC 3030 3 */
	{ "SMTPUTF8", "8BITMIME" },	/* RFC 6531 3.1 */
	{ "STARTTLS", NULL },
	{ "DSN", NULL },
	{ "AUTH", NULL },
	{ "XCLIENT", NULL },
	{ "LIMITS", NULL },
	{ "REQUIRETLS", NULL },
	{ "ENHANCEDSTATUSCODES", NULL },
};

enum { EXTENSIONS = sizeof extensions / sizeof *extensions };

bool
options_disable(struct proto_options *o, const char *name)
{
	bool known = false;
	unsigned i;

	for (i = 0; i < EXTENSIONS; i++) {
		if (strcasecmp(extensions[i].name, name) == 0)
			known = true;
		else if (!extensions[i].needs ||
		    strcasecmp(extensions[i].needs, name) != 0)
			continue;
		o->disabled |= 1u << i;
	}
	return known;
}

bool
options_enabled(const struct proto_options *o, const char *name)
{
	unsigned i;

	for (i = 0; o->disabled && i < EXTENSIONS; i++)
		if (strcasecmp(extensions[i].name, name) == 0)
			return !(o->disabled & 1u << i);
	return true;
}
