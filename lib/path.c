/*
 * Open a directory by its path, one component at a time.  Each component is
 * checked after it was opened, so it can't be replaced between check and use.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/path.h"

enum { LINKS_MAX = 40 };	/* the limit of Linux: path_resolution(7) */

struct walk {
	int at;			/* the directory reached, or -1 */
	char left[PATH_MAX];	/* components still to be opened */
	unsigned links;		/* symbolic links followed */
	bool foreign;		/* one of them was another user's */
};

static int
open_start(const char *path)
{
	return open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* Continue with the target of a symbolic link. */
static int
follow_link(struct walk *w, int link, const struct stat *st)
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
	w->at = open_start(w->left);
	return w->at < 0 ? -1 : 0;
}

/*
 * Open the next component.  Returns 1, 0 if there is none, or -1 with errno
 * set.
 */
static int
open_component(struct walk *w)
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
		failed = follow_link(w, fd, &st);
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
	struct walk w = { .at = open_start(path) };
	int more = -1, error;

	if (strlen(path) < sizeof w.left) {
		strcpy(w.left, path);
		while (w.at >= 0 && (more = open_component(&w)) > 0)
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

const char *
path_absolute(const char *path, char *buf, size_t size)
{
	const char *rest = path;
	size_t len;

	if (*path == '/' || !getcwd(buf, size) || *buf != '/')
		return path;
	while (rest[0] == '.' && rest[1] == '/')
		rest += 2 + strspn(rest + 2, "/");
	len = strcmp(buf, "/") == 0 ? 0 : strlen(buf);
	if ((size_t)snprintf(buf + len, size - len, "/%s", rest) >= size - len)
		return path;
	return buf;
}
