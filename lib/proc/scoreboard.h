/*
 * The scoreboard: memory that the processes of a pool share, where each worker
 * notes what it is doing and all of them count.  It knows neither what they
 * serve nor what they count.  A worker may be taken over by who talks to it,
 * so whoever reads here trusts nothing: what comes out is printable text and
 * numbers in their range, and which slot is whose the master knows by itself.
 */
#ifndef SCOREBOARD_H
#define SCOREBOARD_H

#include <stdbool.h>
#include <sys/types.h>

enum {
	SCOREBOARD_PHASE_MAX = 20,	/* octets with the NUL, as below */
	SCOREBOARD_CLIENT_MAX = 46,
	SCOREBOARD_KEY = 16,		/* octets */
	SCOREBOARD_COUNTERS = 32,
};

/* The counters that the pool itself keeps; the others are the caller's. */
enum { SCOREBOARD_DIED, SCOREBOARD_RESTARTS, SCOREBOARD_OWN };

enum scoreboard_state {
	SLOT_FREE,
	SLOT_STARTING,
	SLOT_WAITING,
	SLOT_BUSY,
	SLOT_LEAVING,		/* busy, but about to be free */
	SLOT_RETIRED,		/* of a former pool: it ends when it is free */
	SLOT_STATES
};

struct board;

struct scoreboard {	/* all zero: nothing is kept, and calls do nothing */
	struct board *board;
	unsigned workers;		/* of the pool */

	/* private */
	int fd, event;
	unsigned slots;
	bool *taken;			/* the master's: slots in use */
	int mine;			/* a worker's slot; -1: none */
};

/* What is known of one worker. */
struct scoreboard_row {
	enum scoreboard_state state;
	pid_t pid;
	unsigned worker;		/* its number in the pool, from 1 */
	char phase[SCOREBOARD_PHASE_MAX];
	char client[SCOREBOARD_CLIENT_MAX];
	long long since;		/* when the session began: seconds
					   since 1970 */
	long long bytes, done, errors;	/* as in scoreboard_note() */
};

/*
 * Make one for a pool of so many workers.  It has more than three times as
 * many slots, for a pool that replaces another one while that, and as many
 * workers of former ones, still serve.
 * Returns 0, or -1 with errno set.
 */
int scoreboard_create(struct scoreboard *, unsigned workers);

/*
 * The same, over the memory that another master of this process left behind
 * descriptor fd (scoreboard_fd()): its counts go on, and its workers are
 * retired.  Returns -1 where that is of another layout or size, for another
 * program may have made it; then fd is still the caller's.
 */
int scoreboard_adopt(struct scoreboard *, int fd, unsigned workers);
int scoreboard_fd(const struct scoreboard *);

/* The master: give a worker a slot; -1 if none is free. */
int scoreboard_assign(struct scoreboard *);

/* It has slot i, and keeps it, though another master gave it that. */
void scoreboard_keep(struct scoreboard *, unsigned i);

/* Its pid is known; it has ended, however it did: the slot is free again. */
void scoreboard_started(struct scoreboard *, unsigned i, pid_t);
void scoreboard_release(struct scoreboard *, unsigned i);

/* What was written into slots that nobody has is of no worker any more. */
void scoreboard_clean(struct scoreboard *);

/* The worker: this process has slot i, and that number in the pool. */
void scoreboard_sit(struct scoreboard *, unsigned i, unsigned worker);

/* It waits for a client. */
void scoreboard_wait(struct scoreboard *);

/* It serves one; key says who counts as the same, and all zero as none. */
void scoreboard_serve(struct scoreboard *, const char *client,
    const unsigned char key[SCOREBOARD_KEY]);

/*
 * It is in that phase of the session, with so many bytes of what is being
 * received, so many things done, and so many errors.
 */
void scoreboard_note(struct scoreboard *, const char *phase, long long bytes,
    long long done, long long errors);

/* How many workers serve who counts as the same, this one included? */
unsigned scoreboard_same(const struct scoreboard *);

/*
 * Pressure: hardly any worker is free.  A descriptor that polls readable then;
 * -1 where there are so few workers that there is pressure only when all are
 * busy and somebody waits, which the caller has to see by itself.
 */
int scoreboard_pressure_fd(const struct scoreboard *);
bool scoreboard_is_under_pressure(const struct scoreboard *);

/*
 * May the client of this worker be sent away for others?  If true it is
 * counted as gone at once, so that no more are sent away than need be.
 */
bool scoreboard_yield(struct scoreboard *);

/* Add to a counter. */
void scoreboard_count(struct scoreboard *, unsigned counter,
    unsigned long long n);
unsigned long long scoreboard_total(const struct scoreboard *,
    unsigned counter);

/* How many workers of this pool are busy? */
unsigned scoreboard_busy(const struct scoreboard *);

/* This worker's number; 0: it is none. */
unsigned scoreboard_worker(const struct scoreboard *);

/* Slot i of n.  False if it is free. */
unsigned scoreboard_slots(const struct scoreboard *);
bool scoreboard_read(const struct scoreboard *, unsigned i,
    struct scoreboard_row *);

#endif
