/*
 * Under pressure, a session must earn its place by messages, not by bytes or
 * commands, which cost a client nothing.
 */
#include <poll.h>

#include "lib/clock.h"
#include "lib/net/progress.h"

enum {
	PROGRESS_TIME = 10 * 1000,	/* ms without an accepted message */
	DATA_PER_MS = 16,		/* bytes of data that count as 1 ms */
};

/* Does pressure_fd report pressure?  A stop has its own rules. */
static bool
is_pressure_reported(const struct stream_limits *l)
{
	struct pollfd pressure = { .fd = l->pressure_fd, .events = POLLIN };

	return !*l->stop && poll(&pressure, 1, 0) > 0;
}

bool
progress_is_under_pressure(const struct stream *s)
{
	const struct stream_limits *l = s->limits;

	return is_pressure_reported(l) && l->is_under_pressure(l->ctx, false);
}

void
progress_note(struct stream *s)
{
	s->progress_at = clock_ms();
}

void
progress_add(struct stream *s, long long ms)
{
	const long long now = clock_ms();

	s->progress_at = s->progress_at + ms < now ? s->progress_at + ms : now;
}

bool
progress_is_overdue(const struct stream *s)
{
	return s->limits->pressure_fd >= 0 &&
	    clock_ms() >= s->progress_at + PROGRESS_TIME;
}

/*
 * When to disconnect a client without progress.  Clients that have been overdue
 * for longer go sooner, and as soon as enough have gone the others stay.
 */
static long long
compute_progress_deadline(const struct stream *s, long long now)
{
	const long long idle = now - s->progress_at;

	return idle < PROGRESS_TIME ? s->progress_at + PROGRESS_TIME :
	    s->pressure_since + PROGRESS_RECHECK * PROGRESS_TIME / idle;
}

long long
progress_check(struct stream *s, long long patient)
{
	const struct stream_limits *l = s->limits;
	const long long now = clock_ms();
	long long at;

	if (!is_pressure_reported(l)) {
		s->pressure_since = 0;
		return 0;
	}
	if (!s->pressure_since)
		s->pressure_since = now;
	at = compute_progress_deadline(s, now);
	if (patient < at)
		at = patient;
	if (at > now)
		return at;
	if (l->is_under_pressure(l->ctx, true)) {
		if (s->state == STREAM_OPEN)
			s->state = STREAM_PRESSURE;
		return -1;
	}
	s->pressure_since = 0;
	return now + PROGRESS_RECHECK;
}

void
progress_add_data(struct stream *s, long long bytes)
{
	progress_add(s, bytes / DATA_PER_MS);
}
