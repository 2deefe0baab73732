/* The kinds of listeners and how they differ; the address of a client. */
#include "smtp/client.h"

const struct listener_traits listener_kinds[KINDS] = {
	[KIND_SMTP] = { "smtp", false, false, false },
	[KIND_SMTPS] = { "smtps", true, false, false },
	[KIND_SUBMISSION] = { "submission", false, true, false },
	[KIND_SUBMISSIONS] = { "submissions", true, true, false },
	[KIND_LMTP] = { "lmtp", false, false, true },
};

const char *
client_address(const struct client *c)
{
	if (*c->remote.ip)
		return c->remote.ip;
	if (*c->shown)
		return c->shown;
	return c->remote_unknown ? "unknown" : "local";
}
