/* The counters of all workers, in the memory that they share. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include "lib/proc/scoreboard.h"

/* Each counter has a row in the table of server/status.c. */
enum count {
	COUNT_SESSIONS = SCOREBOARD_OWN,
	COUNT_MESSAGES,		/* stored */
	COUNT_BYTES,		/* of them, in bytes as RFC 1870 counts them */
	COUNT_2XX,		/* 2xx replies */
	COUNT_4XX,
	COUNT_5XX,
	COUNT_PRESSURE,		/* idle clients dropped because the pool was
				   busy */
	COUNT_PER_CLIENT,	/* connections above max_per_client */
	COUNT_EARLY,		/* clients that sent data before the banner */
	COUNT_AUTH_FAILURES,
	COUNT_HOOK_FAILURES,
	COUNT_TIMEOUTS,
	COUNTS
};

#endif
