/*
 * What ends what: command lines end at CR LF, message data at CR LF . CR LF,
 * and nothing else does.  Whoever disagrees about that with the server in
 * front of him can smuggle mail, so no other file looks at line ends.
 */
#ifndef LINE_H
#define LINE_H

#include <stdbool.h>
#include <stdio.h>

enum {
	LINE_FLOOD_MAX = 1024 * 1024,	/* octets without an end: hang up */
	LINE_RAW_MAX = 2048,		/* octets of a line that are shown */
};

enum line_status {
	LINE_OK,
	LINE_END,	/* end of file, whatever the stream means by it */
	LINE_MALFORMED,	/* NUL, a control octet, a bare CR or LF */
	LINE_LONG,
	LINE_FLOOD,	/* over LINE_FLOOD_MAX: nothing more will be read */
};

/* The octets of a line as they came, for who wants to know. */
struct line_raw {
	char text[LINE_RAW_MAX];	/* the first of them */
	size_t n;	/* how many there were, with the end */
	size_t end;	/* octets of the end: CR LF, LF, or 0 where it has not
			   come */
	bool malformed;	/* by the last of them */
	/* Of what was left of a malformed line, read away before this one: */
	size_t rest, rest_end;
};

struct line_reader {
	FILE *in;
	struct line_raw *raw;	/* of the line read last; NULL: don't */
	bool lf_ends;	/* LF alone ends a line, too */
	bool cr;	/* the last octet was CR */
	bool skip;	/* the rest of this line is read away */
	bool is_long;	/* because it is; its end will be told */
	size_t octets;	/* of this line, so far */
};

void line_init(struct line_reader *, FILE *, bool lf_ends);

/*
 * Read one line into buf, without its end and with a NUL; size counts CR LF,
 * so that it is the limit in the words of RFC 5321 4.5.3.1.  A bad line is
 * reported once: a long one at its end, a malformed one as soon as it is known
 * to be, for it may have no end that its sender knows of; the rest of it is
 * read away before the next.  buf has what was good of its beginning, then and
 * where no end of it has come.
 * Blocks as the stream does.
 */
enum line_status line_read(struct line_reader *, char *buf, size_t size);

/* Message data on its way from the wire to the form in which it is kept. */
struct data {
	enum data_state {
		DATA_BEGIN_LINE, DATA_DOT, DATA_DOT_CR, DATA_TEXT, DATA_CR
	} state;
	bool chunked;		/* its end is known: dots mean nothing */
	bool done;		/* CR LF . CR LF was seen, or . CR LF first */
	bool bare_cr, bare_lf;	/* at least one was */
	unsigned long long octets;	/* as RFC 1870 counts them */
	unsigned long long lines;	/* that ended in what is kept: LF
					   without a CR before it */
	char last;		/* octet, for data_pass() */
};

void data_init(struct data *, bool chunked);

/*
 * Decode n octets: CR LF becomes LF, the dot that RFC 5321 4.5.2 puts before
 * a dot is taken away, all else is kept.  A bare LF or CR is kept too, and
 * noted; after it a dot means nothing.  out has room for n + 1 octets; *len
 * is set to what was put there.  Returns how many octets of in were used: all,
 * or up to the end of data.  Pure.
 */
size_t data_decode(struct data *, const char *in, size_t n, char *out,
    size_t *len);

/* Octets that are kept as they are: they are counted. */
void data_pass(struct data *, const char *in, size_t n);

/* That was all of a chunked message: a CR at its end was a bare one. */
void data_end(struct data *);

#endif
