/*
 * PROXY headers: the result for each prefix of a header and for all of it, and
 * that no byte after the header is read from the socket.
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/net/proxy.h"

static void
check_text(const char *s)
{
	CHECK(strlen(s) < PROXY_TEXT_MAX);
	for (; *s; s++)
		CHECK((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void
check_endpoint(const struct endpoint *e)
{
	unsigned char addr[16];

	CHECK(e->port <= 65535);
	if (e->family == AF_INET || e->family == AF_INET6)
		CHECK(inet_pton(e->family, e->ip, addr) == 1);
	else
		CHECK(*e->ip == '\0');
}

static void
check_header(const struct proxy_header *h)
{
	check_endpoint(&h->source);
	check_endpoint(&h->destination);
	check_text(h->protocol);
	check_text(h->cipher);
	check_text(h->subject);
	check_text(h->authority);
	if (h->local)
		CHECK(!*h->source.ip && !*h->destination.ip &&
		    !h->encrypted && !*h->authority);
	if (!h->encrypted)
		CHECK(!*h->protocol && !*h->cipher && !*h->subject);
}

/* Each prefix gives no result, or the result of the whole header. */
static long
find_length(const uint8_t *data, size_t n)
{
	const long all = proxy_length((const char *)data, n);
	size_t i;
	char *part;
	long len;

	CHECK(all >= -1 && all <= PROXY_MAX);
	for (i = 0; i <= n; i += i < 128 ? 1 : 97) {
		part = fuzz_copy(data, i);
		len = proxy_length(part, i);
		free(part);
		CHECK(len == 0 || len == all);
	}
	return all;
}

/* Read it from a socket that has all of it. */
static void
check_reader(const uint8_t *data, size_t n, long len,
    const struct proxy_header *expected, bool good)
{
	static const volatile sig_atomic_t stop = 0;
	struct proxy_header h;
	const char *failed;
	char rest[2 * PROXY_MAX];
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	CHECK(write(fds[1], data, n) == (ssize_t)n);
	shutdown(fds[1], SHUT_WR);
	failed = proxy_read(&h, fds[0], 60000, &stop, NULL);
	CHECK((failed == NULL) == good);
	if (good) {
		CHECK(strcmp(h.source.ip, expected->source.ip) == 0);
		CHECK(h.source.port == expected->source.port);
		CHECK(strcmp(h.subject, expected->subject) == 0);
		CHECK(read(fds[0], rest, sizeof rest) ==
		    (ssize_t)n - (ssize_t)len);
	}
	close(fds[0]);
	close(fds[1]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct proxy_header h = { .local = false };
	bool good = false;
	char *copy;
	long len;

	if (n > 2 * PROXY_MAX)
		n = 2 * PROXY_MAX;
	len = find_length(data, n);
	if (len > 0 && (size_t)len <= n) {
		copy = fuzz_copy(data, (size_t)len);
		good = proxy_parse(&h, copy, (size_t)len) == 0;
		free(copy);
		if (good)
			check_header(&h);
	}
	if (good || fuzz_cuts(data, n).state % 16 == 0)
		check_reader(data, n, len, &h, good);
	return 0;
}
