/*
 * The MTA's side of the milter protocol, as a hook of smtpd: what a milter says
 * of a session or a message becomes the answer of the hook.  See
 * smtpd-milter(8).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "contrib/milter/peer.h"
#include "contrib/milter/protocol.h"
#include "contrib/milter/talk.h"

/* Seconds, as in Postfix. */
struct timeouts {
	unsigned connect, command, end;
};

__attribute__((noreturn))
static void
usage(void)
{
	fputs("usage: smtpd-milter [-t connect[,command[,end]]] address\n",
	    stderr);
	exit(EX_USAGE);
}

static void
read_timeouts(struct timeouts *t, const char *text)
{
	int n = 0;

	if (strspn(text, "0123456789,") != strlen(text) ||
	    (sscanf(text, "%6u%n,%6u%n,%6u%n", &t->connect, &n, &t->command,
	    &n, &t->end, &n) < 1) || text[n])
		usage();
}

/* ms; 0 seconds are no limit. */
static long long
milliseconds(unsigned seconds)
{
	return (seconds ? seconds : 999999) * 1000LL;
}

/* Up to which step an event goes; 0: it is none for a milter. */
static char
last_step(const char *event)
{
	static const struct {
		const char *event;
		char step;
	} events[] = {
		{ "on-new-connection", SMFIC_CONNECT },
		{ "on-hello", SMFIC_HELO },
		{ "on-new-mail", SMFIC_MAIL },
		{ "on-recipient", SMFIC_RCPT },
		{ "on-data", SMFIC_DATA },
		{ "filter", SMFIC_BODYEOB },
		{ "on-message", SMFIC_BODYEOB },
	};
	size_t i;

	for (i = 0; i < sizeof events / sizeof *events; i++)
		if (strcmp(events[i].event, event) == 0)
			return events[i].step;
	return 0;
}

/* Connect and agree on terms.  Returns -1 if the verdict is a failure. */
static int
meet(struct talk *t, const struct peer *peer, const struct timeouts *wait,
    bool more)
{
	struct link *l = t->link;
	const char *error;
	const int fd = peer_connect(peer, peer_clock() +
	    milliseconds(wait->connect), &error);

	link_open(l, fd, milliseconds(wait->command));
	if (fd < 0) {
		verdict_fail(&t->verdict, error);
		return -1;
	}
	if (terms_negotiate(l, &t->terms, more) == 0)
		return 0;
	verdict_fail(&t->verdict, l->error);
	link_close(l);
	return -1;
}

/* Talk with the milter. */
static void
consult(struct talk *t, const struct peer *peer, const struct timeouts *wait)
{
	static struct link l;

	t->link = &l;
	t->end_timeout = milliseconds(wait->end);
	if (meet(t, peer, wait, false) < 0 &&
	    !(l.closed && meet(t, peer, wait, true) == 0))
		return;
	talk_run(t);
	link_close(&l);
}

int
main(int argc, char **argv)
{
	struct timeouts wait = { .connect = 30, .command = 30, .end = 300 };
	static struct talk t;
	struct message message;
	struct peer peer;
	const char *event = getenv("SMTP_EVENT"), *error;
	int c, status;

	while ((c = getopt(argc, argv, "t:")) != -1)
		if (c == 't')
			read_timeouts(&wait, optarg);
		else
			usage();
	if (argc - optind != 1)
		usage();
	error = peer_parse(&peer, argv[optind]);
	if (!event)
		event = "filter";	/* by hand */
	t.last = last_step(event);
	if (!error && !t.last)
		error = "no hook for this event";
	if (error) {
		fprintf(stderr, "smtpd-milter: %s: %s\n", argv[optind], error);
		return EX_USAGE;
	}
	signal(SIGPIPE, SIG_IGN);
	if (t.last == SMFIC_BODYEOB) {
		t.message = &message;
		if (message_open(&message, STDIN_FILENO, getenv("SMTP_ID")) < 0)
			verdict_fail(&t.verdict, message.error);
		if (message.refusal)
			verdict_refuse(&t.verdict, message.refusal);
	}
	if (t.verdict.kind == VERDICT_NONE)
		consult(&t, &peer, &wait);
	status = verdict_tell(&t.verdict, t.message,
	    strcmp(event, "filter") == 0, peer.text);
	if (t.message)
		message_close(t.message);
	return status;
}
