/* The administrator's commands, asked at each event of a session. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hooks.h"
#include "verdict.h"

/* What a refusal without words of its own becomes, event by event. */
static const struct {
	const char *name, *refusal;
} events[] = {
	[HOOK_CONNECTION] = { "on-new-connection", "554 5.7.1 Refused" },
	[HOOK_HELLO] = { "on-hello", "550 5.7.1 Refused" },
	[HOOK_MAIL] = { "on-new-mail", "550 5.7.1 Refused" },
	[HOOK_RECIPIENT] = { "on-recipient",
	    "550 5.1.1 No such mailbox here" },
	[HOOK_DATA] = { "on-data", "554 5.7.1 Refused" },
	[HOOK_DISCONNECT] = { "on-disconnect", "554 5.7.1 Refused" },
};

const char *
hooks_event_name(enum hook_event event)
{
	return events[event].name;
}

const char *
hooks_add(struct hooks *h, enum hook_event event, const char *command)
{
	struct hook *more;

	more = realloc(h->list[event], (h->n[event] + 1) * sizeof *more);
	if (!more)
		return "out of memory";
	h->list[event] = more;
	return hook_parse(&more[h->n[event]++], command);
}

int
hooks_open(struct hooks *h)
{
	static const char *const dropped[] = {
		"NOTIFY_SOCKET", "WATCHDOG_*", "LISTEN_*", "PROTO", "TCP*",
		"SMTP_*", "SSL_*", "SENDER", "RECIPIENT", "LOCAL",
		"EXTENSION", "DOMAIN", "ORIGINAL_RECIPIENT", "ENVID", NULL
	};

	return environment_open(&h->environment, dropped);
}

/* What is known at an event, in the words of ucspi-tcp and of our own. */
static int
set_session(struct environment *e, const struct session *s)
{
	const struct endpoint *remote = &s->client->remote;
	const struct endpoint *local = &s->client->local;
	const bool tcp = remote->family != AF_UNSPEC;
	char remote_port[16], local_port[16];

	snprintf(remote_port, sizeof remote_port, "%u", remote->port);
	snprintf(local_port, sizeof local_port, "%u", local->port);
	return environment_set(e, "PROTO", tcp ? "TCP" : NULL) |
	    environment_set(e, "TCPREMOTEIP", tcp ? remote->ip : NULL) |
	    environment_set(e, "TCPREMOTEPORT", tcp ? remote_port : NULL) |
	    environment_set(e, "TCPLOCALIP", *local->ip ? local->ip : NULL) |
	    environment_set(e, "TCPLOCALPORT",
		*local->ip ? local_port : NULL) |
	    environment_set(e, "SMTP_SESSION", s->id) |
	    environment_set(e, "SMTP_HOSTNAME", s->options->hostname) |
	    environment_set(e, "SMTP_LISTENER", "smtp") |
	    environment_set(e, "SMTP_HELO", *s->helo ? s->helo : NULL) |
	    environment_set(e, "SMTP_USER", *s->user ? s->user : NULL) |
	    environment_set(e, "SMTP_AUTH", s->mechanism) |
	    environment_set(e, "SMTP_PROTOCOL", s->protocol);
}

static int
set_mail(struct environment *e, const struct session *s)
{
	char size[24];

	snprintf(size, sizeof size, "%llu", s->declared_size);
	return environment_set(e, "SMTP_ID", s->mail_id) |
	    environment_set(e, "SENDER", s->mail.sender) |
	    environment_set(e, "SMTP_SIZE", s->declared_size ? size : NULL) |
	    environment_set(e, "SMTP_BODY", s->body) |
	    environment_set(e, "SMTP_RECIPIENTS",
		s->recipients ? s->recipient_list : NULL);
}

static int
set_recipient(struct environment *e, const struct session *s,
    const struct address *a)
{
	const char *delimiters = s->options->delimiters;
	const size_t cut = strcspn(a->local, delimiters);
	char mailbox[sizeof a->local];
	size_t i;

	for (i = 0; i < cut; i++)
		mailbox[i] = (char)((unsigned char)a->local[i] < 0x80 ?
		    tolower((unsigned char)a->local[i]) : a->local[i]);
	mailbox[i] = '\0';
	return environment_set(e, "RECIPIENT", a->email) |
	    environment_set(e, "LOCAL", a->local) |
	    environment_set(e, "EXTENSION",
		a->local[cut] ? a->local + cut + 1 : NULL) |
	    environment_set(e, "DOMAIN",
		*a->domain ? a->domain : s->options->hostname) |
	    environment_set(e, "SMTP_MAILBOX", mailbox);
}

static int
set_all(struct environment *e, const struct session *s, enum hook_event event,
    const struct address *recipient)
{
	environment_clear(e);
	if (environment_set(e, "SMTP_EVENT", events[event].name) < 0 ||
	    set_session(e, s) < 0)
		return -1;
	if (*s->mail_id && set_mail(e, s) < 0)
		return -1;
	return recipient ? set_recipient(e, s, recipient) : 0;
}

