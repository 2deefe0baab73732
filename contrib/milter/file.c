/*
 * Files, mapped or temporary.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "contrib/milter/file.h"

int
file_write(int fd, const void *data, size_t n)
{
	const char *p = data;
	ssize_t done;

	while (n > 0) {
		done = write(fd, p, n);
		if (done < 0 && errno != EINTR)
			return -1;
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
	return 0;
}

int
file_temporary(void)
{
	const char *dir = getenv("TMPDIR");
	char path[4096];
	int fd;

	if (!dir || !*dir)
		dir = "/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd;
	if (snprintf(path, sizeof path, "%s/smtpd-milter.XXXXXX", dir) >=
	    (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* A temporary file with what is read from a descriptor. */
static int
copy_to_file(int from)
{
	const int to = file_temporary();
	char buf[65536];
	ssize_t n;

	if (to < 0)
		return -1;
	while ((n = read(from, buf, sizeof buf)) != 0)
		if ((n < 0 && errno != EINTR) ||
		    (n > 0 && file_write(to, buf, (size_t)n) < 0)) {
			close(to);
			return -1;
		}
	return to;
}

const char *
file_map(int fd, size_t *len)
{
	struct stat st;
	void *p;

	/* a file of /proc has the size 0 */
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
	    lseek(fd, 0, SEEK_CUR) != 0) {
		fd = copy_to_file(fd);
		if (fd < 0 || fstat(fd, &st) < 0)
			return NULL;
	}
	*len = (size_t)st.st_size;
	if (*len == 0)
		return "";
	p = mmap(NULL, *len, PROT_READ, MAP_PRIVATE, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}
