/* Descriptors that a process was left by the program that started it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/proc/descriptors.h"

enum { DESCRIPTORS_LOOK = 1024 };	/* at so many, without /proc */

static bool
is_kept(int fd, const int *keep, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* False where /proc can't be read to its end. */
static bool
close_listed(int first, const int *keep, size_t n)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;
	bool ended;
	int fd;

	if (!dir)
		return false;
	while (errno = 0, (entry = readdir(dir))) {
		fd = (int)strtol(entry->d_name, NULL, 10);
		if (fd >= first && fd != dirfd(dir) && !is_kept(fd, keep, n))
			close(fd);
	}
	ended = errno == 0;
	closedir(dir);
	return ended;
}

void
descriptors_close(int first, const int *keep, size_t n)
{
	int fd;

	if (close_listed(first, keep, n))
		return;
	for (fd = first; fd < DESCRIPTORS_LOOK; fd++)
		if (!is_kept(fd, keep, n) && fcntl(fd, F_GETFD) >= 0)
			close(fd);
}

void
descriptors_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
		return;
#endif
	descriptors_close(first, NULL, 0);
}

int
descriptors_fill_standard(void)
{
	int fd, filled = 0;

	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		if (open("/dev/null", O_RDWR) != fd)
			return -1;
		filled |= 1 << fd;
	}
	return filled;
}

int
descriptors_set_null(int fd)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int set;

	if (null < 0)
		return -1;
	set = dup2(null, fd);
	close(null);
	return set < 0 ? -1 : 0;
}
