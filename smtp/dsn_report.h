/*
 * Delivery status notifications (RFC 3461) for messages that were stored.
 * Failures are not reported: the client gets a reply instead.
 */
#ifndef DSN_REPORT_H
#define DSN_REPORT_H

#include "smtp/session.h"

/* Is there a --dsn command, so that EHLO offers DSN? */
bool dsn_is_offered(const struct session *);

/*
 * Write a report for the recipients with NOTIFY=SUCCESS, and pass it to the
 * --dsn commands.  Call it after the client was sent 250.  Blocks on the disk
 * and the commands; errors are logged.
 */
void dsn_report(struct session *);

#endif
