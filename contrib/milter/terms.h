/*
 * What both sides agree on before anything else.
 */
#ifndef MILTER_TERMS_H
#define MILTER_TERMS_H

#include "contrib/milter/link.h"

struct terms {
	uint32_t version;
	uint32_t steps;		/* SMFIP_*: those that the milter chose */
};

/*
 * Offer all that we can do, and read what the milter chooses.  libmilter closes
 * the connection if it may want more; with more set, such changes are offered,
 * too, though they fail if they come.  Returns -1 with the reason in
 * link->error.
 */
int terms_negotiate(struct link *, struct terms *, bool more);

#endif
