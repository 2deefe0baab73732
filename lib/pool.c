/* A fixed pool of worker processes. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "pool.h"

enum {
	YOUNG = 1000,			/* ms */
	BACK_OFF_LEAST = 100,		/* ms */
	BACK_OFF_MOST = 1000,		/* ms: one slot, one fork a second */
	SAME_SIGNAL = 1000,	/* ms: timeout(1) and others send it twice */
	DRAIN_GRACE = 3 * 1000,		/* ms to end by themselves */
};

struct worker {
	pid_t pid;		/* 0: none */
	unsigned slot;		/* of the scoreboard */
	long long since;	/* its start, by clock_ms() */
	long long delay;	/* of its next start */
	long long start_at;	/* when none runs */
};

struct pool {
	const struct pool_options *options;
	struct worker *workers;
	unsigned alive;
	bool draining;
	long long tick_at;
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

static unsigned
number_of(const struct pool *p, const struct worker *w)
{
	return (unsigned)(w - p->workers) + 1;
}

/* Fork a worker that has this slot.  False if that failed. */
static bool
start_in(struct pool *p, struct worker *w, unsigned slot)
{
	const struct pool_options *o = p->options;
	pid_t master = getpid(), pid = fork();

	if (pid == 0) {
		follow_master(master);
		scoreboard_sit(o->board, slot, number_of(p, w));
		_exit(o->work(o->ctx));
	}
	if (pid < 0) {
		log_errno("fork-failed", "what", "worker");
		scoreboard_release(o->board, slot);
		return false;
	}
	scoreboard_started(o->board, slot, pid);
	w->pid = pid;
	w->slot = slot;
	p->alive++;
	return true;
}

static void
start(struct pool *p, struct worker *w)
{
	int slot = scoreboard_assign(p->options->board);

	w->since = clock_ms();
	if (slot < 0) {
		w->start_at = w->since + BACK_OFF_LEAST;
	} else if (!start_in(p, w, (unsigned)slot)) {
		w->delay = BACK_OFF_MOST;
		w->start_at = w->since + w->delay;
	}
}

static void
log_death(const struct worker *w, unsigned number, int status)
{
	struct log_line l;

	log_begin(&l, LEVEL_ERROR, "worker-died");
	log_num(&l, "worker", number);
	log_num(&l, "pid", w->pid);
	if (WIFSIGNALED(status)) {
		log_num(&l, "signal", WTERMSIG(status));
		log_str(&l, "name", strsignal(WTERMSIG(status)));
	} else {
		log_num(&l, "status", WEXITSTATUS(status));
	}
	log_num(&l, "lived_ms", clock_ms() - w->since);
	log_num(&l, "restart_ms", w->delay);
	log_end(&l);
}

/* A worker is gone: say why, and when it will be replaced. */
static void
bury(struct pool *p, struct worker *w, int status)
{
	long long now = clock_ms();

	if (status == 0 || now - w->since >= YOUNG)
		w->delay = 0;
	else if (w->delay == 0)
		w->delay = BACK_OFF_LEAST;
	else if (2 * w->delay < BACK_OFF_MOST)
		w->delay *= 2;
	else
		w->delay = BACK_OFF_MOST;
	if (status != 0) {
		scoreboard_count(p->options->board, SCOREBOARD_DIED, 1);
		log_death(w, number_of(p, w), status);
	}
	scoreboard_release(p->options->board, w->slot);
	w->pid = 0;
	w->start_at = now + w->delay;
	p->alive--;
}

static void
reap(struct pool *p)
{
	unsigned i;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (i = 0; i < p->options->workers; i++)
			if (p->workers[i].pid == pid)
				bury(p, &p->workers[i], status);
}

static void
signal_workers(const struct pool *p, int sig)
{
	unsigned i;

	for (i = 0; i < p->options->workers; i++)
		if (p->workers[i].pid)
			kill(p->workers[i].pid, sig);
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

		if (!w->pid && w->start_at <= now)
			start(p, w);
		wait = w->start_at - now;
		if (!w->pid && (next < 0 || wait < next))
			next = wait;
	}
	return next;
}

/* Wait for a signal, at most so many ms (-1: for ever).  0 at the time-out. */
static int
wait_signal(const struct pool *p, long long ms)
{
	struct timespec t = { (time_t)(ms / 1000), ms % 1000 * 1000000 };
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
	const long long interval = p->options->tick_interval;
	long long now = clock_ms();

	if (!interval)
		return -1;
	if (p->tick_at <= now) {
		p->options->tick(p->options->ctx);
		p->tick_at = now + interval;
	}
	return p->tick_at - now;
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
	else if (sig && !p->draining)
		begin_drain(p, sig);
	else if (sig && clock_ms() - p->drain_began >= SAME_SIGNAL)
		p->kill_at = clock_ms();
}

static void
run(struct pool *p)
{
	while (!p->draining)
		handle(p, wait_signal(p, shorter(start_due(p), tick(p))));
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
pool_run(const struct pool_options *options)
{
	struct pool p = { .options = options };

	p.workers = calloc(options->workers, sizeof *p.workers);
	if (!p.workers)
		fatal(EX_OSERR, "no memory for %u workers", options->workers);
	signal(SIGCHLD, SIG_DFL);	/* it may have been ignored for us */
	sigemptyset(&p.signals);
	sigaddset(&p.signals, SIGTERM);
	sigaddset(&p.signals, SIGINT);
	sigaddset(&p.signals, SIGCHLD);
	sigaddset(&p.signals, SIGUSR1);
	sigprocmask(SIG_BLOCK, &p.signals, NULL);
	start_due(&p);
	options->ready(options->ctx);
	run(&p);
	drain(&p);
	free(p.workers);
	return p.killed;
}
