/*
 * The conversation: a table of commands, and one loop that reads a line, lets
 * its row judge it, and sends what the handler returned.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "line.h"
#include "log.h"
#include "proto.h"

enum {
	COMMAND_MAX = 2048,	/* octets with CR LF; RFC 5321 4.5.3.1.4 asks
				   for 512 and room for extensions */
	HELO_MAX = 255,		/* octets, RFC 5321 4.5.3.1.2 */
	SESSION_ID_MAX = 17,	/* octets with the NUL */
	MAIL_ID_MAX = 40,	/* that, a dot and a number */
	IDLE_COMMANDS = 100,	/* in a row, that do nothing */
	TO_LOGGED = 1024,	/* octets of recipients in the log */
};

enum phase {
	PHASE_NEW,		/* connected */
	PHASE_HELLO,		/* greeted; no mail */
	PHASE_MAIL,		/* a sender, no recipient yet */
	PHASE_REFUSED,		/* all recipients so far were refused */
	PHASE_RCPT,		/* at least one was accepted */
};

#define IN(phase) (1u << (phase))
#define ANY (~0u)
#define GREETED (ANY & ~IN(PHASE_NEW))

struct session {
	const struct proto_options *options;
	const struct client *client;
	struct stream *stream;
	struct line_reader reader;
	char id[SESSION_ID_MAX];
	bool trusted;
	enum phase phase;
	char helo[HELO_MAX + 1];
	const char *protocol;		/* RFC 3848 */

	long long mails, errors, idle_commands;

	/* of the mail at hand */
	struct envelope *envelope;
	struct mail mail;
	char mail_id[MAIL_ID_MAX];
	long long mail_began;
	unsigned long long declared_size;
	long long recipients;
	char to[TO_LOGGED];		/* the first of them, for the log */
};

struct command {
	const char *verb;
	struct reply (*run)(struct session *, const char *arg);
	unsigned phases;	/* IN() bits; elsewhere the loop says 503 */
	enum { NO_ARG, OPT_ARG, ARG } arg;	/* mismatch: it says 501 */
	bool idle;		/* it does nothing */
};

/* Eleven digits of time and five of the pid: no two sessions share it. */
static void
make_id(char *id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned long long us = (unsigned long long)clock_us();
	unsigned long pid = (unsigned long)getpid();
	int i;

	for (i = 10; i >= 0; i--, us >>= 5)
		id[i] = digits[us & 31];
	for (i = 15; i >= 11; i--, pid >>= 5)
		id[i] = digits[pid & 31];
	id[16] = '\0';
}

static void
begin_log(const struct session *s, struct log_line *l, enum log_level level,
    const char *event)
{
	const char *ip = s->client->remote.ip;

	log_begin(l, level, event);
	log_str(l, "client", *ip ? ip : "local");
	log_str(l, "session", s->id);
}

static void
log_refusal(const struct session *s, const char *command, const char *line,
    const struct reply *r)
{
	char text[REPLY_TEXT_MAX + 8];
	struct log_line l;

	begin_log(s, &l, LEVEL_INFO, "refused");
	log_str(&l, "command", command);
	snprintf(text, sizeof text, "%d %s", r->code, r->text);
	log_str(&l, "reply", text);
	if (*s->mail_id) {
		log_str(&l, "id", s->mail_id);
		log_str(&l, "from", s->mail.sender);
	}
	if (line)
		log_str(&l, "line", line);
	if (*s->mail.error)
		log_str(&l, "error", s->mail.error);
	log_end(&l);
}

static void
log_mail(const struct session *s, unsigned long long size)
{
	struct log_line l;

	begin_log(s, &l, LEVEL_INFO, "message");
	log_str(&l, "id", s->mail_id);
	log_str(&l, "from", s->mail.sender);
	log_str(&l, "to", s->to);
	log_num(&l, "recipients", s->recipients);
	log_num(&l, "size", (long long)size);
	log_str(&l, "helo", s->helo);
	log_str(&l, "protocol", s->protocol);
	log_num(&l, "took_ms", clock_ms() - s->mail_began);
	log_str(&l, "file", s->mail.file);
	log_end(&l);
}

