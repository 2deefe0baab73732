/*
 * The scoreboard: memory that the processes of a pool share.  It has no locks,
 * because a worker that is killed would never release one.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/memory.h"
#include "lib/proc/scoreboard.h"

enum {
	LAYOUT = 2,		/* increase it when a struct below changes */
	SPARE_SLOTS = 8,
	FREE_SHARE = 10,	/* one worker of so many is reserved */
	TRIES = 16,		/* while others change states */
};

static const char magic[8] = "smtpd-sb";

/* Written by its worker at any time, except pid, by the master. */
struct slot {
	_Atomic int pid;
	_Atomic unsigned worker;
	_Alignas(8) _Atomic long long since, bytes, done, errors;
	char phase[SCOREBOARD_PHASE_MAX];
	char client[SCOREBOARD_CLIENT_MAX];
};

/*
 * The slots follow, then a key for each, then a state for each.  States are
 * counted often, so they are adjacent.
 */
struct board {
	char magic[sizeof magic];
	unsigned layout, slots;
	_Alignas(8) _Atomic unsigned long long counters[SCOREBOARD_COUNTERS];
};

static struct slot *
slot_of(const struct scoreboard *s, unsigned i)
{
	return (struct slot *)(void *)(s->board + 1) + i;
}

static unsigned char *
key_of(const struct scoreboard *s, unsigned i)
{
	return (unsigned char *)slot_of(s, s->slots) +
	    (size_t)i * SCOREBOARD_KEY;
}

/* Not every processor has atomic operations on a byte. */
static _Atomic unsigned *
state_of(const struct scoreboard *s, unsigned i)
{
	return (_Atomic unsigned *)(void *)key_of(s, s->slots) + i;
}

static unsigned
slots_for(unsigned workers)
{
	return 3 * workers + SPARE_SLOTS;
}

static size_t
board_size(unsigned slots)
{
	return sizeof(struct board) + (size_t)slots *
	    (sizeof(struct slot) + SCOREBOARD_KEY + sizeof(unsigned));
}

/* 0 in a small pool; see scoreboard_pressure_fd(). */
static unsigned
reserved_workers(const struct scoreboard *s)
{
	return s->workers / FREE_SHARE;
}

/* Map fd, which the scoreboard owns on success. */
static int
map_board(struct scoreboard *s, int fd, unsigned workers)
{
	void *p;

	*s = (struct scoreboard){ .fd = fd, .event = -1, .workers = workers,
	    .slots = slots_for(workers), .mine = -1 };
	p = mmap(NULL, board_size(s->slots), PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (p == MAP_FAILED)
		return -1;
	s->taken = memory_allocate_unshared(s->slots * sizeof *s->taken);
	if (reserved_workers(s))
		s->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->taken && (s->event >= 0 || !reserved_workers(s))) {
		s->board = p;
		return 0;
	}
	munmap(p, board_size(s->slots));
	memory_free_unshared(s->taken, s->slots * sizeof *s->taken);
	return -1;
}

int
scoreboard_create(struct scoreboard *s, unsigned workers)
{
	/* no worker can shrink the memory */
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	int fd = memfd_create("scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, (off_t)board_size(slots_for(workers))) == 0 &&
	    fcntl(fd, F_ADD_SEALS, seals) == 0 &&
	    map_board(s, fd, workers) == 0) {
		memcpy(s->board->magic, magic, sizeof magic);
		s->board->layout = LAYOUT;
		s->board->slots = s->slots;
		return 0;
	}
	close(fd);
	return -1;
}

int
scoreboard_adopt(struct scoreboard *s, int fd, unsigned workers)
{
	struct stat st;
	unsigned i;

	if (fstat(fd, &st) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ||
	    st.st_size != (off_t)board_size(slots_for(workers)) ||
	    map_board(s, fd, workers) < 0)
		return -1;
	if (memcmp(s->board->magic, magic, sizeof magic) != 0 ||
	    s->board->layout != LAYOUT || s->board->slots != s->slots) {
		munmap(s->board, board_size(s->slots));
		memory_free_unshared(s->taken, s->slots * sizeof *s->taken);
		if (s->event >= 0)
			close(s->event);
		*s = (struct scoreboard){ .board = NULL };
		return -1;
	}
	for (i = 0; i < s->slots; i++)
		if (atomic_load(state_of(s, i)) != SLOT_FREE)
			atomic_store(state_of(s, i), SLOT_RETIRED);
	return 0;
}

int
scoreboard_fd(const struct scoreboard *s)
{
	return s->board ? s->fd : -1;
}

