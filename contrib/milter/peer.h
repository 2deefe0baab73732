/*
 * Where a milter listens, in the notation of Postfix and Sendmail.
 */
#ifndef MILTER_PEER_H
#define MILTER_PEER_H

struct peer {
	const char *text;	/* as it was given */
	int family;		/* AF_UNIX, AF_INET6, or AF_UNSPEC for both */
	char host[256];
	char port[32];		/* a number or the name of a service */
	const char *path;	/* of a Unix socket */
};

/*
 * Parse inet:PORT@HOST, inet:HOST:PORT, inet6:PORT@HOST, unix:PATH or
 * local:PATH.  Returns NULL, or what is wrong.  text must outlive the peer.
 */
const char *peer_parse(struct peer *, const char *text);

/*
 * Connect before the deadline, a time of peer_clock().  Returns a nonblocking
 * socket, or -1 with the reason in *error.
 */
int peer_connect(const struct peer *, long long deadline, const char **error);

/* Monotonic time in ms. */
long long peer_clock(void);

/* Wait for an event of poll(2).  Returns 0, or -1 after the deadline. */
int peer_wait(int fd, short events, long long deadline);

#endif
