/*
 * The log: one line for each event.  This file decides where lines go and how
 * they are escaped; it does not decide what is logged.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/text/utf8.h"

#define CUT	"..."	/* follows a truncated value */

enum {
	LINE_ROOM = LOG_LINE_MAX - 4,	/* "}\n", the NUL, a quote */
	CUT_ROOM = 5,			/* CUT and quotes */
	ESCAPED_MAX = 8,		/* bytes of an escaped character and NUL */
	REPLACEMENT = 0xfffd,		/* U+FFFD, for bytes that are not UTF-8 */
};

static struct {		/* set once, at start-up */
	struct log_options options;
	bool to_syslog;
	bool to_journal;
	bool to_client;	/* descriptor 2 may be the client's */
	bool to_terminal;
	bool in_colour;
	void (*relay)(void *ctx, int priority, const char *line, size_t len);
	void *relay_ctx;
} sink;

static bool
is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char *end;

	return stream && strtoull(stream, &end, 10) == st->st_dev &&
	    *end == ':' && strtoull(end + 1, NULL, 10) == st->st_ino;
}

static void
choose_destination(bool want_syslog)
{
	struct stat st;
	bool known = fstat(STDERR_FILENO, &st) == 0;

	sink.to_journal = known && is_journal(&st);
	sink.to_client = known && S_ISSOCK(st.st_mode) && !sink.to_journal;
	sink.to_syslog = want_syslog || sink.to_client;
	/* a compromised worker must not overwrite earlier lines */
	if (known && S_ISREG(st.st_mode))
		fcntl(STDERR_FILENO, F_SETFL,
		    fcntl(STDERR_FILENO, F_GETFL) | O_APPEND);
	if (sink.to_syslog)
		openlog("smtpd", LOG_PID | LOG_NDELAY, LOG_MAIL);
}

/*
 * libc writes to descriptor 2, too, before it aborts.  The replacement is a
 * socket, so that the program that a restart executes makes the same decision.
 */
static void
replace_client_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (fd < 0)
		return;
	dup2(fd, STDERR_FILENO);
	close(fd);
}

void
log_open(const struct log_options *options)
{
	const char *no_color = getenv("NO_COLOR");

	sink.options = *options;
	choose_destination(options->syslog);
	if (sink.to_client)
		replace_client_socket();
	sink.to_terminal = !sink.to_syslog && !options->json &&
	    isatty(STDERR_FILENO);
	sink.in_colour = sink.to_terminal && !(no_color && *no_color);
}

bool
log_is_terminal(void)
{
	return sink.to_terminal;
}

bool
log_is_syslog(void)
{
	return sink.to_syslog;
}

void
log_relay(void (*relay)(void *, int, const char *, size_t), void *ctx)
{
	sink.relay = relay;
	sink.relay_ctx = ctx;
}

void
log_speak_for(pid_t pid)
{
	static char ident[sizeof "smtpd[]" + 3 * sizeof pid];

	if (!sink.to_syslog)
		return;
	closelog();
	snprintf(ident, sizeof ident, "smtpd[%ld]", (long)pid);
	openlog(ident, 0, LOG_MAIL);
}

void
log_forward(int priority, const char *line)
{
	if (sink.to_syslog)
		syslog(priority, "%s", line);
}

static void
append_bytes(struct log_line *l, const char *s, size_t n)
{
	if (l->full || n > LINE_ROOM - l->len) {
		l->full = true;
		return;
	}
	memcpy(l->buf + l->len, s, n);
	l->len += n;
}

/* Is the byte unchanged within quotes? */
static bool
is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x7f && c != '"' && c != '\\';
}

/*
 * Escape the first character of s into out, with a NUL.  Returns the bytes of s
 * that were used.  JSON is UTF-8; in text, each byte outside ASCII is escaped.
 */
static size_t
escape_character(const char *s, char *out)
{
	const char *next = s;
	const unsigned char byte = (unsigned char)*s;
	long c;

	if (byte == '"' || byte == '\\') {
		sprintf(out, "\\%c", byte);
		return 1;
	}
	if (!sink.options.json) {
		sprintf(out, "\\x%02x", byte);
		return 1;
	}
	c = utf8_next(&next);
	if (c < 0) {
		c = REPLACEMENT;
		next = s + 1;
	}
	if (utf8_is_harmless(c))
		out[utf8_put(c, out)] = '\0';
	else
		sprintf(out, "\\u%04x", (unsigned)c & 0xffff);
	return (size_t)(next - s);
}

static bool
needs_quotes(const char *s)
{
	if (*s == '\0')
		return true;
	for (; *s; s++)
		if (*s == ' ' || *s == '=' || !is_plain((unsigned char)*s))
			return true;
	return false;
}

/* Count the bytes at the beginning of s that need no escape, up to max. */
static size_t
count_plain_bytes(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && is_plain((unsigned char)s[n]))
		n++;
	return n;
}

/* Append a value, escaped; one of more than max bytes is truncated. */
static void
append_log_value(struct log_line *l, const char *s, bool quoted, size_t max)
{
	const size_t end = l->len + quoted + max;
	char escaped[ESCAPED_MAX];
	size_t n;

	if (quoted)
		append_bytes(l, "\"", 1);
	while (*s) {
		n = count_plain_bytes(s, end - l->len);
		append_bytes(l, s, n);
		s += n;
		if (!*s)
			break;
		n = escape_character(s, escaped);
		if (l->len + strlen(escaped) > end) {
			append_bytes(l, CUT, strlen(CUT));
			break;
		}
		append_bytes(l, escaped, strlen(escaped));
		s += n;
	}
	if (quoted)
		append_bytes(l, "\"", 1);
}

