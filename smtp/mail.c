/*
 * The commands MAIL and RCPT: syntax, limits and policy first, then the hooks,
 * then the envelope.  A hook can't overrule a limit or a policy.
 */
#include <string.h>
#include <strings.h>

#include "lib/clock.h"
#include "smtp/hooks.h"
#include "smtp/mail.h"
#include "smtp/parameters.h"

/*
 * Parse a path after "FROM:" or "TO:", and advance *arg past it, to the
 * parameters.
 */
static struct reply
parse_path(struct session *s, const char **arg, const char *keyword,
    unsigned flags, struct address *a)
{
	const size_t len = strlen(keyword);
	const char *p = *arg;
	const bool sender = flags & ADDRESS_REVERSE;

	if (strncasecmp(p, keyword, len) != 0)
		return reply_make(501, "5.5.4 Syntax: %s %s<address>",
		    sender ? "MAIL" : "RCPT", keyword);
	p += len;
	if (s->options->strict)
		flags |= ADDRESS_STRICT;
	else
		p += strspn(p, " \t");
	if (!address_parse(&p, flags, a) || (*p && *p != ' ' && *p != '\t'))
		return reply_make(501, "%s address syntax", sender ?
		    "5.1.7 Bad sender" : "5.1.3 Bad recipient");
	*arg = p;
	return reply_none();
}

/* RFC 6531 3.2 */
static struct reply
check_utf8(const struct session *s, const struct address *a)
{
	/* NOLINTNEXTLINE(*-core.uninitialized.*): without a code it is set */
	if (!a->utf8 || s->txn.utf8)
		return reply_none();
	return reply_make(553, "5.6.7 SMTPUTF8 is required for this address");
}

/* Begin the transaction, and make its envelope. */
static struct reply
open_envelope(struct session *s, const struct address *sender)
{
	session_set_protocol(s);
	s->txn.began = clock_ms();
	snprintf(s->txn.id, sizeof s->txn.id, "%s.%lld", s->id,
	    ++s->tally.mails);
	s->txn.mail.info.client = *s->client.shown ? s->client.shown :
	    s->client.remote.ip;
	s->txn.mail.info.name = s->client.name;
	s->txn.mail.info.helo = s->hello.name;
	s->txn.mail.info.protocol = s->hello.protocol;
	s->txn.mail.info.hostname = s->options->hostname;
	s->txn.mail.info.tls = &s->client.tls;
	strcpy(s->txn.mail.info.sender, sender->email);
	strcpy(s->txn.mail.info.sender_domain, sender->domain);
	s->txn.mail.info.reply_each = listener_kinds[s->client.kind].lmtp;
	s->txn.mail.discard = s->hello_discard.hook ? s->hello_discard :
	    s->client_discard;
	hooks_attach(s, &s->txn.mail);
	return s->options->new_envelope(s->options->ctx, &s->txn.mail,
	    s->txn.declared_size, &s->txn.envelope);
}

struct reply
mail_open(struct session *s, const char *arg)
{
	const long long limit = s->options->max_mails;
	struct address sender;
	struct reply r;

	if (!*s->auth.user && (s->options->require_auth ||
	    listener_kinds[s->client.kind].auth))
		return reply_make(530, "5.7.0 Authentication required");
	if (s->client.probe)
		return reply_make(550, "5.7.1 Mail from a proxy itself is "
		    "not accepted");
	r = parse_path(s, &arg, "FROM:", ADDRESS_REVERSE, &sender);
	if (!r.code)
		r = parameters_mail(s, arg);
	if (!r.code)
		r = check_utf8(s, &sender);
	if (r.code)
		return r;
	if (limit && s->tally.mails >= limit)
		return reply_make(421, "4.7.0 Too many messages in this "
		    "session, the limit is %lld", limit);
	return open_envelope(s, &sender);
}

struct reply
mail_command(struct session *s, const char *arg)
{
	struct reply r = mail_open(s, arg);

	if (r.code)
		return r;
	r = hooks_run(s, HOOK_MAIL);
	if (reply_refuses(&r)) {
		session_drop_envelope(s);
		return r;
	}
	s->phase = PHASE_MAIL;
	return r.code ? r : reply_make(250, "2.1.0 Ok");
}

/*
 * Is the client on this host?  Either both ends of the connection are loopback
 * addresses, or it is a Unix socket or a pipe.  The local end alone proves
 * nothing: the kernel may forward a port of the network to 127.0.0.1.
 */
