/*
 * Internationalized domain names as A-labels (RFC 5890 2.3.2.1), the one form
 * in which they can be compared.  The encoding is Punycode (RFC 3492).  There
 * is no mapping and no normalization: a label that is not a U-label, such as
 * one with non-ASCII capitals or one that is not in NFC, is not an error but a
 * different name.
 */
#ifndef IDNA_H
#define IDNA_H

#include <stddef.h>

enum { IDNA_MAX = 255 };	/* bytes with the NUL, RFC 1035 2.3.4 */

/*
 * Write a domain or an address literal of len bytes to out, which has room for
 * IDNA_MAX bytes, in lower case and with A-labels.  Returns 0, or -1 if it is
 * not UTF-8 or too long.
 */
int idna_to_ascii(const char *domain, size_t len, char *out);

#endif
