/*
 * The conversation: a table of commands, and one loop that reads a line, lets
 * its row judge it, and sends what the handler returned.
 */
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "proto.h"
#include "smtp/auth.h"
#include "smtp/connect.h"
#include "smtp/data.h"
#include "smtp/dsn_report.h"
#include "smtp/hello.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/mail.h"
#include "smtp/starttls.h"
#include "smtp/transcript.h"
#include "smtp/xclient.h"

enum {
	COMMAND_MAX = 2048,	/* octets with CR LF; RFC 5321 4.5.3.1.4 asks
				   for 512 and room for extensions */
	IDLE_COMMANDS = 100,	/* in a row, that do nothing */
	EXCESS_RECIPIENTS = 1000,	/* of a session, refused for now */
};

#define IN(phase) (1u << (phase))
#define ANY (~0u)

struct command {
	const char *verb;
	struct reply (*run)(struct session *, const char *arg);
	unsigned phases;	/* IN() bits; elsewhere the loop says 503 */
	enum { NO_ARG, OPT_ARG, ARG } arg;	/* mismatch: it says 501 */
	enum { IDLE = 1, SMTP_ONLY = 2, LMTP_ONLY = 4 } traits;
				/* IDLE: it does nothing */
};

/* How a session begins. */
static const char *
hello(const struct session *s)
{
	return listener_kinds[s->client.kind].lmtp ? "LHLO" : "HELO or EHLO";
}

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
	return reply_make(221, "2.0.0 %s closing", s->options->hostname);
}

/* RFC 5321 3.5.3: neither yes nor no. */
static struct reply
cmd_vrfy(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(252, "2.5.0 Send a mail and see");
}

static struct reply
cmd_expn(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(502, "5.5.1 There are no lists here");
}

static struct reply
cmd_help(struct session *s, const char *arg)
{
	(void)arg;
	return reply_make(214, "2.0.0 %s, MAIL RCPT DATA BDAT RSET NOOP VRFY "
	    "HELP QUIT; see RFC 5321", hello(s));
}

/* Someone speaks another protocol, or sends a message as commands. */
static struct reply
cmd_foreign(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(421, "4.7.0 This is SMTP");
}

/* A colon stands for the space: a slip of the finger, not another protocol. */
static struct reply
cmd_mistyped(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(501, "5.5.4 A space must follow the command, as in "
	    "MAIL FROM:<address>");
}

/*
 * A PROXY header, of a proxy that we don't expect: it believes that its client
 * is known now, while we would take that client for the proxy.
 */
static struct reply
cmd_proxy(struct session *s, const char *arg)
{
	struct log_line l;

	(void)arg;
	journal_begin(s, &l, LEVEL_WARNING, "proxy-unexpected");
	log_str(&l, "error", "a PROXY header from a client that --proxy-from "
	    "does not name");
	log_end(&l);
	return reply_make(421, "4.3.5 A PROXY header is not expected here");
}

/* A proxy brings a client, who is welcomed as one that connects. */
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
	"foreign", cmd_foreign, ANY, OPT_ARG, 0
};

static const struct command mistyped = {
	"?", cmd_mistyped, ANY, OPT_ARG, 0
};

static const struct command proxy_header = {
	"PROXY", cmd_proxy, ANY, OPT_ARG, 0
};

static bool
is_word(const char *word, const char *line, size_t len)
{
	return strlen(word) == len && strncasecmp(word, line, len) == 0;
}

/*
 * "MAILFROM:", "RCPTTO:", or a command with a colon behind it; but a chunk
 * would follow BDAT.
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

/*
 * A method of HTTP, a field of its header or of a message's; or a client that
 * begins with what is no word at all, as Redis and JSON do.  (A dot is what
 * comes behind a DATA that was refused.)
 */
static bool
is_foreign(const struct session *s, const char *line, size_t len)
{
	static const char *const methods[] = {
		"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH",
		"TRACE", "CONNECT", "PRI",
	};
	size_t i;

	for (i = 0; i < sizeof methods / sizeof *methods; i++)
		if (is_word(methods[i], line, len))
			return true;
	return len && (memchr(line, ':', len) || (s->phase == PHASE_NEW &&
	    strchr("!\"#$%&'()*+-/0123456789<=>@[\\]^`{|}~", *line)));
}

