/*
 * Trace fields of a message that this host may have received before (RFC 5321
 * 4.4): which host and which id a Received field names, and where the header
 * that this host added ends.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Does the value of a Received field say that the message was received "by"
 * this host?
 */
bool trace_is_by(const char *received, const char *hostname);

/* Does the value of a Received field have this "id"? */
bool trace_has_id(const char *received, const char *id);

/* Offsets in a file, in bytes. */
struct trace_place {
	off_t above;		/* where the Received field with the id begins */
	off_t below;		/* where the Received field with the id ends */
	off_t end;		/* where the header ends */
};

/*
 * Append a message to another file, without the fields above the Received field
 * with this id for which drop() is true.  Blocks on the disk.  Returns 0, or -1
 * with errno set: EBADMSG if there is no such Received field.
 */
int trace_copy(int to, int from, const char *id,
    bool (*drop)(void *ctx, const char *field), void *ctx);

/*
 * Append a message to another file, with header fields below the Received field
 * with this id.  Returns as trace_copy().
 */
int trace_insert(int to, int from, const char *id, const char *fields);

/*
 * Search the header of the message in a file for a Received field with this
 * id.  Reads from offset 0 and does not move the file's own offset.  Returns
 * 1, 0 if there is none, or -1 with errno set.
 */
int trace_find(int fd, const char *id, struct trace_place *);

#endif
