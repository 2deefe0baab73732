/* The kinds of listeners. */
#include "smtp/client.h"

const struct listener_traits listener_kinds[KINDS] = {
	[KIND_SMTP] = { "smtp", false, false, false },
	[KIND_SMTPS] = { "smtps", true, false, false },
	[KIND_SUBMISSION] = { "submission", false, true, false },
	[KIND_SUBMISSIONS] = { "submissions", true, true, false },
	[KIND_LMTP] = { "lmtp", false, false, true },
};
