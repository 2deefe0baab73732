/*
 * Complete writes and copies.  Short writes and interrupted calls are handled
 * here, so that callers see success or an error only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/text/line.h"

enum {
	COPY_CHUNK = 1 << 30,	/* bytes of one copy_file_range(2) */
	COPY_BUFFER = 32768,	/* bytes */
};

static const off_t FILE_END = 1LL << 62;	/* beyond the end of any file */

/*
 * With an off_t of 32 bits FILE_END would be 0 and copies would be empty; with
 * a time_t of 32 bits dates end in 2038.  The Makefile sets both macros.
 */
_Static_assert(sizeof(off_t) == 8, "compile with -D_FILE_OFFSET_BITS=64");
_Static_assert(sizeof(time_t) == 8, "compile with -D_TIME_BITS=64");

int
file_write(int fd, const void *buf, size_t n)
{
	const char *p = buf;
	ssize_t written;

	while (n > 0) {
		written = write(fd, p, n);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			if (written == 0)
				errno = ENOSPC;
			return -1;
		}
		p += written;
		n -= (size_t)written;
	}
	return 0;
}

static int
copy_with_buffer(int to, int from, off_t offset, off_t end)
{
	char buf[COPY_BUFFER];
	off_t left;
	ssize_t got;

	for (; (left = end - offset) > 0; offset += got) {
		got = pread(from, buf, left < COPY_BUFFER ? (size_t)left :
		    sizeof buf, offset);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got == 0)
			return 0;
		else if (got < 0 || file_write(to, buf, (size_t)got) < 0)
			return -1;
	}
	return 0;
}

int
file_append_part(int to, int from, off_t offset, off_t end)
{
	ssize_t copied;
	off_t left;

	do {
		left = end - offset;
		copied = left <= 0 ? 0 : copy_file_range(from, &offset, to,
		    NULL, left < COPY_CHUNK ? (size_t)left : COPY_CHUNK, 0);
	} while (copied > 0 || (copied < 0 && errno == EINTR));
	/* it may be unsupported, or return 0 before the end of the file */
	return copy_with_buffer(to, from, offset, end);
}

int
file_append(int to, int from, off_t offset)
{
	return file_append_part(to, from, offset, FILE_END);
}

void
file_begin_sync(int fd)
{
	(void)!sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

void
outfile_begin(struct outfile *o, int fd, char *buf)
{
	*o = (struct outfile){ .fd = fd, .buf = buf };
}

int
file_check_room(int fd, unsigned long long bytes)
{
	struct statvfs vfs;

	if (fstatvfs(fd, &vfs) < 0)
		return -1;
	if ((unsigned long long)vfs.f_bavail * vfs.f_frsize < bytes ||
	    (vfs.f_files && vfs.f_favail == 0)) {
		errno = ENOSPC;
		return -1;
	}
	return 0;
}

/* Write to the file, or to the one that replaces it after an error. */
static void
write_to_file(struct outfile *o, const char *s, size_t n)
{
	while (!o->error && file_write(o->fd, s, n) < 0)
		if (!o->replace_file || o->replace_file(o) < 0)
			o->error = errno;
	o->written += n;
}

void
outfile_put_lines(struct outfile *o, const char *s, size_t n,
    unsigned long long lines)
{
	size_t part;

	o->size += n;
	o->lines += lines;
	if (n)
		o->last = s[n - 1];
	for (; n > 0; s += part, n -= part) {
		if (o->n == 0 && n >= OUTFILE_DIRECT) {
			write_to_file(o, s, n);
			return;
		}
		part = OUTFILE_BUFFER - o->n;
		if (part > n)
			part = n;
		memcpy(o->buf + o->n, s, part);
		o->n += part;
		if (o->n == OUTFILE_BUFFER)
			outfile_flush(o);
	}
}

void
outfile_put(struct outfile *o, const char *s, size_t n)
{
	char last = o->last;

	outfile_put_lines(o, s, n, line_count(s, n, &last));
}

void
outfile_put_file(struct outfile *o, int from, unsigned long long n)
{
	char buf[4096];
	off_t offset = 0;
	ssize_t got;

	for (; n > 0 && !o->error; n -= (unsigned long long)got) {
		got = pread(from, buf, n < sizeof buf ? (size_t)n :
		    sizeof buf, offset);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got <= 0)
			o->error = got < 0 ? errno : EIO;
		else
			outfile_put(o, buf, (size_t)got);
		if (o->error)
			return;
		offset += got;
	}
}

void
outfile_printf(struct outfile *o, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		outfile_put(o, text, (size_t)n < sizeof text ?
		    (size_t)n : sizeof text - 1);
}

int
outfile_flush(struct outfile *o)
{
	write_to_file(o, o->buf, o->n);
	o->n = 0;
	errno = o->error;
	return o->error ? -1 : 0;
}
