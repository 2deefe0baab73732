/*
 * IP addresses of sockets, and networks that contain them.  Nothing here
 * resolves a name.
 */
#ifndef NET_H
#define NET_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <sys/socket.h>

/*
 * One end of a connection.  An IPv4-mapped IPv6 address is stored as IPv4.
 */
struct endpoint {
	int family;			/* AF_INET or AF_INET6; AF_UNSPEC: no
					   address */
	unsigned char addr[16];		/* network order; 4 or 16 bytes used */
	char ip[INET6_ADDRSTRLEN];	/* the same as text; "" without one */
	unsigned port;
};

/* 192.0.2.0/24, 2001:db8::/32, or one address. */
struct network {
	int family;
	unsigned char addr[16];
	unsigned bits;			/* of the prefix */
};

struct networks {
	const struct network *all;
	unsigned n;
};

/* Set an endpoint from a socket address; any other family is no address. */
void endpoint_set(struct endpoint *, const struct sockaddr *);

/* Set it to the local end of a socket; no address if that has none. */
void endpoint_set_local(struct endpoint *, int fd);

/*
 * Set it from the text of an IP address, ignoring a scope ("%eth0"); no
 * address if the text is not one.
 */
void endpoint_parse(struct endpoint *, const char *ip);

/* Is it 127.0.0.0/8 or ::1? */
bool endpoint_is_loopback(const struct endpoint *);

/* Is it a loopback address, or the wildcard, which includes them? */
bool endpoint_has_loopback(const struct endpoint *);

/* Are the address and the port the same? */
bool endpoint_same(const struct endpoint *, const struct endpoint *);

/*
 * The key under which connections are counted for one client: an IPv4 address,
 * or an IPv6 /64, because one customer has all of it; all zero for no address.
 */
void endpoint_key(const struct endpoint *, unsigned char key[16]);

/* Parse a network.  Returns 0, or -1 if the text is not one. */
int network_parse(struct network *, const char *text);

/* Does the network contain the address? */
bool network_contains(const struct network *, const struct endpoint *);

/* Does any of the networks contain the address? */
bool networks_contain(const struct networks *, const struct endpoint *);

#endif
