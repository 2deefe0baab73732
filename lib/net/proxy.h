/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): what a
 * proxy says of a connection before its first octet.  The parser is pure and
 * strict; the reader takes the header from the socket and nothing behind it.
 */
#ifndef PROXY_H
#define PROXY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/net/net.h"

enum {
	PROXY_V1_MAX = 107,	/* octets with CR LF */
	PROXY_MAX = 4096,	/* octets of a header that we take: version 2
				   allows more, but who would send it? */
	PROXY_TEXT_MAX = 256,	/* octets of a value, with the NUL */
};

struct proxy_header {
	bool local;		/* the proxy speaks for itself: LOCAL, or
				   UNKNOWN; nothing below is set */
	/* no address where they have none, or one of another family */
	struct endpoint source, destination;

	/* what version 2 may add; "" where it is unknown */
	bool encrypted;		/* the client's connection to the proxy */
	char protocol[PROXY_TEXT_MAX];	/* TLSv1.3 */
	char cipher[PROXY_TEXT_MAX];
	char subject[PROXY_TEXT_MAX];	/* CN=..., of a verified certificate */
	char authority[PROXY_TEXT_MAX];	/* the name that it asked for */
};

/*
 * How long is the header that begins so?  0: longer than these n octets, all
 * of which belong to it; -1: this is none.
 */
long proxy_length(const char *, size_t n);

/* Parse a whole header, of proxy_length() octets.  0, or -1: it is none. */
int proxy_parse(struct proxy_header *, const char *, size_t len);

/*
 * Read a header from a socket, to its last octet and not beyond, within so
 * many milliseconds however it drips.  Ends early once *stop is set.  Returns
 * NULL, or why there is none, in words.
 */
const char *proxy_read(struct proxy_header *, int fd, long long timeout,
    const volatile sig_atomic_t *stop, const sigset_t *wait_mask);

#endif
