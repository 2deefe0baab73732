/*
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): a header
 * in which a proxy describes the connection that it forwards.  The parser is
 * strict.  The reader consumes the header and nothing after it.
 */
#ifndef PROXY_H
#define PROXY_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/net/net.h"

enum {
	PROXY_V1_MAX = 107,	/* bytes with CR LF */
	PROXY_MAX = 4096,	/* bytes of a header; version 2 allows more,
				   but proxies send less */
	PROXY_TEXT_MAX = 256,	/* bytes of a value, with the NUL */
};

struct proxy_header {
	bool local;		/* LOCAL: the header describes no client, and
				   nothing below is set */
	/* no address if unknown, unspecified, or of another family */
	struct endpoint source, destination;

	/* from version 2; "": not known */
	bool encrypted;		/* between client and proxy */
	char protocol[PROXY_TEXT_MAX];	/* such as TLSv1.3 */
	char cipher[PROXY_TEXT_MAX];
	char subject[PROXY_TEXT_MAX];	/* CN=... of a verified certificate */
	char authority[PROXY_TEXT_MAX];	/* server name (SNI) */
};

/*
 * The length of the header that begins with these n bytes: 0 if more bytes are
 * needed, -1 if this is not a header, or one longer than PROXY_MAX.
 */
long proxy_length(const char *, size_t n);

/*
 * Parse a complete header of len bytes, as returned by proxy_length().  Returns
 * 0, or -1 if it is malformed.
 */
int proxy_parse(struct proxy_header *, const char *, size_t len);

/*
 * Read a header from a socket, and no byte after it.  Blocks for at most
 * timeout ms, and returns early when *stop is set; the signals of wait_mask are
 * blocked in the wait.  Returns NULL, or the reason of the failure in words.
 */
const char *proxy_read(struct proxy_header *, int fd, long long timeout,
    const volatile sig_atomic_t *stop, const sigset_t *wait_mask);

#endif
