/*
 * Delivery status notifications of success.  smtpd writes the report, and the
 * commands of --dsn send it.  A failure is logged; the message is not affected.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "mail/report.h"
#include "mail/trace.h"
#include "smtp/dsn_report.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"

static void
log_report_failure(const struct session *s)
{
	struct log_line l;
	int error = errno;

	journal_begin(s, &l, LEVEL_ERROR, "report-failed");
	log_str(&l, "id", s->txn.id);
	log_str(&l, "error", strerror(error));
	log_end(&l);
}

/* Collect the recipients with NOTIFY=SUCCESS.  Returns how many. */
static size_t
select_report_recipients(const struct session *s, struct report_recipient *to)
{
	const struct recipients *list = &s->txn.recipients;
	const struct recipient *r;
	size_t n = 0;

	for (r = list->all; r < list->all + list->n; r++)
		if (!r->refused && !recipients_discarded(list, r) &&
		    r->notify & DSN_SUCCESS)
			to[n++] = (struct report_recipient){
				r->email, r->original
			};
	return n;
}

/* Skip the fields that this host added, which may reveal an alias's owner. */
static int
locate_message(const struct session *s, struct report *r)
{
	struct trace_place place;

	if (trace_find(s->txn.mail.result.fd, s->txn.id, &place) < 0)
		return -1;
	r->message = s->txn.mail.result.fd;
	r->begin = place.below;
	r->header_end = place.end;
	return 0;
}

static void
send_report(struct session *s, const struct report *r)
{
	int writer, reader, written;

	if (store_create_unlinked(s->options->spool, &writer, &reader) < 0) {
		log_report_failure(s);
		return;
	}
	written = report_write(r, writer);
	if (written < 0)
		log_report_failure(s);
	close(writer);
	if (written == 0)
		hooks_notify(s, HOOK_DSN, reader);
	close(reader);
}

void
dsn_report(struct session *s)
{
	const struct dsn *d = &s->txn.dsn;
	struct report r = {
		.hostname = s->options->hostname, .id = s->txn.id,
		.sender = s->txn.mail.info.sender, .utf8 = s->txn.utf8,
		.envelope_id = *d->envelope_id ? d->envelope_id : NULL,
		.arrival = time(NULL) -
		    (time_t)((clock_ms() - s->txn.began) / 1000),
		/* commands that read lines can't handle a BINARYMIME message */
		.whole = d->ret && strcmp(d->ret, "FULL") == 0 &&
		    !(s->txn.body && strcmp(s->txn.body, "BINARYMIME") == 0),
	};
	struct report_recipient *to;

	if (!dsn_is_offered(s) || !*s->txn.mail.info.sender ||
	    s->txn.recipients.n == 0)
		return;
	to = calloc(s->txn.recipients.n, sizeof *to);
	if (!to) {
		log_report_failure(s);
		return;
	}
	r.recipients = to;
	r.n = select_report_recipients(s, to);
	if (r.n > 0 && locate_message(s, &r) < 0)
		log_report_failure(s);
	else if (r.n > 0)
		send_report(s, &r);
	free(to);
}

bool
dsn_is_offered(const struct session *s)
{
	return s->options->hooks->n[HOOK_DSN] > 0 &&
	    options_enabled(s->options, "DSN");
}