unsigned
scoreboard_busy(const struct scoreboard *s)
{
	unsigned i, n = 0;

	for (i = 0; s->board && i < s->slots; i++)
		n += atomic_load(state_of(s, i)) == SLOT_BUSY;
	return n;
}

/*
 * Pressure begins above one threshold and ends below a lower one.  With one
 * threshold, each new client would wake all workers that wait.
 */
static bool
is_above_pressure(const struct scoreboard *s, unsigned busy)
{
	return busy >= s->workers - reserved_workers(s);
}

static bool
is_below_pressure(const struct scoreboard *s, unsigned busy)
{
	return busy < s->workers - 2 * reserved_workers(s);
}

/*
 * Set or clear the descriptor of pressure after a state has changed.  Others
 * may do the same at the same time, so it checks again afterwards: of two that
 * race, the later one sees both changes.
 */
static void
update_pressure(const struct scoreboard *s)
{
	uint64_t n = 1;
	bool stale = s->event >= 0;
	unsigned busy, tries = 0;
	ssize_t done;

	while (stale && tries++ < TRIES) {
		busy = scoreboard_busy(s);
		stale = false;
		if (is_above_pressure(s, busy)) {
			done = write(s->event, &n, sizeof n);
			stale = is_below_pressure(s, scoreboard_busy(s));
		} else if (is_below_pressure(s, busy)) {
			done = read(s->event, &n, sizeof n);
			stale = is_above_pressure(s, scoreboard_busy(s));
			n = 1;
		}
		(void)done;	/* EAGAIN: it was set or clear already */
	}
}

static void
set_state(const struct scoreboard *s, unsigned i, enum scoreboard_state state)
{
	const unsigned was = atomic_exchange(state_of(s, i), state);

	if (was == SLOT_BUSY || state == SLOT_BUSY)
		update_pressure(s);
}

int
scoreboard_assign(struct scoreboard *s)
{
	unsigned i;

	for (i = 0; i < s->slots; i++)
		if (!s->taken[i]) {
			scoreboard_release(s, i);
			scoreboard_keep(s, i);
			set_state(s, i, SLOT_STARTING);
			return (int)i;
		}
	return -1;
}

void
scoreboard_keep(struct scoreboard *s, unsigned i)
{
	if (i < s->slots)
		s->taken[i] = true;
}

void
scoreboard_started(struct scoreboard *s, unsigned i, pid_t pid)
{
	atomic_store(&slot_of(s, i)->pid, (int)pid);
}

static void
clear_slot(const struct scoreboard *s, unsigned i)
{
	memset((void *)slot_of(s, i), 0, sizeof(struct slot));
	memset(key_of(s, i), 0, SCOREBOARD_KEY);
	set_state(s, i, SLOT_FREE);
}

void
scoreboard_release(struct scoreboard *s, unsigned i)
{
	s->taken[i] = false;
	clear_slot(s, i);
}

void
scoreboard_clean(struct scoreboard *s)
{
	unsigned i;

	for (i = 0; i < s->slots; i++)
		if (!s->taken[i])
			clear_slot(s, i);
}

void
scoreboard_join(struct scoreboard *s, unsigned i, unsigned worker)
{
	s->mine = (int)i;
	close(s->fd);
	s->fd = -1;
	atomic_store(&slot_of(s, i)->worker, worker);
}

/* Change the state of this worker, unless the next master has retired it. */
static void
change_state(struct scoreboard *s, enum scoreboard_state to)
{
	_Atomic unsigned *state = state_of(s, (unsigned)s->mine);
	unsigned was = atomic_load(state);

	while (was != SLOT_RETIRED &&
	    !atomic_compare_exchange_weak(state, &was, to))
		;
	if (was != SLOT_RETIRED && (was == SLOT_BUSY || to == SLOT_BUSY))
		update_pressure(s);
}