static void
log_end_of_session(const struct session *s)
{
	static const char *const how[] = {
		[STREAM_OPEN] = "closed", [STREAM_CLOSED] = "lost",
		[STREAM_TIMEOUT] = "timeout", [STREAM_EXPIRED] = "expired",
		[STREAM_SLOW] = "slow", [STREAM_STOPPED] = "stopped",
	};
	struct log_line l;

	begin_log(s, &l, LEVEL_DEBUG, "disconnected");
	log_str(&l, "how", how[s->stream->state]);
	log_num(&l, "mails", s->mails);
	log_num(&l, "errors", s->errors);
	log_end(&l);
}

/* RSET, whatever brought it about (RFC 5321 4.1.1.5). */
static void
reset(struct session *s)
{
	if (s->envelope)
		s->envelope->ops->abort(s->envelope);
	s->envelope = NULL;
	s->mail = (struct mail){ .id = s->mail_id };
	s->mail_id[0] = s->to[0] = '\0';
	s->recipients = 0;
	if (s->phase != PHASE_NEW)
		s->phase = PHASE_HELLO;
}

/* What of a client's name may stand in a header and in an environment. */
static void
keep_helo(struct session *s, const char *name)
{
	size_t n = 0;

	for (; *name && n < HELO_MAX; name++)
		if (isalnum((unsigned char)*name) || strchr(".:_[]-", *name))
			s->helo[n++] = *name;
	s->helo[n] = '\0';
	if (n == 0)
		strcpy(s->helo, "unknown");
}

static struct reply
greet(struct session *s, const char *name, const char *protocol)
{
	if (s->options->strict && !address_is_host(name))
		return reply_make(501,
		    "5.5.4 That is no domain and no address literal");
	reset(s);
	s->phase = PHASE_HELLO;
	s->protocol = protocol;
	keep_helo(s, name);
	return reply_none();
}

static struct reply
cmd_helo(struct session *s, const char *arg)
{
	struct reply r = greet(s, arg, "SMTP");

	return r.code ? r : reply_make(250, "%s", s->options->hostname);
}

static struct reply
cmd_ehlo(struct session *s, const char *arg)
{
	struct reply r = greet(s, arg, "ESMTP");
	char size[32] = "";

	if (r.code)
		return r;
	if (s->options->max_size)
		snprintf(size, sizeof size, " %lld", s->options->max_size);
	return reply_make(250, "%s\nPIPELINING\nSIZE%s\n8BITMIME\n"
	    "ENHANCEDSTATUSCODES", s->options->hostname, size);
}

static struct reply
param_size(struct session *s, const struct param *p)
{
	const unsigned long long most =
	    (unsigned long long)s->options->max_size;
	char digits[21];

	if (p->len == 0 || p->len >= sizeof digits ||
	    strspn(p->value, "0123456789") != p->len)
		return reply_make(501, "5.5.4 SIZE takes a number");
	memcpy(digits, p->value, p->len);
	digits[p->len] = '\0';
	errno = 0;
	s->declared_size = strtoull(digits, NULL, 10);
	if (errno || (most && s->declared_size > most))
		return reply_make(552, "5.3.4 At most %llu octets are taken",
		    most);
	return reply_none();
}

static struct reply
param_body(struct session *s, const struct param *p)
{
	(void)s;
	if ((p->len == 4 && strncasecmp(p->value, "7BIT", 4) == 0) ||
	    (p->len == 8 && strncasecmp(p->value, "8BITMIME", 8) == 0))
		return reply_none();
	return reply_make(501, "5.5.4 BODY is 7BIT or 8BITMIME");
}

struct parameter {
	const char *keyword;
	struct reply (*set)(struct session *, const struct param *);
};

static const struct parameter mail_parameters[] = {
	{ "SIZE", param_size },		/* RFC 1870 */
	{ "BODY", param_body },		/* RFC 6152 */
	{ NULL, NULL },
};

