/*
 * What t/every is made of: a server that is broken on purpose, a client, the
 * Maildirs behind it, and the order of its calls.
 */
#ifndef EVERY_H
#define EVERY_H

#include <sys/types.h>

#include "fail.h"

#define USERS_MAX	20
#define PATIENCE	60000	/* ms for a reply: then it hangs */

struct scenario {
	const char *name;
	int recipients;
	int own;		/* each has a Maildir of its own */
	int lmtp, bdat, tls;
	int hands_on;		/* a command has the message, too, */
	int nowhere;		/* or it alone */
	int inetd;		/* a process a session, broken from its start */
	const char *options[8];
};

/* every-client.c */

/* What a message came to.  Codes are 0 where no reply came. */
struct outcome {
	int refused;		/* before any recipient could be named */
	int rcpt[USERS_MAX];	/* the reply to each */
	int verdict[USERS_MAX];	/* the reply behind the dot, for each */
	int bounced;		/* 5xx, for what is no fault of the client */
};

struct connection {
	int fd;			/* -1: it is closed */
	char mask;		/* of t/tlsd, on each octet */
	char buf[4096];		/* that came and was not read */
	size_t len;
	int hung;		/* the server took too long */
};

/* Greet, and encrypt.  False where the connection is closed, or refused. */
int client_greet(struct connection *, const struct scenario *);

/* Send the n-th message, in the session at hand. */
void client_send(struct connection *, const struct scenario *, long n,
    struct outcome *);

/* Send a line; its reply must have that code. */
int client_expect(struct connection *, const char *line, int code);

/* Say QUIT, wait for the end, and close. */
void client_quit(struct connection *);

/* every-mail.c */

/* The n-th message as it is kept, less what stands above it. */
const char *mail_text(long n, size_t *len);

/* Empty Maildirs in the directory `root`, for so many users. */
void mail_make(const char *root, int users);

/* Remove what is in them; in tmp/, too, or not. */
void mail_empty(int tmp_too);

/* How often the n-th message is kept for a user, whole.  -1: not whole. */
int mail_kept(int user, long n);

/* How often it was handed to a command, whole. */
int mail_handed(long n);

/*
 * How many files are left in tmp/ of all, or, with content, in the spool.  With
 * age, those in tmp/ become so old.
 */
int mail_left(long age);

/* every-server.c */

struct server {
	const struct scenario *scenario;
	const char *root;
	struct fail_control *control;
	pid_t pid;		/* who listens, or serves; 0: nobody */
	pid_t worker;		/* whose calls fail */
};

void server_open(struct server *, const struct scenario *, const char *root);

/* Start it, and let none of its calls fail yet. */
void server_start(struct server *);

/* Connect; it is started where it serves just one. */
void server_connect(struct server *, struct connection *);

/* End it.  Returns the status of its end. */
int server_stop(struct server *);

/* The number of processes that its worker has. */
int server_children(const struct server *);

/* Empty its log. */
void server_forget(const struct server *);

/* Is there such a word in its log? */
int server_says(const struct server *, const char *word);

/* Is its worker the one that it was? */
int server_stands(const struct server *);

/* every-order.c */

/* The server takes this for the file system: ext4, btrfs or other.  0: none. */
int order_choose_fs(const char *name);

/* Look at the calls of a message that was kept; blame() hears what is wrong. */
void order_check(const struct server *, void (*blame)(const char *));

#endif
