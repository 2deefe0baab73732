/*
 * TLS of a session, by STARTTLS (RFC 3207) or from the first byte (RFC 8314).
 * Another process does TLS: see lib/net/tls.
 */
#ifndef STARTTLS_H
#define STARTTLS_H

#include "smtp/session.h"

/* May STARTTLS be offered to this client now? */
bool starttls_offered(const struct session *);

/*
 * The command STARTTLS.  After its 220 reply the caller must call
 * starttls_handshake().
 */
struct reply starttls_command(struct session *, const char *arg);

/*
 * Do the handshake if session_begins_with_tls().  Blocks; if it fails, the
 * stream is closed.
 */
void starttls_begin_session(struct session *);

/*
 * Do the handshake if one is due, and clear what the client sent before it (RFC
 * 3207 4.2).  Blocks on the client, at most 30 seconds; if it fails, the stream
 * is closed.
 */
void starttls_handshake(struct session *);

/* End the TLS process, after the stream is closed.  Blocks until it exits. */
void starttls_end(struct session *);

#endif
