/*
 * The header of a message that is read as a stream: the fields and the output
 * must not depend on where it is cut into segments.
 */
#include <string.h>

#include "fuzz.h"
#include "mail/header.h"
#include "mail/trace.h"

struct seen {
	struct gathered fields, octets;
	bool over;
	unsigned long long end;
};

static void
take_field(void *ctx, const char *field)
{
	struct seen *seen = ctx;
	const char *value = header_value(field, "Received");

	CHECK(strlen(field) <= HEADER_FIELD_KEPT);
	gather(&seen->fields, field, strlen(field) + 1);
	if (value) {
		trace_is_by(value, "mx.example");
		trace_has_id(value, "0123456789ABCDEF.1");
	}
}

static void
take_octets(void *ctx, const char *s, size_t n)
{
	struct seen *seen = ctx;

	gather(&seen->octets, s, n);
}

static void
scan(struct seen *seen, const uint8_t *data, size_t n, struct cuts cuts,
    const char *dropped)
{
	struct header h;
	size_t part;
	char *copy;

	*seen = (struct seen){ .over = false };
	header_init(&h, seen);
	h.field = take_field;
	h.put = take_octets;
	h.dropped = dropped;
	for (; n; data += part, n -= part) {
		part = fuzz_cut(&cuts, n);
		copy = fuzz_copy(data, part);
		header_scan(&h, copy, part);
		free(copy);
	}
	header_finish(&h);
	seen->over = h.over;
	seen->end = h.end;
}

static bool
same(const struct gathered *a, const struct gathered *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void
forget(struct seen *seen)
{
	gather_free(&seen->fields);
	gather_free(&seen->octets);
}

/* If nothing is dropped, at most an empty line is added at the beginning. */
static void
check_octets(const struct gathered *put, const uint8_t *data, size_t n)
{
	CHECK(put->n == n || (put->n == n + 1 && put->p[0] == '\n'));
	CHECK(n == 0 || memcmp(put->p + put->n - n, data, n) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const dropped[] = { NULL, "Return-Path" };
	struct seen whole, cut;
	int i;

	for (i = 0; i < 2; i++) {
		scan(&whole, data, n, (struct cuts){ 0 }, dropped[i]);
		scan(&cut, data, n, fuzz_cuts(data, n), dropped[i]);
		CHECK(same(&whole.fields, &cut.fields));
		CHECK(same(&whole.octets, &cut.octets));
		CHECK(whole.over == cut.over && whole.end == cut.end);
		if (!dropped[i])
			check_octets(&whole.octets, data, n);
		forget(&whole);
		forget(&cut);
	}
	return 0;
}
