/*
 * What the pool counts and does, for people and for their monitoring: in the
 * log, in a file, and of that file as a table.
 */
#ifndef STATUS_H
#define STATUS_H

#include "scoreboard.h"

/* What is counted; each in the table of status.c, too. */
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

/* Log the totals, and a line for each worker that is busy. */
void status_log(const struct scoreboard *);

#endif
