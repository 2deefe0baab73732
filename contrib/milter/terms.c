/*
 * The negotiation.  What smtpd can't do is not offered unless a milter insists:
 * changes to the envelope, and quarantine.  Recipients that were rejected are
 * not told of.
 */
#include <stddef.h>

#include "contrib/milter/protocol.h"
#include "contrib/milter/terms.h"

static const uint32_t actions = SMFIF_ADDHDRS | SMFIF_CHGBODY | SMFIF_CHGHDRS;
static const uint32_t more_actions = SMFIF_ADDRCPT | SMFIF_DELRCPT |
    SMFIF_QUARANTINE | SMFIF_CHGFROM | SMFIF_ADDRCPT_PAR;
static const uint32_t steps = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL |
    SMFIP_NORCPT | SMFIP_NOBODY | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NR_HDR |
    SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_SKIP | SMFIP_NR_CONN |
    SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA |
    SMFIP_NR_UNKN | SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_HDR_LEADSPC;

/* rspamd says that it may make any change, whatever was offered. */
static const char *
read_choice(struct frame *f, struct terms *t)
{
	uint32_t changes;

	if (f->command != SMFIC_OPTNEG)
		return "an answer out of order to the negotiation";
	if (!frame_number(f, &t->version) || !frame_number(f, &changes) ||
	    !frame_number(f, &t->steps))
		return "a negotiation that is too short";
	if (t->version < VERSION_OLDEST || t->version > VERSION_NEWEST)
		return "an unsupported version of the protocol";
	t->steps &= steps;
	return NULL;
}

int
terms_negotiate(struct link *l, struct terms *t, bool more)
{
	const uint32_t offered = actions | (more ? more_actions : 0);
	struct frame f;

	link_begin(l, SMFIC_OPTNEG);
	link_put_number(l, VERSION_NEWEST);
	link_put_number(l, offered);
	link_put_number(l, steps);
	link_end(l);
	if (link_receive(l, &f) < 0)
		return -1;
	l->error = read_choice(&f, t);
	return l->error ? -1 : 0;
}
