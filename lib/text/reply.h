/*
 * A verdict as a value: what the client will hear.  Every part that has an
 * opinion of a command returns one; only the conversation sends them.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stdio.h>

enum {
	REPLY_TEXT_MAX = 1024,	/* octets, all lines and the NUL */
	REPLY_LINE_MAX = 512,	/* octets with CR LF, RFC 5321 4.5.3.1.5 */
};

struct reply {
	int code;			/* 0: no opinion, carry on */
	char text[REPLY_TEXT_MAX];	/* "2.1.5 Ok"; '\n' splits lines */
};

/* No opinion. */
static inline struct reply
reply_none(void)
{
	struct reply r;

	r.code = 0;
	r.text[0] = '\0';
	return r;
}

/* Make a reply; what does not fit REPLY_TEXT_MAX is cut. */
__attribute__((format(printf, 2, 3)))
struct reply reply_make(int code, const char *fmt, ...);

/* Add a line to a reply; what does not fit is cut. */
__attribute__((format(printf, 2, 3)))
void reply_add(struct reply *, const char *fmt, ...);

/* True for 4yz and 5yz. */
static inline bool
reply_refuses(const struct reply *r)
{
	return r->code >= 400;
}

/* True where the session ends with this reply (RFC 5321 3.8). */
static inline bool
reply_closes(const struct reply *r)
{
	return r->code == 221 || r->code == 421;
}

/*
 * Write a reply in the form of RFC 5321 4.2.1 to a stream, each line cut to
 * REPLY_LINE_MAX.  Errors stick to the stream.
 */
void reply_write(FILE *, const struct reply *);

#endif
