/*
 * The command XCLIENT.  Either all attributes of a command are applied or none.
 * Which proxies may use it is decided before the session begins.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/text/address.h"
#include "lib/text/param.h"
#include "lib/text/utf8.h"
#include "lib/text/xtext.h"
#include "smtp/journal.h"
#include "smtp/xclient.h"

/* The client that the attributes describe. */
struct identity {
	struct client client;
	struct xclient_helo helo;
	char user[USER_MAX + 1];
};

/* The setters get decoded values; "" means that the proxy does not know it. */

static bool
set_client_name(struct identity *i, const char *value)
{
	i->client.named = true;
	i->client.name[0] = '\0';
	if (*value == '\0')
		return true;
	if (!address_is_host(value, false) || *value == '[' ||
	    utf8_is_beyond_ascii(value) ||
	    strlen(value) >= sizeof i->client.name)
		return false;
	strcpy(i->client.name, value);
	return true;
}

static bool
parse_ip_address(struct endpoint *e, const char *value)
{
	const bool v6 = strncasecmp(value, "IPV6:", 5) == 0;

	*e = (struct endpoint){ .family = AF_UNSPEC };
	if (*value == '\0')
		return true;
	value += v6 ? 5 : 0;
	if (strlen(value) >= INET6_ADDRSTRLEN || strchr(value, '%') ||
	    !strchr(value, ':') == v6)
		return false;
	endpoint_parse(e, value);
	return e->family != AF_UNSPEC;
}

static bool
set_client_address(struct identity *i, const char *value)
{
	const unsigned port = i->client.remote.port;
	const bool valid = parse_ip_address(&i->client.remote, value);

	i->client.remote.port = port;
	i->client.remote_unknown = *value == '\0';
	return valid;
}

static bool
set_server_address(struct identity *i, const char *value)
{
	const unsigned port = i->client.local.port;
	const bool valid = parse_ip_address(&i->client.local, value);

	i->client.local.port = port;
	return valid;
}

static bool
parse_port_number(unsigned *port, const char *value)
{
	*port = 0;
	if (strlen(value) > 5)
		return false;
	for (; isdigit((unsigned char)*value); value++)
		*port = 10 * *port + (unsigned)(*value - '0');
	return *value == '\0' && *port <= 65535;
}

static bool
set_client_port(struct identity *i, const char *value)
{
	return parse_port_number(&i->client.remote.port, value);
}

static bool
set_server_port(struct identity *i, const char *value)
{
	return parse_port_number(&i->client.local.port, value);
}

static bool
set_client_protocol(struct identity *i, const char *value)
{
	const bool lmtp = listener_kinds[i->client.kind].lmtp;

	i->helo.protocol = strcasecmp(value, "SMTP") == 0 ? "SMTP" :
	    strcasecmp(value, "ESMTP") == 0 ? "ESMTP" :
	    strcasecmp(value, "LMTP") == 0 && lmtp ? "LMTP" : NULL;
	return i->helo.protocol || *value == '\0';
}

static bool
set_client_helo(struct identity *i, const char *value)
{
	if (strlen(value) > HELO_MAX)
		return false;
	strcpy(i->helo.name, value);
	return true;
}

static bool
set_client_login(struct identity *i, const char *value)
{
	if (strlen(value) > USER_MAX)
		return false;
	strcpy(i->user, value);
	return true;
}

enum { NAME, ADDR, PORT, PROTO, HELO, LOGIN, DESTADDR, DESTPORT, ATTRIBUTES };

static const struct attribute {
	const char *name;
	bool (*set)(struct identity *, const char *value);
} attributes[ATTRIBUTES] = {
	[NAME] = { "NAME", set_client_name },
	[ADDR] = { "ADDR", set_client_address },
	[PORT] = { "PORT", set_client_port },
	[PROTO] = { "PROTO", set_client_protocol },
	[HELO] = { "HELO", set_client_helo },
	[LOGIN] = { "LOGIN", set_client_login },
	[DESTADDR] = { "DESTADDR", set_server_address },
	[DESTPORT] = { "DESTPORT", set_server_port },
};

