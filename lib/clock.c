/* The two clocks. */
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
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(out, CLOCK_DATE_MAX, "%a, %d %b %Y %H:%M:%S %z", &tm);
}
