/*
 * Programs on disk.  access(2) decides, not the mode, because the user may be
 * root or have an ACL.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/proc/program.h"

enum { SCRIPT_LINE_MAX = 256 };	/* bytes after which exec cuts a "#!" line */

static bool
is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* Cut path after the first directory that this user can't search, if any. */
static bool
cut_at_closed_directory(char *path)
{
	char *slash = path;

	while ((slash = strchr(slash + 1, '/'))) {
		*slash = '\0';
		if (access(path, X_OK) < 0)
			return true;
		*slash = '/';
	}
	return false;
}

/* Why can't this user execute the file? */
static const char *
explain_obstacle(const char *path)
{
	static char text[4096 + 160];
	const struct passwd *pw = getpwuid(geteuid());
	char user[64], directory[4096];
	struct stat st;
	const int error = stat(path, &st) < 0 ? errno : 0;

	snprintf(user, sizeof user, "uid %ld (%s)", (long)geteuid(), pw ?
	    pw->pw_name : "no name");
	snprintf(directory, sizeof directory, "%s", path);
	if (error == EACCES && cut_at_closed_directory(directory))
		snprintf(text, sizeof text, "%s cannot search %s; move the "
		    "program to a directory that this user can search", user,
		    directory);
	else if (error)
		snprintf(text, sizeof text, "%s", strerror(error));
	else if (!S_ISREG(st.st_mode))
		snprintf(text, sizeof text, "not a file");
	else
		snprintf(text, sizeof text, "not executable for %s; run chmod "
		    "a+rx", user);
	return text;
}

/* Search PATH for a name, and write the path of the first program. */
static bool
search_path(const char *name, char *path, size_t size)
{
	const char *dir = getenv("PATH"), *end;

	for (dir = dir ? dir : "/usr/bin:/bin"; dir; dir = end) {
		end = strchr(dir, ':');
		snprintf(path, size, "%.*s/%s", end ? (int)(end - dir) :
		    (int)strlen(dir), dir, name);
		if (is_executable(path))
			return true;
		end = end ? end + 1 : NULL;
	}
	return false;
}

const char *
program_find(char **name)
{
	char path[4096];

	if (strchr(*name, '/'))
		return is_executable(*name) ? NULL : explain_obstacle(*name);
	if (!search_path(*name, path, sizeof path))
		return "command not found in PATH";
	*name = strdup(path);
	return *name ? NULL : "out of memory";
}

static bool
is_in_path(const char *name)
{
	char path[4096];

	return strchr(name, '/') ? is_executable(name) :
	    search_path(name, path, sizeof path);
}

/* Read the first line, less "#!", of a script.  False: it is not one. */
static bool
read_script_line(const char *path, char *line)
{
	char buf[SCRIPT_LINE_MAX + 1];
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const ssize_t n = fd < 0 ? -1 : read(fd, buf, SCRIPT_LINE_MAX);

	if (fd >= 0)
		close(fd);
	if (n < 2 || memcmp(buf, "#!", 2) != 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	strcpy(line, buf + 2);
	return true;
}

bool
program_lacks_interpreter(const char *path, char *name, size_t size)
{
	char line[SCRIPT_LINE_MAX + 1], *rest = line, *word;
	bool env;

	if (!read_script_line(path, line) || !(word = strtok_r(line, " \t",
	    &rest)))
		return false;
	env = strcmp(word, "/usr/bin/env") == 0 ||
	    strcmp(word, "/bin/env") == 0;
	if (is_executable(word) && env)
		do
			word = strtok_r(NULL, " \t", &rest);
		while (word && (*word == '-' || strchr(word, '=')));
	snprintf(name, size, "%s", word ? word : "");
	return word && !(env ? is_in_path(word) : is_executable(word));
}
