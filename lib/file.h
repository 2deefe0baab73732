/* Whole writes and copies, where the system calls may do less. */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Write all n octets.  Returns 0, or -1 with errno set. */
int file_write(int fd, const void *buf, size_t n);

/*
 * Append what `from` holds from an offset to its end to `to`; in the kernel,
 * where it can do that.  Returns 0, or -1 with errno set.
 */
int file_append(int to, int from, off_t offset);

/* The same for a part of it, which ends before the offset end. */
int file_append_part(int to, int from, off_t offset, off_t end);

/*
 * The disk may begin with what was written: fsync, which must follow, has less
 * to wait for then.  Does not block on the disk, and can't fail.
 */
void file_begin_sync(int fd);

/*
 * Is there room for that many octets, and for a file, where fd is?  Returns 0,
 * or -1 with errno set: ENOSPC.
 */
int file_check_room(int fd, unsigned long long octets);

/*
 * A file that is written through a large buffer.  Writing never blames: the
 * first error sticks.
 */
enum {
	OUTFILE_BUFFER = 65536,		/* octets that go to it at a time */
	OUTFILE_DIRECT = 32768,		/* that go to it without a copy */
};

struct outfile {
	int fd;
	int error;			/* errno of the first failed write */
	/*
	 * Asked when a write failed, with errno set; or NULL.  Returns 0 where
	 * fd is another file, at its end, that has what was written before.
	 */
	int (*rescue)(struct outfile *);
	void *ctx;			/* its own */
	unsigned long long written;	/* octets */
	unsigned long long size, lines;	/* that were put; see above */
	char last;
	size_t n;
	char *buf;			/* OUTFILE_BUFFER octets */
};

/* Begin with a file; the descriptor and the buffer stay the caller's. */
void outfile_begin(struct outfile *, int fd, char *buf);
void outfile_put(struct outfile *, const char *, size_t n);

/* The same where the lines that end in it were counted. */
void outfile_put_lines(struct outfile *, const char *, size_t n,
    unsigned long long lines);

/* The first n octets of another file, read at its beginning. */
void outfile_put_file(struct outfile *, int from, unsigned long long n);

/* At most 1,023 octets; longer text is cut. */
__attribute__((format(printf, 2, 3)))
void outfile_printf(struct outfile *, const char *fmt, ...);

/* Write what is buffered.  Returns 0, or -1 with errno set to error. */
int outfile_flush(struct outfile *);

#endif
