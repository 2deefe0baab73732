/*
 * Makes each call of the server that can fail do so, one after the other and in
 * every way, and checks that the promises of smtpd hold.
 *
 *	every [-s N] [-l NAME[@KIND]] [-d DIR] [-f FS]
 *	    failures|crashes|launcher|order [SCENARIO...]
 *
 * failures: the K-th call of a function fails, for each K from 1 to the last
 * call; then that call and all later ones.  After a 250, the recipient must
 * have the message completely and once; after a rejection it must not have the
 * message; if the connection ended, it must have all of it or nothing.  Nothing
 * may be left in tmp/.  The next message, for which no call fails, must be
 * stored, with no more descriptors, children and memory than before.
 *
 * crashes: the server dies before its K-th call, and after it.  The same must
 * hold, except that files may be left in tmp/: the next server keeps them until
 * they are 36 hours old, and then removes them.
 *
 * launcher: the launcher dies before its K-th call, and after it, while the
 * worker serves.  The same must hold, with nothing left in tmp/, and the next
 * message must be stored.
 *
 * order: content must be on the disk before it gets a name, the name before
 * the 250, and nothing may be written to a file afterwards.  A name is on the
 * disk after an fsync of its directory; on btrfs after one of the file; on a
 * file system that smtpd does not know after both.
 *
 * FS is the file system that the server detects: ext4 (the default), btrfs or
 * other.  -s tries only each N-th K.  -l makes the calls of a function do
 * nothing and report success: such a server must be detected at the first
 * promise that it breaks.  DIR is made, and is best on a tmpfs.  The exit status
 * is 1 if a promise was broken; each is printed with the rule for t/fail.c.
 */
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "every.h"

#define OLD	(36 * 3600 + 60)	/* seconds: swept, maildir(5) */
#define HELPER	"t/tlsd -d 5 3 4"
#define KEEP	"cat >\"$HANDED/$SMTP_ID\""

static const struct scenario scenarios[] = {
	{ .name = "one", .recipients = 1 },
	{ .name = "ten", .recipients = 10, .own = 1 },
	{ .name = "many", .recipients = 20, .own = 1 },	/* two batches */
	{ .name = "links", .recipients = 3, .own = 1,
	    .options = { "--hardlink" } },
	{ .name = "folder", .recipients = 2, .own = 1, .folder = 1,
	    .launcher = 1,
	    .options = { "--on-message", "echo FOLDER=Junk;" } },
	{ .name = "hooks", .recipients = 2, .own = 1, .hands_on = 1,
	    .launcher = 1,
	    .options = { "--filter", "cat", "--deliver", KEEP } },
	{ .name = "spool", .recipients = 1, .hands_on = 1, .nowhere = 1,
	    .launcher = 1,
	    .options = { "--deliver", KEEP, "-m", "none" } },
	{ .name = "bdat", .recipients = 1, .bdat = 1 },
	{ .name = "lmtp", .recipients = 3, .own = 1, .lmtp = 1 },
	{ .name = "tls", .recipients = 1, .tls = 1, .launcher = 1,
	    .options = { "--tls", HELPER } },
	{ .name = "inetd", .recipients = 1, .inetd = 1 },
};

