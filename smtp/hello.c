/*
 * HELO, EHLO and LHLO.  The extensions that EHLO offers are a table; what they
 * do is elsewhere.
 */
#include <ctype.h>
#include <string.h>

#include "lib/text/utf8.h"
#include "smtp/auth.h"
#include "smtp/dsn_report.h"
#include "smtp/hello.h"
#include "smtp/hooks.h"
#include "smtp/mail.h"
#include "smtp/starttls.h"
#include "smtp/xclient.h"

enum { LIMIT_MAX = 999999 };	/* RFC 9422 7: at most six digits */

/* Keep the name, without characters that are unsafe in headers and hooks. */
static void
set_helo_name(struct session *s, const char *name)
{
	size_t n = 0;

	if (*s->xclient.helo.name)
		name = s->xclient.helo.name;
	for (; *name && n < HELO_MAX; name++)
		if (isalnum((unsigned char)*name) || strchr(".:_[]-", *name))
			s->hello.name[n++] = *name;
	s->hello.name[n] = '\0';
	if (n == 0)
		strcpy(s->hello.name, "unknown");
}

static struct reply
begin_hello(struct session *s, const char *name, bool extended)
{
	struct reply r;

	if (s->options->strict && *name && (!address_is_host(name, true) ||
	    utf8_is_beyond_ascii(name)))	/* RFC 6531 3.7.1 */
		return reply_make(501,
		    "5.5.4 Invalid name; use a domain or an address literal");
	s->fields.n_hello = s->fields.n_connection;
	s->hello_discard.hook = NULL;
	session_reset(s);
	s->phase = PHASE_NEW;
	s->hello.extended = extended;
	session_set_protocol(s);
	xclient_end(s);
	set_helo_name(s, name);
	r = hooks_run(s, HOOK_HELLO);
	if (reply_refuses(&r))
		return r;
	s->fields.n_hello = s->fields.n;
	s->phase = PHASE_HELLO;
	return reply_none();
}

struct reply
hello_helo(struct session *s, const char *arg)
{
	struct reply r = begin_hello(s, arg, false);

	return r.code ? r : reply_make(250, "%s", s->options->hostname);
}

static bool
is_always_offered(const struct session *s)
{
	(void)s;
	return true;
}

static void
format_size(const struct session *s, char *value, size_t n)
{
	if (s->options->max_size)
		snprintf(value, n, " %lld", s->options->max_size);
}

static int
format_limit(char *value, size_t n, const char *name, long long limit)
{
	if (!limit)
		return 0;
	return snprintf(value, n, " %s=%lld", name, limit > LIMIT_MAX ?
	    LIMIT_MAX : limit);
}

static void
format_limits(const struct session *s, char *value, size_t n)
{
	const int len = format_limit(value, n, "MAILMAX",
	    s->options->max_mails);

	format_limit(value + len, n - (size_t)len, "RCPTMAX",
	    rcpt_limit(s));
}

static bool
has_limits(const struct session *s)
{
	return s->options->max_mails || rcpt_limit(s);
}

static bool
can_require_tls(const struct session *s)
{
	return s->client.tls.encrypted;
}

static void
format_mechanisms(const struct session *s, char *value, size_t n)
{
	(void)s;
	snprintf(value, n, " PLAIN LOGIN");
}

/* Offered if offered() returns true; argument() adds the arguments. */
static const struct extension {
	const char *keyword;
	bool (*offered)(const struct session *);
	void (*argument)(const struct session *, char *value, size_t n);
} extensions[] = {
	{ "PIPELINING", is_always_offered, NULL },	/* RFC 2920 */
	{ "SIZE", is_always_offered, format_size },	/* RFC 1870 */
	{ "8BITMIME", is_always_offered, NULL },	/* RFC 6152 */
	{ "CHUNKING", is_always_offered, NULL },	/* RFC 3030 2 */
	{ "BINARYMIME", is_always_offered, NULL },	/* RFC 3030 3 */
	{ "SMTPUTF8", is_always_offered, NULL },	/* RFC 6531 */
	{ "STARTTLS", starttls_offered, NULL },		/* RFC 3207 */
	{ "DSN", dsn_is_offered, NULL },		/* RFC 3461 */
	{ "AUTH", auth_offered, format_mechanisms },	/* RFC 4954 */
	{ "XCLIENT", xclient_offered, xclient_format },
	{ "LIMITS", has_limits, format_limits },	/* RFC 9422 */
	{ "REQUIRETLS", can_require_tls, NULL },	/* RFC 8689 */
	{ "ENHANCEDSTATUSCODES", is_always_offered, NULL },	/* RFC 2034 */
};

const char *
hello_verb(const struct session *s)
{
	return listener_kinds[s->client.kind].lmtp ? "LHLO" : "EHLO or HELO";
}

struct reply
hello_reject(const struct session *s)
{
	return reply_make(500, "5.5.1 This is %s, send %s instead",
	    listener_kinds[s->client.kind].lmtp ? "LMTP" : "SMTP",
	    hello_verb(s));
}

struct reply
hello_offer(const struct session *s)
{
	const size_t n = sizeof extensions / sizeof extensions[0];
	struct reply r = reply_make(250, "%s", s->options->hostname);
	const struct extension *x;
	char value[64];

	for (x = extensions; x < extensions + n; x++) {
		if (!options_enabled(s->options, x->keyword) || !x->offered(s))
			continue;
		value[0] = '\0';
		if (x->argument)
			x->argument(s, value, sizeof value);
		reply_add(&r, "%s%s", x->keyword, value);
	}
	return r;
}

struct reply
hello_ehlo(struct session *s, const char *arg)
{
	struct reply r = begin_hello(s, arg, true);

	return r.code ? r : hello_offer(s);
}
