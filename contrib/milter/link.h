/*
 * The connection to a milter: frames out, frames in, each before a deadline.
 */
#ifndef MILTER_LINK_H
#define MILTER_LINK_H

#include "contrib/milter/frame.h"

enum {
	LINK_DATA_MAX = 65535,	/* bytes of data that a milter reads */
};

struct link {
	int fd;
	long long timeout;	/* ms for a frame to be sent or received */
	const char *error;	/* the first one, or NULL */
	bool closed;		/* by the milter */

	/* private */
	struct frame_reader in;
	size_t begun;		/* where the current frame begins in out */
	size_t n_out;
	char out[2 * (LINK_DATA_MAX + 5)];
};

/*
 * Make a frame: begin, put the parts, end.  Data is at most LINK_DATA_MAX bytes
 * together; more is an error.  Frames are sent when there are many, or by
 * link_flush().  Errors stick.
 */
void link_begin(struct link *, char command);
void link_put(struct link *, const void *, size_t n);
void link_put_number(struct link *, uint32_t);
void link_put_string(struct link *, const char *);	/* with its NUL */
void link_end(struct link *);

/* Send what is waiting.  Returns -1 if there is an error. */
int link_flush(struct link *);

/* Flush, then receive one frame.  Returns -1 if there is an error. */
int link_receive(struct link *, struct frame *);

/* Start with a connection. */
void link_open(struct link *, int fd, long long timeout);

/* Close, whatever is waiting, and free. */
void link_close(struct link *);

#endif
