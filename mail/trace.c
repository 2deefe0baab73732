/*
 * Received fields.  Only what is needed to recognize this host's own ones is
 * parsed; comments may say anything and are skipped.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/file.h"
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
matches_word(const char *p, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(p, word, len) == 0;
}

/* Does the clause "by" or "id" of a Received field have this value? */
static bool
has_clause(const char *received, const char *keyword, const char *value)
{
	const char *p = skip_comments(received);
	bool expected = false;
	size_t len;

	while (*p && *p != ';') {
		len = strcspn(p, BLANKS "(;");
		if (expected && matches_word(p, len, value))
			return true;
		expected = matches_word(p, len, keyword);
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
	off_t last;		/* where the field before this one ends */
	off_t above, below;	/* the Received field with the id; below: 0
				   until it is found */

	/* for trace_copy(); drop may be NULL */
	bool (*drop)(void *ctx, const char *field);
	void *ctx;
	int to, from;
	off_t copied;		/* up to here bytes are copied or dropped */
	bool failed;
};

static void
check_received(void *ctx, const char *field)
{
	struct search *s = ctx;
	const char *value = header_value(field, "Received");
	const off_t end = (off_t)s->header.end;

	if (s->below)
		return;
	if (value && trace_has_id(value, s->id)) {
		s->above = s->last;
		s->below = end;
	} else if (s->drop && s->drop(s->ctx, field)) {
		s->failed = s->failed || file_append_part(s->to, s->from,
		    s->copied, s->last) < 0;
		s->copied = end;
	}
	s->last = end;
}

/* Scan the header of the message.  Returns as trace_find() does. */
static int
search_header(struct search *s, int fd)
{
	char buf[8192];
	off_t offset = 0;
	ssize_t n = 0;

	header_init(&s->header, s);
	s->header.field = check_received;
	while (!s->header.over &&
	    (n = pread(fd, buf, sizeof buf, offset)) > 0) {
		header_scan(&s->header, buf, (size_t)n);
		offset += n;
	}
	header_finish(&s->header);
	return n < 0 ? -1 : s->below > 0;
}

int
trace_find(int fd, const char *id, struct trace_place *place)
{
	struct search s = { .id = id };
	int found = search_header(&s, fd);

	*place = (struct trace_place){ .above = s.above, .below = s.below,
	    .end = (off_t)s.header.end };
	return found;
}

int
trace_copy(int to, int from, const char *id,
    bool (*drop)(void *ctx, const char *field), void *ctx)
{
	struct search s = { .id = id, .drop = drop, .ctx = ctx, .to = to,
	    .from = from };
	int found = search_header(&s, from);

	if (found == 0)
		errno = EBADMSG;
	return found <= 0 || s.failed ? -1 : file_append(to, from, s.copied);
}

int
trace_insert(int to, int from, const char *id, const char *fields)
{
	struct trace_place place;

	if (trace_find(from, id, &place) <= 0) {
		errno = EBADMSG;
		return -1;
	}
	return file_append_part(to, from, 0, place.below) < 0 ||
	    file_write(to, fields, strlen(fields)) < 0 ||
	    file_append(to, from, place.below) < 0 ? -1 : 0;
}
