/* The restart on SIGHUP. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "server/handover.h"
#include "server/restart.h"

enum { CHECK_SECONDS = 30 };	/* for the checks of a start */

void
restart_prepare(struct restart *r, char **argv)
{
	/* the path that exec was given: no link in it was followed */
	const char *path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	size_t len = 0;

	r->argv = argv;
	if (!path)
		return;
	if (*path != '/') {
		if (!getcwd(r->path, sizeof r->path))
			return;
		len = strlen(r->path);
	}
	if ((size_t)snprintf(r->path + len, sizeof r->path - len, "%s%s",
	    len ? "/" : "", path) >= sizeof r->path - len)
		r->path[0] = '\0';
}

const char *
restart_obstacle(const struct restart *r)
{
	return access(r->path, X_OK) < 0 ? strerror(errno) : NULL;
}

static void
log_obstacle(struct log_line *l, const struct restart *r, const char *error)
{
	log_str(l, "program", r->path);
	log_str(l, "error", error);
	log_num(l, "uid", (long long)geteuid());
	log_str(l, "hint", RESTART_HINT);
}

void
restart_warn(const struct restart *r)
{
	const char *obstacle = restart_obstacle(r);
	struct log_line l;

	if (!obstacle)
		return;
	log_begin(&l, LEVEL_WARNING, "restart-impossible");
	log_obstacle(&l, r, obstacle);
	log_end(&l);
}

/* Which program lies there now?  All zero: none. */
static struct stat
look(const struct restart *r)
{
	struct stat st;

	if (stat(r->path, &st) < 0)
		memset(&st, 0, sizeof st);
	return st;
}

static bool
is_another(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino ||
	    a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
	    a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* Why, in words, or else how the check ended. */
static void
failed(struct server *server, const char *error, int status)
{
	struct restart *r = &server->restart;
	const char *obstacle = restart_obstacle(r);
	const bool killed = WIFSIGNALED(status);
	const int how = killed ? WTERMSIG(status) : WEXITSTATUS(status);
	struct log_line l;

	log_begin(&l, LEVEL_ERROR, "restart-failed");
	if (obstacle)
		log_obstacle(&l, r, obstacle);
	else
		log_str(&l, "program", r->path);
	if (obstacle)
		error = obstacle;
	else if (error)
		log_str(&l, "error", error);
	else
		log_num(&l, killed ? "signal" : "status", how);
	log_end(&l);
	snprintf(r->failure, sizeof r->failure, error ? "%s" : "%s %d",
	    error ? error : killed ? "signal" : "status", how);
	notify_send(&server->notify, "READY=1\nSTATUS=The restart failed: %s; "
	    "the program as it was goes on", r->failure);
}

/*
 * In the child: become the program that is on disk now.  What it inherits has
 * an alarm set, for it may hang; the signals are those of a start.
 */
__attribute__((noreturn))
static void
check(struct server *server, int state)
{
	static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1,
	    SIGALRM };
	sigset_t set;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	for (i = 0; i < sizeof ours / sizeof *ours; i++) {
		signal(ours[i], SIG_DFL);
		sigaddset(&set, ours[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm(CHECK_SECONDS);
	handover_expose(server, state, true);
	execv(server->restart.path, server->restart.argv);
	log_errno("exec-failed", "program", server->restart.path);
	_exit(EX_UNAVAILABLE);
}

/* All that the next program has to know, in a memfd. */
static int
write_state(const struct server *server, const struct pool *pool)
{
	const unsigned n = pool ? pool_workers(pool, NULL, 0) : 0;
	struct pool_worker *workers = calloc(n + 1, sizeof *workers);
	int state, error;

	if (!workers)
		return -1;
	if (pool)
		pool_workers(pool, workers, n);
	state = handover_write(server, workers, n);
	error = errno;
	free(workers);
	errno = error;
	return state;
}

/* Fork the child.  Returns 0, or -1 with errno set. */
static int
begin_check(struct server *server)
{
	struct restart *r = &server->restart;

	r->program = look(r);
	if (access(r->path, X_OK) < 0)
		return -1;
	r->state = write_state(server, NULL);
	if (r->state < 0)
		return -1;
	r->check = fork();
	if (r->check == 0)
		check(server, r->state);
	r->check_until = clock_ms() + (CHECK_SECONDS + 1) * 1000;
	if (r->check > 0)
		return 0;
	r->check = 0;
	close(r->state);
	return -1;
}

void
restart_begin(struct server *server)
{
	struct restart *r = &server->restart;

	if (r->check && clock_ms() > r->check_until)
		kill(r->check, SIGKILL);	/* no alarm could end it */
	if (r->check || r->agreed)
		return;
	r->failure[0] = '\0';
	notify_send(&server->notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    clock_ms() * 1000);
	if (begin_check(server) < 0)
		failed(server, strerror(errno), 0);
}

/* Returns only if it can't be done. */
static void
take_over(struct server *server, const struct pool *pool)
{
	const struct restart *r = &server->restart;
	int state = write_state(server, pool);
	struct log_line l;

	if (state < 0) {
		failed(server, strerror(errno), 0);
		return;
	}
	log_begin(&l, LEVEL_INFO, "restarting");
	log_str(&l, "program", r->path);
	log_end(&l);
	handover_expose(server, state, true);
	execv(r->path, r->argv);
	failed(server, strerror(errno), 0);
	handover_expose(server, state, false);
	close(state);
}

/* What a child found of another program than lies there now is of no use. */
static bool
check_again(struct server *server)
{
	const struct stat now = look(&server->restart);

	if (!is_another(&now, &server->restart.program))
		return false;
	if (begin_check(server) < 0)
		failed(server, strerror(errno), 0);
	return true;
}

void
restart_child_ended(struct server *server, struct pool *pool, pid_t pid,
    int status)
{
	struct restart *r = &server->restart;
	bool agreed;

	if (pid != r->check)
		return;
	r->check = 0;
	agreed = handover_agreed(r->state);
	close(r->state);
	if (check_again(server))
		return;
	if (status != 0) {
		failed(server, NULL, status);
	} else if (!agreed) {
		failed(server, "it is no smtpd", 0);
	} else {
		r->agreed = true;
		pool_claim_room(pool);
	}
}

void
restart_take_place(struct server *server, const struct pool *pool)
{
	server->restart.agreed = false;
	if (!check_again(server))
		take_over(server, pool);
}

void
restart_cancel(struct server *server)
{
	if (server->restart.check)
		kill(server->restart.check, SIGKILL);
	server->restart.check = 0;
}
