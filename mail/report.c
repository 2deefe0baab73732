/*
 * A delivery status notification.  Every value is one line of text without
 * control characters, so it can't add a field or a part.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/text/utf8.h"
#include "mail/report.h"

enum { BOUNDARY_MAX = 70 };	/* bytes, RFC 2046 5.1.1 */

struct report_writer {
	const struct report *r;
	struct outfile out;
	char boundary[BOUNDARY_MAX + 1];
	bool global;		/* it needs UTF-8: RFC 6533 */
};

/* A random boundary, which the sender of a message can't put into it. */
static void
make_boundary(struct report_writer *w)
{
	unsigned long long random[2] = { 0, 0 };

	(void)!getrandom(random, sizeof random, 0);
	snprintf(w->boundary, sizeof w->boundary, "%016llx%016llx.%.30s",
	    random[0], random[1], w->r->id);
}

static bool
is_global(const struct report *r)
{
	size_t i;

	if (r->utf8 || utf8_is_beyond_ascii(r->sender))
		return true;
	for (i = 0; i < r->n; i++)
		if (utf8_is_beyond_ascii(r->recipients[i].email) ||
		    (r->recipients[i].original &&
		    utf8_is_beyond_ascii(r->recipients[i].original)))
			return true;
	return false;
}

/* Is there a non-ASCII byte in what is returned?  -1 with errno set. */
static int
has_8bit(const struct report *r)
{
	char buf[8192];
	off_t left, at = r->begin;
	ssize_t n, i;

	for (;; at += n) {
		left = r->whole ? SSIZE_MAX : r->header_end - at;
		if (left <= 0)
			return 0;
		n = pread(r->message, buf, left < (off_t)sizeof buf ?
		    (size_t)left : sizeof buf, at);
		if (n <= 0)
			return (int)n;
		for (i = 0; i < n; i++)
			if ((unsigned char)buf[i] >= 0x80)
				return 1;
	}
}

static void
write_report_header(struct report_writer *w, bool eight_bit)
{
	const struct report *r = w->r;
	char date[CLOCK_DATE_MAX];

	clock_date(date, time(NULL));
	outfile_printf(&w->out, "From: Mail Delivery System <postmaster@%s>\n",
	    r->hostname);
	outfile_printf(&w->out, "To: <%s>\n", r->sender);
	outfile_printf(&w->out, "Subject: Mail delivery report: delivered\n"
	    "Date: %s\n"
	    "Message-ID: <report.%s@%s>\n", date, r->id, r->hostname);
	outfile_printf(&w->out, "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"%s\"\n", w->boundary);
	if (eight_bit)
		outfile_printf(&w->out, "Content-Transfer-Encoding: 8bit\n");
}

/* The newline before a boundary belongs to the boundary (RFC 2046 5.1.1). */
static void
start_report_part(struct report_writer *w, const char *type,
    const char *description, bool eight_bit)
{
	outfile_printf(&w->out, "\n--%s\n"
	    "Content-Description: %s\n"
	    "Content-Type: %s\n", w->boundary, description, type);
	if (eight_bit)
		outfile_printf(&w->out, "Content-Transfer-Encoding: 8bit\n");
	outfile_printf(&w->out, "\n");
}

/* The part for people, RFC 3464 2. */
static void
write_notice(struct report_writer *w)
{
	const struct report *r = w->r;
	size_t i;

	start_report_part(w, w->global ? "text/plain; charset=utf-8" :
	    "text/plain; charset=us-ascii", "Notification", w->global);
	outfile_printf(&w->out, "This is the mail server %s.\n\n"
	    "You requested this report.  Your message was delivered to:\n\n",
	    r->hostname);
	for (i = 0; i < r->n; i++)
		outfile_printf(&w->out, "    <%s>\n", r->recipients[i].email);
	outfile_printf(&w->out, "\nThe ID of the message on this server is "
	    "%s.\n", r->id);
}

/* A postmaster without a domain is that of this host. */
static void
write_final_recipient(struct report_writer *w, const char *email)
{
	outfile_printf(&w->out, "Final-Recipient: %s; %s",
	    utf8_is_beyond_ascii(email) ? "utf-8" : "rfc822", email);
	if (!strchr(email, '@'))
		outfile_printf(&w->out, "@%s", w->r->hostname);
	outfile_printf(&w->out, "\n"
	    "Action: delivered\n"
	    "Status: 2.0.0\n");
}

/* The part for programs, RFC 3464 2.1. */
static void
write_status_part(struct report_writer *w)
{
	const struct report *r = w->r;
	const struct report_recipient *to;
	char date[CLOCK_DATE_MAX];

	start_report_part(w, w->global ? "message/global-delivery-status" :
	    "message/delivery-status", "Delivery report", w->global);
	outfile_printf(&w->out, "Reporting-MTA: dns; %s\n", r->hostname);
	if (r->envelope_id)
		outfile_printf(&w->out, "Original-Envelope-Id: %s\n",
		    r->envelope_id);
	clock_date(date, r->arrival);
	outfile_printf(&w->out, "Arrival-Date: %s\n", date);
	for (to = r->recipients; to < r->recipients + r->n; to++) {
		outfile_printf(&w->out, "\n");
		if (to->original)
			outfile_printf(&w->out, "Original-Recipient: %s\n",
			    to->original);
		write_final_recipient(w, to->email);
	}
}

/* Remove the CRs that the header of a BINARYMIME message has. */
static int
copy_message_header(struct report_writer *w)
{
	const struct report *r = w->r;
	char buf[8192];
	off_t at = r->begin;
	off_t left;
	ssize_t n, i;

	for (; (left = r->header_end - at) > 0; at += n) {
		n = pread(r->message, buf, left < (off_t)sizeof buf ?
		    (size_t)left : sizeof buf, at);
		if (n <= 0)
			return (int)n;
		for (i = 0; i < n; i++)
			if (buf[i] != '\r')
				outfile_put(&w->out, &buf[i], 1);
	}
	return 0;
}

static int
write_returned_message(struct report_writer *w, bool eight_bit)
{
	const struct report *r = w->r;

	if (!r->whole) {
		start_report_part(w, w->global ? "message/global-headers" :
		    "text/rfc822-headers", "Message header", eight_bit);
		return copy_message_header(w);
	}
	start_report_part(w, w->global ? "message/global" : "message/rfc822",
	    "Message", eight_bit);
	if (outfile_flush(&w->out) < 0)
		return -1;
	return file_append(w->out.fd, r->message, r->begin);
}

int
report_write(const struct report *r, int fd)
{
	struct report_writer w = { .r = r, .global = is_global(r) };
	const int eight_bit = has_8bit(r);
	char buf[OUTFILE_BUFFER];

	if (eight_bit < 0)
		return -1;
	make_boundary(&w);
	outfile_begin(&w.out, fd, buf);
	write_report_header(&w, eight_bit || w.global);
	write_notice(&w);
	write_status_part(&w);
	if (write_returned_message(&w, eight_bit) < 0)
		return -1;
	outfile_printf(&w.out, "\n--%s--\n", w.boundary);
	return outfile_flush(&w.out);
}
