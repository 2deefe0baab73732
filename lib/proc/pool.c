/*
 * A fixed pool of worker processes.  The master sleeps until a signal or the
 * next deadline.  It serves nothing itself.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/memory.h"
#include "lib/proc/pool.h"
#include "lib/proc/process.h"

enum {
	YOUNG = 1000,			/* ms */
	BACK_OFF_MIN = 100,		/* ms */
	BACK_OFF_MAX = 1000,		/* ms */
	SAME_SIGNAL = 1000,	/* ms: timeout(1) and others send it twice */
	DRAIN_GRACE = 3 * 1000,		/* ms to end by themselves */
	LOOK_AGAIN = 10,		/* ms until the next check for new
					   workers that accept */
	ACCEPT_PATIENCE = 5 * 1000,	/* ms for a new worker to say so */
	IDLE_LOOK = 500,		/* ms between checks for sessions */
	LEAVE_PATIENCE = 2 * 1000,	/* ms for idle workers to end */
	ROOM_PATIENCE = 1000,	/* ms for idle former workers to end */
};

struct worker {
	struct pool_worker is;	/* pid 0: none */
	long long delay;	/* of its next start */
	long long start_at;	/* of the next one, if none runs */
	unsigned requests;	/* that it has made */
};

struct pool {
	const struct pool_options *options;
	struct worker *workers;
	struct pool_worker *former;
	unsigned n_former;
	bool fork_failed;	/* former workers retire to make room */
	bool claimed;		/* room for another pool is wanted */
	long long short_since;	/* a worker failed to start; 0: none */
	long long evict_at;	/* of the oldest former ones; 0: never */
	bool ready;		/* ready() was called */
	bool hangup_pending;	/* SIGHUP came before ready */
	unsigned alive;
	unsigned long long sessions;	/* at the last check */
	long long idle_since;
	long long leave_since;	/* the idle pool ends; 0: it does not */
	bool draining;
	long long tick_at;		/* -1: never */
	long long drain_began;
	unsigned killed;	/* how many workers */
	long long kill_at;	/* 0: never */
	sigset_t signals;
};

/* Have the kernel send SIGTERM when the master dies. */
static void
follow_master(pid_t master)
{
#ifdef PR_SET_PDEATHSIG
	prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (getppid() != master)
		_exit(0);
}

/* Fork a worker with this slot.  Returns false on failure. */
static bool
fork_worker(struct pool *p, struct worker *w, unsigned slot)
{
	const unsigned number = (unsigned)(w - p->workers) + 1;
	const struct pool_options *o = p->options;
	pid_t master = getpid(), pid = process_fork();
	int failed;

	if (pid == 0) {
		follow_master(master);
		failed = o->begin(o->ctx);
		if (failed)
			_exit(failed);
		scoreboard_join(o->board, slot, number);
		_exit(o->work(o->ctx));
	}
	if (pid < 0) {
		log_errno("fork-failed", "what", "worker");
		scoreboard_release(o->board, slot);
		return false;
	}
	scoreboard_started(o->board, slot, pid);
	w->is = (struct pool_worker){ .pid = pid, .number = number,
	    .slot = slot, .since = clock_ms() };
	w->requests = 0;
	p->alive++;
	return true;
}

static void
start_worker(struct pool *p, struct worker *w)
{
	int slot = scoreboard_assign(p->options->board);

	if (slot >= 0 && fork_worker(p, w, (unsigned)slot)) {
		p->short_since = 0;
		return;
	}
	if (!p->short_since)
		p->short_since = clock_ms();
	if (slot >= 0) {
		p->fork_failed = true;
		w->delay = BACK_OFF_MAX;
	}
	w->start_at = clock_ms() + (slot < 0 ? BACK_OFF_MIN : w->delay);
}

/* Release the slot of a worker that has ended, and log it if it died. */
static void
reap_worker(struct pool *p, const struct pool_worker *w, int status,
    long long delay)
{
	struct log_line l;

	p->alive--;
	if (w->slot != POOL_NO_SLOT)
		scoreboard_release(p->options->board, w->slot);
	if (status == 0)
		return;
	scoreboard_count(p->options->board, SCOREBOARD_DIED, 1);
	log_begin(&l, LEVEL_ERROR, "worker-died");
	log_num(&l, "worker", w->number);
	log_num(&l, "pid", w->pid);
	if (WIFSIGNALED(status)) {
		log_num(&l, "signal", WTERMSIG(status));
		log_str(&l, "name", strsignal(WTERMSIG(status)));
		if (WTERMSIG(status) == SIGSYS)
			log_str(&l, "error", "a forbidden system call");
	} else {
		log_num(&l, "status", WEXITSTATUS(status));
	}
	log_num(&l, "lived_ms", clock_ms() - w->since);
	log_num(&l, "restart_ms", delay);
	log_end(&l);
}

