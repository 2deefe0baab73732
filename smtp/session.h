/*
 * What lasts from the connection to its end: who the client is, how far it
 * has come, and the mail at hand.  The parts of the conversation share it.
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
#include "smtp/options.h"

enum {
	SESSION_ID_MAX = 17,	/* octets with the NUL */
	MAIL_ID_MAX = 40,	/* that, a dot and a number */
	HELO_MAX = 255,		/* octets, RFC 5321 4.5.3.1.2 */
	PROTOCOL_MAX = 12,	/* octets with the NUL: UTF8SMTPSA */
	AUTH_LINE_MAX = 12288,	/* octets with CR LF, RFC 4954 4 */
	USER_MAX = 255,		/* octets of a name that AUTH gave */
	REFUSALS_LOGGED = 200,	/* of a session; more are counted */
	REFUSALS_OCTETS = 65536,	/* of log lines about them, at most */
	REFUSALS_FREE = 1024,	/* of these, whatever the client sends */
	REFUSALS_FACTOR = 8,	/* of these, for each one that it sends */
	HEADERS_MAX = 8192,	/* octets of fields that commands added */
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

struct given {	/* by XCLIENT, and so not by who says HELO or EHLO */
	char helo[HELO_MAX + 1];
	const char *protocol;	/* SMTP or ESMTP; NULL: none was */
};

struct session {
	const struct proto_options *options;
	struct client client;
	struct stream *stream;
	struct line_reader reader;
	struct transcript *transcript;	/* NULL: none is written */
	char id[SESSION_ID_MAX];
	bool trusted;
	bool unwanted;			/* it has too many sessions */
	char proxy[INET6_ADDRSTRLEN];	/* who connected, while XCLIENT is for
					   him; else "" */
	bool introduced;		/* by XCLIENT */
	struct given given;
	enum phase phase;
	char helo[HELO_MAX + 1];
	bool extended;			/* it said EHLO or LHLO */
	char protocol[PROTOCOL_MAX];	/* session_set_protocol() */
	bool closing;			/* it ends after this reply */

	struct tls_run tls;		/* who encrypts, once tls_begun */
	bool tls_begun;
	bool tls_due;			/* the handshake is next */

	char user[USER_MAX + 1];	/* that AUTH found; "": nobody */
	const char *mechanism;
	bool auth_tried;		/* what follows may be a password */
	long long auth_errors;		/* names and passwords refused */

	long long mails, errors, idle_commands;
	long long excused;		/* unknown recipients, no errors */
	long long deferred;		/* recipients refused for now */
	long long empty_lines;
	long long refusals;		/* that were logged, or not */
	long long unlogged;		/* those that were not */
	unsigned long long logged;	/* octets of the lines about them */

	/* of the mail at hand */
	struct envelope *envelope;
	struct mail mail;
	char mail_id[MAIL_ID_MAX];
	long long mail_began;
	bool told_sender;		/* in the log */
	unsigned long long declared_size;
	unsigned long long chunk;	/* octets of the last one of BDAT */
	bool utf8;			/* SMTPUTF8 was given */
	bool requiretls;		/* so was REQUIRETLS */
	const char *body;		/* 7BIT, 8BITMIME or BINARYMIME, if
					   declared */
	struct dsn dsn;			/* what its sender wants to be told */
	struct data data;		/* what came of the message */
	struct recipients recipients;
	long long n_replies;		/* LMTP: of the whole message; else 0 */
	struct reply *replies;		/* they; NULL: all are the same */
	const char *asked;		/* the event whose command runs */
	long long dot_deadline;		/* of commands after the dot; 0: none */

	char *headers;			/* for above the message; HEADERS_MAX */
	size_t n_headers;		/* octets of them */
	size_t n_connection, n_hello;	/* that last so long */
	struct reply last_reply;	/* code 0: none */
};

void session_begin(struct session *, const struct proto_options *,
    const struct client *, struct stream *);

/*
 * Set protocol to how mail comes: SMTP, ESMTPSA, UTF8LMTP ... (RFC 3848,
 * RFC 6531 4.3).
 */
void session_set_protocol(struct session *);

/* Is there a command for TLS, or a super-server that encrypts? */
bool session_can_encrypt(const struct session *);

/* Must the client encrypt before it may send mail (--require-tls)? */
bool session_must_encrypt(const struct session *);

/* Does the session begin with a TLS handshake (RFC 8314 3)? */
bool session_begins_with_tls(const struct session *);

/* Forget what the client said, all but whom an XCLIENT told of. */
void session_forget(struct session *);

/* Free what it holds. */
void session_end(struct session *);

/*
 * After the data: log each recipient that is refused by its reply, and mark
 * it as refused.
 */
void session_refuse_recipients(struct session *, const char *command,
    const struct reply *each);

/* Forget header fields behind the first so many octets of them. */
void session_cut_headers(struct session *, size_t n);

/*
 * Note a header field, "Name: value" of len octets, for above the message;
 * -1 where it is none, or where there is no room for it.
 */
int session_add_header(struct session *, const char *field, size_t len);

/* Forget the mail at hand, as RSET does (RFC 5321 4.1.1.5). */
void session_reset(struct session *);

/* Drop what came of the mail so far; session_reset() is still owed. */
void session_drop_envelope(struct session *);

/*
 * The reply to a client that did not go on, by the state of its stream; none
 * to one that is gone.
 */
struct reply session_farewell(const struct session *);

/* A word for how the session came to its end, or how it is. */
const char *session_end_word(const struct session *);

/* client_address() of the session's client. */
const char *session_client(const struct session *);

/* Show who the client is; before that, and whenever it is another one. */
void session_show_client(const struct session *);

/*
 * Show what the session is doing, a word of its own or a command, with so many
 * octets of the message so far.
 */
void session_show(const struct session *, const char *phase,
    unsigned long long octets);

/* Begin a log line with what every line about a session has. */
void session_log(const struct session *, struct log_line *, enum log_level,
    const char *event);

/*
 * Log a refusal: which command, what it was told, and what the client sent,
 * if line is not NULL; the first REFUSALS_LOGGED of them, in so many octets.
 */
void session_log_refusal(struct session *, const char *command,
    const char *line, const struct reply *);

/*
 * Log and count that a message was kept; size is in octets, as RFC 1870 counts.
 */
void session_log_mail(const struct session *, unsigned long long size);
/*
 * Log that the client left within a transaction; hook: the event whose command
 * was running, or NULL.
 */
void session_log_lost(const struct session *, const char *hook);
void session_log_end(const struct session *);

#endif
