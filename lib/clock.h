/* The two clocks, one for deadlines, one for names and ids; and waiting. */
#ifndef CLOCK_H
#define CLOCK_H

#include <poll.h>
#include <signal.h>
#include <time.h>

/* Milliseconds on a clock that never steps; for deadlines only. */
long long clock_ms(void);

/* Microseconds on the same clock; for how long something took. */
long long clock_elapsed_us(void);

/*
 * ppoll(2), for at most so many milliseconds, or without a limit where they
 * are negative.
 */
int clock_poll(struct pollfd *, nfds_t n, long long ms,
    const sigset_t *wait_mask);

/* Microseconds since 1970; for ids and file names. */
long long clock_us(void);

enum { CLOCK_DATE_MAX = 64 };	/* octets with the NUL */

/* A date as headers have it, in the zone of this process (RFC 5322 3.3). */
void clock_date(char *out, time_t);

#endif
