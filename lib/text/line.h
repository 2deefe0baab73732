/*
 * Line ends.  A command line ends with CR LF and message data with
 * CR LF . CR LF; nothing else ends them, except for lenient clients.  A server
 * that disagrees with the next one about where data ends can be used to smuggle
 * mail, so line ends are interpreted here only.
 */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stdio.h>

enum {
	LINE_FLOOD_MAX = 1024 * 1024,	/* bytes without an end: disconnect */
	LINE_RAW_MAX = 2048,		/* bytes of a line in a transcript */
};

enum line_status {
	LINE_OK,
	LINE_END,	/* end of file, an error or a timeout */
	LINE_MALFORMED,	/* a control character, NUL, a bare CR or LF */
	LINE_LONG,
	LINE_FLOOD,	/* longer than LINE_FLOOD_MAX: stop reading */
};

/* A line as it was received, for transcripts. */
struct line_raw {
	char text[LINE_RAW_MAX];	/* the beginning of it */
	size_t n;	/* bytes received, including the line end */
	size_t end;	/* bytes of the line end: 2 for CR LF, 1 for LF, 0 if
			   it was not received */
	bool malformed;	/* by the last byte */
	/* the remainder of a malformed line, skipped before this line */
	size_t skipped, skipped_end;
};

struct line_reader {
	FILE *in;
	struct line_raw *raw;	/* the line read last; NULL: not recorded */
	bool lf_ends;	/* a bare LF ends a line, too */
	bool cr;	/* the last byte was CR */
	bool skip;	/* the remainder of this line is skipped */
	bool is_long;	/* it is skipped because the line is too long, which
			   is reported at its end */
	size_t octets;	/* bytes of this line so far */
	int bad;	/* the byte that makes a line malformed */
};

/* Start reading from a stream, which remains the caller's. */
void line_init(struct line_reader *, FILE *, bool lf_ends);

/*
 * Read one line into buf, without its line end and with a NUL.  size counts
 * CR LF, so that it equals the limits of RFC 5321 4.5.3.1.  A bad line is
 * reported once: one that is too long at its end, a malformed one at the first
 * bad byte, because its sender may not send an end.  The next call skips its
 * remainder.  For a bad or incomplete line buf has its valid beginning.
 * Blocks as the stream does.
 */
enum line_status line_read(struct line_reader *, char *buf, size_t size);

/*
 * Count the LF among n bytes that have no CR before them.  *last is the byte
 * before the first one, and is set to the last one.
 */
unsigned long long line_count(const char *, size_t n, char *last);

/* The decoder of message data, from the wire to the stored form. */
struct data {
	enum data_state {
		DATA_BEGIN_LINE, DATA_DOT, DATA_DOT_CR, DATA_TEXT, DATA_CR,
		DATA_LF, DATA_LF_DOT, DATA_LF_DOT_CR	/* after a bare LF */
	} state;
	bool chunked;		/* BDAT: the size is known, dots are data */
	bool lenient;		/* a bare CR becomes a space; LF . LF ends
				   data that has no CR LF */
	bool done;		/* CR LF . CR LF was seen, or . CR LF first */
	bool lf_done;		/* done by LF . LF, or . LF first */
	bool bare_cr, bare_lf;	/* at least one was seen */
	bool crlf;		/* so was a CR LF */
	bool false_end;		/* so was LF . LF or LF . CR LF, as data */
	unsigned long long octets;	/* size as RFC 1870 defines it */
	unsigned long long lines;	/* LF without a CR before it, in the
					   stored form */
	char last;		/* byte, for data_pass() */
};

/* Start decoding a message; chunked for BDAT (RFC 3030). */
void data_init(struct data *, bool chunked, bool lenient);

/*
 * Decode n bytes: CR LF becomes LF, the dot that RFC 5321 4.5.2 adds at the
 * beginning of a line is removed, and everything else is kept.  A bare LF or
 * CR is kept and noted; a dot after it is data.  If lenient, a bare CR becomes
 * a space, and until the first CR LF a bare LF counts as CR LF.  out has room
 * for n + 1 bytes; *len is set to the bytes written.  Returns the bytes of in
 * that were used: all, or those up to the end of data.
 */
size_t data_decode(struct data *, const char *in, size_t n, char *out,
    size_t *len);

/* Count n bytes that are stored unchanged (BINARYMIME). */
void data_pass(struct data *, const char *in, size_t n);

/*
 * A chunked message is complete.  Returns true if a bare CR at its end is to be
 * written as a space.
 */
bool data_end(struct data *);

#endif
