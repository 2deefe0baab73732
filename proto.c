/*
 * The conversation: a table of commands, and one loop that reads a line, finds
 * its row in the table and sends the reply of its handler.  What a command
 * does is in smtp/.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "proto.h"
#include "smtp/auth.h"
#include "smtp/connect.h"
#include "smtp/data.h"
#include "smtp/dsn_report.h"
#include "smtp/foreign.h"
#include "smtp/hello.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/mail.h"
#include "smtp/starttls.h"
#include "smtp/transcript.h"
#include "smtp/xclient.h"

enum {
	COMMAND_MAX = 2048,	/* bytes with CR LF; RFC 5321 4.5.3.1.4
				   requires 512 and room for extensions */
	IDLE_COMMANDS = 100,	/* consecutive commands that do nothing */
	TLS_HANDSHAKE = 0x16,	/* the first byte of a client, RFC 8446 5.1 */
	DEFERRED_RECIPIENTS = 1000,	/* 4xx replies to RCPT in a session */
};

#define IN(phase) (1u << (phase))
#define ANY (~0u)

struct command {
	const char *verb;
	struct reply (*run)(struct session *, const char *arg);
	unsigned phases;	/* IN() bits; in others the reply is 503 */
	enum { NO_ARG, OPT_ARG, ARG } arg;	/* mismatch: 501 */
	enum { IDLE = 1, SMTP_ONLY = 2, LMTP_ONLY = 4 } traits;
				/* IDLE: it makes no progress to a message */
};

static struct reply
cmd_rset(struct session *s, const char *arg)
{
	(void)arg;
	session_reset(s);
	return reply_make(250, "2.0.0 Ok");
}

static struct reply
cmd_noop(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(250, "2.0.0 Ok");
}

static struct reply
cmd_quit(struct session *s, const char *arg)
{
	(void)arg;
	return reply_make(221, "2.0.0 %s closing connection",
	    s->options->hostname);
}

/* RFC 5321 3.5.3: 252 reveals no mailboxes. */
static struct reply
cmd_vrfy(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(252, "2.5.0 Cannot VRFY user, but will accept "
	    "message and attempt delivery");
}

static struct reply
cmd_expn(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(502, "5.5.1 EXPN is not implemented");
}

static struct reply
cmd_help(struct session *s, const char *arg)
{
	(void)arg;
	return reply_make(214, "2.0.0 Commands: %s MAIL RCPT DATA %sRSET "
	    "NOOP VRFY HELP QUIT", listener_kinds[s->client.kind].lmtp ?
	    "LHLO" : "EHLO HELO", options_enabled(s->options, "CHUNKING") ?
	    "BDAT " : "");
}

/* The client that XCLIENT describes gets a new banner. */
static struct reply
cmd_xclient(struct session *s, const char *arg)
{
	struct reply r = xclient_command(s, arg);

	return r.code ? r : connect_greet_proxied(s);
}

static const struct command commands[] = {
	{ "HELO", hello_helo, ANY, ARG, IDLE | SMTP_ONLY },
	{ "EHLO", hello_ehlo, ANY, ARG, IDLE | SMTP_ONLY },
	{ "LHLO", hello_ehlo, ANY, ARG, IDLE | LMTP_ONLY },
	{ "STARTTLS", starttls_command, ANY, NO_ARG, IDLE },
	{ "AUTH", auth_command, IN(PHASE_HELLO), ARG, 0 },
	{ "XCLIENT", cmd_xclient, IN(PHASE_NEW) | IN(PHASE_HELLO), ARG, 0 },
	{ "MAIL", mail_command, IN(PHASE_HELLO), ARG, 0 },
	{ "RCPT", rcpt_command, IN(PHASE_MAIL) | IN(PHASE_REFUSED) |
	    IN(PHASE_RCPT), ARG, 0 },
	{ "DATA", data_command, IN(PHASE_REFUSED) | IN(PHASE_RCPT),
	    NO_ARG, 0 },
	{ "BDAT", bdat_command, IN(PHASE_REFUSED) | IN(PHASE_RCPT) |
	    IN(PHASE_BDAT), OPT_ARG, 0 },
	{ "RSET", cmd_rset, ANY, NO_ARG, IDLE },
	{ "NOOP", cmd_noop, ANY, OPT_ARG, IDLE },
	{ "QUIT", cmd_quit, ANY, NO_ARG, 0 },
	{ "VRFY", cmd_vrfy, ANY, ARG, IDLE },
	{ "EXPN", cmd_expn, ANY, OPT_ARG, IDLE },
	{ "HELP", cmd_help, ANY, OPT_ARG, IDLE },
};

