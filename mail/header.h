/*
 * A parser for the header of a message (RFC 5322 2.2) that is read as a
 * stream.  It calls back for each field up to the empty line, and passes on
 * the message without the fields of one name.  It keeps one field and the
 * beginning of a line in memory.
 *
 * A line that is not a field does not end the header, so that fields after it
 * are still counted.  But it may be the first line of the body, so nothing
 * after it is dropped.
 */
#ifndef HEADER_H
#define HEADER_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HEADER_FIELD_KEPT = 2000,	/* bytes of an unfolded field */
	HEADER_NAME_MAX = 77,		/* bytes, RFC 5322 2.1.1 less ":" */
	HEADER_BEGIN_MAX = 128,		/* bytes up to the ":" of a field */
};

struct header {
	/* called with "Name: value"; or NULL */
	void (*field)(void *ctx, const char *field);
	/* called with the message, without the dropped fields; or NULL */
	void (*put)(void *ctx, const char *, size_t n);
	const char *dropped;	/* name of the fields to drop; or NULL */
	void *ctx;

	bool over;		/* the header has ended */
	/* offset of the end of the field during its call, then of the header */
	unsigned long long end;

	/* private */
	unsigned long long read;	/* bytes so far */
	bool within;		/* in a line whose kind is known */
	bool doubtful;		/* a line was not a field: maybe the body */
	bool open, dropping;	/* in a field; in one that is dropped */
	bool begun;		/* put was called */
	size_t n_held;
	char held[HEADER_BEGIN_MAX];
	size_t len;
	char text[HEADER_FIELD_KEPT + 1];
};

/* Initialize, without callbacks; set them before header_scan(). */
void header_init(struct header *, void *ctx);

/*
 * Process the next n bytes of the message, whose lines end with LF or CR LF.
 * After the header all bytes are passed on.  If the message begins with
 * neither a field nor an empty line, an empty line is put before it, so that
 * it can't continue a header above it.
 */
void header_scan(struct header *, const char *, size_t n);

/* The message is complete; processes what is still held. */
void header_finish(struct header *);

/* The value of a field, if it has this name in any case; else NULL. */
const char *header_value(const char *field, const char *name);

/*
 * Copy the value of a field of this name to buf of size bytes, unless buf has
 * that of an earlier one.  A value that does not fit is truncated.
 */
void header_keep(const char *field, const char *name, char *buf, size_t size);

#endif