/* Text that does not fit is cut. */
static void
copy_truncated(char *to, const char *from, size_t size)
{
	const size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

void
scoreboard_wait(struct scoreboard *s)
{
	struct slot *slot;

	if (!s->board || s->mine < 0)
		return;
	slot = slot_of(s, (unsigned)s->mine);
	memset(key_of(s, (unsigned)s->mine), 0, SCOREBOARD_KEY);
	slot->client[0] = '\0';
	scoreboard_note(s, "", 0, 0, 0);
	change_state(s, SLOT_WAITING);
}

void
scoreboard_serve(struct scoreboard *s, const char *client,
    const unsigned char key[SCOREBOARD_KEY])
{
	struct slot *slot;

	if (!s->board || s->mine < 0)
		return;
	slot = slot_of(s, (unsigned)s->mine);
	memcpy(key_of(s, (unsigned)s->mine), key, SCOREBOARD_KEY);
	copy_truncated(slot->client, client, sizeof slot->client);
	atomic_store(&slot->since, (long long)time(NULL));
	scoreboard_note(s, "", 0, 0, 0);
	change_state(s, SLOT_BUSY);
}

void
scoreboard_note(struct scoreboard *s, const char *phase, long long bytes,
    long long done, long long errors)
{
	struct slot *slot;

	if (!s->board || s->mine < 0)
		return;
	slot = slot_of(s, (unsigned)s->mine);
	copy_truncated(slot->phase, phase, sizeof slot->phase);
	atomic_store_explicit(&slot->bytes, bytes, memory_order_relaxed);
	atomic_store_explicit(&slot->done, done, memory_order_relaxed);
	atomic_store_explicit(&slot->errors, errors, memory_order_relaxed);
}

/* A retired worker clears its key when its session ends. */
static bool
may_hold_key(unsigned state)
{
	return state == SLOT_BUSY || state == SLOT_LEAVING ||
	    state == SLOT_RETIRED;
}

unsigned
scoreboard_same_client(const struct scoreboard *s)
{
	static const unsigned char none[SCOREBOARD_KEY];
	const unsigned char *key;
	unsigned i, n = 0;

	if (!s->board || s->mine < 0)
		return 0;
	key = key_of(s, (unsigned)s->mine);
	if (memcmp(key, none, sizeof none) == 0)
		return 0;
	for (i = 0; i < s->slots; i++)
		n += may_hold_key(atomic_load(state_of(s, i))) &&
		    memcmp(key_of(s, i), key, SCOREBOARD_KEY) == 0;
	return n;
}

int
scoreboard_pressure_fd(const struct scoreboard *s)
{
	return s->board ? s->event : -1;
}

bool
scoreboard_is_under_pressure(const struct scoreboard *s)
{
	return s->board && !is_below_pressure(s, scoreboard_busy(s));
}

/*
 * Two workers at the same moment may both drop their clients where one would be
 * enough.
 */
bool
scoreboard_yield(struct scoreboard *s)
{
	if (s->mine < 0 || !scoreboard_is_under_pressure(s))
		return false;
	if (atomic_load(state_of(s, (unsigned)s->mine)) != SLOT_BUSY)
		return false;
	change_state(s, SLOT_LEAVING);
	return true;
}

void
scoreboard_count(struct scoreboard *s, unsigned counter, unsigned long long n)
{
	if (s->board)
		atomic_fetch_add_explicit(&s->board->counters[counter], n,
		    memory_order_relaxed);
}

unsigned long long
scoreboard_total(const struct scoreboard *s, unsigned counter)
{
	return s->board ? atomic_load(&s->board->counters[counter]) &
	    LLONG_MAX : 0;
}

unsigned
scoreboard_worker(const struct scoreboard *s)
{
	return s->board && s->mine >= 0 ?
	    atomic_load(&slot_of(s, (unsigned)s->mine)->worker) : 0;
}

unsigned
scoreboard_slots(const struct scoreboard *s)
{
	return s->board ? s->slots : 0;
}

/*
 * Copy a word of at most n bytes, and replace what is not printable ASCII.
 * Each byte is read once, because its worker may change it at any time.
 */
static void
read_word(char *to, const volatile char *from, size_t n)
{
	size_t i;
	char c;

	for (i = 0; i + 1 < n && (c = from[i]) != '\0'; i++)
		to[i] = c > ' ' && c < 0x7f ? c : '?';
	to[i] = '\0';
}

static long long
read_number(_Atomic long long *from)
{
	long long n = atomic_load_explicit(from, memory_order_relaxed);

	return n < 0 ? 0 : n;
}

bool
scoreboard_read(const struct scoreboard *s, unsigned i,
    struct scoreboard_row *row)
{
	struct slot *slot;
	int pid;

	if (!s->board || i >= s->slots)
		return false;
	slot = slot_of(s, i);
	row->state = atomic_load(state_of(s, i));
	if (row->state == SLOT_FREE || row->state >= SLOT_STATES)
		return false;
	pid = atomic_load(&slot->pid);
	row->pid = pid < 0 ? 0 : pid;
	row->worker = atomic_load(&slot->worker) % (s->workers + 1);
	read_word(row->phase, slot->phase, sizeof row->phase);
	read_word(row->client, slot->client, sizeof row->client);
	row->since = read_number(&slot->since);
	row->bytes = read_number(&slot->bytes);
	row->done = read_number(&slot->done);
	row->errors = read_number(&slot->errors);
	return true;
}
