/* The user that a process started as root becomes, and the limits it sets. */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <sys/types.h>

enum { DESCRIPTORS_MAX = 1024 };	/* per process, also of commands */

struct user {
	const char *name, *home;
	uid_t uid;
	gid_t gid;
};

/*
 * Look up USER or USER:GROUP, which are names, or numbers that no name equals.
 * A uid without an entry in passwd has itself as its name, / as its home, and a
 * group of the same number.  name and home are allocated and never freed.
 * Returns NULL, or which part does not exist: "user" or "group".
 */
const char *user_find(struct user *, const char *spec);

/*
 * Become that user and its groups for good, and verify it.  Returns 0, or -1
 * with errno set.
 */
int user_become(const struct user *);

/*
 * Drop all capabilities, unless this process is root.  Forbid core dumps and
 * tracing by other processes of the user, and limit descriptors.  Unless
 * may_gain is set, no program that it runs gains privileges (no_new_privs).
 * Returns NULL, or what failed, with errno set.
 */
const char *user_confine(bool may_gain);

#endif
