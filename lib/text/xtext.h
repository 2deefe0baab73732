/*
 * The encodings xtext (RFC 3461 4), in which "+2B" is "+", and unitext (RFC
 * 6533 3), in which "\x{2B}" is.  Whether the decoded text is a valid address
 * is not checked.
 */
#ifndef XTEXT_H
#define XTEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Decode n bytes of xtext into out, of size bytes, and add a NUL; text may be
 * NULL if n is 0.  Returns the length of the result.  Returns -1 if the text
 * is not xtext, does not fit, or encodes a NUL, CR or LF; other bytes may be
 * anything.
 * The digits of RFC 3461 are in upper case; Exchange sends those in lower case,
 * which are accepted unless strict.
 */
long xtext_decode(const char *text, size_t n, bool strict, char *out,
    size_t size);

/*
 * The same for unitext, where non-ASCII characters may also appear unencoded.
 * Returns -1 also if the result is not UTF-8 or utf8_is_harmless() rejects a
 * character.
 */
long unitext_decode(const char *text, size_t n, char *out, size_t size);

#endif
