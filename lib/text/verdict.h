/*
 * The meaning of a hook's exit: its status, standard output and whether it
 * wrote to standard error become a reply.  It has no side effects; running the
 * hook is done elsewhere.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/reply.h"

enum {
	VERDICT_SKIP = 99,	/* exit status: accept, skip later hooks */
	VERDICT_BROKEN = 126,	/* this and above come from the shell */
	VERDICT_LINES = 10,	/* lines of a reply, at most */
};

struct hook_end {
	bool failed;		/* killed, timed out or not started */
	int status;		/* exit status, unless failed */
	bool complained;	/* it wrote to stderr */
	const char *out;	/* stdout: len bytes and a NUL */
	size_t len;
};

/*
 * The verdict of a hook.  With check, status 1 and an empty stderr rejects
 * with the reply `refusal' ("550 5.7.1 ..."); without, it is a failure.  Code
 * 0 is no opinion, 250 accepts with a text, 4xx and 5xx reject.
 */
struct reply verdict_of(const struct hook_end *, bool check,
    const char *refusal);

/* Is this the reply for a hook that failed and gave no verdict? */
bool verdict_is_failure(const struct reply *);

/*
 * Find the next line "NAME=value" with this name in out.  *pos, 0 at first, is
 * where to start, and is advanced past the line.  Returns the value in out,
 * which is not NUL-terminated and may have NUL in it, and its length in *len;
 * NULL if there is none.
 */
const char *verdict_line(const struct hook_end *, const char *name,
    size_t *pos, size_t *len);

/*
 * The value of the first line of out, if that is "NAME=value"; else NULL.  It
 * is for hooks whose output may be a copy of the message.
 */
const char *verdict_first_line(const struct hook_end *, const char *name,
    size_t *len);

#endif
