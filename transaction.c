/*
 * A mail: MAIL, RCPT and DATA, with their parameters, and what is asked of
 * the envelope on the way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "hooks.h"
#include "transaction.h"

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

/* RFC 3461 4, and nothing hidden in it that ends a line or a string. */
static bool
is_xtext(const char *s, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t i;

	for (i = 0; i < len; i++) {
		if (s[i] == '=')
			return false;
		if (s[i] != '+')
			continue;
		if (len - i < 3 || !memchr(digits, s[i + 1], 16) ||
		    !memchr(digits, s[i + 2], 16) ||
		    (s[i + 1] == '0' && strchr("0AD", s[i + 2])))
			return false;
		i += 2;
	}
	return len > 0;
}

/* RFC 4954 5: who it is from says less than who brings it. */
static struct reply
param_auth(struct session *s, const struct param *p)
{
	if (!s->options->hooks->auth.command)
		return reply_make(555, "5.5.4 Unknown parameter");
	if (!is_xtext(p->value, p->len))
		return reply_make(501, "5.5.4 AUTH takes a mailbox or <>");
	return reply_none();
}

static struct reply
param_body(struct session *s, const struct param *p)
{
	if (p->len == 4 && strncasecmp(p->value, "7BIT", 4) == 0)
		s->body = "7BIT";
	else if (p->len == 8 && strncasecmp(p->value, "8BITMIME", 8) == 0)
		s->body = "8BITMIME";
	if (s->body)
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
	{ "AUTH", param_auth },		/* RFC 4954 */
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

/* MAIL is well formed: is there room, and does nobody object? */
static struct reply
begin_mail(struct session *s, const struct address *sender)
{
	struct reply r;

	s->mail_began = clock_ms();
	snprintf(s->mail_id, sizeof s->mail_id, "%s.%lld", s->id, ++s->mails);
	s->mail.client = s->client.remote.ip;
	s->mail.helo = s->helo;
	s->mail.protocol = s->protocol;
	s->mail.hostname = s->options->hostname;
	strcpy(s->mail.sender, sender->email);
	hooks_attach(s, &s->mail);
	r = s->options->new_envelope(s->options->ctx, &s->mail,
	    s->declared_size, &s->envelope);
	if (r.code)
		return r;
	r = hooks_ask(s, HOOK_MAIL, NULL, NULL);
	if (reply_refuses(&r)) {
		session_drop_envelope(s);
		return r;
	}
	s->phase = PHASE_MAIL;
	return r.code ? r : reply_make(250, "2.1.0 Ok");
}

struct reply
transaction_mail(struct session *s, const char *arg)
{
	const long long most = s->options->max_mails;
	struct address sender;
	struct reply r;

	if (!*s->user && (s->options->require_auth ||
	    listener_kinds[s->client.kind].auth))
		return reply_make(530, "5.7.0 Authentication is required");
	s->declared_size = 0;
	s->body = NULL;
	r = take_path(s, &arg, "FROM:", ADDRESS_REVERSE, &sender);
	if (!r.code)
		r = take_parameters(s, mail_parameters, arg);
	if (r.code)
		return r;
	if (most && s->mails >= most)
		return reply_make(421, "4.7.0 Too many mails in one session");
	return begin_mail(s, &sender);
}

/* Did the client reach a loopback address, a Unix socket or a pipe? */
static bool
is_local(const struct client *c)
{
	if (c->local.family == AF_UNSPEC)
		return c->remote.family == AF_UNSPEC && !c->remote_unknown;
	return endpoint_is_loopback(&c->local);
}

/* Ours are the domains of the options, or our hostname if there are none. */
static bool
is_our_domain(const struct session *s, const char *domain)
{
	unsigned i;

	if (*domain == '\0')
		return true;
	if (s->options->n_domains == 0)
		return strcasecmp(domain, s->options->hostname) == 0 ||
		    is_local(&s->client);
	for (i = 0; i < s->options->n_domains; i++)
		if (strcmp(s->options->domains[i], "*") == 0 ||
		    strcasecmp(s->options->domains[i], domain) == 0)
			return true;
	return false;
}

/* Limits and policy first: a command can't overrule them. */
static struct reply
judge_recipient(struct session *s, const struct address *a)
{
	const long long most = s->options->max_recipients;

	if ((most && s->recipients >= most) ||
	    (s->options->hooks->n[HOOK_MDA] && s->recipients) ||
	    !session_has_room(s, a->email))
		return reply_make(452, "4.5.3 Too many recipients");
	if (!s->trusted && !*s->user && !is_our_domain(s, a->domain))
		return reply_make(550, "5.7.1 We take no mail for that domain");
	return reply_none();
}

static struct reply
accept_recipient(struct session *s, const struct address *recipient)
{
	const size_t headers = s->n_headers;
	struct address mailbox = *recipient;
	struct reply r, answer;

	answer = hooks_ask(s, HOOK_RECIPIENT, recipient, &mailbox);
	r = reply_refuses(&answer) ? answer :
	    s->envelope->ops->add_recipient(s->envelope, &mailbox);
	if (r.code) {
		session_cut_headers(s, headers);
		return r;
	}
	session_add_recipient(s, recipient, &mailbox);
	s->phase = PHASE_RCPT;
	return answer.code ? answer : reply_make(250, "2.1.5 Ok");
}

struct reply
transaction_rcpt(struct session *s, const char *arg)
{
	struct address recipient;
	struct reply r;

	r = take_path(s, &arg, "TO:", 0, &recipient);
	if (!r.code)
		r = take_parameters(s, rcpt_parameters, arg);
	if (!r.code)
		r = judge_recipient(s, &recipient);
	if (!r.code)
		r = accept_recipient(s, &recipient);
	if (reply_refuses(&r) && s->phase == PHASE_MAIL)
		s->phase = PHASE_REFUSED;
	return r;
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
		n = stream_read_block(s->stream, in);
		if (n == 0)
			break;
		used = data_decode(d, in, n, out, &len);
		if (d->done)
			stream_unread(s->stream, in + used, n - used);
		if (refusal.code)
			continue;
		refusal = judge_data(s, d);
		if (refusal.code)
			session_drop_envelope(s);
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
		session_drop_envelope(s);
	if (s->stream->state == STREAM_CLOSED) {
		session_log(s, &l, LEVEL_INFO, "lost");
		log_str(&l, "id", s->mail_id);
		log_str(&l, "from", s->mail.sender);
		log_end(&l);
	}
	return session_farewell(s);
}

/* Ask whether the data may come.  A refusal, or none. */
static struct reply
begin_data(struct session *s)
{
	struct reply r;

	if (s->phase == PHASE_REFUSED)
		return reply_make(554, "5.5.1 No valid recipients");
	r = hooks_ask(s, HOOK_DATA, NULL, NULL);
	if (!reply_refuses(&r))
		r = s->envelope->ops->begin_data(s->envelope);
	if (!reply_refuses(&r))
		return reply_none();
	session_drop_envelope(s);
	return r;
}

/* All of it is here, and nothing speaks against it yet. */
static struct reply
finish_data(struct session *s, const struct data *d)
{
	const long long timeout = s->options->hooks->dot_timeout;
	struct reply r;

	s->declared_size = d->octets;
	s->dot_deadline = timeout ? clock_ms() + timeout : 0;
	s->envelope->ops->close(s->envelope, &r, 1);
	s->envelope = NULL;
	s->dot_deadline = 0;
	if (!reply_refuses(&r))
		session_log_mail(s, d->octets);
	return r;
}

struct reply
transaction_data(struct session *s, const char *arg)
{
	struct data d;
	struct reply r;

	(void)arg;
	r = begin_data(s);
	if (r.code)
		return r;
	r = reply_make(354, "End data with <CR><LF>.<CR><LF>");
	reply_write(s->stream->out, &r);
	data_init(&d);
	stream_begin_data(s->stream);
	r = receive_data(s, &d);
	stream_end_data(s->stream);
	if (!d.done)
		return abandon_data(s);
	return r.code ? r : finish_data(s, &d);
}