void
xclient_format(const struct session *s, char *value, size_t n)
{
	size_t len = 0;
	int i;

	(void)s;
	for (i = 0; i < ATTRIBUTES && len < n; i++)
		len += (size_t)snprintf(value + len, n - len, " %s",
		    attributes[i].name);
}

/* Decode a value; an unknown one becomes "".  NULL if it is malformed. */
static const char *
decode_attribute(const struct session *s, const struct param *p, char *out,
    size_t size)
{
	const char *c;

	if (!p->value || xtext_decode(p->value, p->len, s->options->strict,
	    out, size) < 0)
		return NULL;
	for (c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return NULL;
	if (strcasecmp(out, "[UNAVAILABLE]") == 0 ||
	    strcasecmp(out, "[TEMPUNAVAIL]") == 0)
		*out = '\0';
	return out;
}

static struct reply
set_attribute(const struct session *s, struct identity *id,
    const struct param *p, unsigned *seen)
{
	char text[PARAM_VALUE_MAX];
	const char *value = decode_attribute(s, p, text, sizeof text);
	int i;

	for (i = 0; i < ATTRIBUTES; i++)
		if (strcmp(attributes[i].name, p->keyword) == 0)
			break;
	if (i == ATTRIBUTES)
		return reply_make(501, "5.5.4 Unknown XCLIENT attribute");
	if (*seen & 1u << i)
		return reply_make(501, "5.5.4 Duplicate XCLIENT attribute %s",
		    attributes[i].name);
	*seen |= 1u << i;
	if (!value || !attributes[i].set(id, value))
		return reply_make(501, "5.5.4 Invalid %s value",
		    attributes[i].name);
	return reply_none();
}

/* A new address without a new port or name makes the old ones invalid. */
static void
drop_stale_values(struct identity *id, unsigned seen)
{
	if (seen & 1u << ADDR && !(seen & 1u << PORT))
		id->client.remote.port = 0;
	if (seen & 1u << DESTADDR && !(seen & 1u << DESTPORT))
		id->client.local.port = 0;
	if (seen & 1u << ADDR && !(seen & 1u << NAME)) {
		id->client.name[0] = '\0';
		id->client.named = false;
	}
}

void
xclient_end(struct session *s)
{
	if (s->xclient.used)
		s->xclient.proxy[0] = '\0';
}

/*
 * Start the session again.  Only what the proxy said about the client is kept,
 * as Postfix's XCLIENT_README describes.
 */
static void
restart_session(struct session *s, const struct identity *id)
{
	session_forget(s);
	s->client = id->client;
	s->client.probe = s->client.trusted = false;
	strcpy(s->client.via, s->xclient.proxy);
	s->xclient.helo = id->helo;
	s->xclient.used = true;
	s->tally.errors = s->tally.idle_commands = s->auth.errors = 0;
	s->stream->suspect = false;
	journal_show_client(s);
	strcpy(s->auth.user, id->user);
	s->auth.mechanism = *s->auth.user ? "XCLIENT" : NULL;
	session_set_networks(s);
	if (*s->auth.user)
		xclient_end(s);
}

static void
log_identity(const struct session *s)
{
	struct log_line l;

	journal_begin(s, &l, LEVEL_DEBUG, "xclient");
	log_str(&l, "name", s->client.name);
	log_str(&l, "helo", s->xclient.helo.name);
	log_str(&l, "user", s->auth.user);
	log_end(&l);
}

bool
xclient_offered(const struct session *s)
{
	return *s->xclient.proxy != '\0';
}

struct reply
xclient_command(struct session *s, const char *arg)
{
	struct identity id = { .client = s->client, .helo = s->xclient.helo };
	char text[PARAM_VALUE_MAX + 1];
	const char *p = text;
	struct param param;
	unsigned seen = 0;
	struct reply r;
	int more;

	if (!xclient_offered(s))
		return reply_make(550, "5.7.0 XCLIENT is not allowed for your "
		    "address");
	snprintf(text, sizeof text, " %s", arg);
	while ((more = param_next(&p, &param)) > 0) {
		r = set_attribute(s, &id, &param, &seen);
		if (r.code)
			return r;
	}
	if (more < 0)
		return reply_make(501, "5.5.4 Malformed XCLIENT attribute");
	drop_stale_values(&id, seen);
	restart_session(s, &id);
	log_identity(s);
	return reply_none();
}
