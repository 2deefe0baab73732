/*
 * Hooks: which commands run at an event, and what their exit changes.  A hook
 * can't accept what a limit or the policy of the options has refused.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/net/progress.h"
#include "lib/text/verdict.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"

static const struct {
	const char *name;
	const char *refusal;	/* the reply if a hook prints none */
	bool delivers;		/* runs on without the client; exit status 1 is
				   a failure, not a rejection */
} events[] = {
	[HOOK_CONNECTION] = { "on-new-connection",
	    "554 5.7.1 Client rejected", false },
	[HOOK_HELLO] = { "on-hello", "550 5.7.1 HELO rejected", false },
	[HOOK_MAIL] = { "on-new-mail", "550 5.7.1 Sender rejected", false },
	[HOOK_RECIPIENT] = { "on-recipient",
	    "550 5.1.1 No such user here", false },
	[HOOK_DATA] = { "on-data", "554 5.7.1 Message rejected", false },
	[HOOK_FILTER] = { "filter", "554 5.7.1 Message rejected", true },
	[HOOK_MESSAGE] = { "on-message", "554 5.7.1 Message rejected", false },
	[HOOK_DELIVER] = { "deliver", "554 5.7.1 Message rejected", true },
	[HOOK_MDA] = { "mda", "550 5.7.1 Message rejected", true },
	[HOOK_DELIVERED] = { "on-delivered", "554 5.7.1 Rejected", true },
	[HOOK_DSN] = { "dsn", "554 5.7.1 Rejected", true },
	[HOOK_DISCONNECT] = { "on-disconnect", "554 5.7.1 Rejected", true },
};

const char *
hooks_event_name(enum hook_event event)
{
	return events[event].name;
}

const char *
hooks_add(struct hooks *h, enum hook_event event, const char *command)
{
	struct invocation *more;

	more = realloc(h->list[event], (h->n[event] + 1) * sizeof *more);
	if (!more)
		return "out of memory";
	h->list[event] = more;
	return invocation_parse(&more[h->n[event]++], command, NULL);
}

int
hooks_open(struct hooks *h, bool of_client)
{
	return hook_env_open(&h->environment, of_client);
}

static int
set_hook_environment(struct environment *e, const struct session *s,
    enum hook_event event, const struct address *recipient,
    const struct address *mailbox)
{
	environment_clear(e);
	return hook_env_set(e, s, event, recipient, mailbox);
}

char **
hooks_environment(struct session *s, enum hook_event event,
    const struct address *recipient, const struct address *mailbox)
{
	struct environment *e = &s->options->hooks->environment;

	if (set_hook_environment(e, s, event, recipient, mailbox) < 0 ||
	    environment_set(e, "SMTP_EVENT", events[event].name) < 0)
		return NULL;
	return environment_own(e);
}

/* Log a line that a hook wrote to standard error. */
static void
log_hook_stderr(void *ctx, const char *line)
{
	struct session *s = ctx;
	struct log_line l;

	journal_begin(s, &l, LEVEL_WARNING, "hook-said");
	log_str(&l, "hook", s->event);
	if (*s->txn.id)
		log_str(&l, "id", s->txn.id);
	log_str(&l, "text", line);
	journal_end_hook_line(s, &l);
}

/* Log why a hook failed. */
static void
log_hook_failure(struct session *s, const char *name,
    const struct hook_run *run)
{
	struct log_line l;

	scoreboard_count(s->options->board, COUNT_HOOK_FAILURES, 1);
	journal_begin(s, &l, LEVEL_ERROR, "hook-failed");
	if (*s->txn.id)
		log_str(&l, "id", s->txn.id);
	log_str(&l, "hook", name);
	log_str(&l, "command", run->program->command);
	if (run->failed)
		log_str(&l, "error", run->failed);
	else
		log_num(&l, "status", run->status);
	if (run->signal)
		log_num(&l, "signal", run->signal);
	journal_end_hook_line(s, &l);
}

/*
 * Was the hook ended because the client disconnected, the server stops or
 * others need the worker?  That is not a failure of the hook.  Sets the reply
 * for the session; a client that disconnected does not get it.
 */
