/* The user that a privileged start becomes, for good. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user.h"

const char *
user_find(struct user *u, const char *spec)
{
	const char *colon = strchr(spec, ':');
	struct passwd *pw;
	struct group *gr;
	char *name;

	name = colon ? strndup(spec, (size_t)(colon - spec)) : strdup(spec);
	pw = name ? getpwnam(name) : NULL;
	free(name);
	if (!pw)
		return "user";
	*u = (struct user){ strdup(pw->pw_name), strdup(pw->pw_dir),
	    pw->pw_uid, pw->pw_gid };
	if (!u->name || !u->home)
		return "memory";
	if (!colon)
		return NULL;
	gr = getgrnam(colon + 1);
	if (!gr)
		return "group";
	u->gid = gr->gr_gid;
	return NULL;
}

int
user_become(const struct user *u)
{
	uid_t r, e, s;

	if (initgroups(u->name, u->gid) < 0 ||
	    setresgid(u->gid, u->gid, u->gid) < 0 ||
	    setresuid(u->uid, u->uid, u->uid) < 0 ||
	    getresuid(&r, &e, &s) < 0)
		return -1;
	if (r != u->uid || e != u->uid || s != u->uid ||
	    getgid() != u->gid || (u->uid != 0 && setuid(0) == 0)) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
