/*
 * Read a message: it is mapped, not copied, so that its size does not matter.
 * The header ends at the first line that is not part of a field.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contrib/milter/file.h"
#include "contrib/milter/message.h"

size_t
message_name(const char *line, const char *end)
{
	const char *p = line, *name_end;

	while (p < end && *p > ' ' && *p < 0x7f && *p != ':')
		p++;
	name_end = p;
	while (p < end && (*p == ' ' || *p == '\t'))	/* RFC 5322 4.5 */
		p++;
	return p < end && *p == ':' ? (size_t)(name_end - line) : 0;
}

bool
message_is_named(const struct field *f, const char *name)
{
	const size_t n = message_name(f->text, f->text + f->len);

	return n == strlen(name) && strncasecmp(f->text, name, n) == 0;
}

/* What follows this line. */
static const char *
next_line(const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));

	return lf ? lf + 1 : end;
}

/* A field of this file has the clause "id ID", as our Received has. */
static bool
has_id(const struct field *f, const char *id)
{
	const size_t n = strlen(id);
	const char *p = f->text, *end = f->text + f->len;

	while ((p = memmem(p, (size_t)(end - p), id, n))) {
		if (p - f->text > 4 && strncmp(p - 4, " id ", 4) == 0 &&
		    p + n < end && strchr(" \t\r\n;", p[n]))
			return true;
		p += n;
	}
	return false;
}

int
message_place(struct message *m, size_t at, const struct field *f)
{
	struct field *more;

	if (m->n_fields == m->room) {
		m->room = m->room ? 2 * m->room : 64;
		more = realloc(m->fields, m->room * sizeof *more);
		if (!more) {
			m->error = "out of memory";
			return -1;
		}
		m->fields = more;
	}
	memmove(m->fields + at + 1, m->fields + at,
	    (m->n_fields - at) * sizeof *f);
	m->fields[at] = *f;
	m->n_fields++;
	if (m->own != NO_FIELD && at <= m->own)
		m->own++;
	return 0;
}

/* Note a field of the message as it is. */
static int
note_field(struct message *m, const char *text, size_t len)
{
	const struct field f = { .text = text, .len = len };

	if (m->n_fields == FIELDS_MAX) {
		m->error = "too many header fields";
		m->refusal = "554 5.6.0 Too many header fields";
		return -1;
	}
	return message_place(m, m->n_fields, &f);
}

static int
find_fields(struct message *m)
{
	const char *end = m->text + m->len, *p = m->text, *next;

	while (p < end && message_name(p, next_line(p, end)) > 0) {
		next = next_line(p, end);
		while (next < end && (*next == ' ' || *next == '\t'))
			next = next_line(next, end);
		if (note_field(m, p, (size_t)(next - p)) < 0)
			return -1;
		p = next;
	}
	m->body = p;
	m->separated = p < end && (*p == '\n' ||
	    (*p == '\r' && p + 1 < end && p[1] == '\n'));
	return 0;
}

/* Find our trace fields: Return-Path, Delivered-To and Received. */
static void
find_trace(struct message *m, const char *id)
{
	size_t i;

	for (i = 0; id && *id && i < m->n_fields; i++)
		if (message_is_named(&m->fields[i], "Received") &&
		    has_id(&m->fields[i], id)) {
			m->own = i;
			break;
		}
	m->top = 0;
	if (m->own == NO_FIELD)
		return;
	while (m->top < m->own && (message_is_named(&m->fields[m->top],
	    "Delivered-To") || (m->top == 0 &&
	    message_is_named(&m->fields[0], "Return-Path"))))
		m->top++;
}

int
message_open(struct message *m, int fd, const char *id)
{
	*m = (struct message){ .new_body = -1, .own = NO_FIELD,
	    .only_added = true, .space = " " };
	m->text = file_map(fd, &m->len);
	if (!m->text) {
		m->error = strerror(errno);
		return -1;
	}
	if (find_fields(m) < 0)
		return -1;
	find_trace(m, id);
	return 0;
}

void
message_drop(struct field *f)
{
	if (f->state != FIELD_KEPT)
		free((char *)f->text);
}

void
message_close(struct message *m)
{
	size_t i;

	for (i = 0; i < m->n_fields; i++)
		message_drop(&m->fields[i]);
	free(m->fields);
	if (m->new_body >= 0)
		close(m->new_body);
	if (m->text && m->len > 0)
		munmap((char *)m->text, m->len);
}

bool
message_shows(const struct message *m, size_t field)
{
	return field >= m->top && field != m->own;
}

const char *
message_body(const struct message *m)
{
	if (!m->separated)
		return m->body;
	return m->body + (*m->body == '\r' ? 2 : 1);
}
