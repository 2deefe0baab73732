/*
 * The conversation: one SMTP session (RFC 5321) over a stream.  It asks for
 * an envelope when a mail begins and does not know where mail is kept.
 */
#ifndef PROTO_H
#define PROTO_H

#include "envelope.h"
#include "lib/net/net.h"
#include "lib/net/resolve.h"
#include "lib/net/stream.h"
#include "lib/net/tls.h"

struct hooks;
struct scoreboard;

struct proto_options {
	const char *hostname;
	const char *delimiters;		/* each ends a mailbox: user+ext */
	struct hooks *hooks;
	const struct store *spool;	/* for reports; with --dsn only */
	struct scoreboard *board;	/* where a session shows what it does */
	const char **domains;		/* ours; "*" is any */
	unsigned n_domains;
	struct networks trusted;	/* clients that may send anywhere */
	struct networks xclients;	/* proxies that may use XCLIENT */
	bool resolve;			/* look up the client's name */
	long long max_size;		/* octets; 0: none, here and below */
	long long max_recipients;	/* of a mail */
	long long max_mails;		/* of a session */
	long long max_errors;		/* likewise */
	long long max_per_client;	/* sessions of a client, at a time */
	long long greet_delay;		/* ms before the banner */
	bool accept_bare_newline;
	bool strict;
	bool require_auth;
	bool plain_auth;		/* AUTH without encryption */
	struct tls_means tls;		/* who encrypts */
	bool require_tls;		/* of who comes over a network */
	int transcripts;		/* directory for them; -1: none */
	long long transcript_room;	/* octets that stay free there */

	/*
	 * A new mail.  Returns a reply that refuses it, or none and an
	 * envelope, which the session closes or aborts.  size is what MAIL
	 * declared, or 0.
	 */
	struct reply (*new_envelope)(void *ctx, struct mail *,
	    unsigned long long size, struct envelope **);
	void *ctx;
};

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
	char via[INET6_ADDRSTRLEN];	/* of the proxy that told us of it */
	bool probe;		/* a proxy itself: it looks whether we are
				   well, and sends no mail */
	struct tls_result tls;
};

/* Speak with the client until one of both ends it, and close the stream. */
void proto_serve(const struct proto_options *, const struct client *,
    struct stream *);

#endif
