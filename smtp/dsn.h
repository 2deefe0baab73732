/*
 * The parameters of delivery status notifications (RFC 3461): which reports
 * the sender of a message asks for.
 */
#ifndef DSN_H
#define DSN_H

#include <stdbool.h>

#include "lib/text/param.h"

enum {
	ENVID_MAX = 100,	/* octets, RFC 3461 4.4 */
	ORCPT_MAX = 500,	/* octets, RFC 3461 4.2 */
	DSN_NOTIFY_MAX = 24,	/* octets with a NUL: SUCCESS,FAILURE,DELAY */
};

enum dsn_notify {
	DSN_NEVER = 1,
	DSN_SUCCESS = 2,
	DSN_FAILURE = 4,
	DSN_DELAY = 8,
};

struct dsn {
	const char *ret;		/* FULL or HDRS; NULL: not said */
	char envelope_id[ENVID_MAX + 1];	/* decoded; or "" */

	/* of the recipient at hand */
	unsigned notify;		/* of enum dsn_notify; 0: not said */
	char original[ORCPT_MAX + 1];	/* "rfc822;a@b", decoded; or "" */
};

/* Take the value of a parameter; false where it is malformed. */
bool dsn_take_ret(struct dsn *, const struct param *);
bool dsn_take_envid(struct dsn *, const struct param *);
bool dsn_take_notify(struct dsn *, const struct param *);
bool dsn_take_orcpt(struct dsn *, const struct param *, bool utf8);

/* NOTIFY as it may have been given, into DSN_NOTIFY_MAX octets. */
void dsn_say_notify(unsigned notify, char *out);

#endif
