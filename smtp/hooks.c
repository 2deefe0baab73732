/* The administrator's commands, asked at each event of a session. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/text/verdict.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"

/* What a refusal without words of its own becomes, event by event. */
static const struct {
	const char *name, *refusal;
	bool delivers;		/* it goes on without the client; and status 1
				   is no refusal */
} events[] = {
	[HOOK_CONNECTION] = { "on-new-connection", "554 5.7.1 Refused", false },
	[HOOK_HELLO] = { "on-hello", "550 5.7.1 Refused", false },
	[HOOK_MAIL] = { "on-new-mail", "550 5.7.1 Refused", false },
	[HOOK_RECIPIENT] = { "on-recipient",
	    "550 5.1.1 No such user here", false },
	[HOOK_DATA] = { "on-data", "554 5.7.1 Refused", false },
	[HOOK_FILTER] = { "filter", "554 5.7.1 Refused", true },
	[HOOK_MESSAGE] = { "on-message", "554 5.7.1 Refused", false },
	[HOOK_DELIVER] = { "deliver", "554 5.7.1 Refused", true },
	[HOOK_MDA] = { "mda", "550 5.7.1 Refused", true },
	[HOOK_DELIVERED] = { "on-delivered", "554 5.7.1 Refused", true },
	[HOOK_DSN] = { "dsn", "554 5.7.1 Refused", true },
	[HOOK_DISCONNECT] = { "on-disconnect", "554 5.7.1 Refused", true },
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
	return hook_parse(&more[h->n[event]++], command, NULL);
}

int
hooks_open(struct hooks *h, bool of_client)
{
	hook_hide_descriptors();
	return hook_env_open(&h->environment, of_client);
}

static int
set_environment(struct environment *e, const struct session *s,
    enum hook_event event, const struct address *recipient,
    const struct address *mailbox)
{
	environment_clear(e);
	if (environment_set(e, "SMTP_EVENT", events[event].name) < 0)
		return -1;
	return hook_env_set(e, s, event, recipient, mailbox);
}

char **
hooks_environment(struct session *s, enum hook_event event,
    const struct address *recipient, const struct address *mailbox)
{
	struct environment *e = &s->options->hooks->environment;

	if (set_environment(e, s, event, recipient, mailbox) < 0)
		return NULL;
	return environment_own(e);
}

/* A line of a command's stderr. */
static void
log_complaint(void *ctx, const char *line)
{
	const struct session *s = ctx;
	struct log_line l;

	journal_begin(s, &l, LEVEL_WARNING, "hook-said");
	log_str(&l, "hook", s->event);
	if (*s->txn.id)
		log_str(&l, "id", s->txn.id);
	log_str(&l, "text", line);
	log_end(&l);
}

/* A command that gave no verdict: why, for the administrator. */
static void
log_failure(const struct session *s, const char *name,
    const struct hook_run *run)
{
	struct log_line l;

	scoreboard_count(s->options->board, COUNT_HOOK_FAILURES, 1);
	journal_begin(s, &l, LEVEL_ERROR, "hook-failed");
	if (*s->txn.id)
		log_str(&l, "id", s->txn.id);
	log_str(&l, "hook", name);
	log_str(&l, "command", run->hook->command);
	if (run->failed)
		log_str(&l, "error", run->failed);
	else
		log_num(&l, "status", run->status);
	log_end(&l);
}

/*
 * The client left, or the server stops: that ended the command, which has not
 * failed.  What the session says then is *r; a client that left hears nothing.
 */
static bool
was_ended(struct session *s, const struct hook_run *run, struct reply *r)
{
	if (run->lost) {
		s->stream->state = STREAM_CLOSED;
		journal_lost(s, s->event);
		*r = reply_make(451, "4.4.2 The connection is lost");
		return true;
	}
	if (run->failed && run->stop && *run->stop)
		s->stream->state = STREAM_STOPPED;
	else if (!run->check_pressure || s->stream->state != STREAM_PRESSURE)
		return false;
	*r = session_farewell(s);
	return true;
}

static bool
parse_email(const char *email, size_t len, struct address *a)
{
	char text[ADDRESS_MAX + 3];
	const char *p = text;

	if (len > ADDRESS_MAX)
		return false;
	snprintf(text, sizeof text, "<%.*s>", (int)len, email);
	return address_parse(&p, 0, a) && *p == '\0';
}