static const struct command *
find_command(const struct session *s, const char *line, size_t len)
{
	const int other = listener_kinds[s->client.kind].lmtp ? SMTP_ONLY :
	    LMTP_ONLY;
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if ((commands[i].verb[0] ^ *line) % 32 == 0 &&
		    is_word(commands[i].verb, line, len) &&
		    !((int)commands[i].traits & other))
			return &commands[i];
	if (is_word("PROXY", line, len))
		return &proxy_header;
	if (is_mistyped(line, len))
		return &mistyped;
	return is_foreign(s, line, len) ? &foreign : &unknown;
}

/* RFC 3207 4: some commands are all there is for who must encrypt. */
static bool
is_too_clear(const struct session *s, const struct command *c)
{
	return session_must_encrypt(s) && c->run != starttls_command &&
	    c->run != hello_ehlo && c->run != cmd_noop && c->run != cmd_quit &&
	    c->run != cmd_foreign && c->run != cmd_proxy;
}

static struct reply
out_of_order(struct session *s, const struct command *c, const char *arg)
{
	struct reply r;

	if (is_too_clear(s, c))
		r = reply_make(530, "5.7.0 Say STARTTLS first");
	else if (s->phase == PHASE_NEW)
		r = reply_make(503, "5.5.1 Say %s first", hello(s));
	else
		r = reply_make(503, "5.5.1 %s is out of order here", c->verb);

	return c->run == bdat_command ? bdat_skip(s, arg, r) : r;
}

/*
 * Unknown recipients are errors until there is a good one, for mailing lists
 * age, and behind a good one when there are more than a list of ours can have.
 * Those refused for now are errors when there are more than anybody sends in
 * vain (RFC 5321 4.5.3.1.10).
 */
static bool
is_error(struct session *s, const struct command *c, const struct reply *r)
{
	const long long most_excused = s->options->max_recipients;

	if (c->run == rcpt_command && r->code == 550 &&
	    s->phase == PHASE_RCPT)
		return ++s->tally.excused > most_excused && most_excused;
	if (c->run == rcpt_command && r->code >= 400 && r->code < 500)
		return ++s->tally.deferred > EXCESS_RECIPIENTS;
	return r->code >= 500;
}

/*
 * Too many errors, or commands that do nothing, end the session.  What is
 * refused for now does nothing, and so does a chunk out of order: more of them
 * are under way when one is refused (RFC 3030 2).
 */
static void
economise(struct session *s, const struct command *c, struct reply *r)
{
	const long long most = s->options->max_errors;
	const bool stray = c->run == bdat_command && r->code == 503;
	const bool deferred = c->run != rcpt_command && r->code >= 400 &&
	    r->code < 500;
	const bool empty = c->run == bdat_command && s->phase == PHASE_BDAT &&
	    s->txn.envelope && s->txn.chunk == 0;
	const bool idle = c->traits & IDLE || stray || deferred || empty;

	if (reply_closes(r))
		return;
	if (!stray && is_error(s, c, r)) {
		s->stream->suspect = true;
		if (++s->tally.errors >= most && most) {
			*r = reply_make(421, "4.7.0 Too many errors");
			return;
		}
	}
	if (!idle && r->code < 400)
		s->tally.idle_commands = 0;
	if (idle && ++s->tally.idle_commands >= IDLE_COMMANDS)
		*r = reply_make(421, "4.7.0 Nothing comes of this");
}

/* Is it a command of ours, as it ought to be written? */
static bool
is_known(const struct command *c)
{
	return c->run && c != &foreign && c != &mistyped;
}

static struct reply
judge_line(struct session *s, const struct command *c, const char *arg)
{
	if (!c->run)
		return reply_make(500, "5.5.1 Unknown command");
	if (!(c->phases & IN(s->phase)) || is_too_clear(s, c))
		return out_of_order(s, c, arg);
	if (c->arg == NO_ARG && *arg)
		return reply_make(501, "5.5.4 %s takes no argument", c->verb);
	if (c->arg == ARG && !*arg)
		return reply_make(501, "5.5.4 %s needs an argument", c->verb);
	return c->run(s, arg);
}

/*
 * Log a refusal with the line that was refused, where that tells something,
 * and is no password.
 */
static void
log_refused_line(struct session *s, const struct command *c, const char *line,
    const struct reply *r)
{
	char length[32];

	if (c->run == cmd_proxy)	/* it has a line of its own */
		return;
	if (c->run == auth_command || c->run == data_command ||
	    (r->code < 500 && c->run != rcpt_command)) {
		line = NULL;
	} else if (s->auth.tried && !is_known(c)) {
		snprintf(length, sizeof length, "%zu octets", strlen(line));
		line = length;
	}
	journal_refusal(s, c->verb, line, r);
}

