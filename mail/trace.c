/* What a trace header says when it comes back. */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "mail/header.h"
#include "mail/trace.h"

#define BLANKS " \t\r"

/* White space and comments (RFC 5322 3.2.2). */
static const char *
skip_comments(const char *p)
{
	int depth = 0;

	for (; *p && (depth || strchr(BLANKS "(", *p)); p++) {
		if (*p == '(')
			depth++;
		else if (*p == ')')
			depth--;
		else if (*p == '\\' && depth && p[1])
			p++;
	}
	return p;
}

static bool
is_word(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

/* Does the clause of a Received, "by" or "id", have this value? */
static bool
has_clause(const char *received, const char *keyword, const char *value)
{
	const char *p = skip_comments(received);
	bool expected = false;
	size_t len;

	while (*p && *p != ';') {
		len = strcspn(p, BLANKS "(;");
		if (expected && is_word(p, len, value))
			return true;
		expected = is_word(p, len, keyword);
		p = skip_comments(p + len);
	}
	return false;
}

bool
trace_is_by(const char *received, const char *hostname)
{
	return has_clause(received, "by", hostname);
}

bool
trace_has_id(const char *received, const char *id)
{
	return has_clause(received, "id", id);
}

struct search {
	struct header header;
	const char *id;
	off_t below;
};

static void
look(void *ctx, const char *field)
{
	struct search *s = ctx;
	const char *value = header_value(field, "Received");

	if (value && s->below == 0 && trace_has_id(value, s->id))
		s->below = (off_t)s->header.end;
}

int
trace_find(int fd, const char *id, struct trace_place *place)
{
	struct search s = { .id = id };
	char buf[8192];
	off_t offset = 0;
	ssize_t n = 0;

	header_init(&s.header, &s);
	s.header.field = look;
	while (!s.header.over &&
	    (n = pread(fd, buf, sizeof buf, offset)) > 0) {
		header_scan(&s.header, buf, (size_t)n);
		offset += n;
	}
	header_finish(&s.header);
	place->below = s.below;
	place->end = (off_t)s.header.end;
	return n < 0 ? -1 : s.below > 0;
}
