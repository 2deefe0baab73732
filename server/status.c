/*
 * The totals of a pool and the state of its workers.  A reader of the file
 * always finds a whole one: each update writes a new file and renames it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/log.h"
#include "server/status.h"

/* In the order of the file.  Counters of one name must be adjacent. */
static const struct counted {
	enum count count;
	const char *key;		/* in the log */
	const char *name, *label;	/* in the file */
	const char *help;
} counted[] = {
	{ COUNT_SESSIONS, "sessions", "sessions", "",
	    "Connections served, or refused before the banner." },
	{ COUNT_MESSAGES, "messages", "messages", "",
	    "Messages accepted." },
	{ COUNT_BYTES, "bytes", "message_bytes", "",
	    "Size of the messages accepted, as RFC 1870 counts it." },
	{ COUNT_2XX, "replies_2xx", "replies", "{class=\"2xx\"}",
	    "Replies by the first digit of their code." },
	{ COUNT_4XX, "replies_4xx", "replies", "{class=\"4xx\"}", "" },
	{ COUNT_5XX, "replies_5xx", "replies", "{class=\"5xx\"}", "" },
	{ COUNT_PRESSURE, "pressure", "refused", "{reason=\"pressure\"}",
	    "Clients refused or dropped, by reason." },
	{ COUNT_PER_CLIENT, "per_client", "refused",
	    "{reason=\"per-client\"}", "" },
	{ COUNT_EARLY, "early", "refused", "{reason=\"early\"}", "" },
	{ COUNT_AUTH_FAILURES, "auth_failures", "auth_failures", "",
	    "Logins rejected." },
	{ COUNT_HOOK_FAILURES, "hook_failures", "hook_failures", "",
	    "Hooks that failed without a verdict." },
	{ COUNT_TIMEOUTS, "timeouts", "timeouts", "",
	    "Sessions that timed out." },
	{ (enum count)SCOREBOARD_DIED, "died", "workers_died", "",
	    "Workers that crashed, were killed, or failed." },
	{ (enum count)SCOREBOARD_RESTARTS, "restarts", "restarts", "",
	    "Restarts by SIGHUP." },
};

enum { N_COUNTED = sizeof counted / sizeof *counted };

static bool
has_client(const struct scoreboard_row *row)
{
	return row->state == SLOT_BUSY || row->state == SLOT_LEAVING ||
	    (row->state == SLOT_RETIRED && *row->client);
}

static void
log_worker(const struct scoreboard_row *row, long long now)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "worker");
	log_num(&l, "worker", row->worker);
	log_num(&l, "pid", row->pid);
	log_str(&l, "phase", row->phase);
	log_str(&l, "client", row->client);
	log_num(&l, "seconds", now < row->since ? 0 : now - row->since);
	log_num(&l, "bytes", row->bytes);
	log_num(&l, "mails", row->done);
	log_num(&l, "errors", row->errors);
	log_end(&l);
}

void
status_log(const struct scoreboard *board)
{
	const long long now = (long long)time(NULL);
	struct scoreboard_row row;
	struct log_line l;
	unsigned i;

	log_begin(&l, LEVEL_INFO, "status");
	log_num(&l, "workers", board->workers);
	log_num(&l, "busy", scoreboard_busy(board));
	for (i = 0; i < N_COUNTED; i++)
		log_num(&l, counted[i].key,
		    (long long)scoreboard_total(board, counted[i].count));
	log_end(&l);
	for (i = 0; i < scoreboard_slots(board); i++)
		if (scoreboard_read(board, i, &row) && has_client(&row))
			log_worker(&row, now);
}

static void
write_gauge(FILE *f, const char *name, const char *help, long long value)
{
	fprintf(f, "# HELP smtpd_%s %s\n# TYPE smtpd_%s gauge\n"
	    "smtpd_%s %lld\n", name, help, name, name, value);
}

static void
write_counters(FILE *f, const struct scoreboard *board)
{
	const struct counted *c;

	for (c = counted; c < counted + N_COUNTED; c++) {
		if (*c->help)
			fprintf(f, "# HELP smtpd_%s_total %s\n"
			    "# TYPE smtpd_%s_total counter\n", c->name,
			    c->help, c->name);
		fprintf(f, "smtpd_%s_total%s %llu\n", c->name, c->label,
		    scoreboard_total(board, c->count));
	}
}

static const char *
or_dash(const char *s)
{
	return *s ? s : "-";
}

static void
write_worker_lines(FILE *f, const struct scoreboard *board)
{
	struct scoreboard_row r;
	unsigned i, n = 0;

	for (i = 0; i < scoreboard_slots(board) && n < STATUS_ROWS; i++)
		if (scoreboard_read(board, i, &r) && has_client(&r)) {
			fprintf(f, "# worker %u %ld %s %s %lld %lld %lld "
			    "%lld\n", r.worker, (long)r.pid, or_dash(r.phase),
			    or_dash(r.client), r.since, r.bytes, r.done,
			    r.errors);
			n++;
		}
}

/* Returns the text of the file, which the caller frees; NULL: no memory. */
static char *
compose_status(const struct status_file *s, const struct scoreboard *board)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	fputs(STATUS_MAGIC, f);
	write_gauge(f, "start_time_seconds", "Time of the start, or of the "
	    "last restart, in seconds since 1970.", s->start);
	write_gauge(f, "workers", "Size of the pool.", board->workers);
	write_gauge(f, "workers_busy", "Workers that serve a client.",
	    scoreboard_busy(board));
	write_counters(f, board);
	write_worker_lines(f, board);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/*
 * Create a file in the same directory.  Its name has the pid, because a former
 * master may still write its own.
 */
static int
open_temporary(const char *path, char **name)
{
	int fd, error;

	if (asprintf(name, "%s.%ld", path, (long)getpid()) < 0)
		return -1;
	unlink(*name);
	fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0 && fchmod(fd, 0644) == 0)	/* not the umask */
		return fd;
	error = errno;
	if (fd >= 0) {
		unlink(*name);
		close(fd);
	}
	free(*name);
	errno = error;
	return -1;
}

static int
replace_status(const char *path, const char *text)
{
	char *name;
	int fd = open_temporary(path, &name), failed, error;

	if (fd < 0)
		return -1;
	failed = file_write(fd, text, strlen(text));
	error = errno;
	if (close(fd) < 0 && !failed) {
		failed = -1;
		error = errno;
	}
	if (!failed && (failed = rename(name, path)) < 0)
		error = errno;
	if (failed)
		unlink(name);
	free(name);
	errno = error;
	return failed;
}

int
status_open(struct status_file *s, const char *path)
{
	struct stat st;
	char *name;
	int fd;

	*s = (struct status_file){ .path = path, .start = time(NULL) };
	if (!path)
		return 0;
	if (!*path) {
		errno = ENOENT;
		return -1;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
		return -1;
	}
	fd = open_temporary(path, &name);
	if (fd < 0)
		return -1;
	close(fd);
	unlink(name);
	free(name);
	return 0;
}

void
status_update(struct status_file *s, const struct scoreboard *board)
{
	char *text;

	if (!s->path)
		return;
	text = compose_status(s, board);
	if (text && s->last && strcmp(text, s->last) == 0) {
		free(text);
		return;
	}
	if (text && replace_status(s->path, text) == 0) {
		free(s->last);
		s->last = text;
		s->failed = false;
		return;
	}
	if (!s->failed)
		log_errno("status-failed", "file", s->path);
	s->failed = true;
	free(text);
}

void
status_close(struct status_file *s)
{
	if (s->path)
		unlink(s->path);
	free(s->last);
	*s = (struct status_file){ .path = NULL };
}
