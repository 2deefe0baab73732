/*
 * The log: one line for each event, as KEY=value pairs or JSON.  A line is at
 * most LOG_LINE_MAX bytes and is written by one write(2), so that the lines of
 * several workers don't mix.  Values are escaped here; callers pass what the
 * client sent unchanged.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
	LOG_LINE_MAX = 4096,	/* bytes; PIPE_BUF on Linux */
	LOG_VALUE_MAX = 1000,	/* bytes of an escaped value */
};

enum log_level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

struct log_options {
	bool json;
	bool verbose;	/* log LEVEL_DEBUG, too */
	bool syslog;	/* log to syslog(3) instead of standard error */
};

/*
 * Configure the log.  Until this is called it is plain text on standard error.
 * If standard error is a socket other than the journal's, it may be the
 * client's connection and is never written to: the log goes to syslog(3), and
 * an unconnected socket replaces descriptor 2.
 */
void log_open(const struct log_options *);

/*
 * Is the log text on a terminal?  Lines then begin with columns for the local
 * time and the event, which is coloured unless NO_COLOR is set.
 */
bool log_is_terminal(void);

/* Does the log go to syslog(3)? */
bool log_is_syslog(void);

/* If the log goes to syslog(3), pass lines to this function instead. */
void log_relay(void (*)(void *ctx, int priority, const char *line, size_t len),
    void *ctx);

/*
 * Log for another process: lines that it relays by log_forward(), and own ones,
 * have its pid in syslog(3).  All descriptors but standard error may be closed
 * after this.
 */
void log_speak_for(pid_t);

/* Log a line that another process relayed, which has no control characters. */
void log_forward(int priority, const char *line);

/*
 * One event, built in memory: log_begin(), any number of pairs, log_end().
 * Lines of a level that is not logged are not built.
 */
struct log_line {
	bool off;		/* this level is not logged */
	bool full;		/* further pairs are omitted */
	enum log_level level;
	size_t len;		/* bytes in buf */
	char buf[LOG_LINE_MAX];
};

/* Start a line with the time, the level and the event. */
void log_begin(struct log_line *, enum log_level, const char *event);

/* Append a pair, whose value is escaped, and truncated if it is too long. */
void log_str(struct log_line *, const char *key, const char *value);

/* Append a pair with a number, which is never truncated. */
void log_num(struct log_line *, const char *key, long long value);

/* Write the line.  Blocks as standard error does; errors are ignored. */
void log_end(struct log_line *);

/* Log an error: KEY=what error=strerror(errno). */
void log_errno(const char *event, const char *key, const char *what);

/*
 * Write "smtpd: ..." to the log as plain text, and exit with a status of
 * sysexits(3).  For errors at start-up only.
 */
__attribute__((noreturn, format(printf, 2, 3)))
void fatal(int status, const char *fmt, ...);

#endif
