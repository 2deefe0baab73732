/*
 * The restart on SIGHUP.  The running program is replaced only by one that
 * passed its own start-up checks, as the same file.
 */
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

enum { CHECK_SECONDS = 30 };	/* for the start-up checks */

void
restart_prepare(struct restart *r, char **argv)
{
	/* as given to exec: no link in it was followed */
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

/* The program at the path now; all zero: none. */
static struct stat
stat_program(const struct restart *r)
{
	struct stat st;

	if (stat(r->path, &st) < 0)
		memset(&st, 0, sizeof st);
	return st;
}

static bool
is_other_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev != b->st_dev || a->st_ino != b->st_ino ||
	    a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
	    a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* Log why a restart failed: the error, or else how the check ended. */
static void
report_restart_failure(struct server *server, const char *error, int status)
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
	notify_send(&server->notify, "READY=1\nSTATUS=Restart failed: %s; "
	    "the former program continues", r->failure);
}

/*
 * In the child: execute the program that is on disk now, with the signals of a
 * start, and with an alarm in case it hangs.
 */
__attribute__((noreturn))
static void
exec_check(struct server *server, int state)
{
	static const int handled[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD,
	    SIGUSR1, SIGALRM };
	sigset_t set;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&set);
	for (i = 0; i < sizeof handled / sizeof *handled; i++) {
		signal(handled[i], SIG_DFL);
		sigaddset(&set, handled[i]);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm(CHECK_SECONDS);
	handover_expose(server, state, true);
	execv(server->restart.path, server->restart.argv);
	log_errno("exec-failed", "program", server->restart.path);
	_exit(EX_UNAVAILABLE);
}

/* Returns a memfd with the state of the server and, if given, its pool. */
static int
hand_over_pool(const struct server *server, const struct pool *pool)
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
fork_check(struct server *server)
{
	struct restart *r = &server->restart;

	r->program = stat_program(r);
	if (access(r->path, X_OK) < 0)
		return -1;
	r->state = hand_over_pool(server, NULL);
	if (r->state < 0)
		return -1;
	r->check = fork();
	if (r->check == 0)
		exec_check(server, r->state);
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
		kill(r->check, SIGKILL);	/* its alarm did not end it */
	if (r->check || r->agreed)
		return;
	r->failure[0] = '\0';
	notify_send(&server->notify, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    clock_ms() * 1000);
	if (fork_check(server) < 0)
		report_restart_failure(server, strerror(errno), 0);
}

/* Returns only on failure. */
static void
exec_program(struct server *server, const struct pool *pool)
{
	const struct restart *r = &server->restart;
	int state = hand_over_pool(server, pool);
	struct log_line l;

	if (state < 0) {
		report_restart_failure(server, strerror(errno), 0);
		return;
	}
	log_begin(&l, LEVEL_INFO, "restarting");
	log_str(&l, "program", r->path);
	log_end(&l);
	handover_expose(server, state, true);
	execv(r->path, r->argv);
	report_restart_failure(server, strerror(errno), 0);
	handover_expose(server, state, false);
	close(state);
}

/* The check counts only for the program that is still at the path. */
static bool
recheck_if_replaced(struct server *server)
{
	const struct stat now = stat_program(&server->restart);

	if (!is_other_file(&now, &server->restart.program))
		return false;
	if (fork_check(server) < 0)
		report_restart_failure(server, strerror(errno), 0);
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
	if (recheck_if_replaced(server))
		return;
	if (status != 0) {
		report_restart_failure(server, NULL, status);
	} else if (!agreed) {
		report_restart_failure(server, "the program is not smtpd", 0);
	} else {
		r->agreed = true;
		pool_claim_room(pool);
	}
}

void
restart_exec(struct server *server, const struct pool *pool)
{
	server->restart.agreed = false;
	if (!recheck_if_replaced(server))
		exec_program(server, pool);
}

void
restart_cancel(struct server *server)
{
	if (server->restart.check)
		kill(server->restart.check, SIGKILL);
	server->restart.check = 0;
}
