/*
 * The negotiation.  What smtpd can't do is not offered: changes to the
 * envelope, quarantine, and recipients that were rejected.
 */
#include <stddef.h>

#include "contrib/milter/protocol.h"
#include "contrib/milter/terms.h"

static const uint32_t actions = SMFIF_ADDHDRS | SMFIF_CHGBODY | SMFIF_CHGHDRS;
static const uint32_t steps = SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL |
    SMFIP_NORCPT | SMFIP_NOBODY | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NR_HDR |
    SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_SKIP | SMFIP_NR_CONN |
    SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA |
    SMFIP_NR_UNKN | SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_HDR_LEADSPC;

static const char *
read_choice(struct frame *f, struct terms *t)
{
	uint32_t chosen;

	if (f->command != SMFIC_OPTNEG)
		return "an answer out of order to the negotiation";
	if (!frame_number(f, &t->version) || !frame_number(f, &chosen) ||
	    !frame_number(f, &t->steps))
		return "a negotiation that is too short";
	if (t->version < VERSION_OLDEST || t->version > VERSION_NEWEST)
		return "an unsupported version of the protocol";
	if (chosen & ~actions)
		return "it insists on changing the envelope or on quarantine, "
		    "which is unsupported";
	t->steps &= steps;
	return NULL;
}

int
terms_negotiate(struct link *l, struct terms *t)
{
	struct frame f;

	link_begin(l, SMFIC_OPTNEG);
	link_put_number(l, VERSION_NEWEST);
	link_put_number(l, actions);
	link_put_number(l, steps);
	link_end(l);
	if (link_receive(l, &f) < 0)
		return -1;
	l->error = read_choice(&f, t);
	return l->error ? -1 : 0;
}
