/*
 * Delivery status notifications.  There are reports of success only: of a
 * mail that is refused here, the client tells its sender.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "smtp/dsn.h"
#include "smtp/hooks.h"
#include "mail/report.h"
#include "mail/trace.h"
#include "lib/text/xtext.h"

static const struct {
	const char *word;
	enum dsn_notify notify;
} words[] = {
	{ "NEVER", DSN_NEVER },
	{ "SUCCESS", DSN_SUCCESS },
	{ "FAILURE", DSN_FAILURE },
	{ "DELAY", DSN_DELAY },
};

enum { WORDS = sizeof words / sizeof *words };

static bool
is_printable(const char *s)
{
	while (*s >= ' ' && *s < 0x7f)
		s++;
	return *s == '\0';
}

static bool
is_ascii(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

bool
dsn_take_ret(struct dsn *d, const struct param *p)
{
	d->ret = param_is(p, "FULL") ? "FULL" : param_is(p, "HDRS") ? "HDRS" :
	    NULL;
	return d->ret != NULL;
}

bool
dsn_take_envid(struct dsn *d, const struct param *p)
{
	return p->len <= ENVID_MAX &&
	    xtext_decode(p->value, p->len, d->envelope_id,
	    sizeof d->envelope_id) > 0 && is_printable(d->envelope_id);
}

/* NEVER stands alone, the others may stand together. */
bool
dsn_take_notify(struct dsn *d, const struct param *p)
{
	struct param word = { .value = p->value };
	const char *end;
	int i;

	d->notify = 0;
	if (p->len == 0)
		return false;
	end = p->value + p->len;
	for (;; word.value += word.len + 1) {
		word.len = 0;
		while (word.value + word.len < end &&
		    word.value[word.len] != ',')
			word.len++;
		for (i = 0; i < WORDS; i++)
			if (param_is(&word, words[i].word))
				break;
		if (i == WORDS)
			return false;
		d->notify |= words[i].notify;
		if (word.value + word.len == end)
			break;
	}
	return !(d->notify & DSN_NEVER) || d->notify == DSN_NEVER;
}

/* A type, and an address of that, encoded as the type has it. */
bool
dsn_take_orcpt(struct dsn *d, const struct param *p, bool utf8)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	struct param type = { .value = p->value };
	const char *text;
	char *out;
	size_t n, size;

	if (p->len == 0 || p->len > ORCPT_MAX)
		return false;
	type.len = strspn(p->value, letters);
	n = type.len + 1;
	if (type.len == 0 || p->len < n || p->value[type.len] != ';')
		return false;
	memcpy(d->original, p->value, n);
	text = p->value + n;
	out = d->original + n;
	size = sizeof d->original - n;
	n = p->len - n;
	if (!param_is(&type, "utf-8"))
		return xtext_decode(text, n, out, size) > 0 &&
		    is_printable(out);
	return (utf8 || is_ascii(text, n)) &&
	    unitext_decode(text, n, out, size) > 0;
}

void
dsn_say_notify(unsigned notify, char *out)
{
	int i;

	*out = '\0';
	for (i = 0; i < WORDS; i++)
		if (notify & words[i].notify) {
			if (*out)
				strcat(out, ",");
			strcat(out, words[i].word);
		}
}

bool
dsn_is_offered(const struct session *s)
{
	return s->options->hooks->n[HOOK_DSN] > 0;
}

static void
log_failure(const struct session *s)
{
	struct log_line l;
	int error = errno;

	session_log(s, &l, LEVEL_ERROR, "report-failed");
	log_str(&l, "id", s->mail_id);
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

/* Those who were asked about; how many. */
static size_t
select_recipients(const struct session *s, struct report_recipient *to)
{
	const struct rcpt *r = s->rcpts;
	size_t n = 0;

	for (; r < s->rcpts + s->recipients; r++)
		if (r->notify & DSN_SUCCESS)
			to[n++] = (struct report_recipient){
				r->email, r->original
			};
	return n;
}

/* What lies above the message is ours, and may tell whose alias this is. */
static int
find_message(const struct session *s, struct report *r)
{
	struct trace_place place;

	if (trace_find(s->mail.kept, s->mail_id, &place) < 0)
		return -1;
	r->message = s->mail.kept;
	r->begin = place.below;
	r->header_end = place.end;
	return 0;
}

static void
send_report(struct session *s, const struct report *r)
{
	int writer, reader, written;

	if (store_create_unlinked(s->options->spool, &writer, &reader) < 0) {
		log_failure(s);
		return;
	}
	written = report_write(r, writer);
	if (written < 0)
		log_failure(s);
	close(writer);
	if (written == 0)
		hooks_tell(s, HOOK_DSN, reader);
	close(reader);
}

void
dsn_report(struct session *s)
{
	const struct dsn *d = &s->dsn;
	struct report r = {
		.hostname = s->options->hostname, .id = s->mail_id,
		.sender = s->mail.sender, .utf8 = s->utf8,
		.envelope_id = *d->envelope_id ? d->envelope_id : NULL,
		.arrival = time(NULL) -
		    (time_t)((clock_ms() - s->mail_began) / 1000),
		/* a binary message is for no command that reads lines */
		.whole = d->ret && strcmp(d->ret, "FULL") == 0 &&
		    !(s->body && strcmp(s->body, "BINARYMIME") == 0),
	};
	struct report_recipient *to;

	if (!dsn_is_offered(s) || !*s->mail.sender || !s->recipients)
		return;
	to = calloc((size_t)s->recipients, sizeof *to);
	if (!to) {
		log_failure(s);
		return;
	}
	r.recipients = to;
	r.n = select_recipients(s, to);
	if (r.n > 0 && find_message(s, &r) < 0)
		log_failure(s);
	else if (r.n > 0)
		send_report(s, &r);
	free(to);
}
