/*
 * The dialogue of a session as a file, in the directory that options name: a
 * line for each line of the protocol, with what would be a password, and the
 * message, by their length only.  Where none is written, none of these does
 * anything; and what goes wrong with one is logged once, and hurts nobody.
 */
#ifndef TRANSCRIPT_H
#define TRANSCRIPT_H

#include "smtp/session.h"

enum {
	TRANSCRIPT_MAX = 1024 * 1024,	/* octets of a file; then it is cut */
};

/*
 * Open the directory, made if need be, as the user who will write there.
 * Returns a descriptor, or -1 with errno set.
 */
int transcript_open_directory(const char *path);

/* Begin one, and end it, once the stream is closed. */
void transcript_begin(struct session *);
void transcript_end(struct session *);

/* A remark of ours: one line, without control octets. */
__attribute__((format(printf, 2, 3)))
void transcript_note(const struct session *, const char *fmt, ...);

/*
 * The client's line that line_read() read last, or what came of it; all but
 * the first so many octets are told by their number only.
 */
void transcript_line(const struct session *, size_t public);

/*
 * So many octets of the message, as they came; and that was all of them, or
 * of the chunk, whose data is NULL.
 */
void transcript_data(const struct session *, const char *, size_t n);
void transcript_end_data(const struct session *, const struct data *);

#endif
