/* The functions that all fuzz targets use. */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

void
fuzz_fail(const char *file, int line, const char *that)
{
	fprintf(stderr, "%s:%d: it does not hold: %s\n", file, line, that);
	abort();
}

static void *
allocate(size_t n)
{
	void *p = malloc(n ? n : 1);

	CHECK(p != NULL);
	return p;
}

char *
fuzz_string(const uint8_t *data, size_t n)
{
	const uint8_t *nul = n ? memchr(data, '\0', n) : NULL;
	const size_t len = nul ? (size_t)(nul - data) : n;
	char *s = allocate(len + 1);

	if (len)
		memcpy(s, data, len);
	s[len] = '\0';
	return s;
}

char *
fuzz_copy(const void *data, size_t n)
{
	char *s = allocate(n);

	if (n)
		memcpy(s, data, n);
	return s;
}

/* FNV-1a; never 0, which means no cuts. */
struct cuts
fuzz_cuts(const uint8_t *data, size_t n)
{
	uint64_t hash = 14695981039346656037u;
	size_t i;

	for (i = 0; i < n; i++)
		hash = (hash ^ data[i]) * 1099511628211u;
	return (struct cuts){ hash ? hash : 1 };
}

/* xorshift */
static uint64_t
next(struct cuts *c)
{
	c->state ^= c->state << 13;
	c->state ^= c->state >> 7;
	c->state ^= c->state << 17;
	return c->state;
}

size_t
fuzz_cut(struct cuts *c, size_t n)
{
	static const unsigned most[] = { 1, 2, 3, 8, 64, 1460, 9000, 65536 };
	size_t len;

	if (!c->state)
		return n;
	len = 1 + next(c) % most[next(c) % 8];
	return len < n ? len : n;
}

unsigned
fuzz_chance(struct cuts *c, unsigned n)
{
	return c->state ? (unsigned)(next(c) % n) : 0;
}

void
gather(struct gathered *g, const void *p, size_t n)
{
	if (n > g->room - g->n) {
		g->room = 2 * (g->n + n);
		g->p = realloc(g->p, g->room);
		CHECK(g->p != NULL);
	}
	if (n)
		memcpy(g->p + g->n, p, n);
	g->n += n;
}

void
gather_file(struct gathered *g, int fd)
{
	char buf[8192];
	off_t offset = 0;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof buf, offset)) > 0) {
		gather(g, buf, (size_t)n);
		offset += n;
	}
}

bool
gathered_same(const struct gathered *a, const struct gathered *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

void
gather_free(struct gathered *g)
{
	free(g->p);
	*g = (struct gathered){ .p = NULL };
}
