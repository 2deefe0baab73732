/*
 * The totals of the pool and the state of its workers, in the log and in the
 * file of --status.
 */
#ifndef STATUS_H
#define STATUS_H

#include "smtp/counters.h"

/* Log the totals, and a line for each busy worker. */
void status_log(const struct scoreboard *);

/* The first line of the file. */
#define STATUS_MAGIC	"# smtpd-status 1\n"

enum { STATUS_ROWS = 1000 };	/* limit of workers in the file */

/*
 * A file in the text format of Prometheus.  Busy workers are comments in it,
 * because sessions are not time series:
 * "# worker NUMBER PID PHASE CLIENT SINCE BYTES MAILS ERRORS".
 */
struct status_file {
	const char *path;	/* NULL: no --status */

	/* private */
	long long start;	/* seconds since 1970 */
	char *last;		/* the text last written */
	bool failed;		/* to write it; this was logged */
};

/*
 * Check that the file can be replaced; it is not created yet.  A path of NULL
 * turns all three functions off.  path must outlive the struct.  Returns 0, or
 * -1 with errno set.
 */
int status_open(struct status_file *, const char *path);

/*
 * Replace the file, with mode 0644, if its text has changed.  Blocks on the
 * disk.  Of failures in a row, the first is logged.
 */
void status_update(struct status_file *, const struct scoreboard *);

/* Remove the file: a server that has stopped has no status. */
void status_close(struct status_file *);

#endif