static const struct parameter rcpt_parameters[] = {
	{ NULL, NULL },
};

/* All the parameters behind a path, each at most once. */
static struct reply
take_parameters(struct session *s, const struct parameter *table,
    const char *p)
{
	const struct parameter *row;
	struct param param;
	struct reply r;
	unsigned bit, seen = 0;
	int more;

	while ((more = param_next(&p, &param)) > 0) {
		for (row = table; row->keyword; row++)
			if (strcmp(row->keyword, param.keyword) == 0)
				break;
		if (!row->keyword)
			return reply_make(555, "5.5.4 Unknown parameter");
		bit = 1u << (row - table);
		if (seen & bit)
			return reply_make(501, "5.5.4 %s is given twice",
			    row->keyword);
		seen |= bit;
		r = row->set(s, &param);
		if (r.code)
			return r;
	}
	return more < 0 ? reply_make(501, "5.5.4 Malformed parameter") :
	    reply_none();
}

/* "FROM:" path, "TO:" path.  *arg is moved behind it, to the parameters. */
static struct reply
take_path(struct session *s, const char **arg, const char *keyword,
    unsigned flags, struct address *a)
{
	const size_t len = strlen(keyword);
	const char *p = *arg;
	const char *enhanced = flags & ADDRESS_REVERSE ? "5.1.7" : "5.1.3";

	if (strncasecmp(p, keyword, len) != 0)
		return reply_make(501, "5.5.4 %s is missing", keyword);
	p += len;
	if (s->options->strict)
		flags |= ADDRESS_STRICT;
	else
		p += strspn(p, " \t");
	switch (address_parse(&p, flags, a)) {
	case ADDRESS_SYNTAX:
		return reply_make(501, "%s Malformed address", enhanced);
	case ADDRESS_UTF8:
		return reply_make(553,
		    "5.6.7 An address in UTF-8 needs SMTPUTF8");
	case ADDRESS_OK:
		break;
	}
	if (*p && *p != ' ' && *p != '\t')
		return reply_make(501, "%s Malformed address", enhanced);
	*arg = p;
	return reply_none();
}

static struct reply
cmd_mail(struct session *s, const char *arg)
{
	const long long most = s->options->max_mails;
	struct address sender;
	struct reply r;

	s->declared_size = 0;
	r = take_path(s, &arg, "FROM:", ADDRESS_REVERSE, &sender);
	if (!r.code)
		r = take_parameters(s, mail_parameters, arg);
	if (r.code)
		return r;
	if (most && s->mails >= most)
		return reply_make(421, "4.7.0 Too many mails in one session");
	s->mail_began = clock_ms();
	snprintf(s->mail_id, sizeof s->mail_id, "%s.%lld", s->id, ++s->mails);
	s->mail.client = s->client->remote.ip;
	s->mail.helo = s->helo;
	s->mail.protocol = s->protocol;
	s->mail.hostname = s->options->hostname;
	strcpy(s->mail.sender, sender.email);
	r = s->options->new_envelope(s->options->ctx, &s->mail,
	    s->declared_size, &s->envelope);
	if (r.code)
		return r;
	s->phase = PHASE_MAIL;
	s->idle_commands = 0;
	return reply_make(250, "2.1.0 Ok");
}

/*
 * Ours are the domains of the options, or our hostname if there are none; and
 * then any, for a client that did not come over the network.
 */
static bool
is_our_domain(const struct session *s, const char *domain)
{
	const struct endpoint *local = &s->client->local;
	unsigned i;

	if (*domain == '\0')
		return true;
	if (s->options->n_domains == 0)
		return strcasecmp(domain, s->options->hostname) == 0 ||
		    local->family == AF_UNSPEC || endpoint_is_loopback(local);
	for (i = 0; i < s->options->n_domains; i++)
		if (strcmp(s->options->domains[i], "*") == 0 ||
		    strcasecmp(s->options->domains[i], domain) == 0)
			return true;
	return false;
}

