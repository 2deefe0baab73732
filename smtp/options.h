/* The settings of a conversation. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "envelope.h"
#include "lib/net/net.h"
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
	long long max_auth_errors;	/* those of AUTH that were 535 */
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

#endif
