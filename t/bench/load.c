/*
 * A load of SMTP for the benchmarks: so many sessions at once from one process,
 * each with so many transactions, all of them alike, one step after the other
 * as fast as the server answers.  It believes in nothing: a reply other than
 * the one expected, a connection that is lost or silent, is told, ends its
 * session and makes the exit status 1, and then the figures are no figures.
 *
 *	load [-pc] [-s sessions] [-m messages] [-l octets] [-r recipients]
 *	    [-x data|bdat|rset|none] [-f sender] [-t recipient] [-w seconds]
 *	    address:port
 *
 * -s	sessions at once (16); each connects when the last has its banner
 * -m	transactions of a session (100)
 * -l	octets of a message, CR LF included (4096): a header, and lines of 76
 * -r	recipients (1); if there are more, "b@d.example" is b0@d.example,
 *	b1@d.example and so on
 * -x	how a transaction ends: by DATA or BDAT, by RSET after the recipients,
 *	or there is none between EHLO and QUIT, and sessions are counted
 * -p	a transaction's commands go out at once (with BDAT the message too);
 *	without it each awaits the reply to the last
 * -c	each transaction has its own connection; so it has with -x none
 * -w	give up when nothing came for that long (60)
 *
 * Prints one line: the transactions accepted, failed and not tried; seconds
 * from the first connect to the last close; accepted transactions a second;
 * milliseconds that 50, 95 and 99 of 100 transactions took at most, from the
 * first command (with -c from the connect) to the last reply; and the seconds
 * of CPU that this program used itself.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* SOCK_NONBLOCK */
#endif

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define REPLY_MAX	512	/* octets with CRLF, RFC 5321 4.5.3.1.5 */
#define STEPS_MAX	1100	/* 1,000 recipients in lock-step, and the rest */
#define TOLD_MAX	10	/* failures told in words */
#define EVENTS		256
#define ROOM		65536	/* octets read at once */

/* What is sent at once, and the replies that it must get. */
struct step {
	char *text;		/* none: the server speaks first, or closes */
	size_t len;
	unsigned replies;	/* 0: the server has to close */
	int last;		/* code of the last; the others are 250 */
};

struct session {
	int fd;
	unsigned step;
	unsigned replies;	/* to this step, so far */
	unsigned left;		/* transactions */
	size_t sent;		/* octets of the step */
	bool blocked;		/* epoll tells when more can be sent */
	uint64_t begun;		/* the transaction */
	size_t have;
	char line[REPLY_MAX + 1];	/* the start of a reply's line */
};

static unsigned sessions = 16, messages = 100, recipients = 1;
static unsigned patience = 60;		/* seconds */
static size_t size = 4096;
static const char *ending = "data";
static const char *sender = "a@c.example", *recipient = "b@d.example";
static bool pipelined, reconnect;
static struct sockaddr_in server;

static struct step steps[STEPS_MAX];
static unsigned nsteps;
static unsigned first;			/* step of a transaction */
static unsigned quit;			/* the step that says so */
static unsigned done;			/* the step before which it counts */

static int epoll;
static struct session *all;
static unsigned opened;			/* of all sessions */
static unsigned running, accepted, failed, untried;
static uint32_t *took;			/* microseconds; `accepted' of them */

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(71);
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
append(struct step *step, const char *text, size_t len)
{
	step->text = realloc(step->text, step->len + len + 1);
	if (!step->text)
		die("realloc");
	memcpy(step->text + step->len, text, len);
	step->len += len;
	step->text[step->len] = '\0';
}

static struct step *
new_step(void)
{
	if (nsteps == STEPS_MAX) {
		fputs("load: too many recipients\n", stderr);
		exit(64);
	}
	return &steps[nsteps++];
}

/* Add a command to the transaction: to its first step, or as one of its own. */
static struct step *
command(const char *text, int code)
{
	struct step *step = pipelined && nsteps > first ?
	    &steps[first] : new_step();

	append(step, text, strlen(text));
	step->replies++;
	step->last = code;
	return step;
}

/* A header, then lines of 76 octets: just `size' octets. */
static char *
make_message(void)
{
	static const char header[] = "From: <load@c.example>\r\n"
	    "To: <load@d.example>\r\nSubject: load\r\n"
	    "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\n\r\n";
	size_t at = sizeof header - 1;
	char *message;

	if (size < at + 3) {
		fprintf(stderr, "load: -l must be at least %zu\n", at + 3);
		exit(64);
	}
	message = malloc(size);
	if (!message)
		die("malloc");
	memcpy(message, header, at);
	for (size_t i = 0; at < size; at++, i++)
		message[at] = i % 78 < 76 ? (char)('a' + i % 23) :
		    i % 78 == 76 ? '\r' : '\n';
	if (message[size - 3] == '\r')
		message[size - 3] = 'a';
	message[size - 2] = '\r';
	message[size - 1] = '\n';
	return message;
}

