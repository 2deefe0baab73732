/* Replies: how they are made, and how they are written to the client. */
#include <stdarg.h>
#include <string.h>

#include "lib/text/reply.h"

struct reply
reply_make(int code, const char *fmt, ...)
{
	const size_t len = strlen(fmt);
	struct reply r;
	va_list ap;

	r.code = code;
	r.hook = r.command = r.hint = NULL;
	if (len < sizeof r.text && !memchr(fmt, '%', len)) {
		memcpy(r.text, fmt, len + 1);
		return r;
	}
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

void
reply_write(FILE *out, const struct reply *r)
{
	const size_t room = REPLY_LINE_MAX - 6;	/* "250-" and CR LF */
	char head[] = {
		(char)('0' + r->code / 100), (char)('0' + r->code / 10 % 10),
		(char)('0' + r->code % 10), '-',
	};
	const char *line, *end;
	size_t len;

	for (line = r->text; ; line = end + 1) {
		end = strchr(line, '\n');
		len = end ? (size_t)(end - line) : strlen(line);
		if (!end)
			head[3] = ' ';
		fwrite(head, 1, sizeof head, out);
		fwrite(line, 1, len < room ? len : room, out);
		fwrite("\r\n", 1, 2, out);
		if (!end)
			return;
	}
}