/* How calls fail, on what kind of descriptor ("": any). */
static const struct way {
	const char *name, *kind;
	int errors[9];		/* ends with 0 */
	int lasting;		/* all later calls may fail, too */
} ways[] = {
	{ "open", "", { ENOSPC, EDQUOT, EIO, EMFILE, ENFILE, ENOMEM, EROFS,
	    EINTR }, 1 },
	{ "open_old", "", { EMFILE, ENFILE, ENOMEM, EIO, EACCES, EINTR }, 1 },
	{ "write", "file", { ENOSPC, EDQUOT, EIO, EFBIG, EINTR, FAIL_SHORT,
	    FAIL_ZERO }, 1 },
	{ "write", "stderr", { ENOSPC, EIO, EPIPE, EAGAIN, EINTR, FAIL_SHORT },
	    1 },
	{ "write", "sock", { ECONNRESET, EPIPE, ENOBUFS, EAGAIN, EINTR,
	    FAIL_SHORT }, 0 },
	{ "write", "pipe", { EPIPE, EINTR }, 0 },
	/* EPIPE means that the launcher is dead, which "launcher" tries */
	{ "ask", "", { ENOBUFS, ENOMEM, EMSGSIZE, EINTR }, 1 },
	{ "copy", "", { ENOSPC, EDQUOT, EIO, ENOMEM, EXDEV, ENOSYS, EINTR,
	    FAIL_SHORT }, 1 },
	{ "fsync", "file", { EIO, ENOSPC, EDQUOT, EINTR }, 1 },
	{ "fsync", "dir", { EIO, ENOSPC, EDQUOT, EINTR }, 1 },
	{ "begin_sync", "", { EIO, ENOSPC, ENOMEM, EINTR, ENOSYS }, 1 },
	{ "rename", "", { ENOSPC, EDQUOT, EIO, EROFS, ENOMEM, EXDEV }, 1 },
	{ "link", "", { EMLINK, EXDEV, EPERM, ENOSPC, EDQUOT, EIO }, 1 },
	{ "unlink", "", { EIO, EROFS, EBUSY }, 0 },
	{ "mkdir", "", { ENOSPC, EDQUOT, EIO, EROFS, EMLINK }, 1 },
	{ "close", "", { EIO, EINTR, ENOSPC, EDQUOT }, 1 },
	{ "stat", "", { EIO, ENOMEM, EACCES, ELOOP }, 1 },
	{ "statvfs", "", { EIO, ENOMEM, EINTR, ENOSYS }, 1 },
	{ "statfs", "", { EIO, ENOMEM, EINTR, ENOSYS }, 1 },
	{ "access", "", { EIO, ENOMEM, EROFS }, 1 },
	{ "opendir", "", { EMFILE, ENFILE, ENOMEM }, 1 },
	{ "readdir", "", { EIO }, 1 },
	{ "lseek", "", { EIO }, 1 },
	{ "truncate", "", { ENOSPC, EIO, EINTR }, 1 },
	{ "read", "sock", { ECONNRESET, ETIMEDOUT, EIO, EAGAIN, EINTR }, 0 },
	{ "read", "ask", { EAGAIN, EINTR }, 0 },
	{ "read", "file", { EIO, EINTR }, 1 },
	{ "read", "pipe", { EIO, EAGAIN, EINTR }, 0 },
	{ "poll", "", { ENOMEM, EINTR }, 0 },
	{ "accept", "", { ECONNABORTED, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPROTO,
	    EINTR }, 0 },
	{ "sockname", "", { ENOBUFS }, 1 },
	{ "sockopt", "", { ENOBUFS, ENOPROTOOPT }, 1 },
	{ "shutdown", "", { ENOTCONN, ENOBUFS }, 1 },
	{ "ioctl", "", { ENOTTY, EINTR }, 1 },
	{ "fcntl", "", { EIO, EINTR }, 1 },
	{ "dup", "", { EMFILE, ENOMEM }, 1 },
	{ "pipe", "", { EMFILE, ENFILE, ENOMEM }, 1 },
	{ "socket", "", { EMFILE, ENFILE, ENOMEM }, 1 },
	{ "random", "", { EAGAIN, EINTR }, 1 },
	{ "mmap", "", { ENOMEM }, 1 },
	{ "malloc", "", { ENOMEM }, 1 },
};

static const struct {
	int error;
	const char *name;
} names[] = {
	{ FAIL_SHORT, "short" }, { FAIL_ZERO, "zero" }, { FAIL_KILL, "kill" },
	{ FAIL_AFTER, "after" }, { EACCES, "EACCES" }, { EAGAIN, "EAGAIN" },
	{ EBUSY, "EBUSY" }, { ECHILD, "ECHILD" },
	{ ECONNABORTED, "ECONNABORTED" }, { ECONNRESET, "ECONNRESET" },
	{ EDQUOT, "EDQUOT" }, { EFBIG, "EFBIG" }, { EINTR, "EINTR" },
	{ EIO, "EIO" }, { ELOOP, "ELOOP" }, { EMFILE, "EMFILE" },
	{ EMLINK, "EMLINK" }, { ENFILE, "ENFILE" }, { ENOBUFS, "ENOBUFS" },
	{ ENOENT, "ENOENT" }, { ENOMEM, "ENOMEM" },
	{ ENOPROTOOPT, "ENOPROTOOPT" }, { ENOSPC, "ENOSPC" },
	{ ENOSYS, "ENOSYS" }, { ENOTCONN, "ENOTCONN" }, { ENOTTY, "ENOTTY" },
	{ EMSGSIZE, "EMSGSIZE" }, { EPERM, "EPERM" }, { EPIPE, "EPIPE" }, { EPROTO, "EPROTO" },
	{ EROFS, "EROFS" }, { ETIMEDOUT, "ETIMEDOUT" }, { EXDEV, "EXDEV" },
};

