/*
 * The parts of t/every: a server whose calls are made to fail, a client, the
 * Maildirs that the server writes to, and the check of the order of its calls.
 */
#ifndef EVERY_H
#define EVERY_H

#include <sys/types.h>

#include "fail.h"

#define USERS_MAX	20
#define PATIENCE	60000	/* ms to wait for a reply */

struct scenario {
	const char *name;
	int recipients;
	int own;		/* each recipient has a Maildir of its own */
	int folder;		/* a command has it put into .Junk */
	int lmtp, bdat, tls;
	int hands_on;		/* a command gets the message, too */
	int nowhere;		/* only a command gets the message */
	int launcher;		/* commands are configured */
	int inetd;		/* a process for each session, whose calls fail
				   from its start */
	const char *options[8];
};

/* every-client.c */

/* The replies to a message; a code is 0 if there was none. */
struct outcome {
	int refused;		/* before RCPT */
	int rcpt[USERS_MAX];	/* the reply to each RCPT */
	int verdict[USERS_MAX];	/* the reply after the dot, for each */
	int bounced;		/* 5xx, which is not the client's fault */
};

struct connection {
	int fd;			/* -1: closed */
	char mask;		/* of t/tlsd, for each byte */
	char buf[4096];		/* received and not yet processed */
	size_t len;
	int hung;		/* the server did not reply in time */
};

/* Send EHLO and STARTTLS.  Returns false if it is rejected or closed. */
int client_greet(struct connection *, const struct scenario *);

/* Send the n-th message in this session. */
void client_send(struct connection *, const struct scenario *, long n,
    struct outcome *);

/* Send a line; the reply must have this code. */
int client_expect(struct connection *, const char *line, int code);

/* Send QUIT, wait for the end of the connection, and close it. */
void client_quit(struct connection *);

/* every-mail.c */

/* The n-th message as it is stored, without the server's header fields. */
const char *mail_text(long n, size_t *len);

/*
 * Make empty Maildirs in the directory `root`, for this many users; with folder
 * set, messages are expected in the folder .Junk.
 */
void mail_make(const char *root, int users, int folder);

/* Remove all messages and the folder; files in tmp/ only if tmp_too. */
void mail_empty(int tmp_too);

/* The number of copies of the n-th message for a user; -1: incomplete. */
int mail_kept(int user, long n);

/* The number of times that a command got the complete n-th message. */
int mail_handed(long n);

/*
 * The number of files in all tmp/, and of files with content in the spool.  If
 * age is not 0, files in tmp/ get this age in seconds.
 */
int mail_left(long age);

/* every-server.c */

struct server {
	const struct scenario *scenario;
	const char *root;
	struct fail_control *control;
	pid_t pid;		/* the master, or the process that serves; 0:
				   not running */
	pid_t worker;		/* the process whose calls fail */
	pid_t launcher;		/* of the worker; 0: none */
	int of_launcher;	/* its calls fail instead */
};

void server_open(struct server *, const struct scenario *, const char *root);

/* Start the server; no call fails yet. */
void server_start(struct server *);

/* Connect; a server for a single session is started first. */
void server_connect(struct server *, struct connection *);

/* Stop the server.  Returns its wait(2) status. */
int server_stop(struct server *);

/* The number of commands that its worker runs. */
int server_children(const struct server *);

/* Empty its log. */
void server_forget(const struct server *);

/* Does its log contain this word? */
int server_says(const struct server *, const char *word);

/*
 * The launcher dies after its last call, if that waits: it may be waiting yet.
 * Returns when it is dead.
 */
void server_end_launcher(const struct server *);

/* Have another worker take the place of this one.  Returns 0 if none does. */
int server_renew(struct server *);

/* Is its worker still the same process? */
int server_stands(const struct server *);

/* every-order.c */

/* The server takes this for the file system: ext4, btrfs or other.  0: none. */
int order_choose_fs(const char *name);

/* Look at the calls of a message that was kept; blame() hears what is wrong. */
void order_check(const struct server *, void (*blame)(const char *));

#endif
