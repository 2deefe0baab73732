/*
 * The decoder for base64 (RFC 4648 4), as AUTH uses it.  It accepts no white
 * space and no other alphabet.
 */
#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

/*
 * Decode a NUL-terminated text into out, and add a NUL.  Padding is required,
 * and unused bits must be zero.  out needs 3/4 of the length of text and one
 * byte.  Returns the number of bytes without the NUL, or -1 if text is not
 * base64.
 */
long base64_decode(const char *text, char *out);

#endif