static struct server server;
static int stops_early;		/* at the first broken promise */
static long stride = 1;
static long messages;		/* the number of the last message */
static long tried, broken;	/* failures tried, promises broken */
static struct { long blocks; int highest; } baseline[2];

static const char *
error_name(int error)
{
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].error == error)
			return names[i].name;
	return "?";
}

/* Report a broken promise. */
static void
blame(const char *what)
{
	const struct fail_control *c = server.control;

	broken++;
	printf("%s %s%s%s:%ld%s:%s: %s\n", server.scenario->name, c->name,
	    *c->kind ? "@" : "", c->kind, c->first, c->more ? "+" : "",
	    error_name(c->error), what);
	fflush(stdout);
}

static void
order(const char *name, const char *kind, int error, long first, int more)
{
	struct fail_control *c = server.control;

	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->kind, sizeof(c->kind), "%s", kind);
	c->error = error;
	c->first = first;
	c->more = more;
}

static void
arm(void)
{
	struct fail_control *c = server.control;

	c->count = c->fired = c->n_events = c->misclosed = 0;
	c->armed = 1;
}

/* How many copies of the last message does this recipient have? */
static int
copies_of(int recipient)
{
	const struct scenario *s = server.scenario;

	if (s->nowhere)
		return mail_handed(messages);
	return mail_kept(s->own ? recipient : 0, messages);
}

static void
check_recipient(int rcpt, int verdict, int copies)
{
	if (copies < 0)
		blame("a message is not whole");
	else if (copies > 1)
		blame("a message is there twice");
	else if (verdict == 250 && copies == 0)
		blame("250, and the message is not there");
	else if (verdict >= 400 && copies && !server.scenario->nowhere)
		blame("4xx, and the message is there");
	else if (rcpt != 250 && rcpt != 0 && copies)
		blame("no recipient, and he has the message");
}

/* Does each recipient have what the replies promised? */
static void
check_kept(const struct outcome *o)
{
	const struct scenario *s = server.scenario;
	int i, promised = 0;

	for (i = 0; i < s->recipients; i++) {
		check_recipient(o->rcpt[i], o->verdict[i], copies_of(i));
		promised |= o->verdict[i] == 250;
	}
	if (s->hands_on && promised && mail_handed(messages) != 1)
		blame("250, and the command does not have the message");
	if (o->bounced)
		blame("5xx, for what is a failure of this machine");
}

/* Without failures, the next message must be stored. */
static void
send_next(struct connection *c, int fresh)
{
	const struct scenario *s = server.scenario;
	struct outcome o;
	int i;

	messages++;
	server.control->highest = 0;
	if (fresh) {
		server_connect(&server, c);
		if (!client_greet(c, s))
			blame("the next session is refused");
	}
	client_send(c, s, messages, &o);
	for (i = 0; i < s->recipients && o.verdict[i] == 250; i++)
		;
	if (i < s->recipients)
		blame("the next message is refused");
	check_kept(&o);
}

static void
check_leaks(int fresh)
{
	const struct fail_control *c = server.control;

	if (baseline[fresh].highest == 0) {
		baseline[fresh].highest = c->highest;
		baseline[fresh].blocks = c->blocks;
	}
	if (c->highest > baseline[fresh].highest)
		blame("a descriptor is leaked");
	if (c->blocks > baseline[fresh].blocks && !server.scenario->inetd)
		blame("memory is leaked");
	if (c->misclosed)
		blame("a descriptor is closed that is not open");
	if (server_children(&server) > server.scenario->tls)
		blame("a child is not reaped");
}

/*
 * A process for a single session may exit without a reply.  (Without memory,
 * glibc's getpwnam may even crash.)
 */
static void
check_end(int greeted)
{
	int status;

	if (!server.scenario->inetd) {
		if (!server_stands(&server))
			blame("the worker died");
		return;
	}
	status = server_stop(&server);
	if (!WIFEXITED(status) && !greeted &&
	    strcmp(server.control->name, "malloc") == 0)
		return;
	if (!WIFEXITED(status))
		blame("the server died of a signal");
	else if (WEXITSTATUS(status) != 0 && (greeted ||
	    WEXITSTATUS(status) < 64 || WEXITSTATUS(status) > 78))
		blame("the server has a status that it should not have");
}

