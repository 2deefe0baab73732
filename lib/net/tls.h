/*
 * TLS by another program: a command that is run on the connection and called
 * like s6-tlsd-io, or a super-server that offers UCSPI-TLS.  This process holds
 * no key and parses nothing that a client encrypted.
 */
#ifndef TLS_H
#define TLS_H

#include <signal.h>
#include <stdbool.h>

#include "lib/proc/launch.h"
#include "lib/proc/process.h"

enum {
	TLS_VALUE_MAX = 256,	/* bytes with the NUL */
	TLS_RESULT_MAX = 65536,	/* bytes of a handshake's result; some
				   super-servers send whole certificates */
	TLS_GRACE = 2000,	/* ms from the end of the session to SIGTERM,
				   and from that to SIGKILL */
};

/* The result of a handshake, here or at a proxy; "": not known. */
struct tls_result {
	bool encrypted;
	char protocol[TLS_VALUE_MAX];	/* such as TLSv1.3 */
	char cipher[TLS_VALUE_MAX];
	char subject[TLS_VALUE_MAX];	/* of the client's certificate,
					   if it was verified */
	char server_name[TLS_VALUE_MAX];	/* requested by the client */
};

/*
 * Set a field of the result by the name of its environment variable
 * (SSL_CIPHER ...); other names are ignored.  The field is "" if value is NULL,
 * too long, or has bytes that are not allowed.
 */
void tls_set_variable(struct tls_result *, const char *name, const char *value);

/* What does the encryption: argv, or control; neither if NULL and -1. */
struct tls_config {
	char **argv;		/* the command */
	unsigned row;		/* its row in the launcher's table */
	int control, in, out;	/* descriptors of UCSPI-TLS */
};

struct tls_run {
	/* set by the caller */
	const struct tls_config *config;
	struct launch *launch;	/* starts the command */
	int in, out;		/* the connection; may be the same */
	const volatile sig_atomic_t *stop;	/* ends a handshake when set */
	const sigset_t *wait_mask;	/* signals blocked in a wait for the
					   command */
	/* Waits for fd on behalf of the client, as stream_wait(). */
	int (*wait)(void *ctx, int fd, long long deadline);
	void *ctx;
	struct stderr_lines stderr_lines;	/* of the command */

	/* returned */
	struct tls_result result;
	const char *failed;	/* the reason in words, or NULL */
	int clear_in, clear_out;	/* descriptors of the clear text */
	int status;		/* of wait(2), set by tls_end(); 0 if the
				   command was terminated by us */

	/* private */
	bool running;		/* there is a command */
	bool terminated;	/* SIGTERM was sent */
	int control, err;
};

/*
 * Have the launcher start the command, and wait for that.  Returns 0, and the
 * caller must call tls_end(); or -1, and failed says why.
 */
int tls_begin(struct tls_run *);

/* Report what the command has written to standard error so far. */
void tls_read_stderr(struct tls_run *);

/*
 * Wait for the handshake, for at most timeout ms.  Returns 0; or -1, and failed
 * says why.
 */
int tls_handshake(struct tls_run *, long long timeout);

/*
 * Close the descriptors of the clear text, let the command send what remains,
 * and reap it; after TLS_GRACE it is terminated.
 */
void tls_end(struct tls_run *);

#endif
