/* Base64 (RFC 4648 4), as AUTH uses it. */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

/*
 * Decode a NUL-terminated text, to the letter: padded, no white space, no
 * stray bits.  out has room for 3/4 of it, and a NUL that is put behind.
 * Returns how many octets it is, or -1 where it is no base64.
 */
long base64_decode(const char *text, char *out);

#endif
