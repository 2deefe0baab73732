/* What lasts from the connection to its end, and how it is logged. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/proc/title.h"
#include "smtp/session.h"

enum { FOLD_AT = 70, TAB_WIDTH = 8 };	/* columns of a header line */

/* Eleven digits of time and five of the pid: no two sessions share it. */
static void
make_id(char *id)
{
	static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned long long us = (unsigned long long)clock_us();
	unsigned long pid = (unsigned long)getpid();
	int i;

	for (i = 10; i >= 0; i--, us >>= 5)
		id[i] = digits[us & 31];
	for (i = 15; i >= 11; i--, pid >>= 5)
		id[i] = digits[pid & 31];
	id[16] = '\0';
}

const char *
session_client(const struct session *s)
{
	return client_address(&s->client);
}

void
session_log(const struct session *s, struct log_line *l, enum log_level level,
    const char *event)
{
	log_begin(l, level, event);
	log_str(l, "client", session_client(s));
	log_str(l, "session", s->id);
	if (*s->client.via)
		log_str(l, "via", s->client.via);
}

void
session_show_client(const struct session *s)
{
	const unsigned worker = scoreboard_worker(s->options->board);

	if (worker)
		title_set("smtpd: worker %u [%s] ", worker, session_client(s));
}

void
session_show(const struct session *s, const char *phase,
    unsigned long long octets)
{
	struct scoreboard *board = s->options->board;
	char text[SCOREBOARD_PHASE_MAX + 24];

	scoreboard_note(board, phase, (long long)octets, s->mails, s->errors);
	if (!scoreboard_worker(board))
		return;
	if (octets >= 1000) {
		snprintf(text, sizeof text, "%s %llu kB", phase,
		    octets / 1000);
		phase = text;
	}
	title_set_suffix(phase);
}

bool
session_can_encrypt(const struct session *s)
{
	return s->options->tls.argv || s->options->tls.control >= 0;
}

bool
session_must_encrypt(const struct session *s)
{
	return s->options->require_tls && !s->client.tls.encrypted &&
	    !s->client.probe && (s->client.remote.family != AF_UNSPEC ||
	    s->client.remote_unknown);
}

bool
session_begins_with_tls(const struct session *s)
{
	return listener_kinds[s->client.kind].tls &&
	    !s->client.tls.encrypted && (session_can_encrypt(s) || !s->client.probe);
}

/* The recipients, with commas; log_str() cuts what is too much. */
static void
log_recipients(const struct session *s, struct log_line *l)
{
	char to[LOG_VALUE_MAX + 2];

	if (recipients_count(&s->recipients) == 0)
		return;
	recipients_join(&s->recipients, ',', to, sizeof to);
	log_str(l, "to", to);
}

/*
 * How many bytes of log a session may make by being refused: about as many as a
 * dialogue of usual lines does, so that a client can't make ten times as much
 * as it sends.
 */
static unsigned long long
log_allowance(const struct session *s)
{
	const unsigned long long n = REFUSALS_FREE +
	    REFUSALS_FACTOR * s->stream->received;

	return n < REFUSALS_OCTETS ? n : REFUSALS_OCTETS;
}

/* from once a transaction, and to when it is about the message, or about to */
static void
log_envelope(struct session *s, struct log_line *l, const char *to)
{
	if (!s->told_sender)
		log_str(l, "from", s->mail.sender);
	s->told_sender = true;
	if (to)
		log_str(l, "to", to);
	else if (s->phase >= PHASE_RCPT && !s->envelope)
		log_recipients(s, l);
}

