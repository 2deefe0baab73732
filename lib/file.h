/*
 * Complete writes and copies: each function writes all of it or fails, where
 * a system call may write less.
 */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Write all n bytes to a blocking descriptor.  Returns 0, or -1 with errno
 * set.
 */
int file_write(int fd, const void *buf, size_t n);

/*
 * Append the contents of `from`, from an offset to the end, to `to`, with
 * copy_file_range(2) if the file systems support it.  Returns 0, or -1 with
 * errno set.
 */
int file_append(int to, int from, off_t offset);

/* The same, up to but not including the offset end. */
int file_append_part(int to, int from, off_t offset, off_t end);

/*
 * Start writing a file's data to disk, so that the fsync(2) that must follow
 * has less to wait for.  Does not block on the disk; errors are ignored,
 * because fsync(2) reports them.
 */
void file_begin_sync(int fd);

/*
 * Check that the file system of fd has space for this many bytes and for one
 * more file.  Returns 0, or -1 with errno set: ENOSPC if it has not.
 */
int file_check_room(int fd, unsigned long long bytes);

/*
 * A file that is written through a large buffer.  Writing reports no errors:
 * the first one is kept, nothing is written after it, and outfile_flush()
 * returns it.
 */
enum {
	OUTFILE_BUFFER = 65536,		/* bytes of the buffer */
	OUTFILE_DIRECT = 32768,		/* bytes; larger blocks bypass an
					   empty buffer */
};

struct outfile {
	int fd;
	int error;			/* errno of the first failed write */
	/*
	 * Called when a write failed, with errno set; may be NULL.  Returns 0
	 * if it has replaced fd by another file that has all that was written
	 * before, and is positioned at its end; the write is repeated then.
	 */
	int (*replace_file)(struct outfile *);
	void *ctx;			/* for replace_file */
	unsigned long long written;	/* bytes written to fd */
	unsigned long long size;	/* bytes put, written or buffered */
	unsigned long long lines;	/* the same in lines, as line_count()
					   counts them */
	char last;			/* byte that was put */
	size_t n;			/* bytes in buf */
	char *buf;			/* OUTFILE_BUFFER bytes */
};

/*
 * Start writing to fd.  The descriptor and the buffer remain the caller's.
 */
void outfile_begin(struct outfile *, int fd, char *buf);

/* Append n bytes.  Blocks on the disk when the buffer is full. */
void outfile_put(struct outfile *, const char *, size_t n);

/* The same, if the caller has counted the lines in it. */
void outfile_put_lines(struct outfile *, const char *, size_t n,
    unsigned long long lines);

/*
 * Append the first n bytes of another file.  A shorter file is an error: EIO.
 */
void outfile_put_file(struct outfile *, int from, unsigned long long n);

/* Append formatted text.  Text longer than 1023 bytes is truncated. */
__attribute__((format(printf, 2, 3)))
void outfile_printf(struct outfile *, const char *fmt, ...);

/*
 * Write the contents of the buffer.  Returns 0, or -1 with errno set to the
 * first error since outfile_begin().
 */
int outfile_flush(struct outfile *);

#endif
