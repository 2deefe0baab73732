/* What the pool counts and does, for people and for their monitoring. */
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

/* In the order of the file, where those of one name stand together. */
static const struct counted {
	enum count count;
	const char *key;		/* in the log */
	const char *name, *label;	/* in the file */
	const char *help;
} counted[] = {
	{ COUNT_SESSIONS, "sessions", "sessions", "",
	    "Connections that were served, or refused before the banner." },
	{ COUNT_MESSAGES, "messages", "messages", "",
	    "Messages that were kept." },
	{ COUNT_OCTETS, "octets", "message_bytes", "",
	    "Size of the messages that were kept, as RFC 1870 counts." },
	{ COUNT_2YZ, "replies_2yz", "replies", "{class=\"2yz\"}",
	    "Replies by the first digit of their code." },
	{ COUNT_4YZ, "replies_4yz", "replies", "{class=\"4yz\"}", "" },
	{ COUNT_5YZ, "replies_5yz", "replies", "{class=\"5yz\"}", "" },
	{ COUNT_PRESSED, "pressed", "refused", "{why=\"pressure\"}",
	    "Clients that were sent away for what they are or do." },
	{ COUNT_CROWDED, "crowded", "refused", "{why=\"per-client\"}", "" },
	{ COUNT_EARLY, "early", "refused", "{why=\"early\"}", "" },
	{ COUNT_AUTH_FAILED, "auth_failed", "auth_failures", "",
	    "Names and passwords that were refused." },
	{ COUNT_HOOK_FAILED, "hook_failed", "hook_failures", "",
	    "Commands that gave no verdict." },
	{ COUNT_TIMED_OUT, "timed_out", "timeouts", "",
	    "Sessions that took too long." },
	{ (enum count)SCOREBOARD_DIED, "died", "workers_died", "",
	    "Workers that ended other than they should." },
	{ (enum count)SCOREBOARD_RESTARTS, "restarts", "restarts", "",
	    "Restarts by SIGHUP." },
};

enum { N_COUNTED = sizeof counted / sizeof *counted };

static bool
is_serving(const struct scoreboard_row *row)
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
	log_num(&l, "octets", row->octets);
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
		if (scoreboard_read(board, i, &row) && is_serving(&row))
			log_worker(&row, now);
}

static void
put_gauge(FILE *f, const char *name, const char *help, long long value)
{
	fprintf(f, "# HELP smtpd_%s %s\n# TYPE smtpd_%s gauge\n"
	    "smtpd_%s %lld\n", name, help, name, name, value);
}

static void
put_counters(FILE *f, const struct scoreboard *board)
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
word(const char *s)
{
	return *s ? s : "-";
}

static void
put_workers(FILE *f, const struct scoreboard *board)
{
	struct scoreboard_row r;
	unsigned i, n = 0;

	for (i = 0; i < scoreboard_slots(board) && n < STATUS_ROWS; i++)
		if (scoreboard_read(board, i, &r) && is_serving(&r)) {
			fprintf(f, "# worker %u %ld %s %s %lld %lld %lld "
			    "%lld\n", r.worker, (long)r.pid, word(r.phase),
			    word(r.client), r.since, r.octets, r.done,
			    r.errors);
			n++;
		}
}

/* The whole text, to be freed; NULL where there is no memory. */
static char *
compose(const struct status_file *s, const struct scoreboard *board)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	fputs(STATUS_MAGIC, f);
	put_gauge(f, "start_time_seconds", "When the server was started, or "
	    "restarted, in seconds since 1970.", s->start);
	put_gauge(f, "workers", "Size of the pool.", board->workers);
	put_gauge(f, "workers_busy", "Workers that serve a client.",
	    scoreboard_busy(board));
	put_counters(f, board);
	put_workers(f, board);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* A file beside it; with this process in its name, for there may be two. */
static int
open_new(const char *path, char **name)
{
	int fd, error;

	if (asprintf(name, "%s.%ld", path, (long)getpid()) < 0)
		return -1;
	unlink(*name);
	fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd >= 0 && fchmod(fd, 0644) == 0)	/* whatever the umask */
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
replace(const char *path, const char *text)
{
	char *name;
	int fd = open_new(path, &name), failed, error;

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
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		errno = S_ISDIR(st.st_mode) ? EISDIR : EEXIST;
		return -1;
	}
	fd = open_new(path, &name);
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
	text = compose(s, board);
	if (text && s->last && strcmp(text, s->last) == 0) {
		free(text);
		return;
	}
	if (text && replace(s->path, text) == 0) {
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