static struct reply
judge_recipient(struct session *s, const struct address *a)
{
	const long long most = s->options->max_recipients;

	if (most && s->recipients >= most)
		return reply_make(452, "4.5.3 Too many recipients");
	if (!s->trusted && !is_our_domain(s, a->domain))
		return reply_make(550, "5.7.1 We take no mail for that domain");
	return s->envelope->ops->add_recipient(s->envelope, a);
}

static void
note_recipient(struct session *s, const struct address *a)
{
	size_t n = strlen(s->to);

	snprintf(s->to + n, sizeof s->to - n, "%s%s", n ? "," : "", a->email);
	s->recipients++;
	s->phase = PHASE_RCPT;
}

static struct reply
cmd_rcpt(struct session *s, const char *arg)
{
	struct address recipient;
	struct reply r;

	r = take_path(s, &arg, "TO:", 0, &recipient);
	if (!r.code)
		r = take_parameters(s, rcpt_parameters, arg);
	if (!r.code)
		r = judge_recipient(s, &recipient);
	if (r.code) {
		if (s->phase == PHASE_MAIL)
			s->phase = PHASE_REFUSED;
		return r;
	}
	note_recipient(s, &recipient);
	return reply_make(250, "2.1.5 Ok");
}

/* The reply to a client that did not go on; none to one that is gone. */
static struct reply
farewell(const struct session *s)
{
	switch (s->stream->state) {
	case STREAM_TIMEOUT:
		return reply_make(421, "4.4.2 Timed out, closing");
	case STREAM_EXPIRED:
		return reply_make(421, "4.4.2 The session took too long");
	case STREAM_SLOW:
		return reply_make(421, "4.4.2 The data came too slowly");
	case STREAM_STOPPED:
		return reply_make(421, "4.3.2 Shutting down, try again later");
	case STREAM_OPEN:
	case STREAM_CLOSED:
		break;
	}
	return reply_none();
}

/* Why the data that was read so far can't be kept, if so. */
static struct reply
judge_data(const struct session *s, const struct data *d)
{
	const struct proto_options *o = s->options;

	if (d->bare_cr || (d->bare_lf && !o->accept_bare_newline))
		return reply_make(550, "5.6.11 Bare CR or LF in the message; "
		    "lines end in CR LF");
	if (o->max_size && d->octets > (unsigned long long)o->max_size)
		return reply_make(552, "5.3.4 At most %lld octets are taken",
		    o->max_size);
	return reply_none();
}

static void
drop_envelope(struct session *s)
{
	s->envelope->ops->abort(s->envelope);
	s->envelope = NULL;
}

/*
 * Read the data to its true end, whatever becomes of it, so that none of it
 * is taken for commands.  Returns why it can't be kept, or none.
 */
static struct reply
receive_data(struct session *s, struct data *d)
{
	char in[STREAM_BUFFER], out[STREAM_BUFFER + 1];
	struct reply refusal = reply_none();
	size_t n, used, len;

	while (!d->done) {
		n = stream_read_block(s->stream, in, sizeof in);
		if (n == 0)
			break;
		used = data_decode(d, in, n, out, &len);
		if (d->done)
			stream_unread(s->stream, in + used, n - used);
		if (refusal.code)
			continue;
		refusal = judge_data(s, d);
		if (refusal.code)
			drop_envelope(s);
		else
			s->envelope->ops->write(s->envelope, out, len);
	}
	return refusal;
}

/* The client did not get to the end of its data. */
static struct reply
abandon_data(struct session *s)
{
	struct log_line l;

	if (s->envelope)
		drop_envelope(s);
	if (s->stream->state == STREAM_CLOSED) {
		begin_log(s, &l, LEVEL_INFO, "lost");
		log_str(&l, "id", s->mail_id);
		log_str(&l, "from", s->mail.sender);
		log_end(&l);
	}
	return farewell(s);
}

