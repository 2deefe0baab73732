/* A delivery status notification. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/text/utf8.h"
#include "mail/report.h"

enum { BOUNDARY_MAX = 70 };	/* octets, RFC 2046 5.1.1 */

struct writing {
	const struct report *r;
	struct outfile out;
	char boundary[BOUNDARY_MAX + 1];
	bool global;		/* something is in UTF-8: RFC 6533 */
};

/* Nobody who sends a message can know this, and put it there. */
static void
make_boundary(struct writing *w)
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

/* Is there an octet beyond ASCII in what is returned?  -1: errno is set. */
static int
is_8bit(const struct report *r)
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
put_header(struct writing *w, bool eight_bit)
{
	const struct report *r = w->r;
	char date[CLOCK_DATE_MAX];

	clock_date(date, time(NULL));
	outfile_printf(&w->out, "From: Mail Delivery System <postmaster@%s>\n",
	    r->hostname);
	outfile_printf(&w->out, "To: <%s>\n", r->sender);
	outfile_printf(&w->out, "Subject: Your mail was delivered\n"
	    "Date: %s\n"
	    "Message-ID: <report.%s@%s>\n", date, r->id, r->hostname);
	outfile_printf(&w->out, "Auto-Submitted: auto-replied\n"
	    "MIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"%s\"\n", w->boundary);
	if (eight_bit)
		outfile_printf(&w->out, "Content-Transfer-Encoding: 8bit\n");
}

/* The line before a boundary ends with the newline that belongs to that. */
static void
begin_part(struct writing *w, const char *type, const char *description,
    bool eight_bit)
{
	outfile_printf(&w->out, "\n--%s\n"
	    "Content-Description: %s\n"
	    "Content-Type: %s\n", w->boundary, description, type);
	if (eight_bit)
		outfile_printf(&w->out, "Content-Transfer-Encoding: 8bit\n");
	outfile_printf(&w->out, "\n");
}

/* For people: RFC 3464 2 */
static void
put_text(struct writing *w)
{
	const struct report *r = w->r;
	size_t i;

	begin_part(w, w->global ? "text/plain; charset=utf-8" :
	    "text/plain; charset=us-ascii", "Notification", w->global);
	outfile_printf(&w->out, "This is the mail server %s.\n\n"
	    "Your mail was delivered, as you asked to be told, to:\n\n",
	    r->hostname);
	for (i = 0; i < r->n; i++)
		outfile_printf(&w->out, "    <%s>\n", r->recipients[i].email);
	outfile_printf(&w->out, "\nIts identifier here is %s.\n", r->id);
}

/* A postmaster without a domain is ours. */
static void
put_final_recipient(struct writing *w, const char *email)
{
	outfile_printf(&w->out, "Final-Recipient: %s; %s",
	    utf8_is_beyond_ascii(email) ? "utf-8" : "rfc822", email);
	if (!strchr(email, '@'))
		outfile_printf(&w->out, "@%s", w->r->hostname);
	outfile_printf(&w->out, "\n"
	    "Action: delivered\n"
	    "Status: 2.0.0\n");
}

/* For programs: RFC 3464 2.1 */
static void
put_status(struct writing *w)
{
	const struct report *r = w->r;
	const struct report_recipient *to;
	char date[CLOCK_DATE_MAX];

	begin_part(w, w->global ? "message/global-delivery-status" :
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
		put_final_recipient(w, to->email);
	}
}

/* A binary message has CR LF in its header, and this file has not. */
static int
copy_header(struct writing *w)
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
put_message(struct writing *w, bool eight_bit)
{
	const struct report *r = w->r;

	if (!r->whole) {
		begin_part(w, w->global ? "message/global-headers" :
		    "text/rfc822-headers", "Header of your mail", eight_bit);
		return copy_header(w);
	}
	begin_part(w, w->global ? "message/global" : "message/rfc822",
	    "Your mail", eight_bit);
	if (outfile_flush(&w->out) < 0)
		return -1;
	return file_append(w->out.fd, r->message, r->begin);
}

int
report_write(const struct report *r, int fd)
{
	struct writing w = { .r = r, .global = is_global(r) };
	const int eight_bit = is_8bit(r);
	char buf[OUTFILE_BUFFER];

	if (eight_bit < 0)
		return -1;
	make_boundary(&w);
	outfile_begin(&w.out, fd, buf);
	put_header(&w, eight_bit || w.global);
	put_text(&w);
	put_status(&w);
	if (put_message(&w, eight_bit) < 0)
		return -1;
	outfile_printf(&w.out, "\n--%s--\n", w.boundary);
	return outfile_flush(&w.out);
}
