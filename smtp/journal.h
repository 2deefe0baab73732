/* What a session logs, and what ps and the status file show of it. */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "lib/log.h"
#include "smtp/session.h"

/* Begin a log line, with the client and the session. */
void journal_begin(const struct session *, struct log_line *, enum log_level,
    const char *event);

/* Show the client in ps; call it whenever the client is another one. */
void journal_show_client(const struct session *);

/*
 * Show what the session does: the name of a command or of an event, with the
 * bytes of the message so far.
 */
void journal_show(const struct session *, const char *phase,
    unsigned long long bytes);

/*
 * Log that a command was refused with this reply; line is what the client
 * sent, or NULL.  After 200 refusals, or too many bytes of them, they are only
 * counted.
 */
void journal_refusal(struct session *, const char *command, const char *line,
    const struct reply *);

/* The same for one recipient, of a message that others may receive. */
void journal_refused_recipient(struct session *, const char *command,
    const char *recipient, const struct reply *);

/* Log and count a message that was kept; size in bytes, as RFC 1870 counts. */
void journal_message(const struct session *, unsigned long long size);

/*
 * Log that the client left within a transaction, and the event whose hook ran
 * then, or NULL.
 */
void journal_lost(const struct session *, const char *hook);

/* A word for how the session ended. */
const char *journal_end_word(const struct session *);

/* Log the end of the session. */
void journal_end(const struct session *);

#endif