static const struct command unknown = { "?", NULL, 0, OPT_ARG, 0 };
static const struct command foreign = {
	"foreign", foreign_command, ANY, OPT_ARG, 0
};

static const struct command tls = { "tls", NULL, ANY, OPT_ARG, 0 };

static const struct command mistyped = {
	"?", foreign_mistyped, ANY, OPT_ARG, 0
};

static const struct command proxy_header = {
	"PROXY", foreign_proxy, ANY, OPT_ARG, 0
};

static bool
is_word(const char *word, const char *line, size_t len)
{
	return strlen(word) == len && strncasecmp(word, line, len) == 0;
}

/*
 * Is it "MAILFROM:", "RCPTTO:", or a command with a colon after it?  "BDAT:" is
 * not: a chunk of unknown size may follow it.
 */
static bool
is_mistyped(const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const size_t n = colon ? (size_t)(colon - line) : 0;
	size_t i;

	if (is_word("MAILFROM", line, n) || is_word("RCPTTO", line, n))
		return true;
	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (is_word(commands[i].verb, line, n))
			return commands[i].run != bdat_command;
	return false;
}

static const struct command *
find_command(const struct session *s, const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if ((commands[i].verb[0] ^ *line) % 32 == 0 &&
		    is_word(commands[i].verb, line, len))
			return &commands[i];
	if (is_word("PROXY", line, len))
		return &proxy_header;
	if (is_mistyped(line, len))
		return &mistyped;
	return foreign_is_command(line, len,
	    s->phase == PHASE_NEW) ? &foreign : &unknown;
}

/* With --require-tls few commands are allowed before STARTTLS (RFC 3207 4). */
static bool
is_denied_before_tls(const struct session *s, const struct command *c)
{
	return session_must_encrypt(s) && c->run != starttls_command &&
	    c->run != hello_ehlo && c->run != cmd_noop && c->run != cmd_quit &&
	    c->run != foreign_command && c->run != foreign_proxy;
}

static bool
is_disabled(const struct session *s, const struct command *c)
{
	return !options_enabled(s->options, c->run == bdat_command ?
	    "CHUNKING" : c->verb);
}

static struct reply
reject_sequence(struct session *s, const struct command *c, const char *arg)
{
	struct reply r;

	if (is_disabled(s, c))
		r = reply_make(500, "5.5.1 Unknown command");
	else if (is_denied_before_tls(s, c))
		r = reply_make(530, "5.7.0 Must issue a STARTTLS command "
		    "first");
	else if (s->phase == PHASE_NEW)
		r = reply_make(503, "5.5.1 Send %s first", hello_verb(s));
	else
		r = reply_make(503, "5.5.1 Bad sequence of commands: %s not "
		    "allowed now", c->verb);
	return c->run == bdat_command ? bdat_skip(s, arg, r) : r;
}

/*
 * Does this reply count as an error?  Unknown recipients do until one is
 * accepted.  After that max_recipients of them do not, because mailing lists
 * have outdated members.  Deferred recipients do once they exceed
 * DEFERRED_RECIPIENTS (RFC 5321 4.5.3.1.10).
 */
