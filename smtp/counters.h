/* The counters of the pool, in the memory that its workers share. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "lib/proc/scoreboard.h"

/* What is counted; each has a row in the table of server/status.c. */
enum count {
	COUNT_SESSIONS = SCOREBOARD_OWN,
	COUNT_MESSAGES,		/* that were kept */
	COUNT_OCTETS,		/* of them, as RFC 1870 counts */
	COUNT_2YZ,		/* replies */
	COUNT_4YZ,
	COUNT_5YZ,
	COUNT_PRESSED,		/* sent away for others */
	COUNT_CROWDED,		/* more than max_per_client */
	COUNT_EARLY,		/* spoke before the banner */
	COUNT_AUTH_FAILED,
	COUNT_HOOK_FAILED,
	COUNT_TIMED_OUT,
	COUNTS
};

#endif
