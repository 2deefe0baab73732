/* A fixed pool of worker processes. */
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
#include "lib/proc/pool.h"

enum {
	YOUNG = 1000,			/* ms */
	BACK_OFF_LEAST = 100,		/* ms */
	BACK_OFF_MOST = 1000,		/* ms: one slot, one fork a second */
	SAME_SIGNAL = 1000,	/* ms: timeout(1) and others send it twice */
	DRAIN_GRACE = 3 * 1000,		/* ms to end by themselves */
	LOOK_AGAIN = 10,		/* ms: do the new workers accept? */
	IDLE_LOOK = 500,		/* ms: is there a session? */
	LEAVE_PATIENCE = 2 * 1000,	/* ms: a late client is served first */
	ROOM_PATIENCE = 1000,	/* ms: the idle ones make room by themselves */
};

struct worker {
	struct pool_worker is;	/* pid 0: none */
	long long delay;	/* of its next start */
	long long start_at;	/* when none runs */
};

struct pool {
	const struct pool_options *options;
	struct worker *workers;
	struct pool_worker *former;	/* pid 0: gone */
	unsigned n_former;
	bool crowded;		/* a fork has failed */
	bool claimed;		/* room for another pool is wanted */
	long long short_since;	/* a worker could not start; 0: all could */
	long long evict_at;	/* when the oldest make room; 0: never */
	bool ready;		/* the caller was told */
	bool hung_up;		/* SIGHUP came before that */
	unsigned alive;
	unsigned long long sessions;	/* at the last look */
	long long idle_since;
	long long leave_since;	/* the idle pool leaves; 0: it does not */
	bool draining;
	long long tick_at;		/* -1: never */
	long long drain_began;
	unsigned killed;	/* workers that did not end by themselves */
	long long kill_at;	/* 0: never */
	sigset_t signals;
};

/* Ask the kernel for SIGTERM when the master dies, however it does. */
static void
follow_master(pid_t master)
{
#ifdef PR_SET_PDEATHSIG
	prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (getppid() != master)
		_exit(0);
}

/* Fork a worker that has this slot.  False if that failed. */
static bool
start_in(struct pool *p, struct worker *w, unsigned slot)
{
	const unsigned number = (unsigned)(w - p->workers) + 1;
	const struct pool_options *o = p->options;
	pid_t master = getpid(), pid = fork();

	if (pid == 0) {
		follow_master(master);
		scoreboard_sit(o->board, slot, number);
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
	p->alive++;
	return true;
}

static void
start(struct pool *p, struct worker *w)
{
	int slot = scoreboard_assign(p->options->board);

	if (slot >= 0 && start_in(p, w, (unsigned)slot)) {
		p->short_since = 0;
		return;
	}
	if (!p->short_since)
		p->short_since = clock_ms();
	if (slot >= 0) {
		p->crowded = true;
		w->delay = BACK_OFF_MOST;
	}
	w->start_at = clock_ms() + (slot < 0 ? BACK_OFF_LEAST : w->delay);
}

/* A worker has ended: say why, if there was no reason to. */
static void
lay_out(struct pool *p, const struct pool_worker *w, int status,
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

/* One of ours is gone: when will it be replaced? */
static void
bury(struct pool *p, struct worker *w, int status)
{
	long long now = clock_ms();

	if (status == 0 || now - w->is.since >= YOUNG)
		w->delay = 0;
	else if (w->delay == 0)
		w->delay = BACK_OFF_LEAST;
	else if (2 * w->delay < BACK_OFF_MOST)
		w->delay *= 2;
	else
		w->delay = BACK_OFF_MOST;
	lay_out(p, &w->is, status, w->delay);
	w->is.pid = 0;
	w->start_at = now + w->delay;
}

/* A child has ended: which one?  False if it is no worker. */
static bool
bury_any(struct pool *p, pid_t pid, int status)
{
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid == pid) {
			bury(p, &p->workers[i], status);
			return true;
		}
	for (i = 0; i < p->n_former; i++)
		if (p->former[i].pid == pid) {
			lay_out(p, &p->former[i], status, -1);
			p->former[i] = p->former[--p->n_former];
			return true;
		}
	return false;
}

static void
reap(struct pool *p)
{
	bool ended = false;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (bury_any(p, pid, status))
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

/* Does one of our own workers wait for a client, or serve one? */
static bool
is_accepting(const struct pool *p)
{
	struct scoreboard_row row;
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].is.pid && scoreboard_read(p->options->board,
		    p->workers[i].is.slot, &row) &&
		    row.state != SLOT_STARTING)
			return true;
	return false;
}

/* The next that a former worker is told, and when; -1: nothing any more. */
static long long
next_stage(const struct pool *p, const struct pool_worker *w)
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

/* A former worker ends before its session does. */
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
advance(struct pool *p, struct pool_worker *w, long long now)
{
	switch (w->stage) {
	case POOL_SERVING:
		p->crowded = false;
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
 * Former workers retire once ours accept.  Where ours can't be forked, one of
 * the former makes room, and the others go on meanwhile.  Those that take too
 * long are asked to stop, and then are killed.  Returns for how long there is
 * nothing to do, -1: for ever.
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

		at = next_stage(p, w);
		if (w->stage == POOL_SERVING && !may_retire && !p->crowded) {
			at = now + LOOK_AGAIN;
		} else if (at >= 0 && at <= now) {
			advance(p, w, now);
			at = next_stage(p, w);
		}
		if (at >= 0 && (next < 0 || at - now < next))
			next = at - now;
	}
	return next;
}

