/*
 * The PROXY protocol.  A header is trusted, so callers must know that the peer
 * is a proxy.  A header that violates the protocol in any way is rejected as a
 * whole, because a guess could be a forged address.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/net/proxy.h"

/* It contains a NUL, and is not terminated by one. */
static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const char v1_begin[6] = "PROXY ";

enum {
	V2_FIXED = 16,		/* bytes before the addresses */
	V2_LENGTH = 14,		/* offset of the length of the rest */
	TLV_FIXED = 3,		/* bytes: type and length */
	SSL_FIXED = 5,		/* bytes: bits of the client, and verify */
};

enum {
	TLV_AUTHORITY = 0x02,
	TLV_CRC32C = 0x03,
	TLV_SSL = 0x20,
	SSL_VERSION = 0x21,
	SSL_CN = 0x22,
	SSL_CIPHER = 0x23,
	CLIENT_SSL = 0x01,		/* bits */
	CLIENT_CERTIFICATE = 0x02 | 0x04,	/* now, or in this session */
};

/* Bytes that are still to be parsed. */
struct bytes {
	const unsigned char *p;
	size_t n;
};

/* Do the n bytes agree with the prefix, as far as they go? */
static bool
has_prefix(const char *s, size_t n, const char *with, size_t len)
{
	return memcmp(s, with, n < len ? n : len) == 0;
}

