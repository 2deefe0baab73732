/*
 * Maildirs and their content: each file must be one complete message after the
 * header fields of the server.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "every.h"

#define LINES	900		/* more bytes than a single write */

static const char *base;
static int n_users, in_folder;

const char *
mail_text(long n, size_t *len)
{
	static char text[LINES * 100];
	static size_t size;
	static long made;
	int i;

	if (made != n) {
		size = (size_t)sprintf(text, "Subject: %ld\n\n", n);
		for (i = 0; i < LINES; i++)
			size += (size_t)sprintf(text + size, "%078d\n", i);
		size += (size_t)sprintf(text + size, "The end of %ld.\n", n);
		made = n;
	}
	*len = size;
	return text;
}

static void
make(const char *path)
{
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		err(2, "%s", path);
}

static const char *
path_of(int user, const char *part)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/mail/u%d/%s", base, user, part);
	return path;
}

void
mail_make(const char *root, int users, int folder)
{
	static const char *const parts[] = { "", "tmp", "new", "cur" };
	char path[4096];
	int user, i;

	base = root;
	n_users = users;
	in_folder = folder;
	snprintf(path, sizeof(path), "%s/mail", base);
	make(path);
	snprintf(path, sizeof(path), "%s/handed", base);
	make(path);
	snprintf(path, sizeof(path), "%s/spool", base);
	make(path);
	for (user = 0; user < users; user++)
		for (i = 0; i < 4; i++)
			make(path_of(user, parts[i]));
}

/* Call a function for each file of a directory.  Returns the sum. */
static int
each_file(const char *path, int (*call)(int, const char *, long), long arg)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int sum = 0;

	if (d == NULL && in_folder && errno == ENOENT)
		return 0;
	if (d == NULL)
		err(2, "%s", path);
	while ((e = readdir(d)) != NULL)
		if (*e->d_name != '.')
			sum += call(dirfd(d), e->d_name, arg);
	closedir(d);
	return sum;
}

static int
discard(int dir, const char *name, long arg)
{
	(void)arg;
	if (unlinkat(dir, name, 0) == -1)
		err(2, "%s", name);
	return 1;
}

/* Remove the folder, so that the server makes it again. */
static void
remove_folder(int user)
{
	static const char *const parts[] = {
		".Junk/tmp", ".Junk/new", ".Junk/cur", ".Junk",
	};
	int i;

	each_file(path_of(user, ".Junk/new"), discard, 0);
	unlink(path_of(user, ".Junk/maildirfolder"));
	for (i = 0; i < 4; i++)
		if (rmdir(path_of(user, parts[i])) == -1 && errno != ENOENT)
			err(2, "%s", path_of(user, parts[i]));
}

void
mail_empty(int tmp_too)
{
	char path[4096];
	int user;

	for (user = 0; user < n_users; user++) {
		if (tmp_too)
			each_file(path_of(user, "tmp"), discard, 0);
		each_file(path_of(user, "new"), discard, 0);
		if (in_folder)
			remove_folder(user);
	}
	snprintf(path, sizeof(path), "%s/handed", base);
	each_file(path, discard, 0);
	snprintf(path, sizeof(path), "%s/spool", base);
	each_file(path, discard, 0);
}

/* Are all lines header fields that the server adds? */
static int
is_ours(const char *p, const char *end)
{
	static const char *const names[] = {
		"Return-Path: ", "Delivered-To: ", "Received: ", "\t",
	};
	const char *newline;
	size_t i;

	for (; p < end; p = newline + 1) {
		for (i = 0; i < 4; i++)
			if (strncmp(p, names[i], strlen(names[i])) == 0)
				break;
		newline = memchr(p, '\n', (size_t)(end - p));
		if (i == 4 || newline == NULL)
			return 0;
	}
	return 1;
}

/* 1 for the complete n-th message, else a number that spoils the sum. */
static int
look(int dir, const char *name, long n)
{
	static char buf[LINES * 100 + 4096];
	size_t len;
	const char *text = mail_text(n, &len);
	int fd = openat(dir, name, O_RDONLY);
	ssize_t got;

	if (fd == -1)
		err(2, "%s", name);
	got = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (got <= (ssize_t)len)
		return 1000;
	buf[got] = '\0';
	return memcmp(buf + got - len, text, len) == 0 &&
	    is_ours(buf, buf + got - len) ? 1 : 1000;
}

int
mail_kept(int user, long n)
{
	int sum = each_file(path_of(user, in_folder ? ".Junk/new" : "new"),
	    look, n);

	if (in_folder)
		sum += 1000 * each_file(path_of(user, "new"), look, n);
	return sum < 1000 ? sum : -1;
}

int
mail_handed(long n)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/handed", base);
	return each_file(path, look, n) % 1000;
}

static int
grow_old(int dir, const char *name, long age)
{
	const struct timespec then = { time(NULL) - age, 0 };
	const struct timespec times[] = { then, then };

	if (age && utimensat(dir, name, times, 0) == -1)
		err(2, "%s", name);
	return 1;
}

/* Does the file have any content? */
static int
weigh(int dir, const char *name, long arg)
{
	struct stat st;

	(void)arg;
	if (fstatat(dir, name, &st, 0) == -1)
		err(2, "%s", name);
	return st.st_size > 0;
}

int
mail_left(long age)
{
	char path[4096];
	int user, sum;

	snprintf(path, sizeof(path), "%s/spool", base);
	sum = each_file(path, weigh, 0);
	for (user = 0; user < n_users; user++)
		sum += each_file(path_of(user, "tmp"), grow_old, age);
	return sum;
}
