/*
 * The state of a session, in parts by lifetime.  All commands share it.  It
 * has no functions that read or send.
 */
#ifndef SESSION_H
#define SESSION_H

#include "lib/log.h"
#include "lib/net/stream.h"
#include "lib/text/line.h"
#include "mail/recipients.h"
#include "smtp/client.h"
#include "smtp/counters.h"
#include "smtp/dsn.h"
#include "smtp/fields.h"
#include "smtp/options.h"

enum {
	SESSION_ID_MAX = 17,	/* bytes with the NUL */
	MAIL_ID_MAX = 40,	/* a session id, a dot and a number */
	HELO_MAX = 255,		/* bytes, RFC 5321 4.5.3.1.2 */
	PROTOCOL_MAX = 12,	/* bytes with the NUL: UTF8SMTPSA */
	AUTH_LINE_MAX = 12288,	/* bytes with CR LF, RFC 4954 4 */
	USER_MAX = 255,		/* bytes of an authenticated user name */
	RECIPIENT_LIST_MAX = 100000,	/* bytes of the addresses, and as many
					   of the ORCPTs, of a message */
};

enum phase {
	PHASE_NEW,		/* connected */
	PHASE_HELLO,		/* after HELO or EHLO; no transaction */
	PHASE_MAIL,		/* after MAIL */
	PHASE_REFUSED,		/* all recipients so far were refused */
	PHASE_RCPT,		/* at least one recipient was accepted */
	PHASE_BDAT,		/* after the first chunk */
};

/*
 * The attributes of XCLIENT, after which the session has another client.  They
 * last until the end of the session.
 */
struct xclient {
	char proxy[INET6_ADDRSTRLEN];	/* the client that connected, if it may
					   use XCLIENT; else "" */
	bool used;			/* XCLIENT was accepted */
	struct xclient_helo {		/* overrides HELO and EHLO */
		char name[HELO_MAX + 1];	/* "": none */
		const char *protocol;	/* SMTP, ESMTP or LMTP; NULL:
					   none */
	} helo;
};

/* TLS, from STARTTLS or the first byte until the end of the session. */
struct encryption {
	struct tls_run run;		/* if begun */
	bool begun;			/* run is valid */
	bool handshake_due;		/* after the reply to STARTTLS */
};

/* The last HELO, EHLO or LHLO.  STARTTLS clears it. */
struct hello {
	char name[HELO_MAX + 1];
	bool extended;			/* EHLO or LHLO */
	char protocol[PROTOCOL_MAX];	/* session_set_protocol() */
};

/* The result of AUTH.  STARTTLS clears the user. */
struct authentication {
	char user[USER_MAX + 1];	/* "": not authenticated */
	const char *mechanism;
	bool tried;			/* later lines may be passwords */
	long long errors;		/* failed logins */
};

/* Counters of the whole session. */
struct tally {
	long long mails, errors;
	long long idle_commands;	/* consecutive, without a
					   transaction */
	long long excused;		/* unknown recipients that are
					   not counted as errors */
	long long deferred;		/* recipients with 4xx */
	long long empty_lines;
	long long refusals;		/* logged or not */
	long long unlogged;		/* refusals not logged */
	unsigned long long logged;	/* bytes of the other log lines */
};

/* The mail transaction (RFC 5321 3.3).  RSET clears all of it. */
struct transaction {
	struct envelope *envelope;
	struct mail mail;
	char id[MAIL_ID_MAX];		/* "": no transaction */
	long long began;		/* clock_ms() */
	bool sender_logged;
	unsigned long long declared_size;	/* SIZE=, later the size
						   received */
	unsigned long long chunk;	/* bytes of the last BDAT */
	bool utf8;			/* SMTPUTF8 */
	bool requiretls;		/* REQUIRETLS */
	const char *body;		/* 7BIT, 8BITMIME or BINARYMIME, if
					   declared */
	struct dsn dsn;			/* RET, ENVID and the like */
	struct data data;		/* decoder of the message */
	struct recipients recipients;
	long long n_replies;		/* LMTP, after the data: replies due;
					   else 0 */
	struct reply *replies;		/* n_replies; NULL: all the same */
	long long dot_deadline;		/* clock_ms() limit of the hooks after
					   the data; 0: none */
};

struct session {
	const struct proto_options *options;
	struct stream *stream;
	struct line_reader reader;
	struct transcript *transcript;	/* NULL: none */
	char id[SESSION_ID_MAX];
	enum phase phase;
	bool trusted;			/* may send to any domain */
	bool lenient;			/* LF may end lines */
	bool unwanted;			/* above --max-per-client */
	bool closing;			/* end after this reply */
	struct client client;
	struct xclient xclient;
	struct encryption tls;
	struct hello hello;
	struct authentication auth;
	struct transaction txn;
	struct fields fields;
	struct discard client_discard;	/* of all messages of the client */
	struct discard hello_discard;	/* of those after this HELO or EHLO */
	struct tally tally;
	const char *event;		/* name of the current hook event */
	struct reply last_reply;	/* code 0: none */
};

/* Apply the settings for networks to the address of the client. */
void session_set_networks(struct session *);

/*
 * Begin a session, in the phase PHASE_NEW.  options and stream must outlive
 * it; the client is copied.  The caller must call session_end().
 */
void session_begin(struct session *, const struct proto_options *,
    const struct client *, struct stream *);

/*
 * Set hello.protocol to the protocol type for Received and the log: SMTP,
 * ESMTPSA, UTF8LMTP and so on (RFC 3848, RFC 6531 4.3).
 */
void session_set_protocol(struct session *);

/* Is TLS available, by --tls or a UCSPI super-server? */
bool session_can_encrypt(const struct session *);

/* Must the client use STARTTLS before it may send mail (--require-tls)? */
bool session_must_encrypt(const struct session *);

/* Does the session begin with a TLS handshake (RFC 8314 3)? */
bool session_begins_with_tls(const struct session *);

/*
 * Clear HELO, AUTH and the transaction, as STARTTLS and XCLIENT do.  The
 * attributes of XCLIENT stay.
 */
void session_forget(struct session *);

/* Abort the transaction and free the memory of the session. */
void session_end(struct session *);

/* Abort the transaction and clear it, as RSET does (RFC 5321 4.1.1.5). */
void session_reset(struct session *);

/* Abort the envelope only; the caller must call session_reset() later. */
void session_drop_envelope(struct session *);

/*
 * The 421 reply that says why the stream has ended; code 0 if the client has
 * disconnected, or if the reply would not be encrypted.
 */
struct reply session_farewell(const struct session *);

#endif
