/*
 * The grammar of paths and domains (RFC 5321 4.1.2).  It parses text into
 * values and has no side effects.  It knows no policy: whether an address
 * exists or is accepted is decided elsewhere.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/text/idna.h"

enum {
	ADDRESS_MAX = 254,	/* bytes between < and >, RFC 5321 4.5.3.1.3 */
	ADDRESS_CANONICAL_MAX = ADDRESS_MAX + IDNA_MAX,	/* with the NUL */
};

/* A mailbox.  All three strings are empty for the null path. */
struct address {
	char email[ADDRESS_MAX + 1];	/* as sent, without route and <> */
	char local[ADDRESS_MAX + 1];	/* the local part, unquoted */
	char domain[IDNA_MAX];		/* lower case, A-labels; empty: none */
	bool utf8;			/* the path needs SMTPUTF8 */
};

enum address_flags {
	ADDRESS_REVERSE = 1,	/* allow <> and a missing domain */
	ADDRESS_STRICT = 2,	/* require the exact grammar of RFC 5321 */
};

/*
 * Parse the path at *p and advance *p past it.  Unless strict, the path in
 * <Name <path>> is taken.  A forward-path without a domain must be postmaster
 * (RFC 5321 4.5.1).  Returns false if the path is malformed.  Non-ASCII
 * characters must be UTF-8 that utf8_is_harmless() accepts (RFC 6531 3.3).
 */
bool address_parse(const char **p, unsigned flags, struct address *);

/*
 * Is s a domain or an address literal (RFC 5321 4.1.2)?  Unless strict, an
 * underscore and a leading or trailing hyphen are allowed in a label.
 */
bool address_is_host(const char *s, bool strict);

/*
 * Write the mailbox of a local part to out, which has room for ADDRESS_MAX + 1
 * bytes: the part before the first delimiter, with ASCII letters in lower
 * case.  Returns the extension after the delimiter, or "".
 */
const char *address_mailbox(const char *local, const char *delimiters,
    char *out);

/*
 * Write the canonical form of an email address, for comparison, to out, which
 * has room for ADDRESS_CANONICAL_MAX bytes: the local part unchanged, the
 * domain in lower case and with A-labels.  Returns 0, or -1 if the address has
 * no such form.
 */
int address_canonical(const char *email, char *out);

/* The same for an address that address_parse() accepted; it can't fail. */
void address_canonical_of(const struct address *, char *out);

#endif
