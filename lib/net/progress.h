/*
 * The progress of a client, and whether it must make room for others.  Under
 * pressure, a client that is silent is disconnected soon, and one that sends
 * commands is after ten seconds without progress.  Progress is an accepted
 * message; 16000 bytes of data count as one second.  Clients whose last
 * progress is oldest are disconnected first.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include "lib/net/stream.h"

enum { PROGRESS_RECHECK = 1000 };	/* ms until the next check */

/* A message was accepted. */
void progress_note(struct stream *);

/* Count ms more, in which the server kept the client waiting. */
void progress_add(struct stream *, long long ms);

/* Count data that was received. */
void progress_add_data(struct stream *, long long bytes);

/* Do others need the worker now? */
bool progress_is_under_pressure(const struct stream *);

/* Has the client made no progress for too long, should there be pressure? */
bool progress_is_overdue(const struct stream *);

/*
 * Check whether the client must be disconnected for others, under pressure at
 * the time `patient` of clock_ms() or at its progress deadline.  Returns -1 if
 * so, and state is STREAM_PRESSURE; else the time of clock_ms() at which to
 * check again, or 0: when pressure_fd polls readable.
 */
long long progress_check(struct stream *, long long patient);

#endif
