/* How a session begins, and what EHLO offers: a row for each extension. */
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

enum { LIMIT_MAX = 999999 };	/* of what RFC 9422 can say */

/* What of a client's name may stand in a header and in an environment. */
static void
keep_helo(struct session *s, const char *name)
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
greet(struct session *s, const char *name, bool extended)
{
	struct reply r;

	if (s->options->strict && (!address_is_host(name, true) ||
	    utf8_is_beyond_ascii(name)))	/* RFC 6531 3.7.1 */
		return reply_make(501,
		    "5.5.4 That is no domain and no address literal");
	s->fields.n_hello = s->fields.n_connection;
	session_reset(s);
	s->phase = PHASE_NEW;
	s->hello.extended = extended;
	session_set_protocol(s);
	xclient_end(s);
	keep_helo(s, name);
	r = hooks_ask(s, HOOK_HELLO, NULL, NULL);
	if (reply_refuses(&r))
		return r;
	s->fields.n_hello = s->fields.n;
	s->phase = PHASE_HELLO;
	return reply_none();
}

struct reply
hello_helo(struct session *s, const char *arg)
{
	struct reply r = greet(s, arg, false);

	return r.code ? r : reply_make(250, "%s", s->options->hostname);
}

static bool
always(const struct session *s)
{
	(void)s;
	return true;
}

static void
say_size(const struct session *s, char *value, size_t n)
{
	if (s->options->max_size)
		snprintf(value, n, " %lld", s->options->max_size);
}

/* In six digits at most, RFC 9422 7. */
static int
say_limit(char *value, size_t n, const char *name, long long limit)
{
	if (!limit)
		return 0;
	return snprintf(value, n, " %s=%lld", name, limit > LIMIT_MAX ?
	    LIMIT_MAX : limit);
}

static void
say_limits(const struct session *s, char *value, size_t n)
{
	const int len = say_limit(value, n, "MAILMAX",
	    s->options->max_mails);

	say_limit(value + len, n - (size_t)len, "RCPTMAX",
	    rcpt_limit(s));
}

static bool
is_limited(const struct session *s)
{
	return s->options->max_mails || rcpt_limit(s);
}

static bool
is_encrypted(const struct session *s)
{
	return s->client.tls.encrypted;
}

static void
say_mechanisms(const struct session *s, char *value, size_t n)
{
	(void)s;
	snprintf(value, n, " PLAIN LOGIN");
}

/* What EHLO offers, where offered() says so; argument() may add to it. */
static const struct extension {
	const char *keyword;
	bool (*offered)(const struct session *);
	void (*argument)(const struct session *, char *value, size_t n);
} extensions[] = {
	{ "PIPELINING", always, NULL },			/* RFC 2920 */
	{ "SIZE", always, say_size },			/* RFC 1870 */
	{ "8BITMIME", always, NULL },			/* RFC 6152 */
	{ "CHUNKING", always, NULL },			/* RFC 3030 2 */
	{ "BINARYMIME", always, NULL },			/* RFC 3030 3 */
	{ "SMTPUTF8", always, NULL },			/* RFC 6531 */
	{ "STARTTLS", starttls_offered, NULL },		/* RFC 3207 */
	{ "DSN", dsn_is_offered, NULL },		/* RFC 3461 */
	{ "AUTH", auth_offered, say_mechanisms },	/* RFC 4954 */
	{ "XCLIENT", xclient_offered, xclient_format },
	{ "LIMITS", is_limited, say_limits },		/* RFC 9422 */
	{ "REQUIRETLS", is_encrypted, NULL },		/* RFC 8689 */
	{ "ENHANCEDSTATUSCODES", always, NULL },	/* RFC 2034 */
};

struct reply
hello_offer(const struct session *s)
{
	const size_t n = sizeof extensions / sizeof extensions[0];
	struct reply r = reply_make(250, "%s", s->options->hostname);
	const struct extension *x;
	char value[64];

	for (x = extensions; x < extensions + n; x++) {
		if (!x->offered(s))
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
	struct reply r = greet(s, arg, true);

	return r.code ? r : hello_offer(s);
}
