/*
 * What a trace header says when it comes back to us (RFC 5321 4.4): by whom a
 * message was received, and where our own header ends.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <sys/types.h>

/* Was it "by" this host?  received is the value of a Received field. */
bool trace_is_by(const char *received, const char *hostname);

/* Has it this "id"? */
bool trace_has_id(const char *received, const char *id);

/* The octets of a file. */
struct trace_place {
	off_t above;		/* where the Received with our id begins */
	off_t below;		/* where the Received with our id ends */
	off_t end;		/* where the header ends */
};

/*
 * Append a message, less the fields above our Received that drop() wants out,
 * to another file.  Returns 0, or -1 with errno set: EBADMSG where there is no
 * such Received.
 */
int trace_copy(int to, int from, const char *id,
    bool (*drop)(void *ctx, const char *field), void *ctx);

/*
 * Look through the header of the message in a file.  Returns 1, 0 where there
 * is no Received with that id, or -1 with errno set.
 */
int trace_find(int fd, const char *id, struct trace_place *);

#endif
