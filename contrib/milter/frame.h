/*
 * Frames of the milter protocol: a length in 4 bytes, a command in one, and
 * data.  The reader is fed with bytes as they come.
 */
#ifndef MILTER_FRAME_H
#define MILTER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FRAME_MAX = 1 << 20,	/* bytes of a frame from a milter, the largest
				   of SMFIP_MDS_* */
};

struct frame {
	char command;
	const char *data;	/* what is not yet read of it */
	size_t len;
};

/* All zero at first. */
struct frame_reader {
	char *buf;
	size_t start, end, room;	/* buf[start] to buf[end] are unread */
};

/* Add n bytes.  Returns 0, or -1 without memory. */
int frame_feed(struct frame_reader *, const void *, size_t n);

/*
 * Get the next frame.  Returns 1; 0 if more bytes are needed; or -1 if the
 * length is 0 or more than FRAME_MAX, and then always.  The frame is valid
 * until the next frame_feed().
 */
int frame_next(struct frame_reader *, struct frame *);

void frame_free(struct frame_reader *);

/* Read a number in network order.  False: too short. */
bool frame_number(struct frame *, uint32_t *);

/* Read a string, which has a NUL at its end; NULL: it has none. */
const char *frame_string(struct frame *);

#endif