/* to: the recipient that it is about; NULL: all that there are */
static void
log_refusal(struct session *s, const char *command, const char *line,
    const struct reply *r, const char *to)
{
	char text[REPLY_TEXT_MAX + 8];
	struct log_line l;

	if (s->stream->state == STREAM_CLOSED)	/* nobody hears it */
		return;
	s->refusals++;
	if (s->refusals - s->unlogged > REFUSALS_LOGGED ||
	    (s->logged && s->logged >= log_allowance(s))) {
		s->unlogged++;
		return;
	}
	session_log(s, &l, LEVEL_INFO, "refused");
	log_str(&l, "command", command);
	snprintf(text, sizeof text, "%d %s", r->code, r->text);
	if (session_begins_with_tls(s))
		log_str(&l, "unsent", text);
	else
		log_str(&l, "reply", text);
	if (*s->mail_id)
		log_str(&l, "id", s->mail_id);
	if (*s->mail.error)
		log_str(&l, "error", s->mail.error);
	if (*s->mail_id)
		log_envelope(s, &l, to);
	if (line)
		log_str(&l, "line", line);
	log_end(&l);
	s->logged += l.len;
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
session_log_refusal(struct session *s, const char *command,
    const char *line, const struct reply *r)
{
	log_refusal(s, command, line, r, NULL);
}

void
session_log_mail(const struct session *s, unsigned long long size)
{
	struct log_line l;

	scoreboard_count(s->options->board, COUNT_MESSAGES, 1);
	scoreboard_count(s->options->board, COUNT_OCTETS, size);
	session_log(s, &l, LEVEL_INFO, "message");
	log_str(&l, "id", s->mail_id);
	log_num(&l, "recipients",
	    (long long)recipients_count(&s->recipients));
	log_num(&l, "size", (long long)size);
	log_num(&l, "took_ms", clock_ms() - s->mail_began);
	log_str(&l, "protocol", s->protocol);
	log_tls(&s->client.tls, &l);
	if (*s->mail.file)
		log_str(&l, "file", s->mail.file);
	log_str(&l, "helo", s->helo);	/* the client's choice from here on */
	log_str(&l, "from", s->mail.sender);
	log_recipients(s, &l);
	log_end(&l);
}

void
session_log_lost(const struct session *s, const char *hook)
{
	struct log_line l;

	if (!*s->mail_id)
		return;
	session_log(s, &l, LEVEL_INFO, "lost");
	log_str(&l, "id", s->mail_id);
	log_str(&l, "from", s->mail.sender);
	if (hook)
		log_str(&l, "hook", hook);
	log_end(&l);
}

const char *
session_end_word(const struct session *s)
{
	static const char *const words[] = {
		[STREAM_OPEN] = "closed", [STREAM_CLOSED] = "lost",
		[STREAM_TIMEOUT] = "timeout", [STREAM_EXPIRED] = "expired",
		[STREAM_SLOW] = "slow", [STREAM_STOPPED] = "stopped",
		[STREAM_PRESSED] = "pressure",
	};

	return words[s->stream->state];
}

void
session_log_end(const struct session *s)
{
	struct log_line l;

	session_log(s, &l, s->unlogged ? LEVEL_INFO : LEVEL_DEBUG,
	    "disconnected");
	log_str(&l, "how", session_end_word(s));
	log_num(&l, "mails", s->mails);
	log_num(&l, "errors", s->errors);
	log_num(&l, "refused", s->refusals);
	log_end(&l);
}

void
session_set_protocol(struct session *s)
{
	const bool lmtp = listener_kinds[s->client.kind].lmtp;
	const bool extended = s->given.protocol ?
	    *s->given.protocol == 'E' : s->extended;

	stpcpy(stpcpy(stpcpy(stpcpy(s->protocol,
	    s->utf8 ? "UTF8" : extended && !lmtp ? "E" : ""),
	    lmtp ? "LMTP" : "SMTP"),
	    s->client.tls.encrypted ? "S" : ""), *s->user ? "A" : "");
}

void
session_drop_envelope(struct session *s)
{
	s->envelope->ops->abort(s->envelope);
	s->envelope = NULL;
}

void
session_cut_headers(struct session *s, size_t n)
{
	s->n_headers = n;
	if (s->headers)
		s->headers[n] = '\0';
}

/* RSET, whatever brought it about (RFC 5321 4.1.1.5). */
void
session_reset(struct session *s)
{
	if (s->envelope)
		session_drop_envelope(s);
	if (s->mail.kept >= 0)
		close(s->mail.kept);
	session_cut_headers(s, s->n_hello);
	s->mail = (struct mail){
		.id = s->mail_id, .kept = -1,
		.headers = s->headers ? s->headers : "",
		.recipients = &s->recipients,
	};
	stream_end_data(s->stream);
	s->dot_deadline = 0;
	s->mail_id[0] = '\0';
	s->told_sender = false;
	recipients_clear(&s->recipients);
	free(s->replies);
	s->replies = NULL;
	s->n_replies = 0;
	s->body = NULL;
	s->dsn = (struct dsn){ .ret = NULL };
	if (s->utf8) {
		s->utf8 = false;
		session_set_protocol(s);
	}
	if (s->phase != PHASE_NEW)
		s->phase = PHASE_HELLO;
}

void
session_forget(struct session *s)
{
	s->n_hello = s->n_connection;
	session_reset(s);
	s->phase = PHASE_NEW;
	s->helo[0] = s->user[0] = s->protocol[0] = '\0';
	s->mechanism = NULL;
	s->extended = false;
}

/* The reply to a client that did not go on; none to one that is gone. */
struct reply
session_farewell(const struct session *s)
{
	if (s->tls.failed)		/* it would be in clear */
		return reply_none();
	switch (s->stream->state) {
	case STREAM_TIMEOUT:
		return reply_make(421, "4.4.2 Timed out, closing");
	case STREAM_EXPIRED:
		return reply_make(421, "4.4.2 The session took too long");
	case STREAM_SLOW:
		return reply_make(421, "4.4.2 The data came too slowly");
	case STREAM_STOPPED:
		return reply_make(421, "4.3.2 Shutting down, try again later");
	case STREAM_PRESSED:
		return reply_make(421, "4.3.2 Too busy to wait for you, try "
		    "again later");
	case STREAM_OPEN:
	case STREAM_CLOSED:
		break;
	}
	return reply_none();
}

void
session_begin(struct session *s, const struct proto_options *options,
    const struct client *client, struct stream *stream)
{
	*s = (struct session){
		.options = options, .client = *client, .stream = stream,
	};
	line_init(&s->reader, stream->in, options->accept_bare_newline);
	make_id(s->id);
	s->mail.kept = -1;
	session_reset(s);
	s->trusted = client->trusted ||
	    networks_contain(&options->trusted, &client->remote);
	if (networks_contain(&options->xclients, &client->remote))
		strcpy(s->proxy, client->remote.ip);
	session_show_client(s);
}

void
session_end(struct session *s)
{
	session_reset(s);
	free(s->headers);
}

void
session_refuse_recipients(struct session *s, const char *command,
    const struct reply *each)
{
	struct recipient *r;
	size_t i;

	for (i = 0; i < s->recipients.n; i++) {
		r = &s->recipients.all[i];
		r->refused = reply_refuses(&each[i]);
		if (r->refused)
			log_refusal(s, command, NULL, &each[i], r->email);
	}
}

/* RFC 5322 2.2, as it may come from a command. */
static bool
is_field(const char *s, size_t len)
{
	const char *colon = memchr(s, ':', len);
	size_t i;

	if (!colon || colon == s)
		return false;
	for (i = 0; i < len; i++)
		if (s + i < colon ? s[i] <= ' ' || s[i] >= 0x7f :
		    ((unsigned char)s[i] < ' ' && s[i] != '\t') ||
		    s[i] == 0x7f)
			return false;
	return true;
}

int
session_add_header(struct session *s, const char *field, size_t len)
{
	size_t i, column = 0;
	char *out;

	if (!is_field(field, len))
		return -1;
	if (!s->headers && !(s->headers = malloc(HEADERS_MAX)))
		return -1;
	/* a fold makes two octets of a space */
	if (s->n_headers + len + len / (FOLD_AT - TAB_WIDTH) + 2 >
	    HEADERS_MAX)
		return -1;
	out = s->headers + s->n_headers;
	for (i = 0; i < len; i++, column++) {
		if (column > FOLD_AT && field[i] == ' ' && i + 1 < len &&
		    field[i + 1] != ' ' && field[i + 1] != '\t') {
			*out++ = '\n';
			*out++ = '\t';
			column = TAB_WIDTH;
		} else {
			*out++ = field[i];
		}
	}
	*out++ = '\n';
	*out = '\0';
	s->n_headers = (size_t)(out - s->headers);
	s->mail.headers = s->headers;
	return 0;
}
