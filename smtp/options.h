/* The settings of a session.  They are read once and do not change. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "envelope.h"
#include "lib/net/net.h"
#include "lib/net/tls.h"

struct hooks;
struct launch;
struct scoreboard;

struct proto_options {
	const char *hostname;
	const char *delimiters;		/* before an extension: user+ext */
	struct hooks *hooks;
	struct launch *launch;		/* starts all commands */
	unsigned lookup_row;		/* with resolve: what it starts */
	const struct store *spool;	/* for reports; with --dsn only */
	struct scoreboard *board;	/* the state of each session */
	const char **domains;		/* accepted; "*": any */
	unsigned n_domains;
	struct networks trusted;	/* clients that may send anywhere */
	struct networks lenient;	/* clients whose line ends may be wrong */
	struct networks xclients;	/* proxies that may use XCLIENT */
	bool resolve;			/* look up the client's name */
	long long max_size;		/* bytes; here and below 0: no limit */
	long long max_recipients;	/* per message */
	long long max_mails;		/* per session */
	long long max_errors;		/* per session */
	long long max_auth_errors;	/* 535 replies to AUTH per session */
	long long max_per_client;	/* simultaneous sessions */
	long long greet_delay;		/* ms before the banner */
	unsigned disabled;		/* extensions; see options_disable() */
	bool strict;
	bool require_auth;
	bool plain_auth;		/* AUTH without encryption */
	struct tls_config tls;		/* how connections are encrypted */
	bool require_tls;		/* except for local clients */
	int transcripts;		/* their directory; -1: none */
	long long transcript_room;	/* bytes that must stay free there */

	/*
	 * Start a message.  Returns code 0 and an envelope, which the session
	 * closes or aborts, or a reply that rejects the message.  size is the
	 * SIZE that MAIL declared, or 0.
	 */
	struct reply (*new_envelope)(void *ctx, struct mail *,
	    unsigned long long size, struct envelope **);
	void *ctx;
};

/*
 * Disable the extension of that name, in any case, and those that can't be
 * without it.  Returns false if there is none.
 */
bool options_disable(struct proto_options *, const char *name);

/* May it be offered?  True for any other name. */
bool options_enabled(const struct proto_options *, const char *name);

#endif
