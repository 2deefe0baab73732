/*
 * The conversation: one SMTP session (RFC 5321) over a stream.  It does not
 * know where mail is stored: each MAIL command asks for an envelope.
 */
#ifndef PROTO_H
#define PROTO_H

#include "lib/net/stream.h"
#include "smtp/client.h"
#include "smtp/options.h"

/*
 * Serve a client until either side ends the session, and close the stream.
 * Blocks on the client, hooks and the disk.  The options must not change; the
 * client is copied.
 */
void proto_serve(const struct proto_options *, const struct client *,
    struct stream *);

#endif
