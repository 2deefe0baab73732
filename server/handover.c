/*
 * The state that a master hands over at a restart.  It is trusted only if it is
 * sealed and was written for this process; else the program does not start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/text/words.h"
#include "server/handover.h"

enum {
	FORMAT = 1,	/* version of the lines */
	SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE,
	AGREED = F_SEAL_SEAL,
};

__attribute__((noreturn))
static void
reject_state(const char *why)
{
	fatal(EX_USAGE, "SMTPD_STATE is for smtpd's own use: %s", why);
}

/* Check an inherited descriptor, and do not pass it on to children. */
static int
inherit_fd(int fd)
{
	if (fd <= STDERR_FILENO || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		reject_state("a descriptor is not open");
	return fd;
}

static void
read_listener_line(struct server *server, char *text)
{
	struct listener_options options = { .backlog = 0 };
	struct listener_error error;
	char *word[3];		/* descriptor, kind, owner */

	if (words_split(text, word, 3) != 3)
		reject_state("malformed listener");
	options.kind = (int)settings_kind(server->settings, "SMTPD_STATE",
	    word[1], strlen(word[1]));
	if (options.kind == KINDS)
		reject_state("unknown kind of listener");
	if (listener_adopt(&server->listeners, inherit_fd(atoi(word[0])),
	    &options, &error) < 0)
		reject_state(error.text);
	server->listeners.all[server->listeners.n - 1].inherited =
	    strcmp(word[2], "lent") == 0;
}

static bool
is_child(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void
read_worker_line(struct handover *h, char *text)
{
	struct pool_worker w, *more;
	char *word[6];
	unsigned long long n[6];
	unsigned i;

	if (words_split(text, word, 6) != 6)
		reject_state("malformed worker");
	for (i = 0; i < 6; i++)
		n[i] = words_number(word[i]);
	w = (struct pool_worker){ .pid = (pid_t)n[0], .number = (unsigned)n[1],
	    .slot = (unsigned)n[2], .since = (long long)n[3],
	    .stage = (enum pool_stage)n[4], .stage_since = (long long)n[5] };
	if (w.pid <= 1 || n[4] >= POOL_STAGES ||
	    (!h->check && !is_child(w.pid)))
		reject_state("a worker is not a child of this process");
	more = realloc(h->workers, (h->n_workers + 1) * sizeof *more);
	if (!more)
		fatal(EX_OSERR, "out of memory");
	more[h->n_workers++] = w;
	h->workers = more;
}

/* Was it written by this process before exec, or by the parent for a check? */
static void
read_master_line(struct handover *h, const char *text)
{
	const long pid = strtol(text, NULL, 10);

	h->check = pid == getppid() && pid != getpid();
	if (!h->check && pid != getpid())
		reject_state("it was written for another process");
	h->ours = true;
}

static void
read_state_line(struct handover *h, struct server *server, char *line)
{
	const char *word = line;
	char *value;
	const struct { const char *word; int *fd; } descriptors[] = {
		{ "scoreboard", &h->board }, { "notify", &h->notify },
		{ "base", &h->base }, { "maildir", &h->maildir },
	};
	size_t i;

	line[strcspn(line, "\n")] = '\0';
	line += strcspn(line, " ");
	if (*line)
		*line++ = '\0';
	value = line;
	for (i = 0; i < sizeof descriptors / sizeof *descriptors; i++)
		if (strcmp(word, descriptors[i].word) == 0) {
			*descriptors[i].fd = inherit_fd(atoi(value));
			return;
		}
	if (strcmp(word, "master") == 0)
		read_master_line(h, value);
	else if (strcmp(word, "listener") == 0)
		read_listener_line(server, value);
	else if (strcmp(word, "worker") == 0)
		read_worker_line(h, value);
	else if (strcmp(word, "end") == 0)
		h->present = true;
	else
		reject_state("unknown line, perhaps of another version");
}

void
handover_read(struct handover *h, struct server *server)
{
	const char *number = getenv("SMTPD_STATE");
	char line[256], first[32];
	FILE *f;

	*h = (struct handover){ .board = -1, .notify = -1, .base = -1,
	    .maildir = -1 };
	if (!number)
		return;
	h->state = atoi(number);
	unsetenv("SMTPD_STATE");
	if ((fcntl(h->state, F_GET_SEALS) & (SEALS | AGREED)) != SEALS)
		reject_state("it does not name a sealed memfd");
	f = fdopen(inherit_fd(h->state), "r");
	if (!f)
		fatal(EX_OSERR, "SMTPD_STATE: %s", strerror(errno));
	rewind(f);
	snprintf(first, sizeof first, "smtpd %d\n", FORMAT);
	if (!fgets(line, sizeof line, f) || strcmp(line, first) != 0)
		reject_state("it was written by another version");
	while (!h->present && fgets(line, sizeof line, f))
		read_state_line(h, server, line);
	if (!h->present || !h->ours || server->listeners.n == 0)
		reject_state("it is incomplete");
	if (!h->check)
		fclose(f);
}

int
handover_agree(const struct handover *h)
{
	return fcntl(h->state, F_ADD_SEALS, AGREED);
}

bool
handover_agreed(int state)
{
	const int seals = fcntl(state, F_GET_SEALS);

	return seals >= 0 && (seals & AGREED);
}

/* Returns false if the last line, and so perhaps others, was not written. */
static bool
write_state_lines(int fd, const struct server *server,
    const struct pool_worker *w, unsigned n)
{
	const struct listeners *l = &server->listeners;
	const struct store *store = &server->store;
	unsigned i;

	dprintf(fd, "smtpd %d\nmaster %ld\n", FORMAT, (long)getpid());
	for (i = 0; i < l->n; i++)
		dprintf(fd, "listener %d %s %s\n", l->all[i].fd,
		    listener_kinds[l->all[i].kind].name,
		    l->all[i].inherited ? "lent" : "own");
	if (scoreboard_fd(&server->board) >= 0)
		dprintf(fd, "scoreboard %d\n", scoreboard_fd(&server->board));
	if (server->notify.fd >= 0)
		dprintf(fd, "notify %d\n", server->notify.fd);
	dprintf(fd, "base %d\n", store->base);
	if (store_is_one(store))
		dprintf(fd, "maildir %d\n", store->one.dir);
	for (i = 0; i < n; i++)
		dprintf(fd, "worker %ld %u %u %lld %u %lld\n", (long)w[i].pid,
		    w[i].number, w[i].slot, w[i].since, w[i].stage,
		    w[i].stage_since);
	return dprintf(fd, "end\n") > 0;
}

int
handover_write(const struct server *server, const struct pool_worker *w,
    unsigned n)
{
	int error, fd;

	fd = memfd_create("smtpd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if (write_state_lines(fd, server, w, n) &&
	    fcntl(fd, F_ADD_SEALS, SEALS) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
set_inheritable(int fd, bool on)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, on ? 0 : FD_CLOEXEC);
}

void
handover_expose(const struct server *server, int state, bool on)
{
	char number[16];
	unsigned i;

	for (i = 0; i < server->listeners.n; i++)
		set_inheritable(server->listeners.all[i].fd, on);
	set_inheritable(scoreboard_fd(&server->board), on);
	set_inheritable(server->notify.fd, on);
	set_inheritable(server->store.base, on);
	if (store_is_one(&server->store))
		set_inheritable(server->store.one.dir, on);
	set_inheritable(state, on);
	snprintf(number, sizeof number, "%d", state);
	if (on)
		setenv("SMTPD_STATE", number, 1);
	else
		unsetenv("SMTPD_STATE");
}
