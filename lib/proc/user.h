/* The user that a privileged start becomes, and what is left to him. */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <sys/types.h>

enum { DESCRIPTORS_MAX = 1024 };	/* of a process, and of its commands */

struct user {
	const char *name, *home;
	uid_t uid;
	gid_t gid;
};

/*
 * Look up USER or USER:GROUP.  Returns NULL, or which part does not exist.
 */
const char *user_find(struct user *, const char *spec);

/*
 * Become that user, groups too, and make sure that there is no way back.
 * Returns 0, or -1 with errno set.
 */
int user_become(const struct user *);

/*
 * Whoever this process is now: unless that is root it has no capabilities any
 * more; it leaves no core, other processes of the same user can't look into
 * it, its descriptors are limited, and unless it may, no program that it
 * runs gains privileges.  Returns NULL, or with errno set what failed.
 */
const char *user_confine(bool may_gain);

#endif
