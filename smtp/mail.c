/*
 * A mail's addresses: MAIL and RCPT, and what is asked of the envelope and of
 * others on the way.
 */
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "smtp/hooks.h"
#include "smtp/mail.h"
#include "smtp/parameters.h"

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
	if (!address_parse(&p, flags, a) || (*p && *p != ' ' && *p != '\t'))
		return reply_make(501, "%s Malformed address", enhanced);
	*arg = p;
	return reply_none();
}

/* RFC 6531 3.2 */
static struct reply
judge_charset(const struct session *s, const struct address *a)
{
	/* NOLINTNEXTLINE(*-core.uninitialized.*): without a code it is set */
	if (!a->utf8 || s->txn.utf8)
		return reply_none();
	return reply_make(553, "5.6.7 An address in UTF-8 needs SMTPUTF8");
}

/* MAIL is well formed: is there room? */
static struct reply
open_envelope(struct session *s, const struct address *sender)
{
	session_set_protocol(s);
	s->txn.began = clock_ms();
	snprintf(s->txn.id, sizeof s->txn.id, "%s.%lld", s->id,
	    ++s->tally.mails);
	s->txn.mail.info.client = s->client.remote.ip;
	s->txn.mail.info.name = s->client.name;
	s->txn.mail.info.helo = s->hello.name;
	s->txn.mail.info.protocol = s->hello.protocol;
	s->txn.mail.info.hostname = s->options->hostname;
	s->txn.mail.info.tls = &s->client.tls;
	strcpy(s->txn.mail.info.sender, sender->email);
	strcpy(s->txn.mail.info.sender_domain, sender->domain);
	s->txn.mail.info.reply_each = listener_kinds[s->client.kind].lmtp;
	hooks_attach(s, &s->txn.mail);
	return s->options->new_envelope(s->options->ctx, &s->txn.mail,
	    s->txn.declared_size, &s->txn.envelope);
}

struct reply
mail_open(struct session *s, const char *arg)
{
	const long long most = s->options->max_mails;
	struct address sender;
	struct reply r;

	if (!*s->auth.user && (s->options->require_auth ||
	    listener_kinds[s->client.kind].auth))
		return reply_make(530, "5.7.0 Authentication is required");
	if (s->client.probe)
		return reply_make(550, "5.7.1 A proxy has no mail of its own");
	r = take_path(s, &arg, "FROM:", ADDRESS_REVERSE, &sender);
	if (!r.code)
		r = parameters_mail(s, arg);
	if (!r.code)
		r = judge_charset(s, &sender);
	if (r.code)
		return r;
	if (most && s->tally.mails >= most)
		return reply_make(421, "4.7.0 Too many mails in one session");
	return open_envelope(s, &sender);
}

struct reply
mail_command(struct session *s, const char *arg)
{
	struct reply r = mail_open(s, arg);

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

/*
 * Is the client on this machine?  Both ends of its connection are loopback
 * addresses, or it is a Unix socket or a pipe.  Our own end alone proves
 * nothing: the kernel may forward a port of the network to 127.0.0.1.
 */
static bool
is_local(const struct client *c)
{
	if (c->remote.family == AF_UNSPEC)
		return !c->remote_unknown && c->local.family == AF_UNSPEC;
	return endpoint_is_loopback(&c->remote) &&
	    endpoint_is_loopback(&c->local);
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

/* One verdict of SMTP can't tell what became of two recipients' commands. */
long long
rcpt_limit(const struct session *s)
{
	if (s->options->hooks->n[HOOK_MDA] &&
	    !listener_kinds[s->client.kind].lmtp)
		return 1;
	return s->options->max_recipients;
}

static bool
has_room(const struct session *s, const char *email)
{
	const struct recipients *to = &s->txn.recipients;

	return to->bytes + strlen(email) + 1 <= RECIPIENT_LIST_MAX &&
	    to->original_bytes + strlen(s->txn.dsn.original) <=
	    RECIPIENT_LIST_MAX;
}

/* Limits and policy first: a command can't overrule them. */
static struct reply
judge_recipient(struct session *s, const struct address *a)
{
	const long long most = rcpt_limit(s);

	if ((most && s->txn.recipients.n >= (unsigned long long)most) ||
	    !has_room(s, a->email))
		return reply_make(452, "4.5.3 Too many recipients");
	if (!s->trusted && !*s->auth.user && !is_our_domain(s, a->domain))
		return reply_make(550, "5.7.1 We take no mail for that domain");
	return reply_none();
}

struct reply
rcpt_add(struct session *s, const struct address *recipient,
    const struct address *mailbox)
{
	/* a command for delivery may want the extension */
	const char *delimiters = s->options->hooks->n[HOOK_MDA] ? "" :
	    s->options->delimiters;
	struct recipient *r = recipients_add(&s->txn.recipients, recipient,
	    mailbox, delimiters, s->options->hostname, s->txn.dsn.original,
	    s->txn.dsn.notify);
	struct reply refusal;

	if (!r)
		return reply_make(451, "4.3.0 Out of memory");
	refusal = s->txn.envelope->ops->add_recipient(s->txn.envelope, r,
	    mailbox);
	if (refusal.code)
		recipients_drop_last(&s->txn.recipients);
	return refusal;
}

static struct reply
accept_recipient(struct session *s, const struct address *recipient)
{
	const size_t headers = s->fields.n;
	struct address other = { .email = "" };
	struct reply answer = hooks_ask(s, HOOK_RECIPIENT, recipient, &other);
	struct reply refusal = reply_refuses(&answer) ? answer :
	    rcpt_add(s, recipient, *other.email ? &other : recipient);

	if (refusal.code) {
		fields_cut(&s->fields, headers);
		return refusal;
	}
	if (s->txn.dsn.notify & DSN_SUCCESS)
		s->txn.mail.info.keep_open = true;
	s->phase = PHASE_RCPT;
	return answer.code ? answer : reply_make(250, "2.1.5 Ok");
}

struct reply
rcpt_check(struct session *s, const char *arg,
    struct address *recipient)
{
	struct reply r;

	r = take_path(s, &arg, "TO:", 0, recipient);
	if (!r.code)
		r = parameters_rcpt(s, arg);
	if (!r.code)
		r = judge_charset(s, recipient);
	return r.code ? r : judge_recipient(s, recipient);
}

static struct reply
try_recipient(struct session *s, const char *arg)
{
	struct address recipient;
	struct reply refusal = rcpt_check(s, arg, &recipient);

	return refusal.code ? refusal : accept_recipient(s, &recipient);
}

struct reply
rcpt_command(struct session *s, const char *arg)
{
	struct reply r = try_recipient(s, arg);

	if (reply_refuses(&r) && s->phase == PHASE_MAIL)
		s->phase = PHASE_REFUSED;
	return r;
}
