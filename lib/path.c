/*
 * The directory that a path leads to.  Each component is opened by itself, and
 * what was opened is looked at, so that nobody can change it in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/path.h"

enum { LINKS_MAX = 40 };	/* as the kernel has it: path_resolution(7) */

struct walk {
	int at;			/* the directory so far; -1: the root's */
	char left[PATH_MAX];	/* of the path */
	unsigned links;
	bool foreign;
};

static int
begin(const char *path)
{
	return open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Put what a link says in place of its name. */
static int
follow(struct walk *w, int link, const struct stat *st)
{
	char path[PATH_MAX];
	ssize_t n = readlinkat(link, "", path, sizeof path);
	size_t rest = strlen(w->left);

	if (n < 0)
		return -1;
	if (++w->links > LINKS_MAX || n == 0) {
		errno = ELOOP;
		return -1;
	}
	if ((size_t)n + 1 + rest >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	path[n] = '/';
	memcpy(path + n + 1, w->left, rest + 1);
	memcpy(w->left, path, (size_t)n + 1 + rest + 1);
	w->foreign |= st->st_uid != 0 && st->st_uid != geteuid();
	if (*w->left != '/')
		return 0;
	close(w->at);
	w->at = begin(w->left);
	return w->at < 0 ? -1 : 0;
}

/* Go on to the next component: 1, 0 where there is none, or -1. */
static int
step(struct walk *w)
{
	char *name = w->left + strspn(w->left, "/");
	const size_t len = strcspn(name, "/");
	char component[NAME_MAX + 1];
	struct stat st;
	int fd, failed;

	if (len == 0)
		return 0;
	if (len >= sizeof component) {
		errno = ENAMETOOLONG;
		return -1;
	}
	snprintf(component, sizeof component, "%.*s", (int)len, name);
	memmove(w->left, name + len, strlen(name + len) + 1);
	fd = openat(w->at, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	failed = fstat(fd, &st);
	if (!failed && S_ISLNK(st.st_mode)) {
		failed = follow(w, fd, &st);
		close(fd);
		return failed ? -1 : 1;
	}
	close(w->at);
	w->at = fd;
	if (!failed && !S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		failed = -1;
	}
	return failed ? -1 : 1;
}

int
path_open_dir(const char *path, bool *foreign)
{
	struct walk w = { .at = begin(path) };
	int more = -1, error;

	if (strlen(path) < sizeof w.left) {
		strcpy(w.left, path);
		while (w.at >= 0 && (more = step(&w)) > 0)
			;
	} else {
		errno = ENAMETOOLONG;
	}
	*foreign = w.foreign;
	if (more == 0)
		return w.at;
	error = errno;
	if (w.at >= 0)
		close(w.at);
	errno = error;
	return -1;
}