static void
add_message(void)
{
	char line[64], *message = make_message();
	struct step *step;

	if (strcmp(ending, "bdat") == 0) {
		snprintf(line, sizeof line, "BDAT %zu LAST\r\n", size);
		append(command(line, 250), message, size);
	} else {
		command("DATA\r\n", 354);
		step = new_step();
		append(step, message, size);
		append(step, ".\r\n", 3);
		step->replies = 1;
		step->last = 250;
	}
	free(message);
}

static void
add_transaction(void)
{
	const char *at = strrchr(recipient, '@');
	int local = at ? (int)(at - recipient) : (int)strlen(recipient);
	char line[REPLY_MAX];

	snprintf(line, sizeof line, "MAIL FROM:<%s>\r\n", sender);
	command(line, 250);
	for (unsigned i = 0; i < recipients; i++) {
		if (recipients == 1)
			snprintf(line, sizeof line, "RCPT TO:<%s>\r\n",
			    recipient);
		else
			snprintf(line, sizeof line, "RCPT TO:<%.*s%u%s>\r\n",
			    local, recipient, i, at ? at : "");
		command(line, 250);
	}
	if (strcmp(ending, "rset") == 0)
		command("RSET\r\n", 250);
	else
		add_message();
}

static void
add_step(const char *text, int code)
{
	struct step *step = new_step();

	if (text)
		append(step, text, strlen(text));
	step->replies = code ? 1 : 0;
	step->last = code;
}

static void
make_steps(void)
{
	add_step(NULL, 220);
	add_step("EHLO c.example\r\n", 250);
	first = nsteps;
	if (strcmp(ending, "none") != 0)
		add_transaction();
	quit = nsteps;
	done = first == quit ? quit + 1 : quit;
	add_step("QUIT\r\n", 221);
	add_step(NULL, 0);
	if (first == quit)
		reconnect = true;
}

static void
leave(struct session *s)
{
	close(s->fd);
	s->fd = -1;
	running--;
}

static void
watch(struct session *s, int how)
{
	struct epoll_event event = { .data.ptr = s };

	event.events = EPOLLIN | (s->blocked ? EPOLLOUT : 0);
	if (epoll_ctl(epoll, how, s->fd, &event) < 0)
		die("epoll_ctl");
}

/* It has connected when there is a banner. */
static void
dial(struct session *s)
{
	int one = 1;

	running++;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		die("socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (connect(s->fd, (struct sockaddr *)&server, sizeof server) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	s->step = 0;
	s->replies = 0;
	s->sent = s->have = 0;
	s->blocked = false;
	s->begun = now();
	watch(s, EPOLL_CTL_ADD);
}

/* The next session; there is no herd of connects at the start. */
static void
open_next(void)
{
	if (opened == sessions)
		return;
	all[opened].left = messages;
	dial(&all[opened++]);
}

/* A failure ends its session: what it would still have sent is not tried. */
static void
fail(struct session *s, const char *what, const char *detail)
{
	if (failed++ < TOLD_MAX)
		fprintf(stderr, "load: %s%s\n", what, detail);
	untried += s->step < done ? s->left - 1 : s->left;
	leave(s);
	if (s->step == 0)
		open_next();
}

/* Returns false if the session is over, by a failure. */
static bool
transmit(struct session *s)
{
	const struct step *step = &steps[s->step];
	bool blocked = false;

	while (s->sent < step->len) {
		ssize_t n = send(s->fd, step->text + s->sent,
		    step->len - s->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			blocked = true;
			break;
		}
		if (n < 0) {
			fail(s, "lost while sending: ", strerror(errno));
			return false;
		}
		s->sent += (size_t)n;
	}
	if (blocked != s->blocked) {
		s->blocked = blocked;
		watch(s, EPOLL_CTL_MOD);
	}
	return true;
}

static void
count(struct session *s)
{
	took[accepted++] = (uint32_t)(now() - s->begun);
	s->left--;
}

/* The step has all its replies: on to the next. */
static bool
advance(struct session *s)
{
	if (s->step++ == 0)
		open_next();
	if (s->step == done) {
		count(s);
		if (!reconnect && s->left > 0)
			s->step = first;
	}
	if (s->step == first && !reconnect)
		s->begun = now();
	s->replies = 0;
	s->sent = 0;
	return transmit(s);
}

static bool
take_line(struct session *s)
{
	const struct step *step = &steps[s->step];
	const char *line = s->line;
	bool last;
	int code;

	if (strspn(line, "0123456789") != 3 || !strchr(" -", line[3])) {
		fail(s, "not a reply: ", line);
		return false;
	}
	code = atoi(line);
	last = s->replies + 1 >= step->replies;
	if (step->replies == 0 || code != (last ? step->last : 250) ||
	    (last && s->sent < step->len)) {
		fail(s, "unexpected: ", line);
		return false;
	}
	if (line[3] == '-')
		return true;
	return ++s->replies < step->replies || advance(s);
}

/* Returns false if the session is over, by a failure. */
static bool
take(struct session *s, const char *buf, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (buf[i] != '\n') {
			if (s->have < REPLY_MAX)
				s->line[s->have++] = buf[i];
			continue;
		}
		if (s->have > 0 && s->line[s->have - 1] == '\r')
			s->have--;
		s->line[s->have] = '\0';
		s->have = 0;
		if (!take_line(s))
			return false;
	}
	return true;
}