/*
 * Append a pair.  If the line has no space for LOG_VALUE_MAX bytes, a value
 * that may be cut is truncated to what fits.  A pair that does not fit is
 * omitted, as are all that follow.
 */
static void
append_pair(struct log_line *l, const char *key, const char *value, bool quoted,
    bool may_be_cut)
{
	const size_t before = l->len;
	size_t room;

	if (l->off || l->full)
		return;
	if (sink.options.json) {
		append_bytes(l, before > 1 ? ",\"" : "\"", before > 1 ? 2 : 1);
		append_bytes(l, key, strlen(key));
		append_bytes(l, "\":", 2);
	} else {
		if (before)
			append_bytes(l, " ", 1);
		append_bytes(l, key, strlen(key));
		append_bytes(l, "=", 1);
	}
	room = LINE_ROOM - l->len;
	if (may_be_cut && room < LOG_VALUE_MAX + CUT_ROOM)
		append_log_value(l, value, quoted, room > CUT_ROOM ?
		    room - CUT_ROOM : 0);
	else
		append_log_value(l, value, quoted, LOG_VALUE_MAX);
	if (l->full)
		l->len = before;
}

void
log_str(struct log_line *l, const char *key, const char *value)
{
	append_pair(l, key, value, sink.options.json || needs_quotes(value),
	    true);
}

void
log_num(struct log_line *l, const char *key, long long value)
{
	unsigned long long n = value < 0 ? -(unsigned long long)value :
	    (unsigned long long)value;
	char text[24], *p = text + sizeof text;

	*--p = '\0';
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	if (value < 0)
		*--p = '-';
	append_pair(l, key, p, false, false);
}

/* The text of a second is kept for the lines that follow in it. */
static void
append_time(struct log_line *l)
{
	static time_t last = -1;
	static char text[] = "2026-01-01T00:00:00.000Z";
	const long long us = clock_us();
	const time_t seconds = (time_t)(us / 1000000);
	const int ms = (int)(us % 1000000 / 1000);
	const size_t point = sizeof text - sizeof ".000Z";
	struct tm tm;

	if (seconds != last) {
		gmtime_r(&seconds, &tm);
		strftime(text, point + 1, "%Y-%m-%dT%H:%M:%S", &tm);
		text[point] = '.';
		last = seconds;
	}
	text[point + 1] = (char)('0' + ms / 100);
	text[point + 2] = (char)('0' + ms / 10 % 10);
	text[point + 3] = (char)('0' + ms % 10);
	log_str(l, "time", text);
}

/* Append the local time and the event, in columns. */
static void
append_columns(struct log_line *l, const char *event)
{
	static const char *const colour[] = {
		[LEVEL_ERROR] = "\033[31m", [LEVEL_WARNING] = "\033[33m",
		[LEVEL_INFO] = "\033[1m", [LEVEL_DEBUG] = "\033[2m",
	};
	const time_t now = (time_t)(clock_us() / 1000000);
	char text[64], at[16];
	struct tm tm;
	int n;

	localtime_r(&now, &tm);
	strftime(at, sizeof at, "%H:%M:%S", &tm);
	n = snprintf(text, sizeof text, "%s %s%-16s%s", at,
	    sink.in_colour ? colour[l->level] : "", event,
	    sink.in_colour ? "\033[0m" : "");
	append_bytes(l, text, (size_t)n);
}

void
log_begin(struct log_line *l, enum log_level level, const char *event)
{
	l->off = level == LEVEL_DEBUG && !sink.options.verbose;
	l->full = false;
	l->level = level;
	l->len = 0;
	if (l->off)
		return;
	if (sink.to_terminal) {
		append_columns(l, event);
		return;
	}
	if (sink.options.json)
		append_bytes(l, "{", 1);
	if (!sink.to_syslog && !sink.to_journal)
		append_time(l);
	log_str(l, "event", event);
}

/* Write a line at once.  The journal reads a priority before it: <N>. */
static void
write_line(char *text, size_t len, int priority)
{
	char prefix[] = { '<', (char)('0' + priority), '>' };
	struct iovec parts[] = {
		{ prefix, sizeof prefix }, { text, len },
	};
	const int from = sink.to_journal ? 0 : 1;

	while (writev(STDERR_FILENO, parts + from, 2 - from) < 0 &&
	    errno == EINTR)
		;
}

void
log_end(struct log_line *l)
{
	static const int priority[] = {
		[LEVEL_ERROR] = LOG_ERR, [LEVEL_WARNING] = LOG_WARNING,
		[LEVEL_INFO] = LOG_INFO, [LEVEL_DEBUG] = LOG_DEBUG,
	};

	if (l->off)
		return;
	if (sink.options.json)
		l->buf[l->len++] = '}';
	if (sink.to_syslog) {
		l->buf[l->len] = '\0';
		if (sink.relay)
			sink.relay(sink.relay_ctx, priority[l->level], l->buf,
			    l->len);
		else
			syslog(priority[l->level], "%s", l->buf);
		return;
	}
	l->buf[l->len++] = '\n';
	write_line(l->buf, l->len, priority[l->level]);
}

void
log_errno(const char *event, const char *key, const char *what)
{
	struct log_line l;
	int error = errno;

	log_begin(&l, LEVEL_ERROR, event);
	log_str(&l, key, what);
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

void
fatal(int status, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (!sink.to_syslog)
		choose_destination(false);
	if (sink.to_syslog)
		syslog(LOG_ERR, "%s", text);
	if (!sink.to_client)
		dprintf(STDERR_FILENO, "%ssmtpd: %s\n",
		    sink.to_journal ? "<3>" : "", text);
	exit(status);
}
