/*
 * The interface of the fuzz targets.  A target passes arbitrary bytes to one
 * part of smtpd and checks the contract of that part; where a plain
 * implementation exists, the results are compared.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Report this input unless the condition holds. */
#define CHECK(that) \
	((that) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #that))

__attribute__((noreturn))
void fuzz_fail(const char *file, int line, const char *that);

/* libFuzzer calls this with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/*
 * The bytes up to the first NUL as a string, in an allocation of exactly that
 * size, so that an overread is detected.  The caller frees it.
 */
char *fuzz_string(const uint8_t *, size_t);

/* A copy of n bytes, allocated exactly.  The caller frees it. */
char *fuzz_copy(const void *, size_t);

/*
 * Where a stream of bytes is cut into segments.  The cuts depend on the bytes
 * only, so that a finding can be reproduced.
 */
struct cuts {
	uint64_t state;		/* 0: no cuts */
};

struct cuts fuzz_cuts(const uint8_t *, size_t);

/* The length of the next segment, if n > 0 bytes are left. */
size_t fuzz_cut(struct cuts *, size_t n);

/* A pseudo-random number below n; 0 if there are no cuts. */
unsigned fuzz_chance(struct cuts *, unsigned n);

/* A buffer that grows. */
struct gathered {
	char *p;
	size_t n, room;
};

void gather(struct gathered *, const void *, size_t);
void gather_file(struct gathered *, int fd);	/* from its beginning */
void gather_free(struct gathered *);
bool gathered_same(const struct gathered *, const struct gathered *);

#endif