/* A line of a command's stderr. */
static void
log_complaint(void *ctx, const char *line)
{
	const struct session *s = ctx;
	struct log_line l;

	session_log(s, &l, LEVEL_WARNING, "hook-said");
	if (*s->mail_id)
		log_str(&l, "id", s->mail_id);
	log_str(&l, "text", line);
	log_end(&l);
}

/* A command that gave no verdict: why, for the administrator. */
static void
log_failure(const struct session *s, const char *name,
    const struct hook_run *run)
{
	struct log_line l;

	session_log(s, &l, LEVEL_ERROR, "hook-failed");
	if (*s->mail_id)
		log_str(&l, "id", s->mail_id);
	log_str(&l, "hook", name);
	log_str(&l, "command", run->hook->command);
	if (run->failed)
		log_str(&l, "error", run->failed);
	else
		log_num(&l, "status", run->status);
	log_end(&l);
}

/* "MAILBOX=local@domain": it takes this recipient's mail. */
static bool
take_mailbox(const struct hook_end *end, struct address *mailbox)
{
	char text[ADDRESS_MAX + 3];
	const char *value, *p = text;
	struct address a;
	size_t pos = 0, len;

	while ((value = verdict_line(end, "MAILBOX", &pos, &len))) {
		if (len > ADDRESS_MAX)
			return false;
		snprintf(text, sizeof text, "<%.*s>", (int)len, value);
		if (address_parse(&p, 0, &a) != ADDRESS_OK || *p)
			return false;
		*mailbox = a;
	}
	return true;
}

static struct reply
soften(const struct hooks *h, struct reply r)
{
	char *line;

	if (!h->soft_bounce || r.code < 500)
		return r;
	r.code -= 100;
	for (line = r.text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (*line == '5')
			*line = '4';
	}
	return r;
}

/* Run one command, and judge how it ended; *skip: ask no other one. */
static struct reply
ask(struct session *s, struct hook_run *run, enum hook_event event,
    struct address *mailbox, bool *skip)
{
	struct hook_end end;
	struct reply r;

	hook_run(run);
	end = (struct hook_end){
		.failed = run->failed, .status = run->status,
		.complained = run->complained, .out = run->out,
		.len = run->n_out,
	};
	*skip = !run->failed && run->status == VERDICT_SKIP;
	r = verdict_of(&end, true, events[event].refusal);
	if (!reply_refuses(&r) && mailbox && !take_mailbox(&end, mailbox)) {
		run->failed = "MAILBOX= is no address";
		r = reply_make(451, "4.3.0 Local error, try again later");
	}
	if (r.code == 451 && (run->failed || end.out[0] == '\0'))
		log_failure(s, events[event].name, run);
	return soften(s->options->hooks, r);
}

/* What all commands have in common.  Replies that wait are sent. */
static void
prepare(struct session *s, struct hook_run *run)
{
	const struct hooks *h = s->options->hooks;

	fflush(s->stream->out);
	run->input = run->output = run->credentials = -1;
	run->output_max = 0;
	run->timeout = h->timeout;
	run->peer = stream_peer(s->stream);
	run->wait_mask = h->wait_mask;
	run->complain = log_complaint;
	run->ctx = s;
}

struct reply
hooks_ask(struct session *s, enum hook_event event,
    const struct address *recipient, struct address *mailbox)
{
	struct hooks *h = s->options->hooks;
	struct reply r = reply_none(), answer = reply_none();
	struct hook_run run;
	bool skip = false;
	unsigned i;

	if (h->n[event] == 0)
		return answer;
	prepare(s, &run);
	if (event == HOOK_DISCONNECT)
		run.peer = -1;
	for (i = 0; i < h->n[event] && !skip; i++) {
		if (set_all(&h->environment, s, event, recipient) < 0)
			return reply_make(451, "4.3.0 Out of memory");
		run.hook = &h->list[event][i];
		run.environment = h->environment.vars;
		r = ask(s, &run, event, mailbox, &skip);
		if (r.code)
			answer = r;
		if (reply_refuses(&r))
			break;
	}
	return answer;
}

const char *
hooks_set_auth(struct hooks *h, const char *command)
{
	const char program[] = " /bin/true";
	char *whole = malloc(strlen(command) + sizeof program);

	if (!whole)
		return "out of memory";
	strcpy(whole, command);
	strcat(whole, program);
	return hook_parse(&h->auth, whole);
}

struct reply
hooks_authenticate(struct session *s, int credentials)
{
	struct hooks *h = s->options->hooks;
	struct hook_run run;

	environment_clear(&h->environment);
	if (set_session(&h->environment, s) < 0)
		return reply_make(454, "4.7.0 Out of memory");
	prepare(s, &run);
	run.hook = &h->auth;
	run.environment = h->environment.vars;
	run.credentials = credentials;
	hook_run(&run);
	if (!run.failed && run.status == 0)
		return reply_make(235, "2.7.0 Welcome");
	if (!run.failed && (run.status == 1 || run.status == 100))
		return reply_make(535, "5.7.8 Authentication failed");
	log_failure(s, "auth", &run);
	return reply_make(454, "4.7.0 Local error, try again later");
}
