/* The Received field of this server. */
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "mail/received.h"

void
received_write(const struct mail_info *m, struct outfile *out)
{
	const struct recipients *to = m->recipients;
	char date[CLOCK_DATE_MAX];

	outfile_printf(out, "Received: from %s", m->helo);
	if (*m->client)
		outfile_printf(out, " (%s%s[%s%s])", m->name,
		    *m->name ? " " : "",
		    strchr(m->client, ':') ? "IPv6:" : "", m->client);
	outfile_printf(out, "\n\tby %s with %s", m->hostname, m->protocol);
	if (*m->tls->protocol)
		outfile_printf(out, " (%s%s%s)\n\t", m->tls->protocol,
		    *m->tls->cipher ? " " : "", m->tls->cipher);
	else
		outfile_printf(out, " ");
	outfile_printf(out, "id %s", m->id);
	if (to->distinct == 1)
		outfile_printf(out, "\n\tfor <%s>", to->all[0].mailbox);
	clock_date(date, time(NULL));
	outfile_printf(out, "; %s\n", date);
}
