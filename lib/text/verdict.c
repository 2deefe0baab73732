/*
 * The meaning of a hook's exit.  Output that is not a reply is ignored.  A
 * status or code that is not documented is a failure: 451, so the client
 * retries.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/text/verdict.h"

enum { ENHANCED_MAX = 9 };	/* bytes of "5.123.123" */

static const char failure_text[] = "4.3.0 Local error, try again later";

/* The codes that a hook may use; curl and wget may print others. */
static bool
is_reply_code(int code)
{
	return code == 250 || code == 421 || (code >= 450 && code <= 459) ||
	    code == 521 || (code >= 550 && code <= 559);
}

/* Parse "250" before " ", "-" or the end of the line; -1 if there is none. */
static int
parse_reply_code(const char *s)
{
	if (!isdigit((unsigned char)s[0]) || !isdigit((unsigned char)s[1]) ||
	    !isdigit((unsigned char)s[2]) || !strchr(" -\r\n", s[3]))
		return -1;
	return (s[0] - '0') * 100 + (s[1] - '0') * 10 + s[2] - '0';
}

/* The length of an enhanced code such as "5.7.1" (RFC 3463); 0 if none. */
static size_t
enhanced_length(const char *s)
{
	const char *p = s;
	int i;

	if (!strchr("245", *p) || !*p)
		return 0;
	for (i = 0; i < 3; i++) {
		const char *digits = p;

		while (isdigit((unsigned char)*p))
			p++;
		if (p == digits || p - digits > (i ? 3 : 1))
			return 0;
		if (i < 2 && *p++ != '.')
			return 0;
	}
	return strchr(" \r\n", *p) ? (size_t)(p - s) : 0;
}

/*
 * Add a line to the reply, without control and non-ASCII characters.  It is
 * truncated to the room left, but never within an enhanced code.
 */
static void
append_reply_line(struct reply *r, const char *s, size_t len)
{
	size_t n = strlen(r->text);

	if (n + 1 + ENHANCED_MAX >= sizeof r->text)
		return;
	if (n)
		r->text[n++] = '\n';
	for (; len > 0 && n + 1 < sizeof r->text; s++, len--)
		if ((unsigned char)*s >= ' ' && (unsigned char)*s < 0x7f)
			r->text[n++] = *s;
	r->text[n] = '\0';
}

static const char *
standard_enhanced(int code)
{
	if (code == 250)
		return "2.0.0";
	return code < 500 ? "4.7.1" : "5.7.1";
}

/*
 * Add a line of a hook's reply.  Without an enhanced code of the right class,
 * it gets that of the first line (RFC 2034 4) or the default of the reply.
 */
static void
add_reply_line(struct reply *r, const char *s, size_t len)
{
	const char *code = *r->text ? r->text : standard_enhanced(r->code);
	size_t enhanced = enhanced_length(s);
	char line[REPLY_LINE_MAX];

	if (enhanced && *s == '0' + r->code / 100) {
		append_reply_line(r, s, len);
		return;
	}
	s += enhanced;
	len -= enhanced;
	while (len && *s == ' ')
		s++, len--;
	snprintf(line, sizeof line, "%.*s%s%.*s", (int)enhanced_length(code),
	    code, len ? " " : "",
	    len < sizeof line ? (int)len : (int)sizeof line - 1, s);
	append_reply_line(r, line, strlen(line));
}

/* Parse the reply at the beginning of out; code 0 if there is none. */
static struct reply
parse_hook_reply(const char *out)
{
	struct reply r = reply_none();
	const char *s = out;
	bool more = true;
	int lines;

	if (parse_reply_code(s) < 0)
		return r;
	r.code = parse_reply_code(s);
	if (!is_reply_code(r.code))
		return reply_make(451, "%s", failure_text);
	for (lines = 0; more && lines < VERDICT_LINES &&
	    parse_reply_code(s) == r.code; lines++) {
		more = s[3] == '-';
		s += strchr(" -", s[3]) && s[3] ? 4 : 3;
		add_reply_line(&r, s, strcspn(s, "\r\n"));
		s += strcspn(s, "\n");
		s += *s == '\n';
	}
	return r;
}

/* Parse "5.1.1 text", a rejection if the exit status is not 0. */
static struct reply
parse_enhanced_reply(const char *out, int code)
{
	struct reply r = reply_none();

	if (!enhanced_length(out) || *out == '2')
		return r;
	r.code = *out == '4' ? 451 : code;
	add_reply_line(&r, out, strcspn(out, "\r\n"));
	return r;
}

/* The reply for an exit status, if the hook printed none. */
static struct reply
reply_for_status(const struct hook_end *end, bool check, int code,
    const char *refusal)
{
	switch (end->status) {
	case 0:
	case VERDICT_SKIP:
		return reply_none();
	case 1:
		if (check && !end->complained)
			return reply_make(code, "%s", refusal);
		break;
	case EX_DATAERR:
		return reply_make(code, "5.6.0 Message content rejected");
	case EX_NOUSER:
		return reply_make(code, "5.1.1 No such user here");
	case EX_NOHOST:
		return reply_make(code, "5.1.2 No such domain here");
	case EX_NOPERM:
	case 100:
		return reply_make(code, "5.7.1 Rejected");
	}
	return reply_make(451, "%s", failure_text);
}

struct reply
verdict_of(const struct hook_end *end, bool check, const char *refusal)
{
	const bool accepted = end->status == 0 || end->status == VERDICT_SKIP;
	const int code = atoi(refusal);
	struct reply r;

	if (end->failed || end->status >= VERDICT_BROKEN)
		return reply_make(451, "%s", failure_text);
	r = parse_hook_reply(end->out);
	if (r.code == 250 && !accepted)
		r.code = 0;
	if (!r.code && end->status != 0)
		r = parse_enhanced_reply(end->out, code);
	if (r.code)
		return r;
	return reply_for_status(end, check, code, refusal + 4);
}

bool
verdict_is_failure(const struct reply *r)
{
	return r->code == 451 && strcmp(r->text, failure_text) == 0;
}

const char *
verdict_line(const struct hook_end *end, const char *name, size_t *pos,
    size_t *len)
{
	const size_t n = strlen(name);
	const char *line, *newline;

	while (*pos < end->len) {
		line = end->out + *pos;
		newline = memchr(line, '\n', end->len - *pos);
		*len = newline ? (size_t)(newline - line) : end->len - *pos;
		*pos += *len + 1;
		if (*len > n && strncmp(line, name, n) == 0 &&
		    line[n] == '=') {
			*len -= n + 1;
			return line + n + 1;
		}
	}
	return NULL;
}

const char *
verdict_first_line(const struct hook_end *end, const char *name, size_t *len)
{
	size_t pos = 0;
	const char *value = verdict_line(end, name, &pos, len);

	return value && value == end->out + strlen(name) + 1 ? value : NULL;
}
