/*
 * Changes of a message, and the message with them.  Where a field goes and
 * which one is meant is as in Postfix: positions count our Received, numbers
 * don't.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "contrib/milter/file.h"
#include "contrib/milter/message.h"

static int
fail_change(struct message *m, const char *error)
{
	m->error = error;
	return -1;
}

static bool
is_field_name(const char *s)
{
	size_t n = 0;

	while (s[n] > ' ' && s[n] < 0x7f && s[n] != ':')
		n++;
	return n > 0 && s[n] == '\0';
}

/*
 * Copy a value: LF for CR LF, a space for other CRs, and a line that is not
 * folded gets a tab.
 */
static size_t
fold_value(char *to, const char *value)
{
	char *p = to;

	for (; *value; value++) {
		if (value[0] == '\r' && value[1] == '\n')
			continue;
		*p++ = *value == '\r' ? ' ' : *value;
		if (*value == '\n' && value[1] != ' ' && value[1] != '\t')
			*p++ = '\t';
	}
	*p++ = '\n';
	return (size_t)(p - to);
}

static int
make_field(struct message *m, struct field *f, const char *name,
    const char *value)
{
	const size_t n = strlen(name);
	char *text;

	if (!is_field_name(name))
		return fail_change(m, "an invalid name of a field");
	m->n_added += n + 2 + strlen(value);
	if (m->n_added > ADDED_MAX)
		return fail_change(m, "it adds too much to the header");
	/* at most one tab for each line break */
	text = malloc(n + 3 + 2 * strlen(value));
	if (!text)
		return fail_change(m, "out of memory");
	*f = (struct field){ .text = text, .state = FIELD_NEW };
	f->len = (size_t)sprintf(text, "%s:%s", name, m->space);
	f->len += fold_value(text + f->len, value);
	m->changed = true;
	return 0;
}

int
message_add(struct message *m, const char *name, const char *value)
{
	struct field f;

	return make_field(m, &f, name, value) < 0 ? -1 :
	    message_place(m, m->n_fields, &f);
}

int
message_insert(struct message *m, size_t number, const char *name,
    const char *value)
{
	struct field f;

	/* as if there were a Received of ours */
	if (m->own == NO_FIELD && number > 0)
		number--;
	if (number > m->n_fields - m->top)
		number = m->n_fields - m->top;
	return make_field(m, &f, name, value) < 0 ? -1 :
	    message_place(m, m->top + number, &f);
}

/* The field of this name and number; NO_FIELD: there is none. */
static size_t
find_field(const struct message *m, size_t number, const char *name)
{
	size_t i;

	for (i = m->top; i < m->n_fields; i++)
		if (i != m->own && message_is_named(&m->fields[i], name) &&
		    --number == 0)
			return i;
	return NO_FIELD;
}

int
message_replace(struct message *m, size_t number, const char *name,
    const char *value)
{
	const size_t i = find_field(m, number ? number : 1, name);
	struct field f;

	if (*value) {
		if (i == NO_FIELD)
			return message_add(m, name, value);
		if (make_field(m, &f, name, value) < 0)
			return -1;
		f.state = FIELD_REPLACED;
		message_drop(&m->fields[i]);
		m->fields[i] = f;
		m->only_added = false;
	} else if (i != NO_FIELD) {
		message_drop(&m->fields[i]);
		m->n_fields--;
		memmove(m->fields + i, m->fields + i + 1,
		    (m->n_fields - i) * sizeof f);
		if (m->own != NO_FIELD && i < m->own)
			m->own--;
		m->changed = true;
		m->only_added = false;
	}
	return 0;
}

int
message_put_body(struct message *m, const char *data, size_t n)
{
	char buf[8192];
	size_t used = 0;

	if (m->new_body < 0) {
		m->new_body = file_temporary();
		m->last = '\n';
		m->changed = true;
		m->only_added = false;
	}
	if (m->new_body < 0)
		return fail_change(m, "no temporary file for the body");
	m->n_body += n;
	if (m->n_body > m->len + GROWTH_MAX)
		return fail_change(m, "the new body is too large");
	for (; n > 0; data++, n--) {
		if (used >= sizeof buf - 1) {
			if (file_write(m->new_body, buf, used) < 0)
				break;
			used = 0;
		}
		if (m->cr && *data != '\n')
			buf[used++] = '\r';
		m->cr = *data == '\r';
		if (!m->cr)
			buf[used++] = *data;
		m->last = *data;
	}
	if (n > 0 || file_write(m->new_body, buf, used) < 0)
		return fail_change(m, "the body can't be written to a "
		    "temporary file");
	return 0;
}

/* Write adjacent fields at once. */
static int
write_fields(const struct message *m, int fd)
{
	const struct field *f = m->fields, *end = f + m->n_fields;
	const char *from;
	size_t n;

	while (f < end) {
		from = f->text;
		for (n = 0; f < end && f->text == from + n; f++)
			n += f->len;
		if (file_write(fd, from, n) < 0 ||
		    (from[n - 1] != '\n' && file_write(fd, "\n", 1) < 0))
			return -1;
	}
	return 0;
}

static int
write_body(struct message *m, int fd)
{
	const char *body;
	size_t n;

	if (m->new_body < 0)
		return file_write(fd, m->body, m->len -
		    (size_t)(m->body - m->text));
	if (m->cr && file_write(m->new_body, "\r", 1) < 0)
		return -1;
	if (m->last != '\n' && file_write(m->new_body, "\n", 1) < 0)
		return -1;
	if (lseek(m->new_body, 0, SEEK_SET) < 0)
		return -1;
	body = file_map(m->new_body, &n);
	return !body || file_write(fd, "\n", 1) < 0 ||
	    file_write(fd, body, n) < 0 ? -1 : 0;
}

int
message_write(struct message *m, int fd)
{
	int rc;

	rc = !m->changed ? file_write(fd, m->text, m->len) :
	    write_fields(m, fd) < 0 ? -1 : write_body(m, fd);
	return rc < 0 ? fail_change(m, strerror(errno)) : 0;
}
