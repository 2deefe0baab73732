/*
 * Domains beyond ASCII in the one form in which they can be compared: each
 * U-label as its A-label (RFC 5890 2.3.2.1), by Punycode (RFC 3492).  Nothing
 * is mapped: text that is no U-label, such as one with capitals beyond ASCII
 * or one that is not in NFC, becomes another name, and not an error.
 */
#ifndef IDNA_H
#define IDNA_H

#include <stddef.h>

enum { IDNA_MAX = 255 };	/* octets with the NUL, RFC 1035 2.3.4 */

/*
 * Write the len octets of a domain, or of an address literal, to out, of
 * IDNA_MAX octets: with A-labels, in lower case.  Returns 0, or -1 where it is
 * no UTF-8, or too long.
 */
int idna_to_ascii(const char *domain, size_t len, char *out);

#endif
