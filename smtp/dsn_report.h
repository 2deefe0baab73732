/* Delivery status notifications (RFC 3461) for messages that were kept. */
#ifndef DSN_REPORT_H
#define DSN_REPORT_H

#include "smtp/session.h"

/* Is there a command that sends reports, so that DSN is offered? */
bool dsn_is_offered(const struct session *);

/*
 * Have a report sent for each recipient for which the sender asked to be told
 * of success.  Call it when the message was kept and the client has its 250.
 */
void dsn_report(struct session *);

#endif