/* A worker of this pool has ended: set the time of its replacement. */
static void
schedule_replacement(struct pool *p, struct worker *w, int status)
{
	long long now = clock_ms();

	if (status == 0 || now - w->is.since >= YOUNG)
		w->delay = 0;
	else if (w->delay == 0)
		w->delay = BACK_OFF_MIN;
	else if (2 * w->delay < BACK_OFF_MAX)
		w->delay *= 2;
	else
		w->delay = BACK_OFF_MAX;
	reap_worker(p, &w->is, status, w->delay);
	w->is.pid = 0;
	w->start_at = now + w->delay;
}

/* Handle a child that has ended.  Returns false if it is not a worker. */
static bool
handle_ended(struct pool *p, pid_t pid, int status)
{
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid == pid) {
			schedule_replacement(p, &p->workers[i], status);
			return true;
		}
	for (i = 0; i < p->n_former; i++)
		if (p->former[i].pid == pid) {
			reap_worker(p, &p->former[i], status, -1);
			p->former[i] = p->former[--p->n_former];
			return true;
		}
	return false;
}

static void
reap_children(struct pool *p)
{
	bool ended = false;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (handle_ended(p, pid, status))
			ended = true;
		else if (!p->draining)
			p->options->child(p->options->ctx, p, pid, status);
	if (!ended)
		return;
	scoreboard_clean(p->options->board);
	if (!p->draining)
		p->options->ended(p->options->ctx);
}

static void
signal_workers(const struct pool *p, int sig)
{
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid)
			kill(p->workers[i].is.pid, sig);
	for (i = 0; i < p->n_former; i++)
		kill(p->former[i].pid, sig);
}

/*
 * Does a worker of this pool wait for a client, or serve one?  A former worker
 * may have been taken over and deny it on the scoreboard, so a worker that has
 * lived for a while counts, too.
 */
static bool
is_accepting(const struct pool *p)
{
	const long long old = clock_ms() - ACCEPT_PATIENCE;
	struct scoreboard_row row;
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid && (p->workers[i].is.since <= old ||
		    (scoreboard_read(p->options->board, p->workers[i].is.slot,
		    &row) && row.state != SLOT_STARTING)))
			return true;
	return false;
}

/* When a former worker enters its next stage; -1: never. */
static long long
stage_deadline(const struct pool *p, const struct pool_worker *w)
{
	const long long patience = p->options->drain_timeout;

	if (w->stage == POOL_SERVING)
		return w->stage_since;
	if (w->stage == POOL_EVICTED)
		return w->stage_since + DRAIN_GRACE;
	if (!patience || w->stage == POOL_KILLED)
		return -1;
	return w->stage_since + patience +
	    (w->stage == POOL_STOPPING ? DRAIN_GRACE : 0);
}

/* Log that a former worker is stopped before the end of its session. */
static void
log_stopping(const struct pool *p, const struct pool_worker *w,
    const char *reason)
{
	struct scoreboard_row row;
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "worker-stopping");
	log_num(&l, "worker", w->number);
	log_num(&l, "pid", w->pid);
	if (w->slot != POOL_NO_SLOT &&
	    scoreboard_read(p->options->board, w->slot, &row) && *row.client)
		log_str(&l, "client", row.client);
	log_str(&l, "reason", reason);
	log_end(&l);
}

static void
advance_stage(struct pool *p, struct pool_worker *w, long long now)
{
	switch (w->stage) {
	case POOL_SERVING:
		p->fork_failed = false;
		kill(w->pid, SIGHUP);
		w->stage = POOL_RETIRING;
		break;
	case POOL_RETIRING:
		log_stopping(p, w, "--drain-timeout");
		kill(w->pid, SIGTERM);
		w->stage = POOL_STOPPING;
		break;
	default:
		kill(w->pid, SIGKILL);
		w->stage = POOL_KILLED;
	}
	w->stage_since = now;
}

/*
 * Retire former workers once a new one accepts.  If a fork has failed, retire
 * one of them at a time to make room.  Those that exceed drain_timeout are
 * stopped, and then killed.  Returns the ms until the next stage; -1: none.
 */
static long long
retire_former(struct pool *p)
{
	const long long now = clock_ms();
	const bool may_retire = p->n_former && is_accepting(p);
	long long at, next = -1;
	unsigned i;

	for (i = 0; i < p->n_former; i++) {
		struct pool_worker *w = &p->former[i];

		at = stage_deadline(p, w);
		if (w->stage == POOL_SERVING && !may_retire &&
		    !p->fork_failed) {
			at = now + LOOK_AGAIN;
		} else if (at >= 0 && at <= now) {
			advance_stage(p, w, now);
			at = stage_deadline(p, w);
		}
		if (at >= 0 && (next < 0 || at - now < next))
			next = at - now;
	}
	return next;
}

