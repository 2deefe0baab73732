/*
 * A reply to the client, as a value.  Every module that has an opinion about a
 * command returns one; only the command loop sends it.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stdbool.h>
#include <stdio.h>

enum {
	REPLY_TEXT_MAX = 1024,	/* bytes of all lines, with the NUL */
	REPLY_LINE_MAX = 512,	/* bytes with CR LF, RFC 5321 4.5.3.1.5 */
};

struct reply {
	int code;			/* 0: no opinion, carry on */
	char text[REPLY_TEXT_MAX];	/* "2.1.5 Ok"; '\n' splits lines */
	const char *hook;		/* event of the hook that refused, for
					   the log; NULL: none did */
	const char *command;		/* of that hook */
	const char *hint;		/* for the log: what the administrator
					   can do about it; NULL: nothing */
};

/* No opinion. */
static inline struct reply
reply_none(void)
{
	struct reply r;

	r.code = 0;
	r.text[0] = '\0';
	r.hook = r.command = r.hint = NULL;
	return r;
}

/* Make a reply; text longer than REPLY_TEXT_MAX is truncated. */
__attribute__((format(printf, 2, 3)))
struct reply reply_make(int code, const char *fmt, ...);

/* Add a line to a reply; text beyond REPLY_TEXT_MAX is truncated. */
__attribute__((format(printf, 2, 3)))
void reply_add(struct reply *, const char *fmt, ...);

/* Is it a 4xx or 5xx reply? */
static inline bool
reply_refuses(const struct reply *r)
{
	return r->code >= 400;
}

/* Does the session end with this reply (RFC 5321 3.8)? */
static inline bool
reply_closes(const struct reply *r)
{
	return r->code == 221 || r->code == 421;
}

/*
 * Write a reply in the format of RFC 5321 4.2.1 to a stream, each line
 * truncated to REPLY_LINE_MAX.  Blocks as the stream does.  Errors are left in
 * the stream, for ferror().
 */
void reply_write(FILE *, const struct reply *);

#endif
