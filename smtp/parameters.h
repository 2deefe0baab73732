/*
 * The ESMTP parameters of MAIL and RCPT: a row for each.  They are taken after
 * HELO as after EHLO.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "smtp/session.h"

/*
 * Take all that stands behind a path, each at most once, into the session;
 * that of MAIL forgets what an earlier one declared.  Returns why not, or
 * none.
 */
struct reply parameters_mail(struct session *, const char *text);
struct reply parameters_rcpt(struct session *, const char *text);

#endif
