/*
 * Lines of space-separated words, as smtpd writes them for itself.  scanf(3)
 * is not used: its result is undefined for numbers that are too large, and it
 * adds 12 kB to a statically linked program.
 */
#ifndef WORDS_H
#define WORDS_H

/*
 * Split text at spaces, in place, into at most max words that point into it;
 * further text is ignored.  Returns the number of words.
 */
unsigned words_split(char *text, char **word, unsigned max);

/* Parse all of text as a decimal number of 64 bits; 0 if it is not one. */
unsigned long long words_number(const char *text);

#endif