static struct reply
cmd_data(struct session *s, const char *arg)
{
	struct data d;
	struct reply r;

	(void)arg;
	if (s->phase == PHASE_REFUSED)
		return reply_make(554, "5.5.1 No valid recipients");
	r = s->envelope->ops->begin_data(s->envelope);
	if (r.code) {
		drop_envelope(s);
		return r;
	}
	r = reply_make(354, "End data with <CR><LF>.<CR><LF>");
	reply_write(s->stream->out, &r);
	data_init(&d);
	stream_begin_data(s->stream);
	r = receive_data(s, &d);
	stream_end_data(s->stream);
	if (!d.done)
		return abandon_data(s);
	if (!r.code) {
		s->envelope->ops->close(s->envelope, &r, 1);
		s->envelope = NULL;
	}
	if (!reply_refuses(&r))
		log_mail(s, d.octets);
	return r;
}

static struct reply
cmd_rset(struct session *s, const char *arg)
{
	(void)arg;
	reset(s);
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
	(void)s, (void)arg;
	return reply_make(214, "2.0.0 HELO EHLO MAIL RCPT DATA RSET NOOP QUIT "
	    "VRFY HELP; see RFC 5321");
}

/* Someone speaks another protocol, or sends a message as commands. */
static struct reply
cmd_foreign(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(421, "4.7.0 This is SMTP");
}

static const struct command commands[] = {
	{ "HELO", cmd_helo, ANY, ARG, true },
	{ "EHLO", cmd_ehlo, ANY, ARG, true },
	{ "MAIL", cmd_mail, IN(PHASE_HELLO), ARG, false },
	{ "RCPT", cmd_rcpt, IN(PHASE_MAIL) | IN(PHASE_REFUSED) |
	    IN(PHASE_RCPT), ARG, false },
	{ "DATA", cmd_data, IN(PHASE_REFUSED) | IN(PHASE_RCPT), NO_ARG,
	    false },
	{ "RSET", cmd_rset, ANY, NO_ARG, true },
	{ "NOOP", cmd_noop, ANY, OPT_ARG, true },
	{ "QUIT", cmd_quit, ANY, NO_ARG, false },
	{ "VRFY", cmd_vrfy, ANY, ARG, true },
	{ "EXPN", cmd_expn, ANY, OPT_ARG, true },
	{ "HELP", cmd_help, ANY, OPT_ARG, true },
	{ "GET", cmd_foreign, ANY, OPT_ARG, false },
	{ "POST", cmd_foreign, ANY, OPT_ARG, false },
	{ "HEAD", cmd_foreign, ANY, OPT_ARG, false },
	{ "PUT", cmd_foreign, ANY, OPT_ARG, false },
	{ "DELETE", cmd_foreign, ANY, OPT_ARG, false },
	{ "OPTIONS", cmd_foreign, ANY, OPT_ARG, false },
	{ "PATCH", cmd_foreign, ANY, OPT_ARG, false },
	{ "TRACE", cmd_foreign, ANY, OPT_ARG, false },
	{ "CONNECT", cmd_foreign, ANY, OPT_ARG, false },
};

static const struct command unknown = { "?", NULL, 0, OPT_ARG, false };
static const struct command header_field = {
	"field", cmd_foreign, ANY, OPT_ARG, false
};

static const struct command *
find_command(const char *line, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		if (strlen(commands[i].verb) == len &&
		    strncasecmp(commands[i].verb, line, len) == 0)
			return &commands[i];
	if (len > 1 && line[len - 1] == ':')
		return &header_field;	/* "Host:" and its like */
	return &unknown;
}

static struct reply
out_of_order(const struct session *s, const struct command *c)
{
	if (s->phase == PHASE_NEW)
		return reply_make(503, "5.5.1 Say HELO or EHLO first");
	return reply_make(503, "5.5.1 %s is out of order here", c->verb);
}

/*
 * Too many errors, or commands that do nothing, end the session.  Unknown
 * recipients count until there is a good one: mailing lists age.
 */
