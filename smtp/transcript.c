/*
 * The transcript of a session in a file.  A line of it is
 *
 *	0.001234 C MAIL FROM:<a@b.example>
 *
 * the seconds since the first line, the speaker, and the text.  The speaker is
 * S for a line that the server has sent, C for a line that the server has read
 * from the client, c for bytes of the client without CR LF after them, and #
 * for a note of the server.  \r, \n, \t, \\ and \xHH are bytes, and \[...]
 * stands for bytes that are not shown: secrets and message data never are.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "smtp/journal.h"
#include "smtp/transcript.h"

enum {
	RECORD_MAX = 4 * LINE_RAW_MAX + 128,	/* bytes: each as \xHH */
	NOTE_MAX = 512,
};

struct transcript {
	int fd;			/* -1: stopped */
	int error;		/* the errno that stopped it, or 0 */
	long long began, now;	/* us: of the session, of the record */
	size_t bytes;		/* written so far */
	struct line_raw line;	/* of the client */
	char reply[REPLY_LINE_MAX];	/* a reply line, as far as sent */
	size_t reply_bytes;
	unsigned long long data, data_lines;	/* not yet recorded */
};

int
transcript_open_directory(const char *path)
{
	int fd, error;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
stop_transcript(struct transcript *t, int error)
{
	t->error = error;
	close(t->fd);
	t->fd = -1;
}

static void
append_record(struct transcript *t, const char *record, size_t n)
{
	static const char cut[] = "# truncated: too long\n";

	if (t->bytes + n + sizeof cut > TRANSCRIPT_MAX) {
		stop_transcript(t, file_write(t->fd, cut, sizeof cut - 1) < 0 ?
		    errno : 0);
		return;
	}
	if (file_write(t->fd, record, n) < 0)
		stop_transcript(t, errno);
	t->bytes += n;
}

/* Escape text; ends: show a space at its end.  Returns the end of out. */
static char *
escape_bytes(char *out, const char *text, size_t n, bool ends)
{
	static const char letters[] = "\r\n\t\\", names[] = "rnt\\";
	const char *p, *letter;

	for (p = text; p < text + n; p++) {
		letter = *p ? strchr(letters, *p) : NULL;
		if (letter)
			out += sprintf(out, "\\%c", names[letter - letters]);
		else if ((unsigned char)*p < ' ' || (unsigned char)*p >= 0x7f ||
		    (ends && *p == ' ' && p + 1 == text + n))
			out += sprintf(out, "\\x%02x", (unsigned char)*p);
		else
			*out++ = *p;
	}
	return out;
}

/* Write a record: n bytes, at most LINE_RAW_MAX, and unescaped text. */
static void
put_record(struct transcript *t, char speaker, const char *bytes, size_t n,
    const char *more)
{
	const long long us = t->now - t->began;
	char record[RECORD_MAX], *out = record;

	if (t->fd < 0)
		return;
	out += sprintf(out, "%lld.%06lld %c ", us / 1000000, us % 1000000,
	    speaker);
	out = escape_bytes(out, bytes, n, speaker != 'S' && !*more);
	out += sprintf(out, "%s\n", more);
	append_record(t, record, (size_t)(out - record));
}

/* Record the size of message data, or of a chunk, that is complete. */
static void
put_data_record(struct transcript *t, const char *flaws)
{
	char text[128];

	if (!t->data)
		return;
	snprintf(text, sizeof text, "\\[%llu bytes, %llu lines%s]", t->data,
	    t->data_lines, flaws);
	t->data = t->data_lines = 0;
	put_record(t, 'c', "", 0, text);
}

/* Record the replies that the stream has sent. */
static void
record_replies(void *ctx, const char *sent, size_t n)
{
	struct transcript *t = ctx;
	size_t i;

	t->now = clock_elapsed_us();
	for (i = 0; i < n; i++) {
		if (sent[i] == '\n') {
			put_record(t, 'S', t->reply, t->reply_bytes, "");
			t->reply_bytes = 0;
		} else if (sent[i] != '\r' &&
		    t->reply_bytes < sizeof t->reply) {
			t->reply[t->reply_bytes++] = sent[i];
		}
	}
}

/* Open the file of this session, unless too little disk space is left. */
static int
open_transcript_file(const struct session *s)
{
	const struct proto_options *o = s->options;

	if (file_check_room(o->transcripts,
	    (unsigned long long)o->transcript_room) < 0)
		return -1;
	return openat(o->transcripts, s->id, O_WRONLY | O_CREAT | O_EXCL |
	    O_CLOEXEC, 0600);
}

static void
put_transcript_heading(const struct session *s)
{
	const struct client *c = &s->client;
	char when[32];
	const time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
	transcript_note(s, "smtpd %s, session %s, %s", VERSION, s->id, when);
	transcript_note(s, "client %s%s%s, listener %s %s %u",
	    client_address(&s->client), *c->via ? " via " : "", c->via,
	    listener_kinds[c->kind].name, *c->local.ip ? c->local.ip :
	    "local", c->local.port);
}

static void
log_transcript_failure(const struct session *s, int error)
{
	struct log_line l;

	journal_begin(s, &l, LEVEL_WARNING, "transcript-failed");
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

void
transcript_begin(struct session *s)
{
	struct transcript *t;
	int fd;

	if (s->options->transcripts < 0)
		return;
	fd = open_transcript_file(s);
	t = fd < 0 ? NULL : calloc(1, sizeof *t);
	if (!t) {
		log_transcript_failure(s, errno);
		if (fd >= 0)
			close(fd);
		return;
	}
	t->fd = fd;
	t->began = clock_elapsed_us();
	s->transcript = t;
	s->reader.raw = &t->line;
	s->stream->sent = record_replies;
	s->stream->sent_ctx = t;
	put_transcript_heading(s);
}

void
transcript_end(struct session *s)
{
	struct transcript *t = s->transcript;

	if (!t)
		return;
	transcript_note(s, "%s", journal_end_word(s));
	if (t->fd >= 0)
		close(t->fd);
	if (t->error)
		log_transcript_failure(s, t->error);
	explicit_bzero(&t->line, sizeof t->line);
	free(t);
	s->transcript = NULL;
}

void
transcript_note(const struct session *s, const char *fmt, ...)
{
	struct transcript *t = s->transcript;
	char text[NOTE_MAX];
	va_list ap;

	if (!t)
		return;
	t->now = clock_elapsed_us();
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	put_record(t, '#', text, strlen(text), "");
}

/* Record a line of n bytes, the last `end' of which are its line end. */
static void
put_client_line(struct transcript *t, size_t n, size_t end, size_t public)
{
	const char *flaw = !end && t->line.malformed ? ", malformed" : "";
	char more[64] = "";
	size_t shown = n - end;

	if (shown > public)
		shown = public;
	if (shown > sizeof t->line.text)
		shown = sizeof t->line.text;
	if (shown < n - end)
		snprintf(more, sizeof more, "\\[%zu bytes%s]", n - end - shown,
		    flaw);
	if (end == 1)
		strcat(more, "\\n");
	if (n)
		put_record(t, end == 2 ? 'C' : 'c', t->line.text, shown, more);
}

void
transcript_line(const struct session *s, size_t public)
{
	struct transcript *t = s->transcript;

	if (!t)
		return;
	t->now = clock_elapsed_us();
	put_client_line(t, t->line.skipped, t->line.skipped_end, 0);
	put_client_line(t, t->line.n, t->line.end, public);
}

void
transcript_data(const struct session *s, const char *bytes, size_t n)
{
	struct transcript *t = s->transcript;
	const char *p = bytes, *end = bytes + n;

	if (!t)
		return;
	t->data += n;
	for (; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		t->data_lines++;
}

void
transcript_end_data(const struct session *s, const struct data *d)
{
	struct transcript *t = s->transcript;
	const bool done = d && d->done;
	char flaws[32];

	if (!t)
		return;
	t->now = clock_elapsed_us();
	if (done) {
		t->data -= d->lf_done ? 2 : 3;
		t->data_lines--;
	}
	snprintf(flaws, sizeof flaws, "%s%s", d && d->bare_cr ? ", bare CR" :
	    "", !d || !d->bare_lf ? "" : d->lf_done ? ", only bare LF" :
	    ", bare LF");
	put_data_record(t, flaws);
	if (done)
		put_record(t, d->lf_done ? 'c' : 'C', ".", 1,
		    d->lf_done ? "\\n" : "");
}
