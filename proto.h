/*
 * The conversation: one SMTP session (RFC 5321) over a stream.  It asks for
 * an envelope when a mail begins and does not know where mail is kept.
 */
#ifndef PROTO_H
#define PROTO_H

#include "lib/net/stream.h"
#include "smtp/client.h"
#include "smtp/options.h"

/* Speak with the client until one of both ends it, and close the stream. */
void proto_serve(const struct proto_options *, const struct client *,
    struct stream *);

#endif
