/*
 * Message data in segments, compared with a plain decoder that has all of it
 * at once.  The first byte chooses between DATA and BDAT, and whether
 * the client is lenient.
 */
#include <string.h>

#include "lib/text/line.h"
#include "plain.h"

/* The output has exactly the size that the contract requires. */
static size_t
decode(struct data *d, const uint8_t *p, size_t n, struct gathered *out)
{
	char *in = fuzz_copy(p, n), *to = malloc(n + 1);
	size_t len, used;

	CHECK(to != NULL);
	used = data_decode(d, in, n, to, &len);
	CHECK(used <= n && len <= n + 1);
	gather(out, to, len);
	free(in);
	free(to);
	return used;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct cuts cuts = fuzz_cuts(data, n);
	struct plain_data plain;
	struct gathered out = { .n = 0 };
	struct data d;
	size_t used = 0, part, got;
	bool chunked, lenient;

	if (n == 0)
		return 0;
	lenient = *data & 2;
	chunked = *data++ & 1;
	n--;
	plain_decode(&plain, (const char *)data, n, chunked, lenient);
	data_init(&d, chunked, lenient);
	while (used < n && !d.done) {
		part = fuzz_cut(&cuts, n - used);
		got = decode(&d, data + used, part, &out);
		CHECK(got == part || d.done);
		used += got;
	}
	CHECK(used == plain.used && d.done == plain.done);
	CHECK(out.n == plain.out.n);
	CHECK(out.n == 0 || memcmp(out.p, plain.out.p, out.n) == 0);
	CHECK(d.bare_cr == plain.bare_cr && d.bare_lf == plain.bare_lf);
	CHECK(d.octets == plain.octets);
	CHECK(data_end(&d) == (lenient && d.state == DATA_CR));
	if (chunked)
		CHECK(d.bare_cr == (plain.bare_cr ||
		    (n && data[n - 1] == '\r')));
	gather_free(&out);
	gather_free(&plain.out);
	return 0;
}
