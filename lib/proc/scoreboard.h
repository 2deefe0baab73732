/*
 * The scoreboard: memory that the processes of a pool share.  Each worker has a
 * slot with its state, and all workers add to the counters.  The module does
 * not know what is served or counted.  A worker may be compromised by its
 * client, so nothing that workers write is trusted: readers get printable text
 * and numbers in their range, and the master keeps the owners of slots itself.
 * No function blocks.
 */
#ifndef SCOREBOARD_H
#define SCOREBOARD_H

#include <stdbool.h>
#include <sys/types.h>

enum {
	SCOREBOARD_PHASE_MAX = 20,	/* bytes with the NUL, like the next */
	SCOREBOARD_CLIENT_MAX = 46,
	SCOREBOARD_KEY = 16,		/* bytes */
	SCOREBOARD_COUNTERS = 32,
};

/* Counters of the pool; those from SCOREBOARD_OWN on are the caller's. */
enum { SCOREBOARD_DIED, SCOREBOARD_RESTARTS, SCOREBOARD_OWN };

enum scoreboard_state {
	SLOT_FREE,
	SLOT_STARTING,
	SLOT_WAITING,
	SLOT_BUSY,
	SLOT_LEAVING,		/* busy, but its client is being dropped */
	SLOT_RETIRED,		/* of a former pool: ends after its session */
	SLOT_STATES
};

struct board;

struct scoreboard {	/* all zero: there is none; calls do nothing */
	struct board *board;
	unsigned workers;		/* of the pool */

	/* private */
	int fd, event;
	unsigned slots;
	bool *taken;			/* of the master: slots in use */
	int mine;			/* the slot of this worker; -1: none */
};

/* What a slot says about its worker. */
struct scoreboard_row {
	enum scoreboard_state state;
	pid_t pid;
	unsigned worker;		/* its number in the pool, from 1 */
	char phase[SCOREBOARD_PHASE_MAX];
	char client[SCOREBOARD_CLIENT_MAX];
	long long since;		/* start of the session: seconds since
					   1970 */
	long long bytes, done, errors;	/* as in scoreboard_note() */
};

/*
 * Create a scoreboard for a pool of so many workers.  It has more than three
 * times as many slots, because a former pool, and as many workers of pools
 * before it, may still serve.  It lasts as long as the process.  Returns 0, or
 * -1 with errno set.
 */
int scoreboard_create(struct scoreboard *, unsigned workers);

/*
 * Adopt the scoreboard of the former master, of which fd is the
 * scoreboard_fd().  The counters continue, and the former workers are marked as
 * retired.  Returns 0, or -1 if its layout or size differs; then the caller
 * still owns fd.
 */
int scoreboard_adopt(struct scoreboard *, int fd, unsigned workers);

/* The descriptor of the shared memory; -1: none. */
int scoreboard_fd(const struct scoreboard *);

/* In the master: reserve a slot for a worker.  Returns it, or -1: none. */
int scoreboard_assign(struct scoreboard *);

/* In the master: slot i is in use by a worker of the former master. */
void scoreboard_keep(struct scoreboard *, unsigned i);

/* In the master: the worker of slot i was forked. */
void scoreboard_started(struct scoreboard *, unsigned i, pid_t);

/* In the master: the worker of slot i has ended, and the slot is free. */
void scoreboard_release(struct scoreboard *, unsigned i);

/* In the master: clear slots not in use, which a worker may have written to. */
void scoreboard_clean(struct scoreboard *);

/* In a worker: its slot is i, and this is its number in the pool. */
void scoreboard_join(struct scoreboard *, unsigned i, unsigned worker);

/* In a worker: it waits for a client. */
void scoreboard_wait(struct scoreboard *);

/*
 * In a worker: it serves a client.  Sessions with the same key count as of the
 * same client; a key of zeros counts as none.
 */
void scoreboard_serve(struct scoreboard *, const char *client,
    const unsigned char key[SCOREBOARD_KEY]);

/*
 * In a worker: the phase of its session, the bytes of the message being
 * received, and the messages and errors of the session.
 */
void scoreboard_note(struct scoreboard *, const char *phase, long long bytes,
    long long done, long long errors);

/* In a worker: how many sessions have its key, its own included? */
unsigned scoreboard_same_client(const struct scoreboard *);

/*
 * There is pressure when nine of ten workers are busy.  Returns a descriptor
 * that polls readable under pressure.  Returns -1 for a pool of fewer than ten
 * workers, where a connection that waits is pressure; the caller detects that.
 */
int scoreboard_pressure_fd(const struct scoreboard *);

/* Is there pressure?  It ends when more than two of ten workers are free. */
bool scoreboard_is_under_pressure(const struct scoreboard *);

/*
 * In a worker: ask whether to drop its client because of pressure.  If true,
 * the worker no longer counts as busy, so that no more clients are dropped than
 * necessary.
 */
bool scoreboard_yield(struct scoreboard *);

/* Add n to a counter. */
void scoreboard_count(struct scoreboard *, unsigned counter,
    unsigned long long n);

/* The value of a counter, at most LLONG_MAX. */
unsigned long long scoreboard_total(const struct scoreboard *,
    unsigned counter);

/* The number of busy workers of this pool. */
unsigned scoreboard_busy(const struct scoreboard *);

/* The number of this worker in the pool; 0: this is not a worker. */
unsigned scoreboard_worker(const struct scoreboard *);

/* The number of slots. */
unsigned scoreboard_slots(const struct scoreboard *);

/* Read slot i.  Returns false if it is free or invalid. */
bool scoreboard_read(const struct scoreboard *, unsigned i,
    struct scoreboard_row *);

#endif
