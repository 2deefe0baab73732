/*
 * What the pool counts and does, for people and for their monitoring: in the
 * log, and in a file.
 */
#ifndef STATUS_H
#define STATUS_H

#include "smtp/counters.h"

/* Log the totals, and a line for each worker that is busy. */
void status_log(const struct scoreboard *);

/* How such a file begins. */
#define STATUS_MAGIC	"# smtpd-status 1\n"

enum { STATUS_ROWS = 1000 };	/* workers in it, at most */

/*
 * A file in the text format of Prometheus.  What workers do stands in comments
 * there, as "# worker NUMBER PID PHASE CLIENT SINCE OCTETS MAILS ERRORS", for
 * clients that come and go are no time series.
 */
struct status_file {
	const char *path;	/* NULL: there is none */

	/* private */
	long long start;	/* seconds since 1970 */
	char *last;		/* what was written */
	bool failed;		/* and that was logged */
};

/* Can it be written?  Returns 0, or -1 with errno set. */
int status_open(struct status_file *, const char *path);

/*
 * Replace it, if there is anything new; mode 0644.  The first failure in a row
 * is logged.
 */
void status_update(struct status_file *, const struct scoreboard *);

/* Remove it: a server that is not there has no status. */
void status_close(struct status_file *);

#endif
