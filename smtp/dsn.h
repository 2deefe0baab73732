/*
 * The parameters of delivery status notifications (RFC 3461), with which the
 * sender of a message requests reports.  They are parsed here, and acted on in
 * dsn_report.
 */
#ifndef DSN_H
#define DSN_H

#include <stdbool.h>

#include "lib/text/param.h"

enum {
	ENVID_MAX = 100,	/* bytes, RFC 3461 4.4 */
	ORCPT_MAX = 500,	/* bytes, RFC 3461 4.2 */
	DSN_NOTIFY_MAX = 24,	/* bytes with a NUL: SUCCESS,FAILURE,DELAY */
};

enum dsn_notify {
	DSN_NEVER = 1,
	DSN_SUCCESS = 2,
	DSN_FAILURE = 4,
	DSN_DELAY = 8,
};

struct dsn {
	const char *ret;		/* FULL or HDRS; NULL: no RET */
	char envelope_id[ENVID_MAX + 1];	/* decoded; or "" */

	/* of the current recipient */
	unsigned notify;		/* enum dsn_notify bits; 0: no NOTIFY */
	char original[ORCPT_MAX + 1];	/* "rfc822;a@b", decoded; or "" */
};

/* Parse the value of a parameter.  Returns false if it is malformed. */
bool dsn_parse_ret(struct dsn *, const struct param *);
bool dsn_parse_envid(struct dsn *, const struct param *, bool strict);
bool dsn_parse_notify(struct dsn *, const struct param *);
bool dsn_parse_orcpt(struct dsn *, const struct param *, bool strict,
    bool utf8);

/* Format the value of NOTIFY into out, of DSN_NOTIFY_MAX bytes; "" for 0. */
void dsn_format_notify(unsigned notify, char *out);

#endif
