/*
 * What the fuzz targets share (README.md beside them).  A target gives octets
 * that nobody chose to one part of smtpd, and checks what the part promises;
 * where there is a plain way to say what is right, both are compared.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* It holds, or this input is a finding. */
#define CHECK(that) \
	((that) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #that))

__attribute__((noreturn))
void fuzz_fail(const char *file, int line, const char *that);

/* libFuzzer calls this with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/*
 * The octets up to the first NUL as a string in memory of just that size, so
 * that an octet read beyond it is noticed.  The caller frees it.
 */
char *fuzz_string(const uint8_t *, size_t);

/* A copy of n octets in memory of just that size.  The caller frees it. */
char *fuzz_copy(const void *, size_t);

/*
 * Where a stream of octets is cut into segments: the same octets are always
 * cut alike, or not at all.
 */
struct cuts {
	uint64_t state;		/* 0: no cuts */
};

struct cuts fuzz_cuts(const uint8_t *, size_t);

/* The length of the next segment of the n > 0 octets that are left. */
size_t fuzz_cut(struct cuts *, size_t n);

/* A number below n, of the same kind; 0 where there are no cuts. */
unsigned fuzz_chance(struct cuts *, unsigned n);

/* Octets that are gathered. */
struct gathered {
	char *p;
	size_t n, room;
};

void gather(struct gathered *, const void *, size_t);
void gather_file(struct gathered *, int fd);	/* from its beginning */
void gather_free(struct gathered *);
bool gathered_same(const struct gathered *, const struct gathered *);

#endif