static bool
was_interrupted(struct session *s, const struct hook_run *run, struct reply *r)
{
	if (run->lost) {
		s->stream->state = STREAM_CLOSED;
		journal_lost(s, s->event);
		*r = reply_make(451, "4.4.2 Connection lost");
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
parse_hook_address(const char *email, size_t len, struct address *a)
{
	char text[ADDRESS_MAX + 3];
	const char *p = text;

	if (len > ADDRESS_MAX || memchr(email, '\0', len))
		return false;
	snprintf(text, sizeof text, "<%.*s>", (int)len, email);
	return address_parse(&p, 0, a) && *p == '\0';
}

/* Read "MAILBOX=local@domain", where the mail of the recipient goes. */
static bool
read_mailbox_line(const struct session *s, const struct hook_end *end,
    struct address *mailbox)
{
	const char *value;
	struct address a;
	size_t pos = 0, len;

	while ((value = verdict_line(end, "MAILBOX", &pos, &len))) {
		if (!parse_hook_address(value, len, &a) ||
		    (a.utf8 && !s->txn.utf8))
			return false;
		*mailbox = a;
	}
	return true;
}

static struct reply
apply_soft_bounce(const struct hooks *h, struct reply r)
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

/* Read "HEADER=Name: value" lines, fields to add above the message. */
static bool
read_header_lines(struct session *s, const struct hook_end *end)
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

/*
 * Is this the name of a Maildir++ folder?  It is printable ASCII without a
 * slash; a dot between two names means that the second folder is below the
 * first.
 */
static bool
is_folder_name(const char *name, size_t len)
{
	size_t i;

	if (len == 0 || len > FOLDER_MAX || name[0] == '.' ||
	    name[len - 1] == '.')
		return false;
	for (i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] >= 0x7f || name[i] == '/' ||
		    (name[i] == '.' && name[i + 1] == '.'))
			return false;
	return true;
}

/*
 * Read "FOLDER=name", the Maildir++ folder that the message goes to.  INBOX is
 * the Maildir itself, as in IMAP.  Returns -1 if the name is invalid, 1, or 0 if
 * there is none.
 */
static int
read_folder_line(const struct hook_end *end, char *folder)
{
	const char *value;
	size_t pos = 0, len;
	int found = 0;

	while ((value = verdict_line(end, "FOLDER", &pos, &len))) {
		if (!is_folder_name(value, len))
			return -1;
		found = 1;
		if (len == 5 && strncasecmp(value, "INBOX", len) == 0)
			len = 0;
		memcpy(folder, value, len);
		folder[len] = '\0';
	}
	return found;
}

/* The same for the recipient, or for the message, at the events that have it. */
static bool
read_folder(struct session *s, enum hook_event event,
    const struct hook_end *end, struct hook_lines *lines)
{
	struct mail *m = &s->txn.mail;
	int found = 0;

	if (event == HOOK_RECIPIENT)
		found = read_folder_line(end, lines->folder);
	else if (event == HOOK_MESSAGE)
		found = read_folder_line(end, m->folder);
	m->has_folder |= event == HOOK_MESSAGE && found > 0;
	return found >= 0;
}

/* What a hook of this event discards: a recipient, a message, or several. */
static struct discard *
find_discard(struct session *s, enum hook_event event, struct hook_lines *lines)
{
	if (lines)
		return &lines->discard;
	if (event == HOOK_CONNECTION)
		return &s->client_discard;
	return event == HOOK_HELLO ? &s->hello_discard : &s->txn.mail.discard;
}

/*
 * Read "DISCARD=reason".  The output of a hook that gets the message to deliver
 * it may be a copy of it, so that only the first line counts.
 */
static void
read_discard_line(struct session *s, enum hook_event event,
    const struct hook_end *end, struct hook_lines *lines)
{
	struct discard *d = find_discard(s, event, lines);
	const char *value;
	size_t pos = 0, len;

	value = events[event].delivers ?
	    verdict_first_line(end, "DISCARD", &len) :
	    verdict_line(end, "DISCARD", &pos, &len);
	if (!value || d->hook || event > HOOK_MDA)
		return;
	d->hook = events[event].name;
	snprintf(d->reason, sizeof d->reason, "%.*s", (int)len, value);
}

/* Read the other lines that a hook may print when it accepts. */
static struct reply
read_output_lines(struct session *s, struct hook_run *run,
    enum hook_event event, const struct hook_end *end, struct hook_lines *lines)
{
	if (!events[event].delivers) {
		if (event == HOOK_RECIPIENT &&
		    !read_mailbox_line(s, end, &lines->mailbox))
			run->failed = "invalid address in MAILBOX=";
		else if (!read_folder(s, event, end, lines))
			run->failed = "invalid folder in FOLDER=";
		else if (!read_header_lines(s, end))
			run->failed = "invalid header field in HEADER=, or "
			    "too many";
	}
	if (run->failed)
		return reply_make(451, "4.3.0 Local error, try again later");
	read_discard_line(s, event, end, lines);
	return reply_none();
}

/* Run one hook and make its exit a reply.  *skip, which is false: run no more. */
static struct reply
run_hook(struct session *s, struct hook_run *run, enum hook_event event,
    struct hook_lines *lines, bool *skip)
{
	const bool check = !events[event].delivers;
	struct hook_end end;
	struct reply r, extras;

	hook_run(run);
	if (was_interrupted(s, run, &r))
		return r;
	end = (struct hook_end){
		.failed = run->failed, .status = run->status,
		.complained = run->complained, .out = run->out,
		.len = run->n_out,
	};
	if (event == HOOK_FILTER && run->status == 0) {
		end.out = "";		/* stdout was the message */
		end.len = 0;
	}
	*skip = !run->failed && run->status == VERDICT_SKIP;
	r = verdict_of(&end, check, events[event].refusal);
	if (!reply_refuses(&r)) {
		extras = read_output_lines(s, run, event, &end, lines);
		if (extras.code)
			r = extras;
	}
	if (run->failed || verdict_is_failure(&r))
		log_hook_failure(s, events[event].name, run);
	if (reply_refuses(&r)) {
		r.hook = events[event].name;
		r.command = run->program->command;
	}
	return apply_soft_bounce(s->options->hooks, r);
}

/* The timeout of a hook, in ms; after the data all hooks share one limit. */
static long long
hook_time_limit(const struct session *s)
{
	long long left;

	if (!s->txn.dot_deadline)
		return s->options->hooks->timeout;
	left = s->txn.dot_deadline - clock_ms();
	return left > 0 ? left : 1;
}

static long long
check_client_pressure(void *ctx)
{
	const struct session *s = ctx;

	return progress_check(s->stream, LLONG_MAX);
}

/* Set what all hooks of an event have in common, and send pending replies. */
static void
prepare_hook_run(struct session *s, enum hook_event event, struct hook_run *run)
{
	fflush(s->stream->out);
	s->event = events[event].name;
	journal_show(s, s->event, s->txn.declared_size);
	run->input = run->output = run->credentials = -1;
	run->output_max = 0;
	run->stop = event <= HOOK_DATA ? s->stream->limits->stop : NULL;
	run->check_pressure = event <= HOOK_DATA ?
	    check_client_pressure : NULL;
	run->pressure_fd = s->stream->limits->pressure_fd;
	run->peer = events[event].delivers ? -1 : stream_peer(s->stream);
	run->wait_mask = s->options->hooks->wait_mask;
	run->launch = s->options->launch;
	run->complain = log_hook_stderr;
	run->ctx = s;
}

/*
 * Run the i-th hook of an event.  mailbox is that of the recipient, for
 * HOOK_MDA.
 */
static struct reply
run_nth_hook(struct session *s, enum hook_event event, unsigned i,
    struct hook_run *run, const struct address *recipient,
    const struct address *mailbox, struct hook_lines *lines, bool *skip)
{
	struct hooks *h = s->options->hooks;

	if (set_hook_environment(&h->environment, s, event, recipient,
	    mailbox) < 0)
		return reply_make(451, "4.3.0 Out of memory");
	run->program = &h->list[event][i];
	run->variables = environment_own(&h->environment);
	run->timeout = hook_time_limit(s);
	return run_hook(s, run, event, lines, skip);
}

/* Run the hooks of an event; there is at least one. */
static struct reply
run_event_hooks(struct session *s, enum hook_event event, int message,
    const struct address *recipient, const struct address *mailbox,
    struct hook_lines *lines)
{
	struct hooks *h = s->options->hooks;
	struct reply r, answer = reply_none();
	struct hook_run run;
	bool skip = false;
	unsigned i;

	prepare_hook_run(s, event, &run);
	run.input = message;
	for (i = 0; i < h->n[event] && !skip; i++) {
		r = run_nth_hook(s, event, i, &run, recipient, mailbox, lines,
		    &skip);
		if (r.code)
			answer = r;
		if (reply_refuses(&r))
			break;
	}
	return answer;
}

struct reply
hooks_run(struct session *s, enum hook_event event)
{
	return s->options->hooks->n[event] ? run_event_hooks(s, event, -1,
	    NULL, NULL, NULL) : reply_none();
}

struct reply
hooks_run_recipient(struct session *s, const struct address *recipient,
    struct hook_lines *lines)
{
	lines->mailbox.email[0] = lines->folder[0] = '\0';
	lines->discard.hook = NULL;
	return s->options->hooks->n[HOOK_RECIPIENT] ? run_event_hooks(s,
	    HOOK_RECIPIENT, -1, recipient, NULL, lines) : reply_none();
}

void
hooks_notify(struct session *s, enum hook_event event, int message)
{
	if (s->options->hooks->n[event])
		run_event_hooks(s, event, message, NULL, NULL, NULL);
}

/* The next four are the callbacks of the envelope (struct mail_hooks). */
static struct reply
run_filter(void *ctx, unsigned i, int from, int to)
{
	struct session *s = ctx;
	const long long limit = s->options->max_size;
	struct hook_run run;
	struct reply r;
	struct stat st;
	bool skip = false;

	prepare_hook_run(s, HOOK_FILTER, &run);
	run.input = from;
	run.output = to;
	if (limit && fstat(from, &st) == 0)
		run.output_max = FIELDS_MAX +
		    (st.st_size > limit ? st.st_size : limit);
	r = run_nth_hook(s, HOOK_FILTER, i, &run, NULL, NULL, NULL, &skip);
	if (skip)
		s->txn.mail.hooks.n_filters = i;
	return r;
}

static struct reply
run_message_hooks(void *ctx, int message)
{
	return run_event_hooks(ctx, HOOK_MESSAGE, message, NULL, NULL, NULL);
}

static struct reply
run_deliver_hooks(void *ctx, int message)
{
	return run_event_hooks(ctx, HOOK_DELIVER, message, NULL, NULL, NULL);
}

static struct reply
run_mda_hooks(void *ctx, struct recipient *r, int message)
{
	struct session *s = ctx;
	struct address recipient, mailbox;
	struct hook_lines lines = { .discard.hook = NULL };
	struct reply answer;

	s->txn.dsn.notify = r->notify;
	strcpy(s->txn.dsn.original, r->original ? r->original : "");
	if (!parse_hook_address(r->email, strlen(r->email), &recipient) ||
	    !parse_hook_address(r->mailbox, strlen(r->mailbox), &mailbox))
		return reply_make(451, "4.3.0 Local error, try again later");
	answer = run_event_hooks(s, HOOK_MDA, message, &recipient, &mailbox,
	    &lines);
	if (!reply_refuses(&answer) && lines.discard.hook &&
	    recipients_discard(&s->txn.recipients, r, &lines.discard) < 0)
		return reply_make(451, "4.3.0 Out of memory");
	return answer;
}

void
hooks_attach(struct session *s, struct mail *mail)
{
	const struct hooks *h = s->options->hooks;

	mail->hooks.ctx = s;
	mail->hooks.n_filters = h->n[HOOK_FILTER];
	mail->hooks.filter = run_filter;
	if (h->n[HOOK_MESSAGE])
		mail->hooks.inspect = run_message_hooks;
	if (h->n[HOOK_DELIVER])
		mail->hooks.deliver = run_deliver_hooks;
	if (h->n[HOOK_MDA])
		mail->hooks.mda = run_mda_hooks;
	mail->info.keep_open = h->n[HOOK_DELIVERED] > 0;
}

const char *
hooks_set_auth(struct hooks *h, const char *command)
{
	return invocation_parse(&h->auth, command, "/bin/true");
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
	prepare_hook_run(s, HOOK_HELLO, &run);
	s->event = "auth";
	journal_show(s, s->event, 0);
	run.program = &h->auth;
	run.variables = environment_own(&h->environment);
	run.credentials = credentials;
	run.timeout = hook_time_limit(s);
	hook_run(&run);
	if (was_interrupted(s, &run, &r))
		return r;
	if (!run.failed && run.status == 0)
		return reply_make(235, "2.7.0 Authentication successful");
	if (!run.failed && (run.status == 1 || run.status == 100))
		return reply_make(535, "5.7.8 Authentication failed");
	log_hook_failure(s, "auth", &run);
	return reply_make(454, "4.7.0 Local error, try again later");
}
