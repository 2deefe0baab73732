/* The two clocks. */
#include <string.h>

#include "clock.h"

long long
clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

long long
clock_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
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
