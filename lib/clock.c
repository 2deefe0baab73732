/* The monotonic and the real-time clock, and waiting. */

/*
 * In glibc before 2.37, ppoll() with _FORTIFY_SOURCE reads a timespec of 32-bit
 * numbers even if the program uses 64 bits; then a timeout of up to a second
 * becomes 0.
 */
#undef _FORTIFY_SOURCE
#include <string.h>

#include "lib/clock.h"

static long long
read_clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

long long
clock_ms(void)
{
	return read_clock_us(CLOCK_MONOTONIC) / 1000;
}

long long
clock_elapsed_us(void)
{
	return read_clock_us(CLOCK_MONOTONIC);
}

long long
clock_us(void)
{
	return read_clock_us(CLOCK_REALTIME);
}

int
clock_poll(struct pollfd *p, nfds_t n, long long ms, const sigset_t *wait_mask)
{
	const struct timespec t = { .tv_sec = (time_t)(ms / 1000),
	    .tv_nsec = (long)(ms % 1000) * 1000000 };

	return ppoll(p, n, ms < 0 ? NULL : &t, wait_mask);
}

void
clock_date(char *out, time_t t)
{
	static time_t last = -1;
	static char text[CLOCK_DATE_MAX];	/* the date for last */
	struct tm tm;

	if (t != last) {
		localtime_r(&t, &tm);
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z", &tm);
		last = t;
	}
	memcpy(out, text, sizeof text);
}
