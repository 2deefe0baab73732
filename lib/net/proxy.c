/*
 * The PROXY protocol.  What it says is believed, so whoever calls this must
 * know that a proxy speaks; what is not to the letter of the protocol is
 * refused whole, for a guess would be a forged address.
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/net/proxy.h"

/* A NUL is in its octets, and none is behind them. */
static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";
static const char v1_begin[6] = "PROXY ";

enum {
	V2_FIXED = 16,		/* octets before the addresses */
	V2_LENGTH = 14,		/* where the length of the rest stands */
	TLV_FIXED = 3,		/* octets: a type, and a length */
	SSL_FIXED = 5,		/* octets: the client's bits, and verify */
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

/* A run of octets that is taken apart from its beginning. */
struct octets {
	const unsigned char *p;
	size_t n;
};

/* Do the octets that are there begin as they should? */
static bool
begins(const char *s, size_t n, const char *with, size_t len)
{
	return memcmp(s, with, n < len ? n : len) == 0;
}

static size_t
be16(const unsigned char *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static long
v1_length(const char *s, size_t n)
{
	const size_t most = n < PROXY_V1_MAX ? n : PROXY_V1_MAX;
	const char *lf = memchr(s, '\n', most);

	if (lf)
		return lf[-1] == '\r' ? lf + 1 - s : -1;
	return n < PROXY_V1_MAX ? 0 : -1;
}

long
proxy_length(const char *s, size_t n)
{
	size_t len;

	if (n == 0)
		return 0;
	if (begins(s, n, v1_begin, sizeof v1_begin))
		return n < sizeof v1_begin ? 0 : v1_length(s, n);
	if (!begins(s, n, signature, sizeof signature))
		return -1;
	if (n < V2_FIXED)
		return 0;
	len = V2_FIXED + be16((const unsigned char *)s + V2_LENGTH);
	return len <= PROXY_MAX ? (long)len : -1;
}

/* The next word of a line, up to a space or the end; -1: too long. */
static int
take_word(const char **p, char *word, size_t size)
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
take_address(const char **p, int family, struct endpoint *e)
{
	char word[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (take_word(p, word, sizeof word) < 0 ||
	    inet_pton(family, word, &addr) != 1)
		return -1;
	endpoint_parse(e, word);
	return 0;
}

/* A port: digits, none of them a leading zero. */
static int
take_port(const char **p, struct endpoint *e)
{
	char word[sizeof "65535"];
	const char *c;

	if (take_word(p, word, sizeof word) < 0 ||
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
	if (strncmp(line, "UNKNOWN", 7) == 0 && (len == 7 || line[7] == ' ')) {
		h->local = true;	/* whatever stands behind it */
		return 0;
	}
	if (strlen(line) != len || take_word(&p, name, sizeof name) < 0 ||
	    (strcmp(name, "TCP4") != 0 && strcmp(name, "TCP6") != 0))
		return -1;
	family = name[3] == '4' ? AF_INET : AF_INET6;
	return take_address(&p, family, &h->source) < 0 ||
	    take_address(&p, family, &h->destination) < 0 ||
	    take_port(&p, &h->source) < 0 ||
	    take_port(&p, &h->destination) < 0 || *p ? -1 : 0;
}

static bool
take(struct octets *from, size_t n, struct octets *out)
{
	if (from->n < n)
		return false;
	*out = (struct octets){ from->p, n };
	from->p += n;
	from->n -= n;
	return true;
}

/* The next type, length and value; 0 where none is left, -1: it is cut off. */
static int
take_tlv(struct octets *from, unsigned *type, struct octets *value)
{
	struct octets fixed;

	if (from->n == 0)
		return 0;
	if (!take(from, TLV_FIXED, &fixed))
		return -1;
	*type = fixed.p[0];
	return take(from, be16(fixed.p + 1), value) ? 1 : -1;
}

/*
 * A client had a say in some of these, so what could not stand in a log or an
 * environment is no text, and no reason to refuse him.
 */
static bool
is_text(const struct octets *v)
{
	size_t i;

	for (i = 0; i < v->n; i++)
		if (v->p[i] < ' ' || v->p[i] == 0x7f)
			return false;
	return v->n > 0 && v->n < PROXY_TEXT_MAX;
}

static void
keep_text(char *out, const struct octets *v)
{
	if (!is_text(v))
		return;
	memcpy(out, v->p, v->n);
	out[v->n] = '\0';
}

/* A common name, written so that it can't be taken for more (RFC 4514 2.4). */
static void
keep_name(char *out, const struct octets *v)
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
parse_ssl(struct proxy_header *h, struct octets v)
{
	static const unsigned char verified[4];
	struct octets fixed, text;
	unsigned type;
	bool certified;
	int more;

	if (!take(&v, SSL_FIXED, &fixed))
		return -1;
	h->encrypted = fixed.p[0] & CLIENT_SSL;
	certified = fixed.p[0] & CLIENT_CERTIFICATE &&
	    memcmp(fixed.p + 1, verified, sizeof verified) == 0;
	while ((more = take_tlv(&v, &type, &text)) > 0) {
		if (!h->encrypted)
			continue;
		if (type == SSL_VERSION)
			keep_text(h->protocol, &text);
		else if (type == SSL_CIPHER)
			keep_text(h->cipher, &text);
		else if (type == SSL_CN && certified)
			keep_name(h->subject, &text);
	}
	return more;
}

/*
 * CRC-32C (RFC 3720 B.4) of the header, the four octets of the sum in it
 * taken as zero.
 */
static bool
sum_is(const char *s, size_t len, const struct octets *sum)
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
	return (be16(sum->p) << 16 | be16(sum->p + 2)) == crc;
}

static void
set_address(struct endpoint *e, int family, const unsigned char *addr,
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

/* Addresses of a family over a stream; those of datagrams are none of ours. */
static int
take_addresses(struct proxy_header *h, unsigned kind, struct octets *rest)
{
	struct octets a;
	size_t size;
	int family;

	switch (kind) {
	case 0x00:		/* unspecified */
		return 0;
	case 0x31:		/* two paths of Unix sockets */
		return take(rest, 216, &a) ? 0 : -1;
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
	if (!take(rest, 2 * size + 4, &a))
		return -1;
	set_address(&h->source, family, a.p, a.p + 2 * size);
	set_address(&h->destination, family, a.p + size,
	    a.p + 2 * size + 2);
	return 0;
}

static int
parse_v2(struct proxy_header *h, const char *s, size_t len)
{
	struct octets rest = { (const unsigned char *)s, len }, fixed, value;
	unsigned type;
	int more;

	if (!take(&rest, V2_FIXED, &fixed) ||
	    (fixed.p[12] != 0x20 && fixed.p[12] != 0x21))
		return -1;
	h->local = fixed.p[12] == 0x20;
	if (h->local)
		return 0;	/* what follows means nothing */
	if (take_addresses(h, fixed.p[13], &rest) < 0)
		return -1;
	while ((more = take_tlv(&rest, &type, &value)) > 0) {
		if (type == TLV_AUTHORITY)
			keep_text(h->authority, &value);
		else if ((type == TLV_SSL && parse_ssl(h, value) < 0) ||
		    (type == TLV_CRC32C && !sum_is(s, len, &value)))
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

/* Wait for something to read.  NULL, or why not. */
static const char *
wait_for(int fd, long long deadline, const volatile sig_atomic_t *stop,
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
 * Look first, then take what is known to belong to the header: all that has
 * come, until it holds the header's length or its end.
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
		failed = wait_for(fd, deadline, stop, wait_mask);
		if (failed)
			return failed;
		n = recv(fd, buf + have, sizeof buf - have, MSG_PEEK);
		if (n <= 0)
			return n < 0 ? strerror(errno) : "closed";
		len = proxy_length(buf, have + (size_t)n);
		if (len < 0)
			return "malformed, or missing";
		if (len && have + (size_t)n > (size_t)len)
			n = len - (long)have;
		if (recv(fd, buf + have, (size_t)n, 0) != n)
			return strerror(errno);
		have += (size_t)n;
	} while (have != (size_t)len);
	return proxy_parse(h, buf, have) < 0 ? "malformed" : NULL;
}