/* How many former workers must be stopped, besides those killed already? */
static unsigned
count_evictions(const struct pool *p)
{
	const unsigned slots = scoreboard_slots(p->options->board);
	unsigned i, gone = 0, need = 0;

	if (p->claimed && p->alive + p->options->workers > slots)
		need = p->alive + p->options->workers - slots;
	for (i = 0; p->short_since && i < p->options->workers; i++)
		need += !p->workers[i].is.pid;
	for (i = 0; i < p->n_former; i++) {
		if (p->former[i].stage == POOL_SERVING)
			return 0;	/* they retire first */
		gone += p->former[i].stage >= POOL_KILLED;
	}
	return need > gone ? need - gone : 0;
}

/* Stop the oldest former worker.  It is killed after DRAIN_GRACE. */
static void
evict_oldest(struct pool *p)
{
	struct pool_worker *w = NULL;
	unsigned i;

	for (i = 0; i < p->n_former; i++)
		if (p->former[i].stage < POOL_KILLED &&
		    (!w || p->former[i].since < w->since))
			w = &p->former[i];
	if (!w)
		return;
	log_stopping(p, w, p->claimed ? "room for a restart" :
	    "room for a new worker");
	kill(w->pid, SIGTERM);
	w->stage = POOL_EVICTED;
	w->stage_since = clock_ms();
}

/*
 * A full pool of the newest workers has priority.  If there is no room for it,
 * stop the oldest former workers, whatever they serve, after a moment in which
 * idle ones end by themselves.  Returns the ms until that; -1: nothing to do.
 */
static long long
make_room(struct pool *p)
{
	const long long now = clock_ms();
	unsigned need = count_evictions(p);

	if (need && !p->evict_at)
		p->evict_at = now + ROOM_PATIENCE;
	else if (!need)
		p->evict_at = 0;
	if (!p->evict_at)
		return -1;
	if (now < p->evict_at)
		return p->evict_at - now;
	while (need--)
		evict_oldest(p);
	p->evict_at = 0;
	return 0;
}

/* Call room() if there is as much room as was claimed. */
static void
grant_room(struct pool *p)
{
	if (!p->claimed || p->alive + p->options->workers >
	    scoreboard_slots(p->options->board))
		return;
	p->claimed = false;
	p->options->room(p->options->ctx, p);
}

void
pool_claim_room(struct pool *p)
{
	p->claimed = true;
}

static void
begin_drain(struct pool *p, int sig)
{
	struct log_line l;

	p->draining = true;
	p->drain_began = clock_ms();
	if (p->options->drain_timeout)
		p->kill_at = clock_ms() + p->options->drain_timeout +
		    DRAIN_GRACE;
	log_begin(&l, LEVEL_INFO, "draining");
	log_str(&l, "signal", sig == SIGINT ? "SIGINT" : "SIGTERM");
	log_end(&l);
	signal_workers(p, SIGTERM);
	p->options->drain(p->options->ctx);
}

/* Start workers that are due.  Returns the ms until the next one; -1: none. */
static long long
start_due_workers(struct pool *p)
{
	long long next = -1, wait, now = clock_ms();
	unsigned i;

	for (i = 0; i < p->options->workers; i++) {
		struct worker *w = &p->workers[i];

		if (!w->is.pid && w->start_at <= now)
			start_worker(p, w);
		wait = w->start_at - now;
		if (!w->is.pid && (next < 0 || wait < next))
			next = wait;
	}
	return next;
}

/*
 * After idle_exit without a session, retire the workers; the pool ends with the
 * last one.  A client that comes at the last moment is served, and if that
 * takes longer than LEAVE_PATIENCE the pool is filled again, because no other
 * process accepts.  Returns the ms until the next check; -1: none.
 */
static long long
check_idle_exit(struct pool *p)
{
	const struct pool_options *o = p->options;
	const unsigned long long sessions =
	    scoreboard_total(o->board, o->sessions);
	const long long now = clock_ms();

	if (!o->idle_exit)
		return -1;
	if (p->leave_since && now - p->leave_since < LEAVE_PATIENCE)
		return IDLE_LOOK;
	if (p->leave_since || sessions != p->sessions ||
	    scoreboard_busy(o->board)) {
		p->idle_since = now;
		p->sessions = sessions;
		p->leave_since = 0;
	} else if (now - p->idle_since >= o->idle_exit) {
		p->leave_since = now;
		signal_workers(p, SIGHUP);
	}
	return IDLE_LOOK;
}

/* Wait for a signal for so many ms (-1: no limit).  Returns 0 at a timeout. */
static int
wait_signal(const struct pool *p, long long ms)
{
	struct timespec t = { (time_t)(ms / 1000),
	    (long)(ms % 1000) * 1000000 };
	int sig;

	do
		sig = ms < 0 ? sigwaitinfo(&p->signals, NULL) :
		    sigtimedwait(&p->signals, NULL, &t);
	while (sig < 0 && errno == EINTR);
	return sig < 0 ? 0 : sig;
}

