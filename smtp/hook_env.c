/*
 * The environment of hooks.  Values come from the session, which has checked
 * them: none has a control character.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/text/reply.h"
#include "smtp/hook_env.h"

const struct environment_name hook_env_names[] = {
	{ "PROTO", false }, { "TCPREMOTEIP", false },
	{ "TCPREMOTEHOST", false }, { "TCPREMOTEPORT", false },
	{ "TCPLOCALIP", false }, { "TCPLOCALPORT", false },
	{ "SSL_PROTOCOL", false }, { "SSL_CIPHER", false },
	{ "SSL_PEER_CERT_SUBJECT", false },
	{ "SSL_TLS_SNI_SERVERNAME", false },
	{ "SMTP_SESSION", false }, { "SMTP_HOSTNAME", false },
	{ "SMTP_LISTENER", false }, { "SMTP_HELO", false },
	{ "SMTP_USER", false }, { "SMTP_AUTH", false },
	{ "SMTP_PROTOCOL", false },
	{ "SMTP_ID", false }, { "SENDER", false }, { "SENDER_DOMAIN", false },
	{ "SMTP_SIZE", false }, { "SMTP_BODY", false }, { "SMTP_UTF8", false },
	{ "SMTP_REQUIRETLS", false }, { "SMTP_RET", false },
	{ "ENVID", false }, { "SMTP_RECIPIENTS", true },
	{ "RECIPIENT", false }, { "ORIGINAL_RECIPIENT", false },
	{ "SMTP_NOTIFY", false }, { "LOCAL", false }, { "EXTENSION", false },
	{ "DOMAIN", false }, { "SMTP_MAILBOX", false },
	{ "SMTP_FILE", false }, { "SMTP_REPLY", false },
	{ NULL, false },
};

int
hook_env_open(struct environment *e, bool of_client)
{
	/* with of_client, the first three are kept */
	static const char *const dropped[] = {
		"TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALHOST",
		"SSL_PROTOCOL", "SSL_CIPHER", "SSL_PEER_CERT_SUBJECT",
		"SSL_TLS_SNI_SERVERNAME", "SSLCTLFD", "SSLREADFD",
		"SSLWRITEFD", "NOTIFY_SOCKET", "WATCHDOG_*", "LISTEN_*",
		"PROTO", "TCPREMOTEIP", "TCPREMOTEPORT", "TCPLOCALIP",
		"TCPLOCALPORT",
		"SMTP_*", "SENDER", "SENDER_DOMAIN", "RECIPIENT", "LOCAL",
		"EXTENSION", "DOMAIN", "ORIGINAL_RECIPIENT", "ENVID", NULL
	};

	return environment_open(e, dropped + (of_client ? 3 : 0));
}

static int
set_unless_empty(struct environment *e, const char *name, const char *value)
{
	return environment_set(e, name, *value ? value : NULL);
}

static int
set_tls_variables(struct environment *e, const struct tls_result *tls)
{
	return set_unless_empty(e, "SSL_PROTOCOL", tls->protocol) |
	    set_unless_empty(e, "SSL_CIPHER", tls->cipher) |
	    set_unless_empty(e, "SSL_PEER_CERT_SUBJECT", tls->subject) |
	    set_unless_empty(e, "SSL_TLS_SNI_SERVERNAME", tls->server_name);
}

/* The names of connection variables are those of ucspi-tcp. */
int
hook_env_set_session(struct environment *e, const struct session *s)
{
	const struct endpoint *remote = &s->client.remote;
	const struct endpoint *local = &s->client.local;
	const bool tcp = remote->family != AF_UNSPEC;
	char remote_port[16], local_port[16];

	snprintf(remote_port, sizeof remote_port, "%u", remote->port);
	snprintf(local_port, sizeof local_port, "%u", local->port);
	return environment_set(e, "PROTO", tcp ? "TCP" : NULL) |
	    environment_set(e, "TCPREMOTEIP", tcp ? remote->ip : NULL) |
	    environment_set(e, "TCPREMOTEHOST",
		*s->client.name ? s->client.name : NULL) |
	    environment_set(e, "TCPREMOTEPORT",
		remote->port ? remote_port : NULL) |
	    set_unless_empty(e, "TCPLOCALIP", local->ip) |
	    environment_set(e, "TCPLOCALPORT",
		local->port ? local_port : NULL) |
	    set_tls_variables(e, &s->client.tls) |
	    environment_set(e, "SMTP_SESSION", s->id) |
	    environment_set(e, "SMTP_HOSTNAME", s->options->hostname) |
	    environment_set(e, "SMTP_LISTENER",
		listener_kinds[s->client.kind].name) |
	    set_unless_empty(e, "SMTP_HELO", s->hello.name) |
	    set_unless_empty(e, "SMTP_USER", s->auth.user) |
	    environment_set(e, "SMTP_AUTH", s->auth.mechanism) |
	    set_unless_empty(e, "SMTP_PROTOCOL", s->hello.protocol);
}

