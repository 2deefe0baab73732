/* Text in which "+2B" stands for "+" (RFC 3461 4), and its like. */
#ifndef XTEXT_H
#define XTEXT_H

#include <stddef.h>

/*
 * Decode n octets into out, of size octets, with a NUL behind; text may be NULL
 * where n is 0.  Returns how many that are; -1 where it is no xtext, does not
 * fit, or hides a NUL, CR or LF.  Other octets may be anything.
 */
long xtext_decode(const char *text, size_t n, char *out, size_t size);

/*
 * The same for an address in UTF-8, where "\x{2B}" stands for "+" (RFC 6533
 * 3), and characters beyond ASCII for themselves.  -1 also where it hides a
 * control or what else utf8_is_harmless() does not like.
 */
long unitext_decode(const char *text, size_t n, char *out, size_t size);

#endif
