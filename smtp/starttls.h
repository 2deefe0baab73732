/*
 * Encryption of a session, when the client asks for it (RFC 3207) or from the
 * first octet (RFC 8314); lib/tls knows who does it.
 */
#ifndef STARTTLS_H
#define STARTTLS_H

#include "smtp/session.h"

/* May this client be offered STARTTLS now? */
bool starttls_offered(const struct session *);

/* The command STARTTLS; after its 220 starttls_handshake() is due. */
struct reply starttls_command(struct session *, const char *arg);

/* Encrypt if session_begins_with_tls(), or end the stream. */
void starttls_at_once(struct session *);

/*
 * The handshake, if one is due; then what was said in clear is forgotten (RFC
 * 3207 4.2).  Where it fails, the stream is at its end.
 */
void starttls_handshake(struct session *);

/* The stream is closed: let who encrypted come to an end, too. */
void starttls_end(struct session *);

#endif
