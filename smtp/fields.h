/*
 * The header fields that hooks add above a message with HEADER=.  Each lasts as
 * long as its event: the connection, HELO or the transaction.
 */
#ifndef FIELDS_H
#define FIELDS_H

#include <stdbool.h>
#include <stddef.h>

enum { FIELDS_MAX = 8192 };	/* bytes of all of them */

struct fields {
	char *text;			/* FIELDS_MAX bytes, which the owner
					   frees; or NULL */
	size_t n;			/* bytes in use */
	size_t n_connection;		/* bytes of the connection's fields */
	size_t n_hello;			/* and of those of HELO after them */
};

/*
 * Add a field, "Name: value" of len bytes, and fold it.  Returns 0, or -1 if it
 * is not a header field (RFC 5322 2.2) or there is no room for it.
 */
int fields_add(struct fields *, const char *field, size_t len);

/* Keep the first n bytes, and drop the fields after them. */
void fields_cut(struct fields *, size_t n);

#endif
