/*
 * A stand-in for a TLS program, for tests without a TLS library.  It has the
 * calling convention of s6-tlsd-io or, with -u, that of UCSPI-TLS, but does not
 * encrypt.  The client sends a line "hello NAME" and gets "welcome"; after that
 * the highest bit of each byte is inverted in both directions, so that bytes
 * that bypass this program are noticed.
 *
 *	tlsd [-d fd] [-x bytes] fdr fdw
 *	tlsd -u command ...
 *
 * -x makes it die after this many bytes from the client.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* pipe2 */
#endif

#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long lifetime = -1;	/* bytes; -1: no limit */

static void fail(const char *) __attribute__((noreturn));

static void
fail(const char *why)
{
	fprintf(stderr, "tlsd: %s\n", why);
	exit(1);
}

static void
put(int fd, const char *buf, size_t n)
{
	ssize_t done;

	for (; n > 0; buf += done, n -= (size_t)done)
		if ((done = write(fd, buf, n)) <= 0)
			exit(0);	/* the reader is gone */
}

/* Read single bytes, because what follows the line belongs to the relay. */
static void
shake_hands(char *name, size_t size)
{
	char line[256];
	size_t n = 0;

	while (n < sizeof(line) - 1 && read(STDIN_FILENO, line + n, 1) == 1 &&
	    line[n] != '\n')
		n++;
	line[n] = '\0';
	if (strncmp(line, "hello ", 6) != 0)
		fail("that is no hello");
	snprintf(name, size, "%s", line + 6);
	put(STDOUT_FILENO, "welcome\n", 8);
}

static void
tell(int fd, const char *name)
{
	static const char fixed[] = "SSL_PROTOCOL=TLSv1.3\0SSL_CIPHER=MASK\0"
	    "SSL_PEER_CERT_SUBJECT\0OTHER=1\0SSL_TLS_SNI_SERVERNAME=";

	put(fd, fixed, sizeof(fixed) - 1);
	put(fd, name, strlen(name) + 1);
	put(fd, "", 1);
}

/* Returns 0 at the end. */
static int
pass(int from, int to)
{
	char buf[65536];
	ssize_t i, n = read(from, buf, sizeof(buf));

	if (n < 0)
		exit(1);
	if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
		buf[i] = (char)(buf[i] ^ 0x80);
	put(to, buf, (size_t)n);
	if (from == STDIN_FILENO && lifetime >= 0 && (lifetime -= n) <= 0)
		exit(1);
	return 1;
}

/* Relay until the server is gone; an end of file is passed on. */
static void
pump(int fdr, int fdw)
{
	struct pollfd p[] = {
		{ .fd = STDIN_FILENO, .events = POLLIN },
		{ .fd = fdr, .events = POLLIN },
		{ .fd = fdw },
	};

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		poll(p, 3, -1);
		if (p[1].revents && !pass(fdr, STDOUT_FILENO)) {
			shutdown(STDOUT_FILENO, SHUT_WR);
			p[1].fd = -1;
		}
		if (p[0].revents && !pass(STDIN_FILENO, fdw)) {
			close(fdw);
			p[0].fd = p[2].fd = -1;
		}
		if (p[2].revents)
			p[0].fd = p[2].fd = -1;
	}
}

static void
set_number(const char *name, int n)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", n);
	setenv(name, text, 1);
}

/* Exec the command, with a child that waits to encrypt. */
static void
stand_by(char **command)
{
	int control[2], up[2], down[2];
	char name[256], c;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, control) == -1 ||
	    pipe(up) == -1 || pipe(down) == -1)
		fail("no descriptors");
	switch (fork()) {
	case -1:
		fail("no process");
	case 0:
		close(control[0]);
		close(up[0]);
		close(down[1]);
		if (read(control[1], &c, 1) != 1)
			exit(0);
		if (c != 'Y')
			fail("that is no Y");
		shake_hands(name, sizeof(name));
		tell(control[1], name);
		close(control[1]);
		pump(down[0], up[1]);
		exit(0);
	}
	close(control[1]);
	close(up[1]);
	close(down[0]);
	set_number("SSLCTLFD", control[0]);
	set_number("SSLREADFD", up[0]);
	set_number("SSLWRITEFD", down[1]);
	execvp(*command, command);
	fail("no such command");
}

int
main(int argc, char **argv)
{
	char name[256];
	int c, result = -1;

	while ((c = getopt(argc, argv, "+d:x:u")) != -1)
		switch (c) {
		case 'd':
			result = atoi(optarg);
			break;
		case 'x':
			lifetime = atol(optarg);
			break;
		case 'u':
			stand_by(argv + optind);
			/* FALLTHROUGH */
		default:
			fail("usage: tlsd [-d fd] [-x octets] fdr fdw");
		}
	if (argc - optind != 2)
		fail("usage: tlsd [-d fd] [-x octets] fdr fdw");
	signal(SIGPIPE, SIG_IGN);
	shake_hands(name, sizeof(name));
	tell(result, name);
	close(result);
	pump(atoi(argv[optind]), atoi(argv[optind + 1]));
	return 0;
}