/* Call tick() if it is due.  Returns the ms until the next call; -1: none. */
static long long
run_tick(struct pool *p)
{
	const long long now = clock_ms();

	if (p->tick_at >= 0 && p->tick_at <= now) {
		p->tick_at = p->options->tick(p->options->ctx, p);
		if (p->tick_at >= 0)
			p->tick_at += now;
	}
	return p->tick_at < 0 ? -1 : p->tick_at - now;
}

/* The shorter of two waits; -1: no limit. */
static long long
min_wait(long long a, long long b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static void
handle_signal(struct pool *p, int sig)
{
	if (sig == SIGCHLD)
		reap_children(p);
	else if (sig == SIGUSR1)
		p->options->report(p->options->ctx);
	else if (sig == SIGIO)
		p->options->asked(p->options->ctx, p);
	else if (sig == SIGHUP && !p->ready)
		p->hangup_pending = true;
	else if (sig == SIGHUP && !p->draining)
		p->options->hangup(p->options->ctx);
	else if (sig == SIGHUP)
		return;
	else if (sig && !p->draining)
		begin_drain(p, sig);
	else if (sig && clock_ms() - p->drain_began >= SAME_SIGNAL)
		p->kill_at = clock_ms();
}

/* Do what is due.  Returns the ms until something is; -1: nothing. */
static long long
run_due_work(struct pool *p)
{
	long long next = check_idle_exit(p);

	if (!p->leave_since)
		next = min_wait(next, start_due_workers(p));
	if (!p->ready && p->alive > p->n_former) {
		p->ready = true;
		p->options->ready(p->options->ctx);
		if (p->hangup_pending)
			p->options->hangup(p->options->ctx);
	}
	grant_room(p);
	next = min_wait(next, retire_former(p));
	next = min_wait(next, make_room(p));
	return min_wait(next, run_tick(p));
}

static void
serve_until_stopped(struct pool *p)
{
	while (!p->draining && !(p->leave_since && p->alive == 0))
		handle_signal(p, wait_signal(p, run_due_work(p)));
}

static void
drain_workers(struct pool *p)
{
	long long left = -1;

	reap_children(p);
	while (p->alive) {
		if (p->kill_at) {
			left = p->kill_at - clock_ms();
			if (left <= 0) {
				signal_workers(p, SIGKILL);
				if (!p->killed)
					p->killed = p->alive;
				left = BACK_OFF_MIN;
			}
		}
		handle_signal(p, wait_signal(p, min_wait(left, run_tick(p))));
		reap_children(p);
	}
}

unsigned
pool_count_request(struct pool *p, pid_t pid)
{
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid == pid && pid != 0)
			return ++p->workers[i].requests;
	return 0;
}

unsigned
pool_workers(const struct pool *p, struct pool_worker *out, unsigned n)
{
	unsigned i, found = 0;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid && found++ < n)
			*out++ = p->workers[i].is;
	for (i = 0; i < p->n_former; i++)
		if (found++ < n)
			*out++ = p->former[i];
	return found;
}

static void
adopt_former(struct pool *p)
{
	const struct pool_options *o = p->options;
	unsigned i;

	if (o->n_former)
		memcpy(p->former, o->former, o->n_former * sizeof *p->former);
	p->n_former = p->alive = o->n_former;
	for (i = 0; i < p->n_former; i++)
		scoreboard_keep(o->board, p->former[i].slot);
	scoreboard_clean(o->board);
}

unsigned
pool_run(const struct pool_options *options)
{
	struct pool p = { .options = options, .idle_since = clock_ms() };
	const size_t size = options->workers * sizeof *p.workers;

	p.workers = memory_allocate_unshared(size);
	p.former = calloc(options->n_former + 1, sizeof *p.former);
	if (!p.workers || !p.former)
		fatal(EX_OSERR, "no memory for %u workers", options->workers);
	signal(SIGCHLD, SIG_DFL);	/* the starter may have ignored it */
	sigemptyset(&p.signals);
	sigaddset(&p.signals, SIGTERM);
	sigaddset(&p.signals, SIGINT);
	sigaddset(&p.signals, SIGCHLD);
	sigaddset(&p.signals, SIGHUP);
	sigaddset(&p.signals, SIGUSR1);
	sigaddset(&p.signals, SIGIO);
	sigprocmask(SIG_BLOCK, &p.signals, NULL);
	adopt_former(&p);
	reap_children(&p);	/* SIG_DFL drops a pending SIGCHLD */
	serve_until_stopped(&p);
	drain_workers(&p);
	memory_free_unshared(p.workers, size);
	free(p.former);
	return p.killed;
}
