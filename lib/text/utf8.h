/* UTF-8 (RFC 3629), as it may stand in an address (RFC 6531 3.3). */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>

/*
 * The character at *s, of a NUL-terminated string, which is moved behind it.
 * Returns -1 where the octets are not UTF-8: overlong forms, surrogates and
 * what lies beyond U+10FFFF are not.
 */
long utf8_next(const char **s);

/*
 * May the character stand in text that people and programs read line by line?
 * Not if it is a control, ends a line or a paragraph, or turns the order of
 * what is shown around.
 */
bool utf8_is_harmless(long c);

/* Write a character that has up to 21 bits to out; returns how many octets. */
int utf8_put(long c, char *out);

/* Is all of s UTF-8 and harmless? */
bool utf8_is_text(const char *s);

/* Is there an octet beyond ASCII in s? */
bool utf8_is_beyond_ascii(const char *s);

#endif
