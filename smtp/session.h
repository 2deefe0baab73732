/*
 * The state of a session, in parts that say how long they last.  The commands
 * share it.
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
	SESSION_ID_MAX = 17,	/* octets with the NUL */
	MAIL_ID_MAX = 40,	/* that, a dot and a number */
	HELO_MAX = 255,		/* octets, RFC 5321 4.5.3.1.2 */
	PROTOCOL_MAX = 12,	/* octets with the NUL: UTF8SMTPSA */
	AUTH_LINE_MAX = 12288,	/* octets with CR LF, RFC 4954 4 */
	USER_MAX = 255,		/* octets of a name that AUTH gave */
	RECIPIENT_LIST_MAX = 100000,	/* bytes of the addresses, and as many
					   of the ORCPTs, of a message */
};

enum phase {
	PHASE_NEW,		/* connected */
	PHASE_HELLO,		/* greeted; no mail */
	PHASE_MAIL,		/* a sender, no recipient yet */
	PHASE_REFUSED,		/* all recipients so far were refused */
	PHASE_RCPT,		/* at least one was accepted */
	PHASE_BDAT,		/* so was a chunk of the message */
};

/*
 * What XCLIENT said: the client is another one then.  It lasts to the end of
 * the session.
 */
struct xclient {
	char proxy[INET6_ADDRSTRLEN];	/* the client that connected, if it may
					   use XCLIENT; else "" */
	bool introduced;		/* it has used it */
	struct given {			/* in place of HELO or EHLO */
		char helo[HELO_MAX + 1];
		const char *protocol;	/* SMTP or ESMTP; NULL: not given */
	} given;
};

/* TLS by --tls, from STARTTLS or the first byte to the end of the session. */
struct encryption {
	struct tls_run run;		/* valid once begun */
	bool begun;
	bool due;			/* the handshake is next */
};

/* HELO, EHLO or LHLO, until the next one, or STARTTLS. */
struct hello {
	char name[HELO_MAX + 1];
	bool extended;			/* EHLO or LHLO */
	char protocol[PROTOCOL_MAX];	/* session_set_protocol() */
};

/* AUTH, until STARTTLS. */
struct authentication {
	char user[USER_MAX + 1];	/* "": not authenticated */
	const char *mechanism;
	bool tried;			/* what follows may be a password */
	long long errors;		/* names and passwords refused */
};

/* Counted over the whole session. */
struct tally {
	long long mails, errors;
	long long idle_commands;	/* in a row, without a transaction */
	long long excused;		/* unknown recipients, no errors */
	long long deferred;		/* recipients refused with 4xx */
	long long empty_lines;
	long long refusals;		/* logged or not */
	long long unlogged;		/* refusals that were not logged */
	unsigned long long logged;	/* bytes of the lines of the others */
};

/* The mail transaction (RFC 5321 3.3).  RSET clears all of it. */
struct transaction {
	struct envelope *envelope;
	struct mail mail;
	char id[MAIL_ID_MAX];		/* "": there is no transaction */
	long long began;		/* clock_ms() */
	bool sender_logged;
	unsigned long long declared_size;	/* SIZE=, then that received */
	unsigned long long chunk;	/* bytes of the last BDAT */
	bool utf8;			/* SMTPUTF8 */
	bool requiretls;		/* REQUIRETLS */
	const char *body;		/* 7BIT, 8BITMIME or BINARYMIME, if
					   declared */
	struct dsn dsn;			/* the reports that its sender wants */
	struct data data;		/* of the message so far */
	struct recipients recipients;
	long long n_replies;		/* LMTP: after the data; else 0 */
	struct reply *replies;		/* they; NULL: all are the same */
	long long dot_deadline;		/* of commands after the dot; 0: none */
};

struct session {
	const struct proto_options *options;
	struct stream *stream;
	struct line_reader reader;
	struct transcript *transcript;	/* NULL: none is written */
	char id[SESSION_ID_MAX];
	enum phase phase;
	bool trusted;
	bool unwanted;			/* over --max-per-client */
	bool closing;			/* it ends after this reply */
	struct client client;
	struct xclient xclient;
	struct encryption tls;
	struct hello hello;
	struct authentication auth;
	struct transaction txn;
	struct fields fields;
	struct tally tally;
	const char *event;		/* of the hook that runs */
	struct reply last_reply;	/* code 0: none */
};

/* Begin a session.  options and stream must outlive it. */
void session_begin(struct session *, const struct proto_options *,
    const struct client *, struct stream *);

/*
 * Set hello.protocol to the protocol type for Received and the log: SMTP,
 * ESMTPSA, UTF8LMTP and so on (RFC 3848, RFC 6531 4.3).
 */
void session_set_protocol(struct session *);

/* Is there a command for TLS, or a super-server that encrypts? */
bool session_can_encrypt(const struct session *);

/* Must the client encrypt before it may send mail (--require-tls)? */
bool session_must_encrypt(const struct session *);

/* Does the session begin with a TLS handshake (RFC 8314 3)? */
bool session_begins_with_tls(const struct session *);

/* Forget HELO, AUTH and the transaction; what XCLIENT said stays. */
void session_forget(struct session *);

/* Free what the session holds. */
void session_end(struct session *);

/* End the transaction, as RSET does (RFC 5321 4.1.1.5). */
void session_reset(struct session *);

/* Abort the envelope; the caller owes session_reset(). */
void session_drop_envelope(struct session *);

/*
 * The 421 that ends the session, by the state of its stream; none if the
 * client is gone or the reply would be sent in clear.
 */
struct reply session_farewell(const struct session *);

#endif
