/*
 * Macros, by Sendmail's names, and at the step at which Postfix sends them.
 * One without a value is not sent.
 */
#include <stdio.h>
#include <stdlib.h>

#include "contrib/milter/macros.h"
#include "contrib/milter/protocol.h"

static const struct {
	char step;
	const char *macro;
	const char *variable;
} table[] = {
	{ SMFIC_CONNECT, "j", "SMTP_HOSTNAME" },
	{ SMFIC_CONNECT, "{daemon_name}", "SMTP_LISTENER" },
	{ SMFIC_CONNECT, "{daemon_addr}", "TCPLOCALIP" },
	{ SMFIC_CONNECT, "{daemon_port}", "TCPLOCALPORT" },
	{ SMFIC_CONNECT, "{client_addr}", "TCPREMOTEIP" },
	{ SMFIC_CONNECT, "{client_port}", "TCPREMOTEPORT" },
	{ SMFIC_HELO, "{tls_version}", "SSL_PROTOCOL" },
	{ SMFIC_HELO, "{cipher}", "SSL_CIPHER" },
	{ SMFIC_HELO, "{cert_subject}", "SSL_PEER_CERT_SUBJECT" },
	{ SMFIC_MAIL, "i", "SMTP_ID" },
	{ SMFIC_MAIL, "{auth_type}", "SMTP_AUTH" },
	{ SMFIC_MAIL, "{auth_authen}", "SMTP_USER" },
	{ SMFIC_MAIL, "{mail_addr}", "SENDER" },
};

static void
put_macro(struct link *l, const char *name, const char *value)
{
	if (!value)
		return;
	link_put_string(l, name);
	link_put_string(l, value);
}

/* The client as in "mail.example.org [192.0.2.3]". */
static void
put_client(struct link *l)
{
	const char *ip = getenv("TCPREMOTEIP");
	const char *name = getenv("TCPREMOTEHOST");
	char text[512];

	if (!name)
		name = "unknown";
	snprintf(text, sizeof text, "%s [%s]", name, ip ? ip : "");
	if (ip)
		put_macro(l, "_", text);
	put_macro(l, "{client_name}", name);
	put_macro(l, "v", "smtpd " VERSION);
}

void
macros_send(struct link *l, char step, const char *recipient)
{
	const char step_data[] = { step };
	size_t i;

	link_begin(l, SMFIC_MACRO);
	link_put(l, step_data, 1);
	for (i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].step == step)
			put_macro(l, table[i].macro,
			    getenv(table[i].variable));
	if (step == SMFIC_CONNECT)
		put_client(l);
	if (step == SMFIC_RCPT) {
		put_macro(l, "i", getenv("SMTP_ID"));
		put_macro(l, "{rcpt_addr}", recipient);
	}
	link_end(l);
}
