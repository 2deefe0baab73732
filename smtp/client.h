/* A client, and the kind of listener that it is connected to. */
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

/* The name of each kind, and how it differs from smtp. */
extern const struct listener_traits {
	const char *name;
	bool tls;		/* TLS from the first byte */
	bool auth;		/* MAIL requires AUTH */
	bool lmtp;
} listener_kinds[KINDS];

struct client {
	enum listener_kind kind;	/* of the listener */
	struct endpoint remote;
	struct endpoint local;	/* that it is connected to */
	char name[RESOLVE_NAME_MAX];	/* "": none, or not looked up */
	bool named;		/* name is final, do not look it up */
	bool trusted;		/* whatever its address is */
	bool remote_unknown;	/* remote is unset, but it is not local */
	char shown[INET6_ADDRSTRLEN];	/* for the log and Received only, if
					   remote is unset; or "" */
	char via[INET6_ADDRSTRLEN];	/* the proxy, as client_address() names
					   it; or "" */
	bool probe;		/* a health check of a proxy; it sends no
				   mail */
	struct tls_result tls;
};

/* Its address; "unknown" or "local" if it has none. */
const char *client_address(const struct client *);

#endif
