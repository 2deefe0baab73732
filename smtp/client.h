/* A client, and the kind of listener that it reached. */
#ifndef CLIENT_H
#define CLIENT_H

#include "lib/net/net.h"
#include "lib/net/resolve.h"
#include "lib/net/tls.h"

enum listener_kind {
	KIND_SMTP,
	KIND_SMTPS,		/* RFC 8314 3 */
	KIND_SUBMISSION,	/* RFC 6409 */
	KIND_SUBMISSIONS,
	KIND_LMTP,		/* RFC 2033 */
	KINDS
};

/* What each is called, and what is different there. */
extern const struct listener_traits {
	const char *name;
	bool tls;		/* from the first octet */
	bool auth;		/* nobody sends without */
	bool lmtp;
} listener_kinds[KINDS];

struct client {
	enum listener_kind kind;	/* of the listener that it reached */
	struct endpoint remote;
	struct endpoint local;	/* that it reached */
	char name[RESOLVE_NAME_MAX];	/* "" if it has none, or nobody asked */
	bool named;		/* that is all there is to know */
	bool trusted;		/* whatever its address */
	bool remote_unknown;	/* it came over a network, all the same */
	char via[INET6_ADDRSTRLEN];	/* of the proxy that told us of it, as
					   client_address() has it */
	bool probe;		/* a proxy itself: it looks whether we are
				   well, and sends no mail */
	struct tls_result tls;
};

/* Its address; "unknown" or "local" if it has none. */
const char *client_address(const struct client *);

#endif
