/*
 * The log lines of a session.  Values that the client chose are escaped by
 * lib/log.c and come last in a line, so that a long one can't displace others.
 */
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/proc/scoreboard.h"
#include "lib/proc/title.h"
#include "smtp/journal.h"

enum {
	REFUSALS_LOGGED = 200,	/* per session; others are counted only */
	REFUSALS_BYTES = 65536,	/* bytes of their log lines, at most */
	REFUSALS_FREE = 1024,	/* bytes, however little the client sends */
	REFUSALS_FACTOR = 8,	/* more bytes for each byte that it sends */
	HOOK_LINES_FREE = 16384,	/* more bytes where lines about hooks come */
};

/* On a terminal an id, which begins with that of the session, is enough. */
static void
log_client(const struct session *s, struct log_line *l)
{
	log_str(l, "client", client_address(&s->client));
	if (!*s->txn.id || !log_is_terminal())
		log_str(l, "session", s->id);
	if (*s->client.via)
		log_str(l, "via", s->client.via);
}

void
journal_begin(const struct session *s, struct log_line *l, enum log_level level,
    const char *event)
{
	log_begin(l, level, event);
	log_client(s, l);
}

void
journal_connected(const struct session *s)
{
	struct log_line l;

	journal_begin(s, &l, LEVEL_DEBUG, "connected");
	log_end(&l);
}

void
journal_show_client(const struct session *s)
{
	const unsigned worker = scoreboard_worker(s->options->board);

	if (worker)
		title_set("smtpd: worker %u [%s] ", worker,
		    client_address(&s->client));
}

void
journal_show(const struct session *s, const char *phase,
    unsigned long long bytes)
{
	struct scoreboard *board = s->options->board;
	char text[SCOREBOARD_PHASE_MAX + 24];

	scoreboard_note(board, phase, (long long)bytes, s->tally.mails,
	    s->tally.errors);
	if (!scoreboard_worker(board))
		return;
	if (bytes >= 1024) {
		snprintf(text, sizeof text, "%s %lluk", phase, bytes / 1024);
		phase = text;
	}
	title_set_suffix(phase);
}

void
journal_show_phase(const struct session *s)
{
	static const char *const names[] = {
		[PHASE_NEW] = "connected", [PHASE_HELLO] = "HELO",
		[PHASE_MAIL] = "MAIL", [PHASE_REFUSED] = "RCPT",
		[PHASE_RCPT] = "RCPT", [PHASE_BDAT] = "BDAT",
	};

	journal_show(s, names[s->phase], s->phase == PHASE_BDAT ?
	    s->txn.data.octets : 0);
}

/* Log the recipients that get the message, or for which it is discarded. */
static void
log_recipients(const struct session *s, struct log_line *l,
    const struct discard *d)
{
	char to[LOG_VALUE_MAX + 2];

	recipients_join(&s->txn.recipients, d, ',', to, sizeof to);
	if (*to)
		log_str(l, "to", to);
}

/*
 * The limit, in bytes, for the log of refusals in a session.  A client can't
 * cause ten times as many bytes of log as it sends.
 */
static unsigned long long
refusal_log_limit(const struct session *s)
{
	const unsigned long long n = REFUSALS_FREE +
	    REFUSALS_FACTOR * s->stream->received;

	return n < REFUSALS_BYTES ? n : REFUSALS_BYTES;
}

static void
end_counted_line(struct session *s, struct log_line *l)
{
	log_end(l);
	s->tally.logged += l->len;
}

void
journal_end_hook_line(struct session *s, struct log_line *l)
{
	if (s->tally.logged < HOOK_LINES_FREE + refusal_log_limit(s))
		end_counted_line(s, l);
}

static void
log_user(const struct session *s, struct log_line *l)
{
	if (!*s->auth.user)
		return;
	log_str(l, "mechanism", s->auth.mechanism);
	log_str(l, "user", s->auth.user);
}

/*
 * Log the sender once per transaction, and the recipient to, or all recipients
 * if the refusal is about all.
 */