/* Send a message while calls fail.  Returns whether all of it was sent. */
static int
send_broken(struct connection *c, struct outcome *o)
{
	const struct scenario *s = server.scenario;
	int greeted;

	mail_empty(1);
	server_forget(&server);
	messages++;
	arm();
	if (!s->inetd) {		/* accept is called after it */
		server_connect(&server, c);
		client_quit(c);
	}
	server_connect(&server, c);
	greeted = client_greet(c, s);
	if (greeted)
		client_send(c, s, messages, o);
	server.control->armed = 0;
	return greeted;
}

/* Run a session while calls fail.  Returns false if none did. */
static int
try(void)
{
	struct connection c = { .fd = -1 };
	struct outcome o = { 0 };
	const long before = broken;
	const int greeted = send_broken(&c, &o);
	const int fired = server.control->fired > 0;
	const int goes_on = greeted && client_expect(&c, "RSET", 250);
	const int fresh = c.fd == -1 || !greeted;

	if (!fresh && !goes_on)
		blame("the session does not go on");
	if (c.hung)
		blame("no reply comes");
	else
		check_kept(&o);
	if (mail_left(0) != 0 && !server_says(&server, "discard-failed"))
		blame("a file is left in tmp/");
	if (fresh && !c.hung) {
		client_quit(&c);
		if (server.scenario->inetd)
			check_end(greeted);
	}
	if (!c.hung) {
		mail_empty(1);
		send_next(&c, fresh);
		check_leaks(fresh);
		client_quit(&c);
		check_end(1);
	}
	if (broken != before) {
		server_stop(&server);
		server_start(&server);
	}
	tried += fired;
	return fired && !(stops_early && broken);
}

static void
try_way(const struct way *w, int error, int more)
{
	long k = 1;

	do
		order(w->name, w->kind, error, k, more);
	while (try() && (k += stride));
}

/* Measure what a worker needs when nothing fails. */
static void
calibrate(void)
{
	struct connection c;
	int fresh;

	order("nothing", "", 0, 1, 0);
	memset(baseline, 0, sizeof(baseline));
	for (fresh = 1; fresh >= 0; fresh--) {
		mail_empty(1);
		send_next(&c, 1);
		if (!fresh) {
			mail_empty(1);
			send_next(&c, 0);
		}
		check_leaks(fresh);
		client_quit(&c);
		if (server.scenario->inetd)
			check_end(1);
	}
}

static void
try_failures(void)
{
	const struct way *w;
	const int *e;

	calibrate();
	for (w = ways; w < ways + sizeof(ways) / sizeof(*ways); w++)
		for (e = w->errors; *e != 0 && !(stops_early && broken); e++) {
			try_way(w, *e, 0);
			if (w->lasting && *e > 0 && *e != EINTR && *e != EAGAIN)
				try_way(w, *e, 1);
		}
}

/* Start the next server with this many files of this age in tmp/. */
static void
check_sweep(int left, long age)
{
	struct connection c;

	if (mail_left(age) != left)
		blame("a file in tmp/ is gone that is not old");
	mail_empty(0);
	send_next(&c, 1);
	client_quit(&c);
	check_end(1);
}

/* Run a session with one message.  Returns the status of the server. */
static int
send_one(void)
{
	struct connection c;
	struct outcome o = { 0 };
	int status;

	mail_empty(1);
	messages++;
	server_connect(&server, &c);
	if (!client_greet(&c, server.scenario))
		blame("no session");
	arm();
	client_send(&c, server.scenario, messages, &o);
	client_quit(&c);
	status = server_stop(&server);
	server.control->armed = 0;
	check_kept(&o);
	return status;
}

/* Let the server die at the k-th call.  Returns false if it survived. */
static int
crash(void)
{
	const int status = send_one();

	if (server.control->fired == 0)
		return 0;
	if (!WIFSIGNALED(status))
		blame("it did not die");
	check_sweep(mail_left(0), 0);
	check_sweep(mail_left(0), OLD);
	if (mail_left(0) != 0)
		blame("an old file in tmp/ was not swept");
	tried++;
	return !(stops_early && broken);
}

static void
try_crashes(void)
{
	static const int moments[] = { FAIL_KILL, FAIL_AFTER };
	long k;
	int i;

	for (i = 0; i < 2; i++) {
		k = 1;
		do
			order("any", "", moments[i], k, 0);
		while (crash() && (k += stride));
	}
}

