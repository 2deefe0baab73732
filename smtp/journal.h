/*
 * What a session logs, and what ps and the status file show of it.  Nothing
 * here blocks for long or fails.
 */
#ifndef JOURNAL_H
#define JOURNAL_H

#include "lib/log.h"
#include "smtp/session.h"

/*
 * Begin a log line with the client and the session; the caller adds to it and
 * calls log_end().
 */
void journal_begin(const struct session *, struct log_line *, enum log_level,
    const char *event);

/* Show the client in ps; to be called when the client changes. */
void journal_show_client(const struct session *);

/*
 * Show what the session does: phase is the name of a command or hook event, and
 * bytes is the size of the message so far.
 */
void journal_show(const struct session *, const char *phase,
    unsigned long long bytes);

/* Show the phase of the session. */
void journal_show_phase(const struct session *);

/*
 * End a line about a hook that failed.  Its bytes count with those of refusals,
 * and beyond a limit the line is dropped: a client that makes hooks fail can't
 * fill the disk with log lines.
 */
void journal_end_hook_line(struct session *, struct log_line *);

/*
 * Log that a command was refused with this reply; line is what the client
 * sent, or NULL.  After 200 refusals, or too many bytes, refusals are counted
 * but not logged.
 */
void journal_refusal(struct session *, const char *command, const char *line,
    const struct reply *);

/* The same for one recipient of a message that others may receive (LMTP). */
void journal_refused_recipient(struct session *, const char *command,
    const char *recipient, const struct reply *);

/*
 * Log a message that was accepted, by a line each if it was stored and if it
 * was discarded, and count it if it was stored; size in bytes as RFC 1870
 * defines it.
 */
void journal_accepted(struct session *, unsigned long long size);

/*
 * Log that the client disconnected within a transaction.  hook is the event
 * whose hook was running, or NULL.
 */
void journal_lost(const struct session *, const char *hook);

/* How the session ended, in one word: "closed", "timeout" and so on. */
const char *journal_end_word(const struct session *);

/* Log that a client has connected, at level debug. */
void journal_connected(const struct session *);

/* Log and count the end of the session. */
void journal_end(const struct session *);

#endif
