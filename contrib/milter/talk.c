/*
 * The steps of the conversation.  What the session was like is in the
 * environment (smtpd-hooks(7)).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/milter/answer.h"
#include "contrib/milter/macros.h"
#include "contrib/milter/protocol.h"
#include "contrib/milter/talk.h"

/* Which flags of the terms leave out a step, or its answer. */
static const struct step {
	char command;
	uint32_t without, unanswered;
} steps[] = {
	{ SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN },
	{ SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO },
	{ SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL },
	{ SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT },
	{ SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA },
	{ SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR },
	{ SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH },
	{ SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY },
};

static const struct step *
find_step(char command)
{
	const struct step *s = steps;

	while (s->command != command)
		s++;
	return s;
}

static bool
wants(const struct talk *t, char command)
{
	return !(t->terms.steps & find_step(command)->without) &&
	    !(command == SMFIC_DATA && t->terms.version < VERSION_WITH_DATA);
}

/* End the frame of a step.  Returns true to go on with the next one. */
static bool
end_step(struct talk *t, char command)
{
	link_end(t->link);
	if (t->terms.steps & find_step(command)->unanswered) {
		if (t->link->error)
			verdict_fail(&t->verdict, t->link->error);
	} else {
		answer_read(t->link, command, NULL, &t->verdict);
	}
	return t->verdict.kind == VERDICT_NONE;
}

static void
put_client_address(struct link *l)
{
	const char *ip = getenv("TCPREMOTEIP");
	const char *port = getenv("TCPREMOTEPORT");
	const uint16_t number = htons((uint16_t)(port ? atoi(port) : 0));

	if (!ip) {
		link_put(l, "U", 1);
		return;
	}
	link_put(l, strchr(ip, ':') ? "6" : "4", 1);
	link_put(l, &number, sizeof number);
	link_put_string(l, ip);
}

static bool
tell_connect(struct talk *t)
{
	const char *name = getenv("TCPREMOTEHOST");

	macros_send(t->link, SMFIC_CONNECT, NULL);
	if (!wants(t, SMFIC_CONNECT))
		return true;
	link_begin(t->link, SMFIC_CONNECT);
	link_put_string(t->link, name ? name : "unknown");
	put_client_address(t->link);
	return end_step(t, SMFIC_CONNECT);
}

static bool
tell_hello(struct talk *t)
{
	const char *name = getenv("SMTP_HELO");

	macros_send(t->link, SMFIC_HELO, NULL);
	if (!wants(t, SMFIC_HELO) || !name)
		return true;
	link_begin(t->link, SMFIC_HELO);
	link_put_string(t->link, name);
	return end_step(t, SMFIC_HELO);
}

static void
put_path(struct link *l, const char *address, size_t n)
{
	link_put(l, "<", 1);
	link_put(l, address, n);
	link_put_string(l, ">");
}

static void
put_parameter(struct link *l, const char *name, const char *value)
{
	if (!value)
		return;
	link_put(l, name, strlen(name));
	link_put_string(l, value);
}

static bool
tell_mail(struct talk *t)
{
	const char *sender = getenv("SENDER");

	t->in_mail = true;
	macros_send(t->link, SMFIC_MAIL, NULL);
	if (!wants(t, SMFIC_MAIL))
		return true;
	link_begin(t->link, SMFIC_MAIL);
	put_path(t->link, sender ? sender : "", sender ? strlen(sender) : 0);
	put_parameter(t->link, "SIZE=", getenv("SMTP_SIZE"));
	put_parameter(t->link, "BODY=", getenv("SMTP_BODY"));
	put_parameter(t->link, "SMTPUTF8", getenv("SMTP_UTF8") ? "" : NULL);
	return end_step(t, SMFIC_MAIL);
}

static bool
tell_recipient(struct talk *t, const char *address, size_t n)
{
	char *copy = strndup(address, n);

	if (!copy) {
		verdict_fail(&t->verdict, "out of memory");
		return false;
	}
	macros_send(t->link, SMFIC_RCPT, copy);
	free(copy);
	if (!wants(t, SMFIC_RCPT))
		return true;
	link_begin(t->link, SMFIC_RCPT);
	put_path(t->link, address, n);
	return end_step(t, SMFIC_RCPT);
}

/* The recipients, and at RCPT the one that it is about. */
static bool
tell_recipients(struct talk *t)
{
	const char *p = getenv("SMTP_RECIPIENTS");
	const char *new = getenv("RECIPIENT");
	const bool at_rcpt = t->last == SMFIC_RCPT;
	size_t n;

	for (; p && *p; p += n + (p[n] == '\n')) {
		n = strcspn(p, "\n");
		if (tell_recipient(t, p, n))
			continue;
		/* of those before, the client has heard already */
		if (!at_rcpt || t->verdict.kind != VERDICT_REFUSE)
			return false;
		t->verdict.kind = VERDICT_NONE;
	}
	return !at_rcpt || !new || tell_recipient(t, new, strlen(new));
}