static void
log_envelope(struct session *s, struct log_line *l, const char *to)
{
	if (!s->txn.sender_logged)
		log_str(l, "from", s->txn.mail.info.sender);
	s->txn.sender_logged = true;
	if (to)
		log_str(l, "to", to);
	else if (s->phase >= PHASE_RCPT && !s->txn.envelope)
		log_recipients(s, l, NULL);
}

/* A reply that could only be sent in clear is not sent. */
static void
log_reply(const struct session *s, struct log_line *l, const char *text)
{
	if (session_begins_with_tls(s))
		log_str(l, "unsent", text);
	else
		log_str(l, "reply", text);
}

/* Log a refusal of the recipient to, or of a command if to is NULL. */
static void
log_refusal(struct session *s, const char *command, const char *line,
    const struct reply *r, const char *to)
{
	char text[REPLY_TEXT_MAX + 8];
	struct log_line l;

	if (s->stream->state == STREAM_CLOSED)	/* disconnected */
		return;
	s->tally.refusals++;
	if (s->tally.refusals - s->tally.unlogged > REFUSALS_LOGGED ||
	    (s->tally.logged && s->tally.logged >= refusal_log_limit(s))) {
		s->tally.unlogged++;
		return;
	}
	snprintf(text, sizeof text, "%d %s", r->code, r->text);
	log_begin(&l, LEVEL_INFO, "refused");
	if (log_is_terminal()) {	/* what a person looks for comes first */
		log_reply(s, &l, text);
		if (*s->txn.id)
			log_envelope(s, &l, to);
	}
	log_client(s, &l);
	log_str(&l, "command", command);
	if (!log_is_terminal())
		log_reply(s, &l, text);
	if (r->hook) {
		log_str(&l, "hook", r->hook);
		log_str(&l, "hook_command", r->command);
	}
	if (r->hint)
		log_str(&l, "hint", r->hint);
	log_user(s, &l);
	if (*s->txn.id)
		log_str(&l, "id", s->txn.id);
	if (*s->txn.mail.result.error)
		log_str(&l, "error", s->txn.mail.result.error);
	if (*s->hello.name)
		log_str(&l, "helo", s->hello.name);
	if (*s->txn.id && !log_is_terminal())
		log_envelope(s, &l, to);
	if (line)
		log_str(&l, "line", line);
	end_counted_line(s, &l);
}

static void
log_tls(const struct tls_result *tls, struct log_line *l)
{
	char text[2 * TLS_VALUE_MAX];

	if (!tls->encrypted)
		return;
	snprintf(text, sizeof text, "%s%s%s", tls->protocol,
	    *tls->cipher ? " " : "", tls->cipher);
	log_str(l, "tls", text);
}

void
journal_refusal(struct session *s, const char *command,
    const char *line, const struct reply *r)
{
	log_refusal(s, command, line, r, NULL);
}

void
journal_refused_recipient(struct session *s, const char *command,
    const char *recipient, const struct reply *r)
{
	log_refusal(s, command, NULL, r, recipient);
}

/* Begin a line about a message; on a terminal, from and to come first. */
static void
begin_message_line(const struct session *s, struct log_line *l,
    const struct discard *d)
{
	if (log_is_terminal()) {
		log_str(l, "from", s->txn.mail.info.sender);
		log_recipients(s, l, d);
	}
	log_client(s, l);
	log_str(l, "id", s->txn.id);
}

/* What the client chose about a message; long values can't displace others. */
static void
log_client_values(const struct session *s, struct log_line *l,
    const struct discard *d)
{
	log_str(l, "helo", s->hello.name);
	if (!log_is_terminal()) {
		log_str(l, "from", s->txn.mail.info.sender);
		log_recipients(s, l, d);
	}
	if (*s->txn.mail.result.message_id)
		log_str(l, "message_id", s->txn.mail.result.message_id);
}

