/*
 * The grammar of paths (RFC 5321 4.1.2).  Pure: text in, values out; it knows
 * no policy.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/idna.h"

enum {
	ADDRESS_MAX = 254,	/* octets between < and >, RFC 5321 4.5.3.1.3 */
	ADDRESS_CANONICAL_MAX = ADDRESS_MAX + IDNA_MAX,	/* with the NUL */
};

/* A mailbox.  The three are empty for the null path. */
struct address {
	char email[ADDRESS_MAX + 1];	/* as given, less route and brackets */
	char local[ADDRESS_MAX + 1];	/* the local part, unquoted */
	char domain[IDNA_MAX];		/* lower case, A-labels; empty: none */
	bool utf8;			/* the path is for SMTPUTF8 only */
};

enum address_flags {
	ADDRESS_REVERSE = 1,	/* <> and a missing domain will do */
	ADDRESS_STRICT = 2,	/* RFC 5321 to the letter */
};

/*
 * Parse the path that *p points to, and move *p behind it.  A forward-path
 * without a domain must be postmaster (RFC 5321 4.5.1).  False where the path
 * is malformed; octets beyond ASCII must be UTF-8, and harmless (RFC 6531 3.3,
 * utf8.h).
 */
bool address_parse(const char **p, unsigned flags, struct address *);

/*
 * Is s a domain or an address literal (RFC 5321 4.1.2)?  Strictly so, or as
 * people name their hosts.
 */
bool address_is_host(const char *s, bool strict);

/*
 * The mailbox of a local part: without what follows the first of the
 * delimiters, and in lower case, but for letters beyond ASCII, which stay.  out
 * has room for ADDRESS_MAX + 1 octets.  Returns the extension, which is ""
 * where there is none.
 */
const char *address_mailbox(const char *local, const char *delimiters,
    char *out);

/*
 * An email in the form in which two of one mailbox are alike: the local part
 * to the octet, the domain in lower case and with A-labels.  out has room for
 * ADDRESS_CANONICAL_MAX octets.  Returns 0, or -1 where it has none.
 */
int address_canonical(const char *email, char *out);

/* The same of an address that was parsed, and so has one. */
void address_canonical_of(const struct address *, char *out);

#endif
