/* The user that a privileged start becomes, for good. */
#ifndef USER_H
#define USER_H

#include <sys/types.h>

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

#endif
