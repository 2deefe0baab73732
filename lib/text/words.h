/*
 * Lines of words with spaces between them, as this program writes them for
 * itself.  scanf does the same, but what it makes of a number that is too large
 * is undefined, and it brings 12 kB of code along where libc is linked in.
 */
#ifndef WORDS_H
#define WORDS_H

/*
 * Split text where there are spaces, in place.  Returns how many words there
 * are, of which the first max at most are counted, and are in word.
 */
unsigned words_split(char *text, char **word, unsigned max);

/* A decimal number of 64 bits that is all of text; 0 where there is none. */
unsigned long long words_number(const char *text);

#endif