static bool
is_counted_error(struct session *s, const struct command *c,
    const struct reply *r)
{
	const long long limit = s->options->max_recipients;

	if (c->run == rcpt_command && r->code == 550 &&
	    s->phase == PHASE_RCPT)
		return ++s->tally.excused > limit && limit;
	if (c->run == rcpt_command && r->code >= 400 && r->code < 500)
		return ++s->tally.deferred > DEFERRED_RECIPIENTS;
	return r->code >= 500;
}

/*
 * End the session after too many errors, or too many idle commands.  A
 * deferred command is idle, and so is a chunk out of sequence: a client that
 * pipelines has sent more chunks when the first is refused (RFC 3030 2).
 */
static void
apply_limits(struct session *s, const struct command *c, struct reply *r)
{
	const long long limit = s->options->max_errors;
	const bool stray = c->run == bdat_command && r->code == 503;
	const bool deferred = c->run != rcpt_command && r->code >= 400 &&
	    r->code < 500;
	const bool empty = c->run == bdat_command && s->phase == PHASE_BDAT &&
	    s->txn.envelope && s->txn.chunk == 0;
	const bool idle = c->traits & IDLE || stray || deferred || empty;

	if (reply_closes(r))
		return;
	if (!stray && is_counted_error(s, c, r)) {
		s->stream->suspect = true;
		if (++s->tally.errors >= limit && limit) {
			*r = reply_make(421, "4.7.0 Too many errors");
			return;
		}
	}
	if (!idle && r->code < 400)
		s->tally.idle_commands = 0;
	if (idle && ++s->tally.idle_commands >= IDLE_COMMANDS)
		*r = reply_make(421, "4.7.0 Too many commands without a mail "
		    "transaction");
}

/* Is it a supported command in the right syntax? */
static bool
is_known_command(const struct command *c)
{
	return c->run && c != &foreign && c != &mistyped;
}

static struct reply
run_command(struct session *s, const struct command *c, const char *arg)
{
	const int other = listener_kinds[s->client.kind].lmtp ? SMTP_ONLY :
	    LMTP_ONLY;

	if (!c->run)
		return reply_make(500, "5.5.1 Unknown command");
	if ((int)c->traits & other)
		return hello_reject(s);
	if (!(c->phases & IN(s->phase)) || is_denied_before_tls(s, c) ||
	    is_disabled(s, c))
		return reject_sequence(s, c, arg);
	if (c->arg == NO_ARG && *arg)
		return reply_make(501, "5.5.4 %s does not take an argument",
		    c->verb);
	if (c->arg == ARG && !*arg && !(c->run == hello_helo && s->lenient))
		return reply_make(501, "5.5.4 %s requires an argument",
		    c->verb);
	return c->run(s, arg);
}

/* Log a refusal, with the line if it is useful and can't be a password. */
static void
log_refused_line(struct session *s, const struct command *c, const char *line,
    const struct reply *r)
{
	char length[32];

	if (c->run == foreign_proxy)	/* logged already */
		return;
	if (c->run == auth_command || c->run == data_command ||
	    (r->code < 500 && c->run != rcpt_command)) {
		line = NULL;
	} else if (s->auth.tried && !is_known_command(c)) {
		snprintf(length, sizeof length, "%zu bytes", strlen(line));
		line = length;
	}
	journal_refusal(s, c->verb, line, r);
}

/*
 * Find the command and the argument of a line, or of the beginning of one, and
 * record the line in the transcript without what may be a password.
 */
static const struct command *
parse_command(struct session *s, const char *line, const char **arg)
{
	const size_t verb = strcspn(line, " \t");
	const struct command *c = find_command(s, line, verb);
	size_t public = SIZE_MAX;

	*arg = line + verb + strspn(line + verb, " \t");
	if (c->run == auth_command) {
		s->auth.tried = true;
		public = (size_t)(*arg - line) + auth_public(*arg);
	} else if (!is_known_command(c)) {
		s->auth.tried |= auth_is_meant(line);
		public = s->auth.tried ? 0 : SIZE_MAX;
	}
	transcript_line(s, public);
	return c;
}

