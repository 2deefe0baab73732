/*
 * Verdicts: any exit status, stderr and output of a hook must become a
 * well-formed reply.
 */
#include <ctype.h>
#include <string.h>

#include "fuzz.h"
#include "lib/text/verdict.h"

/* Check for "5.7.1 " and text, in the class of the code. */
static void
check_line(const char *s, size_t len, int code)
{
	size_t i;

	CHECK(len >= 5 && s[0] == '0' + code / 100 && s[1] == '.' &&
	    isdigit((unsigned char)s[2]));
	for (i = 0; i < len; i++)
		CHECK(s[i] >= ' ' && s[i] < 0x7f);
}

static void
check_reply(const struct reply *r, bool accepted)
{
	const char *line = r->text;
	size_t len;
	int lines = 0;

	if (r->code == 0) {
		CHECK(accepted);
		return;
	}
	CHECK(r->code == 250 ? accepted : r->code == 421 || r->code == 521 ||
	    (r->code >= 450 && r->code <= 459) ||
	    (r->code >= 550 && r->code <= 559));
	CHECK(strlen(r->text) < REPLY_TEXT_MAX);
	for (;; line += len + 1) {
		len = strcspn(line, "\n");
		check_line(line, len, r->code);
		lines++;
		if (line[len] == '\0')
			break;
	}
	CHECK(lines <= VERDICT_LINES);
}

/* Check the reply as it is sent. */
static void
check_wire(const struct reply *r)
{
	char *text = NULL;
	const char *line, *end;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	CHECK(out != NULL);
	reply_write(out, r);
	fclose(out);
	for (line = text; line < text + n; line = end + 2) {
		end = strstr(line, "\r\n");
		CHECK(end && end + 2 - line <= REPLY_LINE_MAX);
		CHECK(atoi(line) == r->code);
		CHECK(line[3] == (end + 2 == text + n ? ' ' : '-'));
	}
	free(text);
}

static void
check_lines(const struct hook_end *end, const char *name)
{
	const char *value;
	size_t pos = 0, len;

	while ((value = verdict_line(end, name, &pos, &len))) {
		CHECK(value + len <= end->out + end->len);
		CHECK(len == 0 || !memchr(value, '\n', len));
		CHECK(value[-1] == '=');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const refusals[] = {
		"554 5.7.1 Message rejected", "550 5.1.1 No such user here",
	};
	struct hook_end end;
	struct reply r;
	char *out;
	bool check;

	if (n < 2)
		return 0;
	/* as in lib/proc/hook.c: a NUL follows output that may contain NULs */
	out = malloc(n - 1);
	CHECK(out != NULL);
	memcpy(out, data + 2, n - 2);
	out[n - 2] = '\0';
	end = (struct hook_end){
		.failed = (data[0] & 7) == 7, .status = data[1],
		.complained = data[0] & 8, .out = out, .len = n - 2,
	};
	check = data[0] & 16;
	r = verdict_of(&end, check, refusals[data[0] >> 5 & 1]);
	check_reply(&r, !end.failed &&
	    (end.status == 0 || end.status == VERDICT_SKIP));
	if (end.failed || end.status >= VERDICT_BROKEN)
		CHECK(verdict_is_failure(&r));
	if (r.code)
		check_wire(&r);
	check_lines(&end, "HEADER");
	check_lines(&end, "MAILBOX");
	free(out);
	return 0;
}
