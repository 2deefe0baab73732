/* Clients that do not speak SMTP. */
#include <string.h>
#include <strings.h>

#include "smtp/foreign.h"
#include "smtp/journal.h"

const char foreign_reply[] =
    "4.7.0 Not an SMTP command, closing connection";

/* The client uses another protocol, or sends a message as commands. */
struct reply
foreign_command(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(421, "%s", foreign_reply);
}

/* A colon in place of the space is a typing error, not another protocol. */
struct reply
foreign_mistyped(struct session *s, const char *arg)
{
	(void)s, (void)arg;
	return reply_make(501, "5.5.4 A space must follow the command, as in "
	    "MAIL FROM:<address>");
}

/*
 * A PROXY header from a proxy that is not configured.  To go on would treat
 * its clients as the proxy itself.
 */
struct reply
foreign_proxy(struct session *s, const char *arg)
{
	struct log_line l;

	(void)arg;
	journal_begin(s, &l, LEVEL_WARNING, "proxy-unexpected");
	log_str(&l, "error", "PROXY header from a client that is not in "
	    "--proxy-from");
	log_end(&l);
	return reply_make(421, "4.3.5 PROXY header not expected");
}

/*
 * Is it an HTTP method, or a field of the header of HTTP or a message?  Or does
 * the client begin with a punctuation character, as Redis and JSON do?  A dot
 * is not meant: it follows a DATA that was refused.
 */
bool
foreign_is_command(const char *line, size_t len, bool first)
{
	static const char *const methods[] = {
		"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH",
		"TRACE", "CONNECT", "PRI",
	};
	size_t i;

	for (i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strlen(methods[i]) == len &&
		    strncasecmp(methods[i], line, len) == 0)
			return true;
	return len && (memchr(line, ':', len) || (first &&
	    strchr("!\"#$%&'()*+-/0123456789<=>@[\\]^`{|}~", *line)));
}

bool
foreign_is_proxy_v2(const struct session *s)
{
	return s->phase == PHASE_NEW && s->reader.octets == 1 &&
	    s->tally.empty_lines == 2 && s->tally.errors == 2;
}