/* Set SMTP_RECIPIENTS, a line for each recipient. */
static int
set_recipient_list(struct environment *e, const struct recipients *to)
{
	char *list;
	int status;

	if (recipients_count(to) == 0)
		return environment_set(e, "SMTP_RECIPIENTS", NULL);
	list = malloc(to->bytes + 1);
	if (!list)
		return -1;
	recipients_join(to, NULL, '\n', list, to->bytes + 1);
	status = environment_set(e, "SMTP_RECIPIENTS", list);
	free(list);
	return status;
}

static int
set_transaction_variables(struct environment *e, const struct session *s)
{
	char size[24];

	snprintf(size, sizeof size, "%llu", s->txn.declared_size);
	return environment_set(e, "SMTP_ID", s->txn.id) |
	    environment_set(e, "SENDER", s->txn.mail.info.sender) |
	    set_unless_empty(e, "SENDER_DOMAIN",
		s->txn.mail.info.sender_domain) |
	    environment_set(e, "SMTP_SIZE",
		s->txn.declared_size ? size : NULL) |
	    environment_set(e, "SMTP_BODY", s->txn.body) |
	    environment_set(e, "SMTP_UTF8", s->txn.utf8 ? "1" : NULL) |
	    environment_set(e, "SMTP_REQUIRETLS",
		s->txn.requiretls ? "1" : NULL) |
	    environment_set(e, "SMTP_RET", s->txn.dsn.ret) |
	    environment_set(e, "ENVID",
		*s->txn.dsn.envelope_id ? s->txn.dsn.envelope_id : NULL) |
	    set_recipient_list(e, &s->txn.recipients);
}

static int
set_recipient_variables(struct environment *e, const struct session *s,
    const struct address *a, const struct address *target)
{
	const char *delimiters = s->options->delimiters;
	char mailbox[ADDRESS_MAX + 1], notify[DSN_NOTIFY_MAX];
	const char *extension = address_mailbox(a->local, delimiters,
	    mailbox);

	address_mailbox(target->local, delimiters, mailbox);
	dsn_format_notify(s->txn.dsn.notify, notify);
	return environment_set(e, "RECIPIENT", a->email) |
	    environment_set(e, "ORIGINAL_RECIPIENT",
		*s->txn.dsn.original ? s->txn.dsn.original : NULL) |
	    environment_set(e, "SMTP_NOTIFY", *notify ? notify : NULL) |
	    environment_set(e, "LOCAL", a->local) |
	    environment_set(e, "EXTENSION", *extension ? extension : NULL) |
	    environment_set(e, "DOMAIN",
		*a->domain ? a->domain : s->options->hostname) |
	    environment_set(e, "SMTP_MAILBOX", mailbox);
}

static int
set_reply_variable(struct environment *e, const struct reply *r)
{
	char line[REPLY_LINE_MAX];

	snprintf(line, sizeof line, "%d %.*s", r->code,
	    (int)strcspn(r->text, "\n"), r->text);
	return environment_set(e, "SMTP_REPLY", r->code ? line : "");
}

int
hook_env_set(struct environment *e, const struct session *s,
    enum hook_event event, const struct address *recipient,
    const struct address *mailbox)
{
	if (hook_env_set_session(e, s) < 0)
		return -1;
	if (*s->txn.id && set_transaction_variables(e, s) < 0)
		return -1;
	if ((event == HOOK_DELIVERED || event == HOOK_DSN) &&
	    environment_set(e, "SMTP_FILE",
		*s->txn.mail.result.file ? s->txn.mail.result.file : NULL) < 0)
		return -1;
	if (event >= HOOK_DELIVERED &&
	    set_reply_variable(e, &s->last_reply) < 0)
		return -1;
	return recipient ? set_recipient_variables(e, s, recipient,
	    event == HOOK_MDA ? mailbox : recipient) : 0;
}

