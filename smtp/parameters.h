/*
 * The ESMTP parameters of MAIL and RCPT, a table row for each.  They are
 * accepted after HELO as well as after EHLO.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "smtp/session.h"

/*
 * Parse the parameters after a path, each at most once, into the session;
 * parameters_mail() clears those of the previous MAIL first.  Returns code 0,
 * or a reply that rejects the command.
 */
struct reply parameters_mail(struct session *, const char *text);
struct reply parameters_rcpt(struct session *, const char *text);

#endif