static void
log_stored(const struct session *s, unsigned long long size)
{
	struct log_line l;

	scoreboard_count(s->options->board, COUNT_MESSAGES, 1);
	scoreboard_count(s->options->board, COUNT_BYTES, size);
	log_begin(&l, LEVEL_INFO, "message");
	begin_message_line(s, &l, NULL);
	log_num(&l, "recipients",
	    (long long)recipients_count(&s->txn.recipients));
	log_num(&l, "size", (long long)size);
	log_num(&l, "took_ms", clock_ms() - s->txn.began);
	log_str(&l, "protocol", s->hello.protocol);
	log_tls(&s->client.tls, &l);
	if (*s->txn.mail.result.file)
		log_str(&l, "file", s->txn.mail.result.file +
		    (log_is_terminal() ? s->txn.mail.result.below : 0));
	log_user(s, &l);
	log_client_values(s, &l, NULL);
	log_end(&l);
}

/*
 * Log a discarded message, or the recipients for which d discarded it.  Further
 * lines about a message are limited.
 */
static void
log_discarded(struct session *s, unsigned long long size,
    const struct discard *d, bool all, bool first)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "discarded");
	begin_message_line(s, &l, all ? NULL : d);
	log_str(&l, "hook", d->hook);
	log_str(&l, "reason", d->reason);
	log_num(&l, "size", (long long)size);
	log_user(s, &l);
	log_client_values(s, &l, all ? NULL : d);
	if (first)
		log_end(&l);
	else
		journal_end_hook_line(s, &l);
}

/* Log a line for each reason for which recipients were discarded. */
static void
log_discarded_recipients(struct session *s, unsigned long long size)
{
	const struct recipients *to = &s->txn.recipients;
	const struct discard *d, *other;
	bool first = !s->txn.mail.discard.hook;
	size_t i, j;

	for (i = 0; i < to->n; i++) {
		d = to->all[i].refused ? NULL : to->all[i].discard;
		for (j = 0; d && j < i; j++) {
			other = to->all[j].discard;
			if (other && other->hook == d->hook &&
			    strcmp(other->reason, d->reason) == 0)
				d = NULL;
		}
		if (d) {
			log_discarded(s, size, d, false, first);
			first = false;
		}
	}
}

void
journal_accepted(struct session *s, unsigned long long size)
{
	if (s->txn.mail.discard.hook)
		log_discarded(s, size, &s->txn.mail.discard, true, true);
	else if (recipients_count(&s->txn.recipients) > 0)
		log_stored(s, size);
	log_discarded_recipients(s, size);
}

void
journal_lost(const struct session *s, const char *hook)
{
	struct log_line l;

	if (!*s->txn.id)
		return;
	journal_begin(s, &l, LEVEL_INFO, "lost");
	log_str(&l, "id", s->txn.id);
	if (*s->txn.mail.result.error)
		log_str(&l, "error", s->txn.mail.result.error);
	log_str(&l, "from", s->txn.mail.info.sender);
	if (hook)
		log_str(&l, "hook", hook);
	log_end(&l);
}

const char *
journal_end_word(const struct session *s)
{
	static const char *const words[] = {
		[STREAM_OPEN] = "closed", [STREAM_CLOSED] = "lost",
		[STREAM_TIMEOUT] = "timeout", [STREAM_EXPIRED] = "expired",
		[STREAM_SLOW] = "slow", [STREAM_STOPPED] = "stopped",
		[STREAM_PRESSURE] = "pressure",
	};

	return words[s->stream->state];
}

static void
count_session_end(const struct session *s)
{
	switch (s->stream->state) {
	case STREAM_TIMEOUT:
	case STREAM_EXPIRED:
	case STREAM_SLOW:
		scoreboard_count(s->options->board, COUNT_TIMEOUTS, 1);
		break;
	case STREAM_PRESSURE:
		scoreboard_count(s->options->board, COUNT_PRESSURE, 1);
		break;
	case STREAM_OPEN:
	case STREAM_CLOSED:
	case STREAM_STOPPED:
		break;
	}
}

void
journal_end(const struct session *s)
{
	struct log_line l;

	journal_begin(s, &l, s->tally.unlogged ? LEVEL_INFO : LEVEL_DEBUG,
	    "disconnected");
	log_str(&l, "how", journal_end_word(s));
	log_num(&l, "mails", s->tally.mails);
	log_num(&l, "errors", s->tally.errors);
	log_num(&l, "refused", s->tally.refusals);
	log_user(s, &l);
	log_end(&l);
	count_session_end(s);
}
