/*
 * A stand-in for milters, for tests without libmilter.
 *
 *	milterd [-a actions] [-s steps] [-v version] address log rule...
 *
 * It listens at a Unix socket, or at a port of 127.0.0.1 (0: any), writes the
 * address to standard output, and serves each connection by a thread, as libmilter does.  What it
 * is told is in the log: a line for each frame, with | for NUL and \xHH for
 * other control characters; of long ones the length.  A body is in LOG.body.
 * With - for log there is neither.
 *
 * A rule is X=TEXT: the answer to command X is the frame TEXT, in which \0, \n,
 * \r, \\ and \xHH stand for bytes, as does \t.  Several rules of one command are several
 * frames.  !raw:TEXT sends bytes that are no frame, !drip:TEXT sends them one by
 * one, !flood:TEXT sends frames without an end, !hang and !close do that, and no
 * text at all is no answer.  Without a
 * rule it is to go on.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static uint32_t actions, steps, version = 6;
static char **rules;
static int log_fd = -1, body_fd;

__attribute__((noreturn))
static void
fail(const char *why)
{
	perror(why);
	exit(1);
}

/* End a connection. */
__attribute__((noreturn))
static void
leave(int fd)
{
	close(fd);
	pthread_exit(NULL);
}

static void
put(int fd, const void *data, size_t n)
{
	const char *p = data;
	ssize_t done;

	for (; n > 0; p += done, n -= (size_t)done)
		if ((done = send(fd, p, n, MSG_NOSIGNAL)) <= 0)
			leave(fd);
}

static void
put_frame(int fd, const char *frame, size_t n)
{
	const uint32_t len = htonl((uint32_t)n);
	char *whole = malloc(sizeof len + n);

	if (!whole)
		exit(1);
	memcpy(whole, &len, sizeof len);
	memcpy(whole + sizeof len, frame, n);
	put(fd, whole, sizeof len + n);
	free(whole);
}

/* Decode a text.  The caller frees it. */
static char *
decode(const char *text, size_t *n)
{
	char *buf = malloc(strlen(text) + 1), *p = buf;

	if (!buf)
		fail("memory");
	for (; *text; text++) {
		if (*text != '\\')
			*p++ = *text;
		else if (*++text == 'x' && text[1] && text[2]) {
			const char hex[] = { text[1], text[2], '\0' };

			*p++ = (char)strtol(hex, NULL, 16);
			text += 2;
		} else
			*p++ = *text == '0' ? '\0' : *text == 'n' ? '\n' :
			    *text == 'r' ? '\r' : *text == 't' ? '\t' :
			    *text;
	}
	*n = (size_t)(p - buf);
	return buf;
}

static void
drip(int fd, const char *p, size_t n)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	for (; n > 0; p++, n--) {
		put(fd, p, 1);
		nanosleep(&moment, NULL);
	}
}

static void
answer(int fd, const char *text)
{
	char *p = NULL;
	size_t n;

	if (strcmp(text, "!close") == 0)
		leave(fd);
	if (strcmp(text, "!hang") == 0)
		for (;;)
			pause();
	if (strncmp(text, "!raw:", 5) == 0) {
		p = decode(text + 5, &n);
		put(fd, p, n);
	} else if (strncmp(text, "!drip:", 6) == 0) {
		p = decode(text + 6, &n);
		drip(fd, p, n);
	} else if (strncmp(text, "!flood:", 7) == 0) {
		p = decode(text + 7, &n);
		for (;;)
			put_frame(fd, p, n);
	} else if (*text) {
		p = decode(text, &n);
		put_frame(fd, p, n);
	}
	free(p);
}

static void
log_frame(const char *f, size_t n)
{
	char line[2048];
	size_t i, used = (size_t)snprintf(line, sizeof line, "%c ", *f);

	if (log_fd < 0)
		return;
	if (*f == 'B' && write(body_fd, f + 1, n - 1) < 0)
		fail("body");
	if (n > 400)
		used += (size_t)snprintf(line + used, sizeof line - used,
		    "%zu bytes", n - 1);
	for (i = 1; n <= 400 && i < n; i++)
		if (f[i] == '\0')
			line[used++] = '|';
		else if (iscntrl((unsigned char)f[i]))
			used += (size_t)snprintf(line + used,
			    sizeof line - used, "\\x%02x",
			    (unsigned char)f[i]);
		else
			line[used++] = f[i];
	line[used++] = '\n';
	if (write(log_fd, line, used) < 0)
		fail("log");
}