/* Remove trailing white space (RFC 5321 4.1.1). */
static char *
trim_line(char *line)
{
	size_t len = strlen(line);

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	line[len] = '\0';
	return line;
}

static struct reply
line_too_long(const struct command *c)
{
	return reply_make(500, "5.5.2 Line too long, the limit is %d bytes",
	    c->run == auth_command ? AUTH_LINE_MAX : COMMAND_MAX);
}

static struct reply
reply_to_line(struct session *s, const struct command *c, const char *line,
    const char *arg)
{
	const size_t len = strlen(line);

	if (len > COMMAND_MAX - 2 && c->run == bdat_command)
		return bdat_skip(s, "", reply_none());
	if (len > COMMAND_MAX - 2 && c->run != auth_command)
		return line_too_long(c);
	if (len == 0) {
		s->tally.empty_lines++;
		return reply_make(500, "5.5.2 Syntax error, empty command");
	}
	return run_command(s, c, arg);
}

static struct reply
run_line(struct session *s, char *line)
{
	const char *arg;
	const struct command *c = parse_command(s, trim_line(line), &arg);
	struct reply r = reply_to_line(s, c, line, arg);

	apply_limits(s, c, &r);
	if (reply_refuses(&r) && !s->txn.replies)
		log_refused_line(s, c, line, &r);
	s->txn.mail.result.error[0] = '\0';
	return r;
}

/*
 * Refuse a malformed or long line, and log nothing of it.  After BDAT comes a
 * chunk of unknown size.
 */
static struct reply
refuse_line(struct session *s, const char *line, enum line_status status)
{
	const char *arg;
	const struct command *c = parse_command(s, line, &arg);
	struct reply r = status == LINE_LONG ? line_too_long(c) :
	    reply_make(500, "5.5.2 Bare CR, bare LF or control character in "
	    "the line");

	if (c->run == bdat_command)
		r = bdat_skip(s, "", r);
	else
		c = &unknown;
	apply_limits(s, c, &r);
	if (status == LINE_MALFORMED && s->reader.bad == '\n')
		strcpy(s->txn.mail.result.error, "bare LF; see "
		    "--lenient-from");
	journal_refusal(s, c->verb, NULL, &r);
	s->txn.mail.result.error[0] = '\0';
	return r;
}

/* End the session: the line is not SMTP, or does not end. */
static struct reply
end_session(struct session *s, const struct command *c, const char *line,
    const char *text)
{
	struct reply r = reply_make(421, "%s", text);
	const char *arg;

	parse_command(s, line, &arg);
	journal_refusal(s, c->verb, NULL, &r);
	return r;
}

/* The first line is malformed from its first byte on. */
static struct reply
end_foreign_session(struct session *s, const char *line)
{
	if (s->reader.bad == TLS_HANDSHAKE)
		return end_session(s, &tls, line, "4.7.0 TLS handshake on a "
		    "port that begins in clear text");
	return end_session(s, &unknown, line, foreign_reply);
}

/* The stream has ended; line is an incomplete line. */
static struct reply
handle_eof(struct session *s, const char *line)
{
	struct reply r;
	const char *arg;

	parse_command(s, line, &arg);
	r = s->phase == PHASE_BDAT ? data_abandon(s) :
	    session_farewell(s);
	if (r.code)
		journal_refusal(s, "none", NULL, &r);
	return r;
}

static struct reply
handle_line(struct session *s, enum line_status status, char *line)
{
	const char *arg;

	switch (status) {
	case LINE_OK:
		return run_line(s, line);
	case LINE_MALFORMED:
		if (s->phase == PHASE_NEW && s->reader.octets == 1 &&
		    s->tally.errors == 0)
			return end_foreign_session(s, line);
		if (foreign_is_proxy_v2(s)) {
			parse_command(s, line, &arg);
			return foreign_proxy(s, arg);
		}
		return refuse_line(s, line, status);
	case LINE_LONG:
		return refuse_line(s, line, status);
	case LINE_FLOOD:
		return end_session(s, &unknown, line, "4.7.0 Line too long");
	case LINE_END:
		break;
	}
	return handle_eof(s, line);
}