static size_t
read_be16(const unsigned char *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static long
v1_length(const char *s, size_t n)
{
	const size_t max = n < PROXY_V1_MAX ? n : PROXY_V1_MAX;
	const char *lf = memchr(s, '\n', max);

	if (lf)
		return lf[-1] == '\r' ? lf + 1 - s : -1;
	return n < PROXY_V1_MAX ? 0 : -1;
}

long
proxy_length(const char *s, size_t n)
{
	size_t len;

	if (has_prefix(s, n, v1_begin, sizeof v1_begin))
		return n < sizeof v1_begin ? 0 : v1_length(s, n);
	if (!has_prefix(s, n, signature, sizeof signature))
		return -1;
	if (n < V2_FIXED)
		return 0;
	len = V2_FIXED + read_be16((const unsigned char *)s + V2_LENGTH);
	return len <= PROXY_MAX ? (long)len : -1;
}

/*
 * Read the next word of a line, up to a space or the end.  Returns -1 if it is
 * empty or too long.
 */
static int
parse_v1_word(const char **p, char *word, size_t size)
{
	const size_t len = strcspn(*p, " ");

	if (len == 0 || len >= size)
		return -1;
	memcpy(word, *p, len);
	word[len] = '\0';
	*p += len;
	if (**p == ' ' && *++*p == '\0')
		return -1;
	return 0;
}

static int
parse_v1_address(const char **p, int family, struct endpoint *e)
{
	char word[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (parse_v1_word(p, word, sizeof word) < 0 ||
	    inet_pton(family, word, &addr) != 1)
		return -1;
	endpoint_parse(e, word);
	return 0;
}

/* Parse a port: digits without a leading zero. */
static int
parse_v1_port(const char **p, struct endpoint *e)
{
	char word[sizeof "65535"];
	const char *c;

	if (parse_v1_word(p, word, sizeof word) < 0 ||
	    (word[0] == '0' && word[1]))
		return -1;
	e->port = 0;
	for (c = word; *c; c++) {
		if (*c < '0' || *c > '9')
			return -1;
		e->port = 10 * e->port + (unsigned)(*c - '0');
	}
	return e->port <= 65535 ? 0 : -1;
}

static int
parse_v1(struct proxy_header *h, const char *s, size_t len)
{
	char line[PROXY_V1_MAX + 1], name[sizeof "TCP4"];
	const char *p = line;
	int family;

	len -= sizeof v1_begin + 2;
	memcpy(line, s + sizeof v1_begin, len);
	line[len] = '\0';
	if (strncmp(line, "UNKNOWN", 7) == 0 && (len == 7 || line[7] == ' '))
		return 0;	/* the rest is ignored */
	if (strlen(line) != len || parse_v1_word(&p, name, sizeof name) < 0 ||
	    (strcmp(name, "TCP4") != 0 && strcmp(name, "TCP6") != 0))
		return -1;
	family = name[3] == '4' ? AF_INET : AF_INET6;
	return parse_v1_address(&p, family, &h->source) < 0 ||
	    parse_v1_address(&p, family, &h->destination) < 0 ||
	    parse_v1_port(&p, &h->source) < 0 ||
	    parse_v1_port(&p, &h->destination) < 0 || *p ? -1 : 0;
}

static bool
read_bytes(struct bytes *from, size_t n, struct bytes *out)
{
	if (from->n < n)
		return false;
	*out = (struct bytes){ from->p, n };
	from->p += n;
	from->n -= n;
	return true;
}

/*
 * Read the next type, length and value.  Returns 1, 0 if none is left, or -1 if
 * it is incomplete.
 */
static int
read_tlv(struct bytes *from, unsigned *type, struct bytes *value)
{
	struct bytes fixed;

	if (from->n == 0)
		return 0;
	if (!read_bytes(from, TLV_FIXED, &fixed))
		return -1;
	*type = fixed.p[0];
	return read_bytes(from, read_be16(fixed.p + 1), value) ? 1 : -1;
}

/*
 * Can the value be logged and put into an environment?  The client chose some
 * of these values, so one that can't is ignored and the header is accepted.
 */
static bool
is_text(const struct bytes *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->p[i] < ' ' || v->p[i] == 0x7f)
			return false;
	return v->n > 0 && v->n < PROXY_TEXT_MAX;
}

static void
copy_tlv_text(char *out, const struct bytes *v)
{
	if (!is_text(v))
		return;
	memcpy(out, v->p, v->n);
	out[v->n] = '\0';
}

/* Copy a common name, escaped so that it is one attribute (RFC 4514 2.4). */
static void
copy_common_name(char *out, const struct bytes *v)
{
	size_t i, n = 3;
	bool escaped;

	if (!is_text(v))
		return;
	memcpy(out, "CN=", 3);
	for (i = 0; i < v->n && n < PROXY_TEXT_MAX - 2; i++) {
		escaped = strchr(",+\"\\<>;", v->p[i]) ||
		    (v->p[i] == ' ' && (i == 0 || i + 1 == v->n)) ||
		    (v->p[i] == '#' && i == 0);
		if (escaped)
			out[n++] = '\\';
		out[n++] = (char)v->p[i];
	}
	out[i == v->n ? n : 0] = '\0';
}

static int
parse_ssl_tlv(struct proxy_header *h, struct bytes v)
{
	static const unsigned char verified[4];
	struct bytes fixed, text;
	unsigned type;
	bool certified;
	int more;

	if (!read_bytes(&v, SSL_FIXED, &fixed))
		return -1;
	h->encrypted = fixed.p[0] & CLIENT_SSL;
	certified = fixed.p[0] & CLIENT_CERTIFICATE &&
	    memcmp(fixed.p + 1, verified, sizeof verified) == 0;
	while ((more = read_tlv(&v, &type, &text)) > 0) {
		if (!h->encrypted)
			continue;
		if (type == SSL_VERSION)
			copy_tlv_text(h->protocol, &text);
		else if (type == SSL_CIPHER)
			copy_tlv_text(h->cipher, &text);
		else if (type == SSL_CN && certified)
			copy_common_name(h->subject, &text);
	}
	return more;
}

/*
 * Is this the CRC-32C (RFC 3720 B.4) of the header, computed with the four
 * bytes of the checksum as zero?
 */
static bool
is_checksum(const char *s, size_t len, const struct bytes *sum)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	uint32_t crc = 0xffffffff;
	int bit;

	if (sum->n != 4)
		return false;
	for (; p < end; p++) {
		if (p < sum->p || p >= sum->p + 4)
			crc ^= *p;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	crc = ~crc;
	return (read_be16(sum->p) << 16 | read_be16(sum->p + 2)) == crc;
}

static void
set_endpoint(struct endpoint *e, int family, const unsigned char *addr,
    const unsigned char *port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (family == AF_INET) {
		memcpy(&v4.sin_addr, addr, 4);
		memcpy(&v4.sin_port, port, 2);
		endpoint_set(e, (struct sockaddr *)&v4);
	} else {
		memcpy(&v6.sin6_addr, addr, 16);
		memcpy(&v6.sin6_port, port, 2);
		endpoint_set(e, (struct sockaddr *)&v6);
	}
}

/* Parse the addresses of a stream; those of datagrams are rejected. */
static int
parse_v2_addresses(struct proxy_header *h, unsigned kind, struct bytes *rest)
{
	struct bytes a;
	size_t size;
	int family;

	switch (kind) {
	case 0x00:		/* unspecified */
		return 0;
	case 0x31:		/* Unix sockets */
		return read_bytes(rest, 216, &a) ? 0 : -1;
	case 0x11:
		family = AF_INET;
		size = 4;
		break;
	case 0x21:
		family = AF_INET6;
		size = 16;
		break;
	default:
		return -1;
	}
	if (!read_bytes(rest, 2 * size + 4, &a))
		return -1;
	set_endpoint(&h->source, family, a.p, a.p + 2 * size);
	set_endpoint(&h->destination, family, a.p + size,
	    a.p + 2 * size + 2);
	return 0;
}

static int
parse_v2(struct proxy_header *h, const char *s, size_t len)
{
	struct bytes rest = { (const unsigned char *)s, len }, fixed, value;
	unsigned type;
	int more;

	if (!read_bytes(&rest, V2_FIXED, &fixed) ||
	    (fixed.p[12] != 0x20 && fixed.p[12] != 0x21))
		return -1;
	h->local = fixed.p[12] == 0x20;
	if (h->local)
		return 0;	/* the rest is ignored */
	if (parse_v2_addresses(h, fixed.p[13], &rest) < 0)
		return -1;
	while ((more = read_tlv(&rest, &type, &value)) > 0) {
		if (type == TLV_AUTHORITY)
			copy_tlv_text(h->authority, &value);
		else if ((type == TLV_SSL && parse_ssl_tlv(h, value) < 0) ||
		    (type == TLV_CRC32C && !is_checksum(s, len, &value)))
			return -1;
	}
	return more;
}

int
proxy_parse(struct proxy_header *h, const char *s, size_t len)
{
	*h = (struct proxy_header){ .local = false };
	if (len == 0 || proxy_length(s, len) != (long)len)
		return -1;
	return *s == 'P' ? parse_v1(h, s, len) : parse_v2(h, s, len);
}

/* Wait for input.  Returns NULL, or the reason of the failure. */
static const char *
wait_for_header(int fd, long long deadline, const volatile sig_atomic_t *stop,
    const sigset_t *wait_mask)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	long long left;
	int ready;

	do {
		left = deadline - clock_ms();
		if (*stop)
			return "shutting down";
		if (left <= 0)
			return "timed out";
		ready = clock_poll(&p, 1, left, wait_mask);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready < 0 ? strerror(errno) : NULL;
}

/*
 * Peek first, then read only what belongs to the header: all input, until it
 * contains the header's length or its end.
 */
const char *
proxy_read(struct proxy_header *h, int fd, long long timeout,
    const volatile sig_atomic_t *stop, const sigset_t *wait_mask)
{
	const long long deadline = clock_ms() + timeout;
	char buf[PROXY_MAX];
	const char *failed;
	size_t have = 0;
	ssize_t n;
	long len;

	do {
		failed = wait_for_header(fd, deadline, stop, wait_mask);
		if (failed)
			return failed;
		n = recv(fd, buf + have, sizeof buf - have, MSG_PEEK);
		if (n <= 0)
			return n < 0 ? strerror(errno) : "connection closed";
		len = proxy_length(buf, have + (size_t)n);
		if (len < 0)
			return "missing or malformed";
		if (len && have + (size_t)n > (size_t)len)
			n = len - (long)have;
		if (recv(fd, buf + have, (size_t)n, 0) != n)
			return strerror(errno);
		have += (size_t)n;
	} while (have != (size_t)len);
	return proxy_parse(h, buf, have) < 0 ? "malformed" : NULL;
}
