/*
 * A delivery status notification: a message that reports the delivery of
 * another one (RFC 3464, RFC 6533), to be sent from the null sender.  It has a
 * part for people, one for programs, and the message or its header.  It is
 * written to a file; who gets it, and for which recipients, is decided
 * elsewhere.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* Each string is one line without control characters (utf8_is_text). */
struct report_recipient {
	const char *email;
	const char *original;	/* "rfc822;bob@example.org"; NULL: no ORCPT */
};

struct report {
	const char *hostname;	/* of the reporting host */
	const char *id;		/* of the message */
	const char *sender;	/* of the message; the report is for it */
	const char *envelope_id;	/* NULL: no ENVID */
	time_t arrival;
	bool utf8;		/* the message was sent with SMTPUTF8 */
	const struct report_recipient *recipients;
	size_t n;

	int message;		/* the file that contains the message */
	off_t begin, header_end;	/* of the message, in the file */
	bool whole;		/* return the message, not only its header */
};

/*
 * Write the report to a file; lines end with LF.  The message is never in
 * memory as a whole.  Blocks on the disk.  Returns 0, or -1 with errno set.
 */
int report_write(const struct report *, int fd);

#endif
