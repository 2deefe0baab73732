/*
 * TLS by another program: a command that is run on the connection, called as
 * s6-tlsd-io is, or one that a super-server has standing by (UCSPI-TLS).  No
 * key is in this process, and nothing that reads what a client encrypted.
 */
#ifndef TLS_H
#define TLS_H

#include <signal.h>
#include <stdbool.h>

#include "lib/proc/process.h"

enum {
	TLS_VALUE_MAX = 256,	/* octets with the NUL */
	TLS_RESULT_MAX = 65536,	/* octets that a handshake's result may have:
				   some super-servers tell of certificates */
	TLS_GRACE = 2000,	/* ms for a command's last words; and again
				   from SIGTERM to SIGKILL */
};

/* What a handshake found, here or at a proxy; "" where it said nothing. */
struct tls_result {
	bool encrypted;
	char protocol[TLS_VALUE_MAX];	/* TLSv1.3 */
	char cipher[TLS_VALUE_MAX];
	char subject[TLS_VALUE_MAX];	/* of the client's certificate */
	char server_name[TLS_VALUE_MAX];	/* that the client asked for */
};

/*
 * Take a variable that tells of a handshake, by its name in the environment
 * (SSL_CIPHER ...); NULL, a value that is too long, and one with octets that
 * don't belong there count as absent.
 */
void tls_set_variable(struct tls_result *, const char *name, const char *value);

/* How it is done; by neither where argv is NULL and control is -1. */
struct tls_config {
	char **argv;		/* the command */
	int control, in, out;	/* descriptors of UCSPI-TLS */
};

struct tls_run {
	const struct tls_config *config;
	char **environment;	/* of the command */
	int in, out;		/* the connection; may be the same */
	const volatile sig_atomic_t *stop;	/* ends a handshake when set */
	const sigset_t *wait_mask;	/* signals blocked while it waits for
					   the command */
	/* Wait for the client's part: as stream_wait(). */
	int (*wait)(void *ctx, int fd, long long deadline);
	void *ctx;
	struct stderr_lines stderr_lines;	/* to standard error */

	/* What became of it. */
	struct tls_result result;
	const char *failed;	/* why, in words */
	int clear_in, clear_out;	/* where clear text is read, written */
	int status;		/* of wait(2), once tls_end() has reaped it; 0
				   where it ended because we told it to */

	/* private */
	pid_t pid;		/* 0: no command of ours */
	bool told;		/* to end, by us */
	int control, err;
};

/*
 * Start what will encrypt, and wait for nothing.  Returns 0, and tls_end() is
 * owed; or -1, and failed says why.
 */
int tls_begin(struct tls_run *);

/*
 * Wait for the client to do its part, timeout ms at most.  SIGCHLD must be
 * blocked, and have a handler.  Returns 0, or -1, and failed says why.
 */
int tls_handshake(struct tls_run *, long long timeout);

/*
 * Close the clear text's descriptors, let the command send what is left, and
 * reap it, by force after TLS_GRACE.
 */
void tls_end(struct tls_run *);

#endif