/* Let the launcher die at its k-th call.  Returns false if it survived. */
static int
crash_launcher(void)
{
	struct connection c;
	struct outcome o = { 0 };

	mail_empty(1);
	messages++;
	arm();
	server_connect(&server, &c);
	if (client_greet(&c, server.scenario))
		client_send(&c, server.scenario, messages, &o);
	client_quit(&c);
	server.control->armed = 0;
	if (server.control->fired == 0)
		return 0;
	check_kept(&o);
	if (mail_left(0) != 0)
		blame("a file is left in tmp/");
	server_end_launcher(&server);
	mail_empty(1);
	send_next(&c, 1);
	client_quit(&c);
	if (!server_stands(&server))
		blame("the worker died with its launcher");
	if (!server_renew(&server))
		blame("the worker is not replaced");
	tried++;
	return !(stops_early && broken);
}

static void
try_launcher(void)
{
	static const int moments[] = { FAIL_KILL, FAIL_AFTER };
	long k;
	int i, goes_on;

	server.of_launcher = 1;
	if (server.scenario->launcher) {
		server_stop(&server);
		server_start(&server);
	}
	for (i = 0; i < 2 && server.scenario->launcher; i++)
		for (k = 1, goes_on = 1; goes_on; k += stride) {
			order("any", "", moments[i], k, 0);
			goes_on = crash_launcher();
		}
}

static void
try_order(void)
{
	order("nothing", "", 0, 1, 0);
	if (server.scenario->nowhere)
		return;
	send_one();
	order_check(&server, blame);
	tried = server.control->n_events;
}

static const struct what {
	const char *name;
	void (*run)(void);
	int inetd;		/* overrides that of the scenario */
	const char *points;
} whats[] = {
	{ "failures", try_failures, 0, "failures" },
	{ "crashes", try_crashes, 1, "crashes" },
	{ "launcher", try_launcher, 0, "crashes of the launcher" },
	{ "order", try_order, 1, "calls looked at" },
};

static int
run(const struct what *what, const struct scenario *scenario, const char *dir,
    const char *lie)
{
	struct scenario s = *scenario;
	char kind[8] = "";

	s.inetd |= what->inetd;
	mail_make(dir, s.recipients, s.folder);
	server_open(&server, &s, dir);
	sscanf(lie, "%15[a-z]@%7[a-z]", server.control->lie, kind);
	memcpy(server.control->lie_kind, kind, sizeof(kind));
	tried = broken = 0;
	server_start(&server);
	what->run();
	server_stop(&server);
	printf("%s: %ld %s, %ld promises broken\n", s.name, tried,
	    what->points, broken);
	fflush(stdout);
	return broken > 0;
}

static void
usage(void)
{
	errx(2, "usage: every [-s N] [-l NAME[@KIND]] [-d DIR] [-f FS] "
	    "failures|crashes|launcher|order [SCENARIO...]");
}

int
main(int argc, char **argv)
{
	const char *dir = "every.d", *lie = "";
	const size_t n = sizeof(scenarios) / sizeof(*scenarios);
	const struct what *what = whats;
	size_t i;
	int c, j, status = 0;

	order_choose_fs("ext4");
	while ((c = getopt(argc, argv, "s:l:d:f:")) != -1)
		switch (c) {
		case 's':
			stride = atol(optarg);
			break;
		case 'l':
			lie = optarg;
			stops_early = 1;
			break;
		case 'd':
			dir = optarg;
			break;
		case 'f':
			if (!order_choose_fs(optarg))
				usage();
			break;
		default:
			usage();
		}
	argv += optind;
	if (*argv == NULL)
		usage();
	while (strcmp(what->name, *argv) != 0)
		if (++what == whats + sizeof(whats) / sizeof(*whats))
			usage();
	signal(SIGPIPE, SIG_IGN);
	mkdir(dir, 0700);
	if ((dir = realpath(dir, NULL)) == NULL)
		err(2, "the directory");
	for (i = 0; i < n; i++) {
		for (j = 1; argv[j] != NULL &&
		    strcmp(argv[j], scenarios[i].name) != 0; j++)
			;
		if (argv[1] == NULL || argv[j] != NULL)
			status |= run(what, &scenarios[i], dir, lie);
	}
	return status;
}
