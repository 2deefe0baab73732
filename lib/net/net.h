/* IP addresses, as sockets have them, and networks of them. */
#ifndef NET_H
#define NET_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <sys/socket.h>

/* One end of a connection.  An IPv4-mapped IPv6 address is an IPv4 one. */
struct endpoint {
	int family;			/* AF_INET, AF_INET6; else no address */
	unsigned char addr[16];		/* network order; 4 octets or 16 */
	char ip[INET6_ADDRSTRLEN];	/* the same as text; "" without one */
	unsigned port;
};

/* 192.0.2.0/24, 2001:db8::/32, or one address. */
struct network {
	int family;
	unsigned char addr[16];
	unsigned bits;
};

struct networks {
	const struct network *all;
	unsigned n;
};

void endpoint_set(struct endpoint *, const struct sockaddr *);

/* Our end of a socket; no address where it is none. */
void endpoint_set_local(struct endpoint *, int fd);

/* The same from text, less a scope ("%eth0"); no address where it is none. */
void endpoint_parse(struct endpoint *, const char *ip);
bool endpoint_is_loopback(const struct endpoint *);

/* Is it a loopback address, or all addresses, so that they are among them? */
bool endpoint_has_loopback(const struct endpoint *);

/* The same address and the same port? */
bool endpoint_same(const struct endpoint *, const struct endpoint *);

/*
 * Who counts as one client: an IPv4 address, or an IPv6 network of 64 bits,
 * which one customer has; all zero for no address.
 */
void endpoint_key(const struct endpoint *, unsigned char key[16]);

/* Returns 0, or -1 where the text is no network. */
int network_parse(struct network *, const char *text);
bool network_contains(const struct network *, const struct endpoint *);

/* Does one of them contain it? */
bool networks_contain(const struct networks *, const struct endpoint *);

#endif
