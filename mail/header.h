/*
 * The header of a message as it streams by (RFC 5322 2.2): a call for each
 * field, until the empty line; and the octets themselves, less the fields of
 * one name.  It keeps one field and the beginning of a line.
 *
 * A line that is no field does not end the header for who counts fields, but
 * it may begin the body: nothing is left out behind it.
 */
#ifndef HEADER_H
#define HEADER_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HEADER_FIELD_KEPT = 2000,	/* octets of an unfolded field */
	HEADER_NAME_MAX = 77,		/* octets, RFC 5322 2.1.1 less ":" */
	HEADER_BEGIN_MAX = 128,		/* octets to the ":" of a field */
};

struct header {
	/* "Name: value", or NULL: nobody wants to know */
	void (*field)(void *ctx, const char *field);
	/* what is left of the message; or NULL */
	void (*put)(void *ctx, const char *, size_t n);
	const char *dropped;	/* name of the fields that are not put */
	void *ctx;

	bool over;		/* the header is */
	/* octets to the end of the field, at its call, and of the header */
	unsigned long long end;

	/* private */
	unsigned long long read;	/* octets so far */
	bool within;		/* a line that is known for what it is */
	bool doubtful;		/* a line was no field: is this the body? */
	bool open, dropping;	/* a field; which is not put */
	bool begun;		/* something was put */
	size_t n_held;
	char held[HEADER_BEGIN_MAX];
	size_t len;
	char text[HEADER_FIELD_KEPT + 1];
};

/* Begin; the callbacks may be set then. */
void header_init(struct header *, void *ctx);

/*
 * Take the next n octets of the message, whose lines end with LF or CR LF.
 * Behind the header all are put.  Where no field and no empty line comes
 * first, an empty line is put there, so that the message does not fold into a
 * header above it.
 */
void header_scan(struct header *, const char *, size_t n);

/* The message ends here. */
void header_finish(struct header *);

/* The value of the field, if that is its name in any case; else NULL. */
const char *header_value(const char *field, const char *name);

#endif