/*
 * Whose line is it, or the beginning of one?  The transcript has it, less what
 * may be a password.
 */
static const struct command *
recognise(struct session *s, const char *line, const char **arg)
{
	const size_t verb = strcspn(line, " \t");
	const struct command *c = find_command(s, line, verb);
	size_t public = SIZE_MAX;

	*arg = line + verb + strspn(line + verb, " \t");
	if (c->run == auth_command) {
		s->auth.tried = true;
		public = (size_t)(*arg - line) + auth_public(*arg);
	} else if (!is_known(c)) {
		s->auth.tried |= auth_is_meant(line);
		public = s->auth.tried ? 0 : SIZE_MAX;
	}
	transcript_line(s, public);
	return c;
}

/* A line is: verb, white space, argument, white space (RFC 5321 4.1.1). */
static char *
trim(char *line)
{
	size_t len = strlen(line);

	while (len && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	line[len] = '\0';
	return line;
}

static struct reply
answer_line(struct session *s, const struct command *c, const char *line,
    const char *arg)
{
	const size_t len = strlen(line);

	if (len > COMMAND_MAX - 2 && c->run == bdat_command)
		return bdat_skip(s, "", reply_none());
	if (len > COMMAND_MAX - 2 && c->run != auth_command)
		return reply_make(500, "5.5.2 The line is too long");
	if (len == 0) {
		s->tally.empty_lines++;
		return reply_make(500, "5.5.2 An empty line is no command");
	}
	return judge_line(s, c, arg);
}

static struct reply
run_line(struct session *s, char *line)
{
	const char *arg;
	const struct command *c = recognise(s, trim(line), &arg);
	struct reply r = answer_line(s, c, line, arg);

	economise(s, c, &r);
	if (reply_refuses(&r) && !s->txn.replies)
		log_refused_line(s, c, line, &r);
	s->txn.mail.result.error[0] = '\0';
	return r;
}

/*
 * A line that is no command: nothing of it is logged.  One that begins as BDAT
 * does has a chunk behind it, and nobody knows of what size.
 */
static struct reply
refuse_line(struct session *s, const char *line, const char *text)
{
	struct reply r = reply_make(500, "%s", text);
	const char *arg;
	const struct command *c = recognise(s, line, &arg);

	if (c->run == bdat_command)
		r = bdat_skip(s, "", r);
	else
		c = &unknown;
	economise(s, c, &r);
	journal_refusal(s, c->verb, NULL, &r);
	return r;
}

/* It is no SMTP, or has no end. */
static struct reply
hang_up(struct session *s, const char *line, const char *text)
{
	struct reply r = reply_make(421, "%s", text);
	const char *arg;

	recognise(s, line, &arg);
	journal_refusal(s, unknown.verb, NULL, &r);
	return r;
}

/* The client did not go on; line is what came of one. */
static struct reply
part(struct session *s, const char *line)
{
	struct reply r;
	const char *arg;

	recognise(s, line, &arg);
	r = s->phase == PHASE_BDAT ? data_abandon(s) :
	    session_farewell(s);
	if (r.code)
		journal_refusal(s, "none", NULL, &r);
	return r;
}

/*
 * Version 2 of the PROXY protocol begins with CR LF CR LF NUL: with two empty
 * lines and one that is malformed from the first octet.
 */
static bool
is_binary_header(const struct session *s)
{
	return s->phase == PHASE_NEW && s->reader.octets == 1 &&
	    s->tally.empty_lines == 2 && s->tally.errors == 2;
}

static struct reply
take_line(struct session *s, enum line_status status, char *line)
{
	const char *arg;

	switch (status) {
	case LINE_OK:
		return run_line(s, line);
	case LINE_MALFORMED:
		if (s->phase == PHASE_NEW && s->reader.octets == 1 &&
		    s->tally.errors == 0)	/* a TLS handshake, say */
			return hang_up(s, line, "4.7.0 This is SMTP");
		if (is_binary_header(s)) {
			recognise(s, line, &arg);
			return cmd_proxy(s, arg);
		}
		return refuse_line(s, line, "5.5.2 A line ends in CR LF and "
		    "has no control octets");
	case LINE_LONG:
		return refuse_line(s, line, "5.5.2 The line is too long");
	case LINE_FLOOD:
		return hang_up(s, line, "4.7.0 Line is too long");
	case LINE_END:
		break;
	}
	return part(s, line);
}

static struct reply
next_reply(struct session *s)
{
	char line[AUTH_LINE_MAX];
	enum line_status status;
	struct reply r;

	stream_expect_line(s->stream);
	status = line_read(&s->reader, line, sizeof line);
	r = take_line(s, status, line);
	if (s->auth.tried) {
		explicit_bzero(line, sizeof line);
		s->stream->secret = true;
	}
	return r;
}

static void
say_one(struct session *s, const struct reply *r)
{
	scoreboard_count(s->options->board, r->code < 400 ? COUNT_2XX :
	    r->code < 500 ? COUNT_4XX : COUNT_5XX, 1);
	reply_write(s->stream->out, r);
}

/* A message of LMTP has a reply for each recipient, unless it is the last. */
static void
say(struct session *s, const struct reply *r)
{
	const long long n = reply_closes(r) ? 0 : s->txn.n_replies;
	long long i;

	if (s->stream->state == STREAM_CLOSED && reply_refuses(r))
		return;			/* nobody hears it */
	for (i = 0; i < n; i++)
		say_one(s, s->txn.replies ? &s->txn.replies[i] : r);
	if (n == 0)
		say_one(s, r);
	s->last_reply.code = r->code;
	strcpy(s->last_reply.text, r->text);
}

/* The mail at hand has had its reply. */
static void
end_mail(struct session *s)
{
	if (s->txn.envelope || !*s->txn.id)
		return;
	if (s->txn.mail.result.fd >= 0) {
		hooks_tell(s, HOOK_DELIVERED, s->txn.mail.result.fd);
		dsn_report(s);
	}
	session_reset(s);
}

/* How far the session has come, for who looks at the workers. */
static void
show_phase(const struct session *s)
{
	static const char *const names[] = {
		[PHASE_NEW] = "connected", [PHASE_HELLO] = "HELO",
		[PHASE_MAIL] = "MAIL", [PHASE_REFUSED] = "RCPT",
		[PHASE_RCPT] = "RCPT", [PHASE_BDAT] = "BDAT",
	};

	journal_show(s, names[s->phase], s->phase == PHASE_BDAT ?
	    s->txn.data.octets : 0);
}

/* Reply and read, until a reply ends the session or the client is gone. */
static struct reply
converse(struct session *s, struct reply r)
{
	do {
		say(s, &r);
		end_mail(s);
		starttls_handshake(s);
		show_phase(s);
		r = next_reply(s);
	} while (r.code && !reply_closes(&r) && !s->closing &&
	    s->stream->state != STREAM_CLOSED);
	return r;
}

static void
count_end(const struct session *s)
{
	switch (s->stream->state) {
	case STREAM_TIMEOUT:
	case STREAM_EXPIRED:
	case STREAM_SLOW:
		scoreboard_count(s->options->board, COUNT_TIMEOUTS, 1);
		break;
	case STREAM_PRESSURE:
		scoreboard_count(s->options->board, COUNT_PRESSURE, 1);
		break;
	case STREAM_OPEN:
	case STREAM_CLOSED:
	case STREAM_STOPPED:
		break;
	}
}

void
proto_serve(const struct proto_options *options, const struct client *client,
    struct stream *stream)
{
	struct session s;
	struct log_line l;
	struct reply r;

	session_begin(&s, options, client, stream);
	journal_show_client(&s);
	transcript_begin(&s);
	scoreboard_count(options->board, COUNT_SESSIONS, 1);
	show_phase(&s);
	journal_begin(&s, &l, LEVEL_DEBUG, "connected");
	log_end(&l);
	r = connect_check_limit(&s);
	if (!r.code) {
		starttls_at_once(&s);
		if (stream->state == STREAM_OPEN)
			r = connect_greet(&s);
	}
	if (reply_refuses(&r))
		journal_refusal(&s, "connect", NULL, &r);
	else if (r.code)
		r = converse(&s, r);
	if (r.code && !session_begins_with_tls(&s))
		say(&s, &r);
	end_mail(&s);
	session_reset(&s);
	if (options->hooks->n[HOOK_DISCONNECT])
		stream_hang_up(stream);
	hooks_tell(&s, HOOK_DISCONNECT, -1);
	count_end(&s);
	journal_end(&s);
	/* who said QUIT, or whose place is for others, can go at once */
	stream_close(stream, r.code != 221 && !s.unwanted &&
	    stream->state != STREAM_PRESSURE);
	starttls_end(&s);
	transcript_end(&s);
	session_end(&s);
	stream_wipe(stream);	/* an AUTH may have come that was not read */
}
