/* The layout of --explain: titles, and fields below them. */
#ifndef PAGE_H
#define PAGE_H

/* Print a title to standard output, after an empty line. */
void page_title(const char *);

/*
 * Print a line "name  text" to standard output.  Columns are at least two spaces
 * apart, however long their text is.
 */
__attribute__((format(printf, 2, 3)))
void page_field(const char *name, const char *fmt, ...);

#endif
