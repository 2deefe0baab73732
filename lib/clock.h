/*
 * The monotonic clock for deadlines and durations, the real-time clock for
 * names, ids and dates, and waiting.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <poll.h>
#include <signal.h>
#include <time.h>

/* Milliseconds on the monotonic clock; for deadlines. */
long long clock_ms(void);

/* Microseconds on the monotonic clock; for durations. */
long long clock_elapsed_us(void);

/*
 * As ppoll(2), with a timeout in milliseconds; a negative one means no timeout.
 */
int clock_poll(struct pollfd *, nfds_t n, long long ms,
    const sigset_t *wait_mask);

/* Microseconds since 1970; for ids and file names. */
long long clock_us(void);

enum { CLOCK_DATE_MAX = 64 };	/* bytes with the NUL */

/*
 * Format a date for a header, in the local time zone (RFC 5322 3.3).  out has
 * room for CLOCK_DATE_MAX bytes.  Not reentrant: the last date is cached.
 */
void clock_date(char *out, time_t);

#endif