/* Is this command one that gets no answer, by itself or by the terms? */
static int
is_unanswered(char command)
{
	static const struct {
		char command;
		uint32_t step;
	} unanswered[] = {
		{ 'C', 0x1000 }, { 'H', 0x2000 }, { 'M', 0x4000 },
		{ 'R', 0x8000 }, { 'T', 0x10000 }, { 'N', 0x40000 },
		{ 'B', 0x80000 }, { 'L', 0x80 }
	};
	size_t i;

	for (i = 0; i < sizeof unanswered / sizeof *unanswered; i++)
		if (unanswered[i].command == command)
			return (steps & unanswered[i].step) != 0;
	return command != 'E' && command != 'O';
}

/* As libmilter, leave if what is needed is not offered. */
static void
answer_negotiation(int fd, const char *frame_in)
{
	uint32_t offered;
	const uint32_t terms[] = { htonl(version), htonl(actions),
	    htonl(steps) };
	char frame[1 + sizeof terms] = "O";

	memcpy(&offered, frame_in + 5, sizeof offered);
	if (actions & ~ntohl(offered))
		leave(fd);
	memcpy(frame + 1, terms, sizeof terms);
	put_frame(fd, frame, sizeof frame);
}

static void
answer_command(int fd, const char *frame_in)
{
	const char command = *frame_in;
	int found = 0;
	char **rule;

	for (rule = rules; *rule; rule++)
		if (rule[0][0] == command && rule[0][1] == '=') {
			answer(fd, *rule + 2);
			found = 1;
		}
	if (found || is_unanswered(command))
		return;
	if (command == 'O')
		answer_negotiation(fd, frame_in);
	else
		put_frame(fd, "c", 1);
}

static void
get(int fd, void *data, size_t n)
{
	if (n > 0 && recv(fd, data, n, MSG_WAITALL) != (ssize_t)n)
		leave(fd);
}

static void *
serve(void *connection)
{
	const int fd = *(int *)connection;
	char frame[65536 + 64];
	uint32_t n;

	free(connection);
	for (;;) {
		get(fd, &n, sizeof n);
		n = ntohl(n);
		if (n == 0 || n > sizeof frame)
			fail("frame");
		get(fd, frame, n);
		log_frame(frame, n);
		answer_command(fd, frame);
	}
	return NULL;
}

static int
listen_at(const char *address)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof in;
	const int port = isdigit((unsigned char)*address);
	const int fd = socket(port ? AF_INET : AF_UNIX,
	    SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof un.sun_path, "%s", address);
	in.sin_port = htons((uint16_t)atoi(address));
	if (fd < 0 || (port ? bind(fd, (struct sockaddr *)&in, sizeof in) :
	    bind(fd, (struct sockaddr *)&un, sizeof un)) < 0 ||
	    listen(fd, 100) < 0)
		fail(address);
	if (port && getsockname(fd, (struct sockaddr *)&in, &len) == 0)
		printf("inet:%d@127.0.0.1\n", ntohs(in.sin_port));
	else
		printf("unix:%s\n", address);
	fflush(stdout);
	return fd;
}

static void
open_logs(const char *name)
{
	char body[4096];

	snprintf(body, sizeof body, "%s.body", name);
	log_fd = open(name, O_WRONLY | O_CREAT | O_APPEND, 0666);
	body_fd = open(body, O_WRONLY | O_CREAT | O_APPEND, 0666);
}

int
main(int argc, char **argv)
{
	pthread_t thread;
	int c, fd, *client;

	while ((c = getopt(argc, argv, "a:s:v:")) != -1)
		switch (c) {
		case 'a': actions = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 's': steps = (uint32_t)strtoul(optarg, NULL, 0); break;
		case 'v': version = (uint32_t)strtoul(optarg, NULL, 0); break;
		default: return 64;
		}
	if (argc - optind < 2)
		return 64;
	rules = argv + optind + 2;
	if (strcmp(argv[optind + 1], "-") != 0)
		open_logs(argv[optind + 1]);
	fd = listen_at(argv[optind]);
	for (;;) {
		client = malloc(sizeof *client);
		if (!client || (*client = accept(fd, NULL, NULL)) < 0 ||
		    pthread_create(&thread, NULL, serve, client) != 0)
			fail("accept");
		pthread_detach(thread);
	}
}
