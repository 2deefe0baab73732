/* What is known of a message before its data, and the Received field of it. */
#ifndef RECEIVED_H
#define RECEIVED_H

#include <stdbool.h>

#include "lib/file.h"
#include "lib/net/tls.h"
#include "lib/text/address.h"
#include "mail/recipients.h"

/* What the session knows about the message. */
struct mail_info {
	const char *id;
	const char *client;	/* IP address; "": none */
	const char *name;	/* host name of the client; "": none */
	const char *helo;	/* name in HELO, safe in a header */
	const char *protocol;	/* ESMTP and the like, RFC 3848 */
	const char *hostname;	/* of this server */
	const struct tls_result *tls;
	char sender[ADDRESS_MAX + 1];
	char sender_domain[IDNA_MAX];	/* as in struct address */
	struct recipients *recipients;	/* owned by the session */
	const char *headers;	/* fields to put above the message */
	bool keep_open;		/* set result.fd */
	bool reply_each;	/* LMTP: a reply for each recipient */
};

/*
 * Write the Received field (RFC 5321 4.4), folded.  It names the recipient if
 * there is only one.
 */
void received_write(const struct mail_info *, struct outfile *);

#endif
