/*
 * What a hook's end means: from exit status, standard output and whether it
 * complained, to a reply.  Pure.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/reply.h"

enum {
	VERDICT_SKIP = 99,	/* exit status: accept, ask no later hook */
	VERDICT_BROKEN = 126,	/* from here on the status is the shell's */
	VERDICT_LINES = 10,	/* of a reply, at most */
};

struct hook_end {
	bool failed;		/* killed, timed out, never started */
	int status;		/* else */
	bool complained;	/* it wrote to stderr */
	const char *out;	/* stdout, with a NUL behind len octets */
	size_t len;
};

/*
 * The verdict of a hook.  check: status 1 without a complaint refuses, with
 * the reply `refusal'; elsewhere it is a failure.  Code 0 is no opinion, 250
 * accepts with a text, 4yz and 5yz refuse.
 */
struct reply verdict_of(const struct hook_end *, bool check,
    const char *refusal);

/* Is this the verdict of a hook that failed, and so gave none of its own? */
bool verdict_is_failure(const struct reply *);

/*
 * The next line "NAME=value" in out behind *pos with this name, which starts
 * at 0.  Returns the value, not NUL-terminated, and its length; or NULL.
 */
const char *verdict_line(const struct hook_end *, const char *name,
    size_t *pos, size_t *len);

#endif
