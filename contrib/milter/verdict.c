/*
 * Verdicts.  A reply has to have a code that smtpd knows: others become 450 or
 * 550.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "contrib/milter/verdict.h"

enum {
	STATUS_SKIP = 99, STATUS_REJECT = 100,	/* smtpd-hooks(7) */
};

void
verdict_fail(struct verdict *v, const char *error)
{
	v->kind = VERDICT_FAILED;
	v->error = error;
}

void
verdict_refuse(struct verdict *v, const char *reply)
{
	v->kind = VERDICT_REFUSE;
	snprintf(v->reply, sizeof v->reply, "%s", reply);
}

/* Is it "DDD text", "DDD-text" or "DDD", a code of 4xx or 5xx? */
static bool
is_reply_line(const char *s, size_t n)
{
	return n >= 3 && (*s == '4' || *s == '5') &&
	    isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) &&
	    (n == 3 || s[3] == ' ' || s[3] == '-') &&
	    !(n > 5 && isdigit((unsigned char)s[4]) && s[5] == '.' &&
	    s[4] != *s);
}

/* The code that smtpd has for this one. */
static const char *
known_code(const char *code)
{
	static const char *const known[] = { "421", "521" };
	size_t i;

	for (i = 0; i < sizeof known / sizeof *known; i++)
		if (strncmp(code, known[i], 3) == 0)
			return known[i];
	if (code[1] == '5')
		return code;
	return *code == '4' ? "450" : "550";
}

/*
 * Append a line to the reply.  Sendmail has replies as formats: "%%" stands for
 * "%".
 */
static size_t
append_line(char *to, size_t room, const char *line, size_t n, bool last)
{
	size_t i, used = 0;

	if (room < 6)
		return 0;
	used += (size_t)snprintf(to, room, "%.3s%c", known_code(line),
	    last ? ' ' : '-');
	for (i = 4; i < n && used < room - 2; i++) {
		if (line[i] == '%' && ++i == n)
			break;
		to[used++] = iscntrl((unsigned char)line[i]) ? ' ' : line[i];
	}
	to[used++] = '\n';
	to[used] = '\0';
	return used;
}

void
verdict_read(struct verdict *v, const char *text)
{
	const char *line = text, *next;
	size_t n, used = 0;

	verdict_refuse(v, "");
	do {
		n = strcspn(line, "\r\n");
		next = line + n + strspn(line + n, "\r\n");
		if (!is_reply_line(line, n) || strncmp(line, text, 3) != 0) {
			verdict_fail(v, "an invalid reply");
			return;
		}
		used += append_line(v->reply + used, sizeof v->reply - used,
		    line, n, *next == '\0');
		line = next;
	} while (*line);
	v->reply[used ? used - 1 : 0] = '\0';	/* the last line break */
}

/* A field on one line, without control characters. */
static void
print_field(const struct field *f)
{
	size_t i;

	fputs("HEADER=", stdout);
	for (i = 0; i < f->len; i++)
		if (f->text[i] != '\n')
			putchar(iscntrl((unsigned char)f->text[i]) ? ' ' :
			    f->text[i]);
	putchar('\n');
}

static void
print_new_fields(const struct message *m)
{
	size_t i;

	for (i = 0; i < m->n_fields; i++)
		if (m->fields[i].state == FIELD_NEW)
			print_field(&m->fields[i]);
	if (!m->only_added)
		fputs("smtpd-milter: only new header fields are applied, "
		    "since this is not a --filter\n", stderr);
}

static int
tell_acceptance(struct message *m, bool filter, const char *milter)
{
	if (filter && message_write(m, STDOUT_FILENO) < 0) {
		fprintf(stderr, "smtpd-milter: %s: %s\n", milter, m->error);
		return EX_TEMPFAIL;
	}
	if (m && !filter)
		print_new_fields(m);
	return 0;
}

int
verdict_tell(struct verdict *v, struct message *m, bool filter,
    const char *milter)
{
	switch (v->kind) {
	case VERDICT_DISCARD:
		printf("DISCARD=%s\n", milter);
		return filter ? STATUS_SKIP : 0;
	case VERDICT_REFUSE:
		puts(v->reply);
		return *v->reply == '5' ? STATUS_REJECT : EX_TEMPFAIL;
	case VERDICT_FAILED:
		fprintf(stderr, "smtpd-milter: %s: %s\n", milter, v->error);
		return EX_TEMPFAIL;
	default:
		return tell_acceptance(m, filter, milter);
	}
}
