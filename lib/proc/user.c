/*
 * The user that a process started as root becomes.  Each change is verified,
 * and none can be undone.
 */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/proc/user.h"

/* Parse a uid or gid.  All bits set would mean "unchanged" to the kernel. */
static bool
parse_id(const char *text, unsigned *id)
{
	const size_t digits = strspn(text, "0123456789");
	const unsigned long n = strtoul(text, NULL, 10);

	*id = (unsigned)n;
	return digits > 0 && digits <= 10 && text[digits] == '\0' &&
	    n < UINT_MAX;
}

/* A uid without an entry has a group of the same number. */
static bool
find_user(struct user *u, const char *name)
{
	const struct passwd *pw = getpwnam(name);
	unsigned id;

	if (!pw && !parse_id(name, &id))
		return false;
	if (!pw)
		pw = getpwuid(id);
	*u = pw ? (struct user){ strdup(pw->pw_name), strdup(pw->pw_dir),
	    pw->pw_uid, pw->pw_gid } :
	    (struct user){ strdup(name), strdup("/"), id, id };
	return true;
}

static bool
find_group(struct user *u, const char *name)
{
	const struct group *gr = getgrnam(name);
	unsigned id;

	if (!gr && !parse_id(name, &id))
		return false;
	u->gid = gr ? gr->gr_gid : id;
	return true;
}

const char *
user_find(struct user *u, const char *spec)
{
	const char *colon = strchr(spec, ':');
	char *name = colon ? strndup(spec, (size_t)(colon - spec)) :
	    strdup(spec);
	const bool found = name && find_user(u, name);

	free(name);
	if (!found)
		return "user";
	if (!u->name || !u->home)
		return "memory";
	return colon && !find_group(u, colon + 1) ? "group" : NULL;
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

/* systemd may have given one, for a port below 1024. */
static int
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
	size_t i;

	if (geteuid() == 0)
		return 0;
	if (syscall(SYS_capget, &header, caps) < 0)
		return -1;
	for (i = 0; i < sizeof caps / sizeof *caps; i++)
		if (caps[i].permitted | caps[i].effective | caps[i].inheritable)
			break;
	if (i == sizeof caps / sizeof *caps)
		return 0;
	memset(caps, 0, sizeof caps);
	return (int)syscall(SYS_capset, &header, caps);
}

/* A lower limit stays. */
static int
limit_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return -1;
	if (l.rlim_cur == DESCRIPTORS_MAX && l.rlim_max == DESCRIPTORS_MAX)
		return 0;
	if (l.rlim_max > DESCRIPTORS_MAX)
		l.rlim_max = DESCRIPTORS_MAX;
	l.rlim_cur = l.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &l);
}

/* systemd may have set the limit, and forbidden to set it again. */
static int
forbid_cores(void)
{
	const struct rlimit none = { 0, 0 };
	struct rlimit l;

	if (getrlimit(RLIMIT_CORE, &l) < 0)
		return -1;
	return l.rlim_max ? setrlimit(RLIMIT_CORE, &none) : 0;
}

const char *
user_confine(bool may_gain)
{
	if (drop_capabilities() < 0)
		return "cannot drop capabilities";
	if (limit_descriptors() < 0)
		return "cannot limit descriptors";
	if (forbid_cores() < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return "cannot forbid core dumps";
	if (!may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return "cannot set no_new_privs (--allow-setuid does without)";
	return NULL;
}
