/*
 * The macros that milters read, from the environment of the hook.
 */
#ifndef MILTER_MACROS_H
#define MILTER_MACROS_H

#include "contrib/milter/link.h"

/*
 * Send the macros that are first known at this step, one of SMFIC_CONNECT,
 * SMFIC_HELO, SMFIC_MAIL and SMFIC_RCPT; a milter remembers them for later
 * steps.  recipient may be NULL.
 */
void macros_send(struct link *, char step, const char *recipient);

#endif
