/*
 * The message on standard input: its fields, which a milter may change, and its
 * body.
 */
#ifndef MILTER_MESSAGE_H
#define MILTER_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FIELDS_MAX = 65536,	/* number of header fields */
	ADDED_MAX = 1 << 20,	/* bytes of fields that a milter may add */
	GROWTH_MAX = 64 << 20,	/* bytes by which a new body may exceed the
				   message */
};

/* A field with its line ends. */
struct field {
	const char *text;
	size_t len;
	enum { FIELD_KEPT, FIELD_NEW, FIELD_REPLACED } state;
};

struct message {
	const char *error;	/* why it can't be read or changed, or NULL */
	const char *refusal;	/* why it is rejected then: a reply; or NULL */
	const char *text;	/* all of it */
	size_t len;
	struct field *fields;
	size_t n_fields, room;
	size_t top;		/* the first field that is not a trace field
				   above our Received */
	size_t own;		/* our Received; NO_FIELD: there is none */
	const char *body;	/* what follows the fields: an empty line and
				   the body, or a body without that line */
	bool separated;		/* there is an empty line */
	const char *space;	/* between the colon and the value of fields
				   that are changed: "" or " " */
	int new_body;		/* a file that replaces the body, or -1 */
	bool changed;
	bool only_added;	/* the changes are new fields and no others */

	/* private */
	size_t n_added, n_body;
	char last;		/* the last byte of the new body */
	bool cr;		/* a CR of it is held */
};

#define NO_FIELD ((size_t)-1)

/*
 * Read the message of this descriptor, and find the Received field with this
 * id, which may be NULL.  Returns -1 with an error.  Either way the caller owes
 * message_close().
 */
int message_open(struct message *, int fd, const char *id);

/* Free what message_open() and the changes have allocated. */
void message_close(struct message *);

/* Free a field that is no longer in the list. */
void message_drop(struct field *);

/* Is a milter shown this field?  It is not shown our trace fields. */
bool message_shows(const struct message *, size_t field);

/* The length of the name of a field; 0: this line is no field. */
size_t message_name(const char *line, const char *end);

bool message_is_named(const struct field *, const char *name);

/* The body without the empty line before it. */
const char *message_body(const struct message *);

/* Put a field at this place of the list.  Returns -1 with an error. */
int message_place(struct message *, size_t at, const struct field *);

/*
 * Change fields as Postfix does.  Numbers of insert count from our Received,
 * which is 0; those of replace count the fields of that name that were shown,
 * from 1.  An empty value deletes.  Each returns -1 with an error.
 */
int message_add(struct message *, const char *name, const char *value);
int message_insert(struct message *, size_t number, const char *name,
    const char *value);
int message_replace(struct message *, size_t number, const char *name,
    const char *value);

/* Add a piece of a new body, with CR LF.  Returns -1 with an error. */
int message_put_body(struct message *, const char *, size_t n);

/* Write the message to a descriptor.  Returns -1 with an error. */
int message_write(struct message *, int fd);

#endif
