/*
 * Transcripts: the dialogue of a session in a file of the --transcript
 * directory, a line for each line of the protocol.  Passwords and message data
 * are recorded by their length only.  Without --transcript these functions do
 * nothing.  An error ends the transcript and is logged once; the session goes
 * on.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "smtp/session.h"

enum {
	TRANSCRIPT_MAX = 1024 * 1024,	/* bytes; longer files are truncated */
};

/*
 * Open the directory as the user that will write there, and make it with mode
 * 0700 if it is missing.  Returns a descriptor, or -1 with errno set.
 */
int transcript_open_directory(const char *path);

/* Begin a transcript, and end it after the stream is closed. */
void transcript_begin(struct session *);
void transcript_end(struct session *);

/* Record a note: one line, without control characters. */
__attribute__((format(printf, 2, 3)))
void transcript_note(const struct session *, const char *fmt, ...);

/*
 * Record the line that line_read() has read last, or its beginning.  Only the
 * first `public' bytes are shown; the length of the others is recorded.
 */
void transcript_line(const struct session *, size_t public);

/*
 * Count n bytes of message data as received; then record the size of all of
 * it, or of a chunk, for which data is NULL.
 */
void transcript_data(const struct session *, const char *, size_t n);
void transcript_end_data(const struct session *, const struct data *);

#endif
