/*
 * The header of a message as it streams by: a call for each field (RFC 5322
 * 2.2), until the empty line.  It changes nothing and keeps one field.
 */
#ifndef HEADER_H
#define HEADER_H

#include <stdbool.h>
#include <stddef.h>

enum {
	HEADER_FIELD_KEPT = 2000,	/* octets of an unfolded field */
	HEADER_NAME_MAX = 77,		/* octets, RFC 5322 2.1.1 less ":" */
};

struct header {
	void (*field)(void *ctx, const char *field);	/* "Name: value" */
	void *ctx;
	bool over;		/* the empty line was seen */
	bool line_begins;
	size_t len;
	char text[HEADER_FIELD_KEPT + 1];
};

void header_init(struct header *, void (*field)(void *, const char *),
    void *ctx);

/* Look at the next n octets of the message (lines end with LF or CR LF). */
void header_scan(struct header *, const char *, size_t n);

/* Does a message that begins so begin with a header field, or with the empty
 * line behind none?  1, 0, or -1: can't be told from so few octets. */
int header_begins(const char *, size_t n);

/* The value of the field, if that is its name in any case; else NULL. */
const char *header_value(const char *field, const char *name);

#endif