/* "MAILBOX=local@domain": it takes this recipient's mail. */
static bool
take_mailbox(const struct session *s, const struct hook_end *end,
    struct address *mailbox)
{
	const char *value;
	struct address a;
	size_t pos = 0, len;

	while ((value = verdict_line(end, "MAILBOX", &pos, &len))) {
		if (!parse_email(value, len, &a) || (a.utf8 && !s->txn.utf8))
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

/* "HEADER=Name: value" lines, for above the message. */
static bool
take_headers(struct session *s, const struct hook_end *end)
{
	const char *value;
	size_t pos = 0, len;

	while ((value = verdict_line(end, "HEADER", &pos, &len)))
		if (fields_add(&s->fields, value, len) < 0)
			return false;
	if (s->fields.text)
		s->txn.mail.info.headers = s->fields.text;
	return true;
}

/* What an accepting check hook has to say beside its verdict. */
static struct reply
take_extras(struct session *s, struct hook_run *run,
    const struct hook_end *end, struct address *mailbox)
{
	if (mailbox && !take_mailbox(s, end, mailbox))
		run->failed = "MAILBOX= is no address";
	else if (!take_headers(s, end))
		run->failed = "HEADER= is no header field, or too many are";
	return run->failed ?
	    reply_make(451, "4.3.0 Local error, try again later") :
	    reply_none();
}

/* Run one command, and judge how it ended; *skip: ask no other one. */
static struct reply
ask(struct session *s, struct hook_run *run, enum hook_event event,
    struct address *mailbox, bool *skip)
{
	const bool check = !events[event].delivers;
	struct hook_end end;
	struct reply r, extras;

	hook_run(run);
	*skip = false;
	if (was_ended(s, run, &r))
		return r;
	end = (struct hook_end){
		.failed = run->failed, .status = run->status,
		.complained = run->complained, .out = run->out,
		.len = run->n_out,
	};
	if (event == HOOK_FILTER && run->status == 0) {
		end.out = "";		/* it is the message */
		end.len = 0;
	}
	*skip = !run->failed && run->status == VERDICT_SKIP;
	r = verdict_of(&end, check, events[event].refusal);
	if (check && !reply_refuses(&r)) {
		extras = take_extras(s, run, &end, mailbox);
		if (extras.code)
			r = extras;
	}
	if (run->failed || verdict_is_failure(&r))
		log_failure(s, events[event].name, run);
	return soften(s->options->hooks, r);
}

/* What is left of the time for the commands after the dot. */
static long long
time_left(const struct session *s)
{
	long long left;

	if (!s->txn.dot_deadline)
		return s->options->hooks->timeout;
	left = s->txn.dot_deadline - clock_ms();
	return left > 0 ? left : 1;
}

static long long
contest(void *ctx)
{
	const struct session *s = ctx;

	return stream_check_pressure(s->stream);
}

/* What all commands have in common.  Replies that wait are sent. */
static void
prepare(struct session *s, enum hook_event event, struct hook_run *run)
{
	fflush(s->stream->out);
	s->event = events[event].name;
	journal_show(s, s->event, s->txn.declared_size);
	run->input = run->output = run->credentials = -1;
	run->output_max = 0;
	run->stop = event <= HOOK_DATA ? s->stream->limits->stop : NULL;
	run->check_pressure = event <= HOOK_DATA ? contest : NULL;
	run->pressure_fd = s->stream->limits->pressure_fd;
	run->peer = events[event].delivers ? -1 : stream_peer(s->stream);
	run->wait_mask = s->options->hooks->wait_mask;
	run->complain = log_complaint;
	run->ctx = s;
}

/* Ask the i-th command of an event. */
static struct reply
ask_one(struct session *s, enum hook_event event, unsigned i,
    struct hook_run *run, const struct address *recipient,
    struct address *mailbox, bool *skip)
{
	struct hooks *h = s->options->hooks;

	if (set_environment(&h->environment, s, event, recipient, mailbox) < 0)
		return reply_make(451, "4.3.0 Out of memory");
	run->hook = &h->list[event][i];
	run->environment = h->environment.vars;
	run->timeout = time_left(s);
	return ask(s, run, event, mailbox, skip);
}

/* There is one at least. */
static struct reply
ask_all(struct session *s, enum hook_event event, int message,
    const struct address *recipient, struct address *mailbox)
{
	struct hooks *h = s->options->hooks;
	struct reply r, answer = reply_none();
	struct hook_run run;
	bool skip = false;
	unsigned i;

	prepare(s, event, &run);
	run.input = message;
	for (i = 0; i < h->n[event] && !skip; i++) {
		r = ask_one(s, event, i, &run, recipient, mailbox, &skip);
		if (r.code)
			answer = r;
		if (reply_refuses(&r))
			break;
	}
	return answer;
}

struct reply
hooks_ask(struct session *s, enum hook_event event,
    const struct address *recipient, struct address *mailbox)
{
	return s->options->hooks->n[event] ? ask_all(s, event, -1, recipient,
	    mailbox) : reply_none();
}

void
hooks_tell(struct session *s, enum hook_event event, int message)
{
	if (s->options->hooks->n[event])
		ask_all(s, event, message, NULL, NULL);
}

/* The next four are asked by the envelope (envelope.h). */
static struct reply
filter(void *ctx, unsigned i, int from, int to)
{
	struct session *s = ctx;
	const long long most = s->options->max_size;
	struct hook_run run;
	struct reply r;
	struct stat st;
	bool skip = false;

	prepare(s, HOOK_FILTER, &run);
	run.input = from;
	run.output = to;
	if (most && fstat(from, &st) == 0)	/* our header is none of it */
		run.output_max = FIELDS_MAX +
		    (st.st_size > most ? st.st_size : most);
	r = ask_one(s, HOOK_FILTER, i, &run, NULL, NULL, &skip);
	if (skip)
		s->txn.mail.hooks.n_filters = i;
	return r;
}

static struct reply
inspect(void *ctx, int message)
{
	return ask_all(ctx, HOOK_MESSAGE, message, NULL, NULL);
}

static struct reply
hand_on(void *ctx, int message)
{
	return ask_all(ctx, HOOK_DELIVER, message, NULL, NULL);
}

static struct reply
hand_to(void *ctx, const struct recipient *r, int message)
{
	struct session *s = ctx;
	struct address recipient, mailbox;

	s->txn.dsn.notify = r->notify;
	strcpy(s->txn.dsn.original, r->original ? r->original : "");
	if (!parse_email(r->email, strlen(r->email), &recipient) ||
	    !parse_email(r->mailbox, strlen(r->mailbox), &mailbox))
		return reply_make(451, "4.3.0 Local error, try again later");
	return ask_all(s, HOOK_MDA, message, &recipient, &mailbox);
}

void
hooks_attach(struct session *s, struct mail *mail)
{
	const struct hooks *h = s->options->hooks;

	mail->hooks.ctx = s;
	mail->hooks.n_filters = h->n[HOOK_FILTER];
	mail->hooks.filter = filter;
	if (h->n[HOOK_MESSAGE])
		mail->hooks.inspect = inspect;
	if (h->n[HOOK_DELIVER])
		mail->hooks.deliver = hand_on;
	if (h->n[HOOK_MDA])
		mail->hooks.mda = hand_to;
	mail->info.keep_open = h->n[HOOK_DELIVERED] > 0;
}

const char *
hooks_set_auth(struct hooks *h, const char *command)
{
	return hook_parse(&h->auth, command, "/bin/true");
}

struct reply
hooks_authenticate(struct session *s, int credentials)
{
	struct hooks *h = s->options->hooks;
	struct hook_run run;
	struct reply r;

	environment_clear(&h->environment);
	if (hook_env_set_session(&h->environment, s) < 0)
		return reply_make(454, "4.7.0 Out of memory");
	prepare(s, HOOK_HELLO, &run);
	s->event = "auth";
	journal_show(s, s->event, 0);
	run.hook = &h->auth;
	run.environment = h->environment.vars;
	run.credentials = credentials;
	run.timeout = time_left(s);
	hook_run(&run);
	if (was_ended(s, &run, &r))
		return r;
	if (!run.failed && run.status == 0)
		return reply_make(235, "2.7.0 Welcome");
	if (!run.failed && (run.status == 1 || run.status == 100))
		return reply_make(535, "5.7.8 Authentication failed");
	log_failure(s, "auth", &run);
	return reply_make(454, "4.7.0 Local error, try again later");
}