static bool
is_local_client(const struct client *c)
{
	if (c->remote.family == AF_UNSPEC)
		return !c->remote_unknown && c->local.family == AF_UNSPEC;
	return endpoint_is_loopback(&c->remote) &&
	    endpoint_is_loopback(&c->local);
}

/* Is it a domain of --domain, or the hostname if there is no --domain? */
static bool
is_accepted_domain(const struct session *s, const char *domain)
{
	unsigned i;

	if (*domain == '\0')
		return true;
	if (s->options->n_domains == 0)
		return strcasecmp(domain, s->options->hostname) == 0 ||
		    is_local_client(&s->client);
	for (i = 0; i < s->options->n_domains; i++)
		if (strcmp(s->options->domains[i], "*") == 0 ||
		    strcasecmp(s->options->domains[i], domain) == 0)
			return true;
	return false;
}

/* With one reply for a message (SMTP), --mda can run for one recipient only. */
long long
rcpt_limit(const struct session *s)
{
	if (s->options->hooks->n[HOOK_MDA] &&
	    !listener_kinds[s->client.kind].lmtp)
		return 1;
	return s->options->max_recipients;
}

static bool
has_recipient_room(const struct session *s, const char *email)
{
	const struct recipients *to = &s->txn.recipients;

	return to->bytes + strlen(email) + 1 <= RECIPIENT_LIST_MAX &&
	    to->original_bytes + strlen(s->txn.dsn.original) <=
	    RECIPIENT_LIST_MAX;
}

static struct reply
deny_relay(const struct session *s, const char *domain)
{
	struct reply r = reply_make(550, "5.7.1 Relay access denied for %s",
	    domain);

	r.hint = s->options->n_domains ? "no --domain covers the recipient; "
	    "add one, or --trust for this client" : "without --domain only the "
	    "hostname is accepted; give --domain, or --trust for this client";
	return r;
}

static struct reply
check_recipient(struct session *s, const struct address *a)
{
	const long long limit = rcpt_limit(s);

	if (limit && s->txn.recipients.n >= (unsigned long long)limit)
		return reply_make(452, "4.5.3 Too many recipients, the limit "
		    "is %lld", limit);
	if (!has_recipient_room(s, a->email))
		return reply_make(452, "4.5.3 Too many recipients");
	if (!s->trusted && !*s->auth.user && !is_accepted_domain(s, a->domain))
		return deny_relay(s, a->domain);
	return reply_none();
}

struct reply
rcpt_add(struct session *s, const struct address *recipient,
    const struct hook_lines *lines)
{
	const struct address *mailbox = lines && *lines->mailbox.email ?
	    &lines->mailbox : recipient;
	/* with --mda the extension is passed to the hook */
	const char *delimiters = s->options->hooks->n[HOOK_MDA] ? "" :
	    s->options->delimiters;
	struct recipient *r = recipients_add(&s->txn.recipients, recipient,
	    mailbox, lines ? lines->folder : "", delimiters,
	    s->options->hostname, s->txn.dsn.original, s->txn.dsn.notify);
	struct reply refusal = reply_none();

	if (!r)
		return reply_make(451, "4.3.0 Out of memory");
	if (!lines || !lines->discard.hook)
		refusal = s->txn.envelope->ops->add_recipient(s->txn.envelope,
		    r, mailbox);
	else if (recipients_discard(&s->txn.recipients, r,
	    &lines->discard) < 0)
		refusal = reply_make(451, "4.3.0 Out of memory");
	if (refusal.code)
		recipients_drop_last(&s->txn.recipients);
	return refusal;
}

static struct reply
accept_recipient(struct session *s, const struct address *recipient)
{
	const size_t headers = s->fields.n;
	struct hook_lines lines;
	struct reply answer = hooks_run_recipient(s, recipient, &lines);
	struct reply refusal = reply_refuses(&answer) ? answer :
	    rcpt_add(s, recipient, &lines);

	if (refusal.code || lines.discard.hook)
		fields_cut(&s->fields, headers);
	if (refusal.code)
		return refusal;
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

	r = parse_path(s, &arg, "TO:", 0, recipient);
	if (!r.code)
		r = parameters_rcpt(s, arg);
	if (!r.code)
		r = check_utf8(s, recipient);
	return r.code ? r : check_recipient(s, recipient);
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
