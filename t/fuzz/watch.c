/* A session as the client understands it. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "plain.h"
#include "lib/text/reply.h"
#include "watch.h"

/* Read a reply line (RFC 5321 4.2); *more: it is not the last. */
static int
take_reply_line(struct watch *w, bool *more)
{
	const char *end = memmem(w->out, w->n_out, "\r\n", 2), *p;
	int code;

	CHECK(end && end - w->out >= 4 && end + 2 - w->out <= REPLY_LINE_MAX);
	for (p = w->out; p < end; p++)
		CHECK(*p >= ' ' && *p < 0x7f);
	CHECK(w->out[0] >= '2' && w->out[0] <= '5');
	CHECK(isdigit((unsigned char)w->out[1]) &&
	    isdigit((unsigned char)w->out[2]));
	CHECK(w->out[3] == ' ' || w->out[3] == '-');
	*more = w->out[3] == '-';
	code = (w->out[0] - '0') * 100 + (w->out[1] - '0') * 10 +
	    w->out[2] - '0';
	w->n_out -= (size_t)(end + 2 - w->out);
	w->out = end + 2;
	return code;
}

/* Read a reply.  Returns its code, or 0 if there are no more. */
static int
take_reply(struct watch *w)
{
	bool more;
	int code, first;

	if (w->n_out == 0)
		return 0;
	first = take_reply_line(w, &more);
	while (more) {
		code = take_reply_line(w, &more);
		CHECK(code == first);
	}
	return w->last = first;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The next command line; NULL if the client never ended it. */
static const char *
take_line(struct watch *w, size_t *len)
{
	const char *line = w->in;
	const char *lf = memchr(line, '\n', w->n_in);

	while (lf && !w->lf_ends && (lf == line || lf[-1] != '\r'))
		lf = memchr(lf + 1, '\n', w->n_in - (size_t)(lf + 1 - line));
	if (!lf)
		return NULL;
	w->n_in -= (size_t)(lf + 1 - line);
	w->in = lf + 1;
	*len = (size_t)(lf - line);
	if (*len && line[*len - 1] == '\r')
		--*len;
	while (*len && is_blank(line[*len - 1]))
		--*len;
	return line;
}

static bool
is_verb(const char *line, size_t len, const char *verb)
{
	const size_t n = strlen(verb);

	return len >= n && strncasecmp(line, verb, n) == 0 &&
	    (len == n || line[n] == ' ' || line[n] == '\t');
}

static void
accept(struct watch *w, const struct plain_data *d, const char *raw, size_t n)
{
	struct watched *a;

	w->accepted = realloc(w->accepted,
	    (w->n_accepted + 1) * sizeof *w->accepted);
	CHECK(w->accepted != NULL);
	a = &w->accepted[w->n_accepted++];
	*a = (struct watched){ .text = { .n = 0 } };
	gather(&a->text, d->out.p, d->out.n);
	gather(&a->raw, raw, n);
}

/* After a message LMTP has a reply for each recipient (RFC 2033 4.2). */
static bool
take_verdicts(struct watch *w)
{
	size_t n = w->lmtp && w->recipients ? w->recipients : 1;
	bool accepted = false;
	int code;

	w->recipients = 0;
	for (; n > 0; n--) {
		code = take_reply(w);
		CHECK(code != 0);
		CHECK(code == 250 || code >= 400);
		accepted = accepted || code == 250;
		if (code == 421)
			break;
	}
	return accepted;
}

/* Handle the data after 354.  Returns false if it has no end. */
static bool
watch_data(struct watch *w)
{
	struct plain_data d;

	plain_decode(&d, w->in, w->n_in, false, w->lf_ends);
	if (d.done && take_verdicts(w))
		accept(w, &d, NULL, 0);
	gather_free(&d.out);
	w->in += d.used;
	w->n_in -= d.used;
	return d.done;
}

/* Parse "86" or "86 LAST".  Returns false if it is neither. */
static bool
parse_chunk(const char *s, size_t len, unsigned long long *size, bool *last)
{
	const char *end = s + len;
	int digits = 0;

	*size = 0;
	for (; s < end && isdigit((unsigned char)*s); s++, digits++)
		if (__builtin_mul_overflow(*size, 10, size) ||
		    __builtin_add_overflow(*size, (unsigned)(*s - '0'), size))
			return false;
	if (digits == 0 || digits > 20)
		return false;
	*last = s < end;
	if (!*last)
		return true;
	if (*s != ' ' && *s != '\t')
		return false;
	while (*s == ' ' || *s == '\t')
		s++;
	return end - s == 4 && strncasecmp(s, "LAST", 4) == 0;
}

static void
watch_last_chunk(struct watch *w)
{
	struct plain_data d;

	plain_decode(&d, w->chunks.p, w->chunks.n, true, w->lf_ends);
	if (w->lf_ends && w->chunks.n && w->chunks.p[w->chunks.n - 1] == '\r')
		gather(&d.out, " ", 1);
	if (take_verdicts(w))
		accept(w, &d, w->chunks.p, w->chunks.n);
	gather_free(&d.out);
	w->chunks.n = 0;
}

/* False where it is the end of all. */
static bool
watch_chunk(struct watch *w, const char *line, size_t len)
{
	unsigned long long size;
	bool last, parsed;

	for (line += 4, len -= 4; len && is_blank(*line); line++)
		len--;
	parsed = parse_chunk(line, len, &size, &last);
	if (parsed && size > w->n_in) {
		w->n_in = 0;
		return false;
	}
	if (w->n_out == 0)
		return false;
	if (!parsed) {
		CHECK(take_reply(w) >= 400 && w->n_out == 0);
		return false;
	}
	gather(&w->chunks, w->in, (size_t)size);
	w->in += size;
	w->n_in -= (size_t)size;
	if (last)
		watch_last_chunk(w);
	else if (take_reply(w) >= 400)
		w->recipients = w->chunks.n = 0;
	return true;
}

/* Does this reply to the command end the mail transaction? */
static bool
is_reset(const char *line, size_t len, int code)
{
	static const char *const hellos[] = {
		"HELO", "EHLO", "LHLO", "RSET", "XCLIENT",
	};
	size_t i;

	if (is_verb(line, len, "DATA"))		/* the message was rejected */
		return code >= 400 && code / 10 != 50;
	for (i = 0; i < sizeof hellos / sizeof *hellos; i++)
		if (is_verb(line, len, hellos[i]))
			return code / 10 != 50;
	return is_verb(line, len, "MAIL") && code == 250;
}

/* Each response to AUTH is a line (RFC 4954 4). */
static int
watch_responses(struct watch *w, int code)
{
	size_t len;

	while (code == 334 && take_line(w, &len))
		code = take_reply(w);
	return code;
}

/* False where it is the end of all. */
static bool
watch_command(struct watch *w, const char *line, size_t len)
{
	int code;

	if (w->n_out)
		w->answered = line;
	if (is_verb(line, len, "BDAT") && len <= 2046)
		return watch_chunk(w, line, len);
	code = watch_responses(w, take_reply(w));
	if (code == 0 || code == 334)
		return false;
	if (code == 354)
		return watch_data(w);
	if (is_reset(line, len, code))
		w->recipients = w->chunks.n = 0;
	if (is_verb(line, len, "RCPT") && code == 250)
		w->recipients++;
	return true;
}

/* The client sent QUIT, or a chunk size that can't be parsed. */
static void
check_end(const struct watch *w)
{
	CHECK(w->last == 421 || w->last == 221 || w->last == 554 ||
	    w->last == 521 || w->last == 334 || w->last == 354 ||
	    (w->last == 501 && strncasecmp(w->answered, "BDAT", 4) == 0));
}

/* A client whose commands have all been answered gets no more replies. */
void
watch(struct watch *w)
{
	const char *line = w->in;
	size_t len = 0;
	int left = 0;

	w->answered = "";
	CHECK(take_reply(w) != 0);
	while (w->last != 421 && w->last != 221 &&
	    (line = take_line(w, &len)))
		if (!watch_command(w, line, len))
			break;
	if (line && w->n_out == 0 && w->n_in)	/* closed by the server */
		check_end(w);
	while (take_reply(w))
		left++;
	CHECK(left <= 2);	/* for a line without an end, and a 421 */
	CHECK(left == 0 || w->last >= 400);
}

void
watch_free(struct watch *w)
{
	while (w->n_accepted) {
		gather_free(&w->accepted[--w->n_accepted].text);
		gather_free(&w->accepted[w->n_accepted].raw);
	}
	free(w->accepted);
	gather_free(&w->chunks);
}
