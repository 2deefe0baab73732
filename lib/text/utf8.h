/*
 * UTF-8 (RFC 3629), as an address may contain it (RFC 6531 3.3).  Strings are
 * NUL-terminated.
 */
#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>

/*
 * Decode the character at *s and advance *s past it.  Returns the character,
 * or -1 if the bytes are not UTF-8; overlong forms, surrogates and characters
 * above U+10FFFF are not.
 */
long utf8_next(const char **s);

/*
 * May the character appear in text that people and programs read line by line?
 * Not allowed are control characters, line and paragraph separators, and
 * characters that change the direction of text.
 */
bool utf8_is_harmless(long c);

/* Encode a character of up to 21 bits into out.  Returns 1 to 4 bytes. */
int utf8_put(long c, char *out);

/* Is all of s UTF-8 and harmless? */
bool utf8_is_text(const char *s);

/* Does s contain a non-ASCII byte? */
bool utf8_is_beyond_ascii(const char *s);

#endif
