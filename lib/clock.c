/* The two clocks. */
#include <string.h>

#include "lib/clock.h"

static long long
us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

long long
clock_ms(void)
{
	return us(CLOCK_MONOTONIC) / 1000;
}

long long
clock_elapsed_us(void)
{
	return us(CLOCK_MONOTONIC);
}

long long
clock_us(void)
{
	return us(CLOCK_REALTIME);
}

void
clock_date(char *out, time_t t)
{
	static time_t last = -1;
	static char text[CLOCK_DATE_MAX];	/* of last */
	struct tm tm;

	if (t != last) {
		localtime_r(&t, &tm);
		strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S %z", &tm);
		last = t;
	}
	memcpy(out, text, sizeof text);
}