static struct reply
economise(struct session *s, const struct command *c, struct reply r)
{
	const long long most = s->options->max_errors;
	bool excused = c->run == cmd_rcpt && s->phase == PHASE_RCPT;

	if (reply_closes(&r))
		return r;
	if (r.code >= 500 && !excused && ++s->errors >= most && most)
		return reply_make(421, "4.7.0 Too many errors");
	if (c->idle && ++s->idle_commands >= IDLE_COMMANDS)
		return reply_make(421, "4.7.0 Nothing comes of this");
	return r;
}

static struct reply
judge_line(struct session *s, const struct command *c, const char *arg)
{
	if (!c->run)
		return reply_make(500, "5.5.1 Unknown command");
	if (!(c->phases & IN(s->phase)))
		return out_of_order(s, c);
	if (c->arg == NO_ARG && *arg)
		return reply_make(501, "5.5.4 %s takes no argument", c->verb);
	if (c->arg == ARG && !*arg)
		return reply_make(501, "5.5.4 %s needs an argument", c->verb);
	return c->run(s, arg);
}

/* A line is: verb, white space, argument, white space (RFC 5321 4.1.1). */
static struct reply
run_line(struct session *s, char *line)
{
	size_t len = strlen(line), verb;
	const struct command *c;
	struct reply r;
	bool syntax;

	while (len && strchr(" \t", line[len - 1]))
		line[--len] = '\0';
	verb = strcspn(line, " \t");
	c = find_command(line, verb);
	if (len == 0)
		r = reply_make(500, "5.5.2 An empty line is no command");
	else
		r = judge_line(s, c, line + verb + strspn(line + verb,
		    " \t"));
	r = economise(s, c, r);
	syntax = r.code >= 500 && c->run != cmd_data;
	if (reply_refuses(&r))
		log_refusal(s, c->verb, syntax || c->run == cmd_rcpt ? line :
		    NULL, &r);
	s->mail.error[0] = '\0';
	if (!s->envelope && *s->mail_id)
		reset(s);
	return r;
}

/* A line that is no command: it has no verb, and nothing of it is logged. */
static struct reply
refuse_line(struct session *s, int code, const char *text)
{
	struct reply r = reply_make(code, "%s", text);

	r = economise(s, &unknown, r);
	log_refusal(s, unknown.verb, NULL, &r);
	return r;
}

static struct reply
next_reply(struct session *s)
{
	char line[COMMAND_MAX];
	struct reply r;

	stream_expect_line(s->stream);
	switch (line_read(&s->reader, line, sizeof line)) {
	case LINE_OK:
		return run_line(s, line);
	case LINE_MALFORMED:
		return refuse_line(s, 500, "5.5.2 A line ends in CR LF and "
		    "has no control octets");
	case LINE_LONG:
		return refuse_line(s, 500, "5.5.2 The line is too long");
	case LINE_FLOOD:
		return refuse_line(s, 421, "4.7.0 The line has no end");
	case LINE_END:
		break;
	}
	r = farewell(s);
	if (r.code)
		log_refusal(s, "none", NULL, &r);
	return r;
}

static void
begin(struct session *s, const struct proto_options *options,
    const struct client *client, struct stream *stream)
{
	unsigned i;

	*s = (struct session){
		.options = options, .client = client, .stream = stream,
	};
	line_init(&s->reader, stream->in, options->accept_bare_newline);
	make_id(s->id);
	reset(s);
	for (i = 0; i < options->n_trusted; i++)
		if (network_contains(&options->trusted[i], &client->remote))
			s->trusted = true;
}

bool
proto_serve(const struct proto_options *options, const struct client *client,
    struct stream *stream)
{
	struct session s;
	struct log_line l;
	struct reply r;

	begin(&s, options, client, stream);
	begin_log(&s, &l, LEVEL_DEBUG, "connected");
	log_end(&l);
	r = reply_make(220, "%s ESMTP smtpd", options->hostname);
	do {
		reply_write(stream->out, &r);
		r = next_reply(&s);
	} while (r.code && !reply_closes(&r));
	if (r.code)
		reply_write(stream->out, &r);
	reset(&s);
	log_end_of_session(&s);
	return r.code == 221;
}