static bool
tell_data(struct talk *t)
{
	if (!wants(t, SMFIC_DATA))
		return true;
	link_begin(t->link, SMFIC_DATA);
	return end_step(t, SMFIC_DATA);
}

/* A value without its last line end, LF for CR LF, and a space for NUL. */
static void
put_value(struct link *l, const char *p, const char *end)
{
	char buf[1024];
	size_t n = 0;

	if (p < end && end[-1] == '\n')
		end--;
	if (p < end && end[-1] == '\r')
		end--;
	for (; p < end; p++) {
		if (*p == '\r' && p + 1 < end && p[1] == '\n')
			continue;
		buf[n++] = *p ? *p : ' ';
		if (n == sizeof buf) {
			link_put(l, buf, n);
			n = 0;
		}
	}
	link_put(l, buf, n);
	link_put(l, "", 1);
}

static bool
tell_field(struct talk *t, const struct field *f)
{
	const char *end = f->text + f->len;
	const size_t n = message_name(f->text, end);
	const char *value = memchr(f->text, ':', f->len);

	if (f->len > LINK_DATA_MAX - 2) {
		verdict_refuse(&t->verdict,
		    "554 5.6.0 A header field is too long");
		return false;
	}
	value++;
	if (value < end && *value == ' ' &&
	    !(t->terms.steps & SMFIP_HDR_LEADSPC))
		value++;
	link_begin(t->link, SMFIC_HEADER);
	link_put(t->link, f->text, n);
	link_put(t->link, "", 1);
	put_value(t->link, value, end);
	return end_step(t, SMFIC_HEADER);
}

static bool
tell_header(struct talk *t)
{
	const struct message *m = t->message;
	size_t i;

	for (i = 0; wants(t, SMFIC_HEADER) && i < m->n_fields; i++)
		if (message_shows(m, i) && !tell_field(t, &m->fields[i]))
			return false;
	if (!wants(t, SMFIC_EOH))
		return true;
	link_begin(t->link, SMFIC_EOH);
	return end_step(t, SMFIC_EOH);
}

/* Fill a chunk with CR LF for LF.  Returns its length; *p is what is left. */
static size_t
fill_chunk(char *chunk, const char **p, const char *start, const char *end)
{
	const char *from = *p;
	size_t n = 0;

	while (from < end && n < LINK_DATA_MAX - 1) {
		if (*from == '\n' && (from == start || from[-1] != '\r'))
			chunk[n++] = '\r';
		chunk[n++] = *from++;
	}
	*p = from;
	return n;
}

static bool
tell_body(struct talk *t)
{
	const struct message *m = t->message;
	const char *end = m->text + m->len, *start = message_body(m);
	const char *p = start;
	char chunk[LINK_DATA_MAX];
	size_t n;

	while (wants(t, SMFIC_BODY) && p < end) {
		n = fill_chunk(chunk, &p, start, end);
		link_begin(t->link, SMFIC_BODY);
		link_put(t->link, chunk, n);
		if (end_step(t, SMFIC_BODY))
			continue;
		if (t->verdict.kind != VERDICT_SKIP)
			return false;
		t->verdict.kind = VERDICT_NONE;
		break;
	}
	return true;
}

static bool
tell_message(struct talk *t)
{
	if (!tell_header(t) || !tell_body(t))
		return false;
	link_begin(t->link, SMFIC_BODYEOB);
	link_end(t->link);
	t->link->timeout = t->end_timeout;
	answer_read(t->link, SMFIC_BODYEOB, t->message, &t->verdict);
	t->in_mail = false;
	return false;
}

/* Leave politely; whether it is read does not matter any more. */
static void
tell_end(struct talk *t)
{
	if (t->in_mail) {
		link_begin(t->link, SMFIC_ABORT);
		link_end(t->link);
	}
	link_begin(t->link, SMFIC_QUIT);
	link_end(t->link);
	link_flush(t->link);
}

void
talk_run(struct talk *t)
{
	static const struct {
		char command;
		bool (*tell)(struct talk *);
	} plan[] = {
		{ SMFIC_CONNECT, tell_connect }, { SMFIC_HELO, tell_hello },
		{ SMFIC_MAIL, tell_mail }, { SMFIC_RCPT, tell_recipients },
		{ SMFIC_DATA, tell_data }, { SMFIC_BODYEOB, tell_message },
	};
	size_t i = 0;

	t->verdict.kind = VERDICT_NONE;
	t->in_mail = false;
	if (t->message && t->terms.steps & SMFIP_HDR_LEADSPC)
		t->message->space = "";
	while (plan[i].tell(t) && plan[i].command != t->last)
		i++;
	if (t->verdict.kind == VERDICT_NONE)
		t->verdict.kind = VERDICT_ACCEPT;
	tell_end(t);
}
