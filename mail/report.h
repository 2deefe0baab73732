/*
 * A delivery status notification: a message that says that another one was
 * delivered (RFC 3464, RFC 6533), ready to be sent from the null sender.  It
 * has a part for people, one for programs, and the message or its header.
 * Pure: values and a file in, a file out; who is told, and of what, is for
 * others to decide.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* Text that is one line, without control characters (utf8_is_text). */
struct report_recipient {
	const char *email;
	const char *original;	/* "rfc822;bob@example.org"; NULL: not said */
};

struct report {
	const char *hostname;	/* of who reports */
	const char *id;		/* of the message */
	const char *sender;	/* of the message: who is told */
	const char *envelope_id;	/* or NULL */
	time_t arrival;
	bool utf8;		/* it came with SMTPUTF8 */
	const struct report_recipient *recipients;
	size_t n;

	int message;		/* the file that it is in */
	off_t begin, header_end;	/* what of it is the message */
	bool whole;		/* return all of it; not its header alone */
};

/*
 * Write the report to a file; lines end with LF.  Memory stays bounded,
 * however large the message is.  Returns 0, or -1 with errno set.
 */
int report_write(const struct report *, int fd);

#endif
