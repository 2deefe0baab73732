/* IP addresses and networks.  Nothing here asks the DNS. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/net.h"

static void
set_ipv4(struct endpoint *e, const void *addr, in_port_t port)
{
	e->family = AF_INET;
	e->port = ntohs(port);
	memcpy(e->addr, addr, 4);
}

void
endpoint_set(struct endpoint *e, const struct sockaddr *sa)
{
	const struct sockaddr_in *v4;
	const struct sockaddr_in6 *v6;

	*e = (struct endpoint){ .family = AF_UNSPEC };
	if (sa->sa_family == AF_INET) {
		v4 = (const struct sockaddr_in *)(const void *)sa;
		set_ipv4(e, &v4->sin_addr, v4->sin_port);
	} else if (sa->sa_family == AF_INET6) {
		v6 = (const struct sockaddr_in6 *)(const void *)sa;
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			set_ipv4(e, v6->sin6_addr.s6_addr + 12, v6->sin6_port);
		} else {
			e->family = AF_INET6;
			e->port = ntohs(v6->sin6_port);
			memcpy(e->addr, &v6->sin6_addr, 16);
		}
	}
	if (e->family != AF_UNSPEC)
		inet_ntop(e->family, e->addr, e->ip, sizeof e->ip);
}

void
endpoint_set_local(struct endpoint *e, int fd)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;

	getsockname(fd, (struct sockaddr *)&sa, &len);
	endpoint_set(e, (struct sockaddr *)&sa);
}

void
endpoint_parse(struct endpoint *e, const char *text)
{
	char ip[INET6_ADDRSTRLEN];
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	snprintf(ip, sizeof ip, "%.*s", (int)strcspn(text, "%"), text);
	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
		endpoint_set(e, (struct sockaddr *)&v4);
	else if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
		endpoint_set(e, (struct sockaddr *)&v6);
	else
		*e = (struct endpoint){ .family = AF_UNSPEC };
}

bool
endpoint_is_loopback(const struct endpoint *e)
{
	static const unsigned char v6[16] = { [15] = 1 };

	if (e->family == AF_INET)
		return e->addr[0] == 127;
	return e->family == AF_INET6 && memcmp(e->addr, v6, sizeof v6) == 0;
}

bool
endpoint_has_loopback(const struct endpoint *e)
{
	static const unsigned char all[16];

	return endpoint_is_loopback(e) || (e->family != AF_UNSPEC &&
	    memcmp(e->addr, all, sizeof all) == 0);
}

void
endpoint_key(const struct endpoint *e, unsigned char key[16])
{
	memset(key, 0, 16);
	if (e->family == AF_INET6) {
		memcpy(key, e->addr, 8);
	} else if (e->family == AF_INET) {
		key[10] = key[11] = 0xff;	/* IPv4-mapped IPv6 */
		memcpy(key + 12, e->addr, 4);
	}
}

bool
endpoint_same(const struct endpoint *a, const struct endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	    memcmp(a->addr, b->addr, sizeof a->addr) == 0;
}

int
network_parse(struct network *net, const char *text)
{
	char addr[INET6_ADDRSTRLEN], *end;
	size_t len = strcspn(text, "/");
	unsigned max_bits;
	unsigned long bits;

	if (len >= sizeof addr)
		return -1;
	memcpy(addr, text, len);
	addr[len] = '\0';
	*net = (struct network){ .family = AF_INET };
	if (inet_pton(AF_INET, addr, net->addr) != 1) {
		net->family = AF_INET6;
		if (inet_pton(AF_INET6, addr, net->addr) != 1)
			return -1;
	}
	max_bits = net->family == AF_INET ? 32 : 128;
	net->bits = max_bits;
	if (text[len] == '\0')
		return 0;
	text += len + 1;
	if (*text < '0' || *text > '9')
		return -1;
	bits = strtoul(text, &end, 10);
	if (*end || bits > max_bits)
		return -1;
	net->bits = (unsigned)bits;
	return 0;
}

bool
network_contains(const struct network *net, const struct endpoint *e)
{
	unsigned bytes = net->bits / 8, bits = net->bits % 8;

	if (net->family != e->family ||
	    memcmp(net->addr, e->addr, bytes) != 0)
		return false;
	return bits == 0 ||
	    ((net->addr[bytes] ^ e->addr[bytes]) >> (8 - bits)) == 0;
}

bool
networks_contain(const struct networks *nets, const struct endpoint *e)
{
	unsigned i;

	for (i = 0; i < nets->n; i++)
		if (network_contains(&nets->all[i], e))
			return true;
	return false;
}
