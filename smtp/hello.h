/*
 * How a session begins: the commands HELO, and EHLO, which is LHLO in LMTP.
 * Each returns what the client will hear; arg is the command's argument.
 */
#ifndef HELLO_H
#define HELLO_H

#include "smtp/session.h"

struct reply hello_helo(struct session *, const char *arg);
struct reply hello_ehlo(struct session *, const char *arg);

/* What EHLO offers this client now. */
struct reply hello_offer(const struct session *);

#endif