/* How many former workers more have to go than go soon by themselves? */
static unsigned
lacking(const struct pool *p)
{
	const unsigned slots = scoreboard_slots(p->options->board);
	unsigned i, gone = 0, need = 0;

	if (p->claimed && p->alive + p->options->workers > slots)
		need = p->alive + p->options->workers - slots;
	for (i = 0; p->short_since && i < p->options->workers; i++)
		need += !p->workers[i].is.pid;
	for (i = 0; i < p->n_former; i++) {
		if (p->former[i].stage == POOL_SERVING)
			return 0;	/* it retires first */
		gone += p->former[i].stage >= POOL_KILLED;
	}
	return need > gone ? need - gone : 0;
}

/* The oldest former worker is asked to stop, and has little time for it. */
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
 * A full pool of the newest workers comes first: where there is no room for it,
 * the oldest former ones go, whatever they serve; but those that are idle have
 * a moment to go by themselves.  Returns for how long there is nothing to do,
 * -1: for ever.
 */
static long long
make_room(struct pool *p)
{
	const long long now = clock_ms();
	unsigned need = lacking(p);

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

/* Is there as much of it as was claimed? */
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

/* Start what is due.  Returns how long nothing else will be, -1: for ever. */
static long long
start_due(struct pool *p)
{
	long long next = -1, wait, now = clock_ms();
	unsigned i;

	for (i = 0; i < p->options->workers; i++) {
		struct worker *w = &p->workers[i];

		if (!w->is.pid && w->start_at <= now)
			start(p, w);
		wait = w->start_at - now;
		if (!w->is.pid && (next < 0 || wait < next))
			next = wait;
	}
	return next;
}

/*
 * Nobody came for so long: the workers retire, and the pool leaves when the
 * last one has.  Who came at the last moment is served, and if that takes
 * longer the pool is filled up again, for nobody else listens meanwhile.
 * Returns when to look again, in ms.
 */
static long long
watch_idleness(struct pool *p)
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

/* Wait for a signal, at most so many ms (-1: for ever).  0 at the time-out. */
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

/* Do what is due by the clock.  Returns for how long nothing else is. */
static long long
tick(struct pool *p)
{
	const long long now = clock_ms();

	if (p->tick_at >= 0 && p->tick_at <= now) {
		p->tick_at = p->options->tick(p->options->ctx, p);
		if (p->tick_at >= 0)
			p->tick_at += now;
	}
	return p->tick_at < 0 ? -1 : p->tick_at - now;
}

/* The shorter of two times; -1 is for ever. */
static long long
shorter(long long a, long long b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

static void
handle(struct pool *p, int sig)
{
	if (sig == SIGCHLD)
		reap(p);
	else if (sig == SIGUSR1)
		p->options->report(p->options->ctx);
	else if (sig == SIGHUP && !p->ready)
		p->hung_up = true;
	else if (sig == SIGHUP && !p->draining)
		p->options->hangup(p->options->ctx);
	else if (sig == SIGHUP)
		return;
	else if (sig && !p->draining)
		begin_drain(p, sig);
	else if (sig && clock_ms() - p->drain_began >= SAME_SIGNAL)
		p->kill_at = clock_ms();
}

/* Do what is due.  Returns for how long nothing else is. */
static long long
work_off(struct pool *p)
{
	long long next = watch_idleness(p);

	if (!p->leave_since)
		next = shorter(next, start_due(p));
	if (!p->ready && p->alive > p->n_former) {
		p->ready = true;
		p->options->ready(p->options->ctx);
		if (p->hung_up)
			p->options->hangup(p->options->ctx);
	}
	grant_room(p);
	next = shorter(next, retire_former(p));
	next = shorter(next, make_room(p));
	return shorter(next, tick(p));
}

static void
run(struct pool *p)
{
	while (!p->draining && !(p->leave_since && p->alive == 0))
		handle(p, wait_signal(p, work_off(p)));
}

static void
drain(struct pool *p)
{
	long long left = -1;

	reap(p);
	while (p->alive) {
		if (p->kill_at) {
			left = p->kill_at - clock_ms();
			if (left <= 0) {
				signal_workers(p, SIGKILL);
				if (!p->killed)
					p->killed = p->alive;
				left = BACK_OFF_LEAST;
			}
		}
		handle(p, wait_signal(p, shorter(left, tick(p))));
		reap(p);
	}
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
take_former(struct pool *p)
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

	p.workers = calloc(options->workers, sizeof *p.workers);
	p.former = calloc(options->n_former + 1, sizeof *p.former);
	if (!p.workers || !p.former)
		fatal(EX_OSERR, "no memory for %u workers", options->workers);
	signal(SIGCHLD, SIG_DFL);	/* it may have been ignored for us */
	sigemptyset(&p.signals);
	sigaddset(&p.signals, SIGTERM);
	sigaddset(&p.signals, SIGINT);
	sigaddset(&p.signals, SIGCHLD);
	sigaddset(&p.signals, SIGHUP);
	sigaddset(&p.signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &p.signals, NULL);
	take_former(&p);
	reap(&p);	/* SIG_DFL has dropped a SIGCHLD that was pending */
	run(&p);
	drain(&p);
	free(p.workers);
	free(p.former);
	return p.killed;
}
