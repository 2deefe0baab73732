/* A TLS client that sends only a ClientHello to the --tls command. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/file.h"
#include "server/commands.h"
#include "server/handshake.h"
#include "server/worker.h"

enum {
	HANDSHAKE = 22,		/* a record of that type, RFC 8446 5.1 */
	PATIENCE = 10 * 1000,	/* ms, for the answer */
};

/*
 * A ClientHello (RFC 8446 4.1.2) for TLS 1.3 and 1.2, with usual ciphers,
 * signatures and groups, and no key: the server is to ask for one (4.1.4).
 */
static const char client_hello[] =
    "\x16\3\1\0\x74\1\0\0\x70\3\3smtpd --explain says hello to it\0"
    "\0\x14\x13\1\x13\2\x13\3\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9"
    "\xcc\xa8\0\x9e\1\0\0\x33"
    "\0\x0a\0\x08\0\6\0\x1d\0\x17\0\x18"
    "\0\x0d\0\x14\0\x12\4\3\5\3\6\3\x08\7\x08\4\x08\5\x08\6\4\1\5\1"
    "\0\x2b\0\5\4\3\4\3\3" "\0\x33\0\2\0";

/* The first line is the best one. */
static void
keep_line(void *ctx, const char *line)
{
	char *complaint = ctx;

	if (!*complaint)
		snprintf(complaint, HANDSHAKE_COMPLAINT_MAX, "%s", line);
}

/* Is what comes back the beginning of a handshake? */
static bool
answers(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char type = 0;

	return file_write(fd, client_hello, sizeof client_hello) == 0 &&
	    poll(&p, 1, PATIENCE) > 0 && read(fd, &type, 1) == 1 &&
	    type == HANDSHAKE;
}

bool
handshake_try(struct server *server, char *complaint)
{
	static sigset_t waiting;
	int ends[2];
	struct tls_run run = {
		.config = &server->options.tls, .launch = &server->launch,
		.wait_mask = &waiting,
		.stderr_lines = { .report = keep_line, .ctx = complaint },
	};
	char early[HANDSHAKE_COMPLAINT_MAX] = "";
	bool begun, good;

	*complaint = '\0';
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return true;
	if (commands_launch(server, false) < 0)
		return true;
	worker_prepare_signals(server, &waiting);
	run.in = run.out = ends[1];
	begun = tls_begin(&run) == 0;
	close(ends[1]);
	good = begun && answers(ends[0]);
	if (good) {
		tls_read_stderr(&run);
		strcpy(early, complaint);
	}
	close(ends[0]);
	if (begun)
		tls_end(&run);
	else
		keep_line(complaint, run.failed);
	if (good)	/* not that this client has left */
		strcpy(complaint, early);
	return good;
}
