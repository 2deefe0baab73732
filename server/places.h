/* The listeners, or what stands for one, for --explain and warnings. */
#ifndef PLACES_H
#define PLACES_H

#include "server/server.h"

struct place {
	enum listener_kind kind;
	const char *address, *source, *state;
	struct endpoint local;
	bool any_domain;	/* every client that seems to be on this machine
				   may send to any domain; it may be a client
				   of a proxy here */
};

struct places {
	struct place *all;	/* allocated */
	unsigned n;
};

/*
 * Find the listeners of a server, or without pool the client's descriptor.
 * Calls fatal() if there is no memory.
 */
void places_find(struct places *, const struct server *, bool pool);

#endif
