/*
 * The log: one line an event, KEY=value or JSON, written with one write(2) of
 * at most LOG_LINE_MAX octets, so that the lines of many workers don't mix.
 * Values are escaped here, once; callers pass what the client sent as it is.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

enum {
	LOG_LINE_MAX = 4096,	/* bytes; PIPE_BUF on Linux */
	LOG_VALUE_MAX = 1000,	/* bytes of a value, as it is written */
};

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

struct log_options {
	bool json;
	bool verbose;	/* LEVEL_DEBUG too */
	bool syslog;	/* instead of descriptor 2 */
};

/*
 * Where descriptor 2 is a socket it may be the client's, and is never written
 * to (that of the journal aside): everything goes to syslog then, and
 * log_open() puts a socket of nobody's in its place.  Until that is called, the
 * log is plain text.
 */
void log_open(const struct log_options *);

/*
 * Do the lines go to a terminal, as text?  Then they are for eyes: a short
 * time, the event in its column, and in colour (unless NO_COLOR is set), then
 * KEY=value as ever.
 */
bool log_is_for_eyes(void);

/* Do they go to syslog? */
bool log_is_syslog(void);

/* One event.  A line that is not wanted costs nothing. */
struct log_line {
	bool off;
	bool full;
	enum log_level level;
	size_t len;
	char buf[LOG_LINE_MAX];
};

void log_begin(struct log_line *, enum log_level, const char *event);
void log_str(struct log_line *, const char *key, const char *value);
void log_num(struct log_line *, const char *key, long long value);
void log_end(struct log_line *);

/* An event with an error: KEY=what error=strerror(errno). */
void log_errno(const char *event, const char *key, const char *what);

/*
 * Say "smtpd: ..." where errors go, and exit with a status of sysexits(3).
 * For start-up only.
 */
__attribute__((noreturn, format(printf, 2, 3)))
void fatal(int status, const char *fmt, ...);

#endif
