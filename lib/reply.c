/* The verdict as a value. */
#include <stdarg.h>
#include <string.h>

#include "reply.h"

struct reply
reply_none(void)
{
	struct reply r;

	r.code = 0;
	r.text[0] = '\0';
	return r;
}

struct reply
reply_make(int code, const char *fmt, ...)
{
	struct reply r;
	va_list ap;

	r.code = code;
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof r.text, fmt, ap);
	va_end(ap);
	return r;
}

void
reply_add(struct reply *r, const char *fmt, ...)
{
	const size_t len = strlen(r->text);
	va_list ap;

	va_start(ap, fmt);
	if (len + 2 < sizeof r->text) {
		r->text[len] = '\n';
		vsnprintf(r->text + len + 1, sizeof r->text - len - 1, fmt, ap);
	}
	va_end(ap);
}

bool
reply_refuses(const struct reply *r)
{
	return r->code >= 400;
}

bool
reply_closes(const struct reply *r)
{
	return r->code == 221 || r->code == 421;
}

void
reply_write(FILE *out, const struct reply *r)
{
	const int room = REPLY_LINE_MAX - 6;	/* "250-" and CR LF */
	const char *line, *end;
	int len;

	for (line = r->text; ; line = end + 1) {
		end = strchr(line, '\n');
		len = end ? (int)(end - line) : (int)strlen(line);
		if (len > room)
			len = room;
		fprintf(out, "%d%c%.*s\r\n", r->code, end ? '-' : ' ', len,
		    line);
		if (!end)
			return;
	}
}
