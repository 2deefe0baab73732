/*
 * A reader for frames.  It allocates as much as was received, whatever length
 * a frame claims to have.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/milter/frame.h"

int
frame_feed(struct frame_reader *r, const void *bytes, size_t n)
{
	size_t room = r->room ? r->room : 4096;
	char *more;

	if (r->start > 0)
		memmove(r->buf, r->buf + r->start, r->end - r->start);
	r->end -= r->start;
	r->start = 0;
	while (room - r->end < n)
		room *= 2;
	if (room != r->room) {
		more = realloc(r->buf, room);
		if (!more)
			return -1;
		r->buf = more;
		r->room = room;
	}
	memcpy(r->buf + r->end, bytes, n);
	r->end += n;
	return 0;
}

int
frame_next(struct frame_reader *r, struct frame *f)
{
	uint32_t len;

	if (r->end - r->start < sizeof len)
		return 0;
	memcpy(&len, r->buf + r->start, sizeof len);
	len = ntohl(len);
	if (len == 0 || len > FRAME_MAX)
		return -1;
	if (r->end - r->start - sizeof len < len)
		return 0;
	r->start += sizeof len;
	f->command = r->buf[r->start];
	f->data = r->buf + r->start + 1;
	f->len = len - 1;
	r->start += len;
	return 1;
}

void
frame_free(struct frame_reader *r)
{
	free(r->buf);
	*r = (struct frame_reader){ .buf = NULL };
}

bool
frame_number(struct frame *f, uint32_t *n)
{
	if (f->len < sizeof *n)
		return false;
	memcpy(n, f->data, sizeof *n);
	*n = ntohl(*n);
	f->data += sizeof *n;
	f->len -= sizeof *n;
	return true;
}

const char *
frame_string(struct frame *f)
{
	const char *s = f->data;
	const char *nul = f->len ? memchr(s, '\0', f->len) : NULL;

	if (!nul)
		return NULL;
	f->len -= (size_t)(nul + 1 - s);
	f->data = nul + 1;
	return s;
}