static void
receive(struct session *s)
{
	static char buf[ROOM];
	ssize_t n = recv(s->fd, buf, sizeof buf, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		take(s, buf, (size_t)n);
	} else if (n < 0) {
		fail(s, "lost: ", strerror(errno));
	} else if (s->step <= quit) {
		fail(s, "closed by the server", "");
	} else {
		leave(s);
		if (s->left > 0)
			dial(s);
	}
}

static void
serve(void)
{
	struct epoll_event events[EVENTS];
	int n;

	while (running > 0) {
		n = epoll_wait(epoll, events, EVENTS, (int)patience * 1000);
		if (n < 0)
			die("epoll_wait");
		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;

			if ((events[i].events & EPOLLOUT) && !transmit(s))
				continue;
			if (events[i].events & ~(unsigned)EPOLLOUT)
				receive(s);
		}
		if (n > 0)
			continue;
		for (unsigned i = 0; i < opened; i++)
			if (all[i].fd >= 0)
				fail(&all[i], "the server is silent, after ",
				    steps[all[i].step].text ?
				    steps[all[i].step].text : "nothing");
	}
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The nearest rank, in milliseconds. */
static double
percentile(unsigned percent)
{
	unsigned rank = (unsigned)(((uint64_t)accepted * percent + 99) / 100);

	return rank ? took[rank - 1] / 1000.0 : 0;
}

static void
tell(uint64_t elapsed)
{
	struct rusage own;
	double seconds = (double)elapsed / 1e6;

	getrusage(RUSAGE_SELF, &own);
	qsort(took, accepted, sizeof *took, compare);
	printf("accepted=%u failed=%u untried=%u seconds=%.3f rate=%.1f "
	    "p50=%.3f p95=%.3f p99=%.3f cpu=%.3f\n", accepted, failed, untried,
	    seconds, accepted / seconds, percentile(50), percentile(95),
	    percentile(99), (double)(own.ru_utime.tv_sec +
	    own.ru_stime.tv_sec) + (double)(own.ru_utime.tv_usec +
	    own.ru_stime.tv_usec) / 1e6);
}

static unsigned
number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n == 0 || n > 1000000000) {
		fprintf(stderr, "load: not a number: %s\n", text);
		exit(64);
	}
	return (unsigned)n;
}

static void
set_server(const char *text)
{
	char address[INET_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');

	if (colon && colon - text < (ptrdiff_t)sizeof address) {
		memcpy(address, text, (size_t)(colon - text));
		address[colon - text] = '\0';
		server.sin_family = AF_INET;
		server.sin_port = htons((uint16_t)number(colon + 1));
		if (inet_pton(AF_INET, address, &server.sin_addr) == 1)
			return;
	}
	fprintf(stderr, "load: not ADDRESS:PORT: %s\n", text);
	exit(64);
}

static void
set_option(int c)
{
	switch (c) {
	case 's': sessions = number(optarg); break;
	case 'm': messages = number(optarg); break;
	case 'l': size = number(optarg); break;
	case 'r': recipients = number(optarg); break;
	case 'w': patience = number(optarg); break;
	case 'f': sender = optarg; break;
	case 't': recipient = optarg; break;
	case 'p': pipelined = true; break;
	case 'c': reconnect = true; break;
	case 'x':
		ending = optarg;
		if (strcmp(ending, "data") == 0 || strcmp(ending, "bdat") == 0 ||
		    strcmp(ending, "rset") == 0 || strcmp(ending, "none") == 0)
			break;
		/* FALLTHROUGH */
	default:
		fputs("usage: load [-pc] [-s sessions] [-m messages] "
		    "[-l octets] [-r recipients]\n    [-x data|bdat|rset|none] "
		    "[-f sender] [-t recipient] [-w seconds] address:port\n",
		    stderr);
		exit(64);
	}
}

int
main(int argc, char *argv[])
{
	uint64_t start;
	int c;

	while ((c = getopt(argc, argv, "s:m:l:r:w:f:t:x:pc")) != -1)
		set_option(c);
	if (optind + 1 != argc)
		set_option('?');
	set_server(argv[optind]);
	make_steps();
	epoll = epoll_create1(EPOLL_CLOEXEC);
	all = calloc(sessions, sizeof *all);
	took = malloc(sizeof *took * sessions * messages);
	if (epoll < 0 || !all || !took)
		die("no room");
	start = now();
	open_next();
	serve();
	tell(now() - start);
	return failed ? 1 : 0;
}
