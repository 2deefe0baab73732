/*
 * The ESMTP parameters of MAIL and RCPT.  A new one needs a row and a function,
 * which may assume only that the syntax of RFC 5321 is met.
 */
#include <errno.h>
#include <string.h>

#include "lib/text/param.h"
#include "lib/text/xtext.h"
#include "smtp/dsn_report.h"
#include "smtp/hooks.h"
#include "smtp/parameters.h"

struct parameter {
	const char *keyword;
	bool (*is_known)(const struct session *);	/* else 555 */
	struct reply (*set)(struct session *, const struct param *);
};

static bool
is_always_known(const struct session *s)
{
	(void)s;
	return true;
}

static bool
has_body(const struct session *s)
{
	return options_enabled(s->options, "8BITMIME") ||
	    options_enabled(s->options, "BINARYMIME");
}

static bool
has_auth_command(const struct session *s)
{
	return s->options->hooks->auth.command != NULL;
}

static bool
is_over_tls(const struct session *s)
{
	return s->client.tls.encrypted;
}

static struct reply
set_size(struct session *s, const struct param *p)
{
	const unsigned long long limit =
	    (unsigned long long)s->options->max_size;

	if (param_number(p, &s->txn.declared_size) == 0 &&
	    (!limit || s->txn.declared_size <= limit))
		return reply_none();
	if (errno == EINVAL)
		return reply_make(501, "5.5.4 Invalid SIZE parameter; use a "
		    "number of bytes");
	if (!limit)
		return reply_make(552, "5.3.4 Message is too large");
	return reply_make(552, "5.3.4 Message exceeds the limit of %llu bytes",
	    limit);
}

static struct reply
set_body(struct session *s, const struct param *p)
{
	static const char *const bodies[] = {
		 "7BIT", "8BITMIME", "BINARYMIME" };
	size_t i;

	for (i = 0; i < sizeof bodies / sizeof *bodies; i++)
		if (param_is(p, bodies[i]) &&
		    options_enabled(s->options, bodies[i]))
			s->txn.body = bodies[i];
	if (s->txn.body)
		return reply_none();
	return reply_make(501, "5.5.4 Invalid BODY parameter; use 7BIT%s%s",
	    options_enabled(s->options, "8BITMIME") ? ", 8BITMIME" : "",
	    options_enabled(s->options, "BINARYMIME") ? ", BINARYMIME" : "");
}

/* A parameter without a value. */
static struct reply
set_flag(const struct param *p, bool *flag)
{
	if (p->value)
		return reply_make(501, "5.5.4 %s does not take a value",
		    p->keyword);
	*flag = true;
	return reply_none();
}

static struct reply
set_utf8(struct session *s, const struct param *p)
{
	return set_flag(p, &s->txn.utf8);
}

/* The message may be relayed over TLS only; hooks get SMTP_REQUIRETLS. */
static struct reply
set_requiretls(struct session *s, const struct param *p)
{
	return set_flag(p, &s->txn.requiretls);
}

/* The client's claim about the author is checked for syntax, but not used. */
static struct reply
set_auth(struct session *s, const struct param *p)
{
	char mailbox[PARAM_VALUE_MAX];

	if (xtext_decode(p->value, p->len, s->options->strict, mailbox,
	    sizeof mailbox) <= 0)
		return reply_make(501, "5.5.4 Invalid AUTH parameter; use a "
		    "mailbox or <>");
	return reply_none();
}

static struct reply
set_ret(struct session *s, const struct param *p)
{
	if (dsn_parse_ret(&s->txn.dsn, p))
		return reply_none();
	return reply_make(501, "5.5.4 Invalid RET parameter; use FULL or "
	    "HDRS");
}

static struct reply
set_envid(struct session *s, const struct param *p)
{
	if (dsn_parse_envid(&s->txn.dsn, p, s->options->strict))
		return reply_none();
	if (p->len > ENVID_MAX)
		return reply_make(501, "5.5.4 ENVID is too long, the limit is "
		    "%d bytes", ENVID_MAX);
	return reply_make(501, "5.5.4 Invalid ENVID parameter; use xtext of "
	    "printable characters");
}

static struct reply
set_notify(struct session *s, const struct param *p)
{
	if (dsn_parse_notify(&s->txn.dsn, p))
		return reply_none();
	return reply_make(501, "5.5.4 Invalid NOTIFY parameter; use NEVER, or "
	    "a list of SUCCESS, FAILURE and DELAY");
}

static struct reply
set_orcpt(struct session *s, const struct param *p)
{
	if (dsn_parse_orcpt(&s->txn.dsn, p, s->options->strict, s->txn.utf8))
		return reply_none();
	if (p->len > ORCPT_MAX)
		return reply_make(501, "5.5.4 ORCPT is too long, the limit is "
		    "%d bytes", ORCPT_MAX);
	return reply_make(501, "5.5.4 Invalid ORCPT parameter; use "
	    "TYPE;ADDRESS, with the address in xtext");
}

static const struct parameter mail_parameters[] = {
	{ "SIZE", is_always_known, set_size },		/* RFC 1870 3 */
	{ "BODY", has_body, set_body },	/* RFC 6152 2, RFC 3030 3 */
	{ "SMTPUTF8", is_always_known, set_utf8 },	/* RFC 6531 3.4 */
	{ "AUTH", has_auth_command, set_auth },	/* RFC 4954 5 */
	{ "REQUIRETLS", is_over_tls, set_requiretls },	/* RFC 8689 3 */
	{ "RET", dsn_is_offered, set_ret },	/* RFC 3461 4.3 */
	{ "ENVID", dsn_is_offered, set_envid },	/* RFC 3461 4.4 */
	{ NULL, NULL, NULL },
};

static const struct parameter rcpt_parameters[] = {
	{ "NOTIFY", dsn_is_offered, set_notify },	/* RFC 3461 4.1 */
	{ "ORCPT", dsn_is_offered, set_orcpt },		/* RFC 3461 4.2 */
	{ NULL, NULL, NULL },
};

static struct reply
set_parameters(struct session *s, const struct parameter *table, const char *p)
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
		if (!row->keyword || !row->is_known(s) ||
		    !options_enabled(s->options, row->keyword))
			return reply_make(555, "5.5.4 Unsupported parameter");
		bit = 1u << (row - table);
		if (seen & bit)
			return reply_make(501, "5.5.4 Duplicate parameter %s",
			    row->keyword);
		seen |= bit;
		r = row->set(s, &param);
		if (r.code)
			return r;
	}
	return more < 0 ? reply_make(501, "5.5.4 Malformed parameter") :
	    reply_none();
}

struct reply
parameters_mail(struct session *s, const char *text)
{
	s->txn.declared_size = 0;
	s->txn.body = NULL;
	s->txn.utf8 = s->txn.requiretls = false;
	s->txn.dsn = (struct dsn){ .ret = NULL };
	return set_parameters(s, mail_parameters, text);
}

struct reply
parameters_rcpt(struct session *s, const char *text)
{
	s->txn.dsn.notify = 0;
	s->txn.dsn.original[0] = '\0';
	return set_parameters(s, rcpt_parameters, text);
}