static struct reply
read_command(struct session *s)
{
	char line[AUTH_LINE_MAX];
	enum line_status status;
	struct reply r;

	stream_expect_line(s->stream);
	status = line_read(&s->reader, line, sizeof line);
	r = handle_line(s, status, line);
	if (s->auth.tried) {
		explicit_bzero(line, sizeof line);
		s->stream->secret = true;
	}
	return r;
}

static void
send_one_reply(struct session *s, const struct reply *r)
{
	scoreboard_count(s->options->board, r->code < 400 ? COUNT_2XX :
	    r->code < 500 ? COUNT_4XX : COUNT_5XX, 1);
	reply_write(s->stream->out, r);
}

/*
 * Send a reply: after a message in LMTP one for each recipient, unless it ends
 * the session.
 */
static void
send_reply(struct session *s, const struct reply *r)
{
	const long long n = reply_closes(r) ? 0 : s->txn.n_replies;
	long long i;

	if (s->stream->state == STREAM_CLOSED && reply_refuses(r))
		return;		/* the client has disconnected */
	for (i = 0; i < n; i++)
		send_one_reply(s, s->txn.replies ? &s->txn.replies[i] : r);
	if (n == 0)
		send_one_reply(s, r);
	s->last_reply.code = r->code;
	strcpy(s->last_reply.text, r->text);
}

/* Clear the transaction if its message has had its reply. */
static void
end_transaction(struct session *s)
{
	if (s->txn.envelope || !*s->txn.id)
		return;
	if (s->txn.mail.result.fd >= 0) {
		hooks_notify(s, HOOK_DELIVERED, s->txn.mail.result.fd);
		dsn_report(s);
	}
	session_reset(s);
}

/*
 * Send replies and read commands until the session ends.  Returns the last
 * reply, which is not sent yet.
 */
static struct reply
run_session(struct session *s, struct reply r)
{
	do {
		send_reply(s, &r);
		end_transaction(s);
		starttls_handshake(s);
		journal_show_phase(s);
		r = read_command(s);
	} while (r.code && !reply_closes(&r) && !s->closing &&
	    s->stream->state != STREAM_CLOSED);
	return r;
}

void
proto_serve(const struct proto_options *options, const struct client *client,
    struct stream *stream)
{
	struct session s;
	struct reply r;

	session_begin(&s, options, client, stream);
	journal_show_client(&s);
	transcript_begin(&s);
	scoreboard_count(options->board, COUNT_SESSIONS, 1);
	journal_show_phase(&s);
	journal_connected(&s);
	r = connect_check_limit(&s);
	if (!r.code) {
		starttls_begin_session(&s);
		if (stream->state == STREAM_OPEN)
			r = connect_greet(&s);
	}
	if (reply_refuses(&r))
		journal_refusal(&s, "connect", NULL, &r);
	else if (r.code)
		r = run_session(&s, r);
	if (r.code && !session_begins_with_tls(&s))
		send_reply(&s, &r);
	end_transaction(&s);
	session_reset(&s);
	if (options->hooks->n[HOOK_DISCONNECT])
		stream_hang_up(stream);
	hooks_notify(&s, HOOK_DISCONNECT, -1);
	journal_end(&s);
	/* after QUIT, or if the worker is needed, don't wait for the client */
	stream_close(stream, r.code != 221 && !s.unwanted &&
	    stream->state != STREAM_PRESSURE);
	starttls_end(&s);
	transcript_end(&s);
	session_end(&s);
	stream_wipe(stream);	/* it may hold an AUTH that was not read */
}
