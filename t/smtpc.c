/*
 * A byte-exact client for the tests.  It runs a server on one end of a socket
 * or a pair of pipes, or connects to one, and executes the actions in its
 * arguments in order.  Every reply is printed, and its syntax is checked.  The
 * client knows nothing else about SMTP, and runs for at most -T seconds.
 *
 *	smtpc [-x] [-T seconds] [-e log] -s|-p|-t|-6 command ... -- action ...
 *	smtpc [-T seconds] [-b address] -c address -- action ...
 *
 * -s runs the command on one end of a socketpair, -p on two pipes, -t and -6
 * on an accepted connection over 127.0.0.1 and ::1.  -e appends the command's
 * standard error to a file; -e - makes it the connection itself, as inetd
 * does.  -x exits with the status of the command, or with 125 after a failure.
 * -c connects to HOST:PORT, [V6]:PORT or a path, from the address of -b.  In
 * TEXT the escapes are \r \n \t \0 \\ and \xHH.
 *
 *	send:TEXT	send the bytes
 *	say:TEXT	send the bytes and CR LF
 *	file:PATH	send a file unchanged
 *	repeat:N:TEXT	send the bytes N times
 *	split:K:TEXT	send K bytes and, after the peer has read them, the
 *			others
 *	bytes:TEXT	send single bytes, each after the peer has read the
 *			previous one
 *	drip:MS:TEXT	send a byte every MS milliseconds, repeating TEXT, until
 *			the peer sends something or closes
 *	deaf:TEXT	send the bytes repeatedly without reading, until the
 *			peer closes
 *	choke:TEXT	send the bytes repeatedly without reading, until the
 *			server that smtpc started waits for smtpc to read
 *	reply[:PREFIX]	wait for a reply of one or several lines and print it;
 *			its last line must begin with PREFIX
 *	packet		print the result of one read(2) (with -p: one write of
 *			the server)
 *	hello:NAME	do the handshake of t/tlsd, and mask all bytes after it
 *	settle		wait until the peer has read everything
 *	eof		print all replies until the peer closes
 *	shut		close the sending side
 *	close		close the connection
 *	reset		close it by a RST
 *	idle:N		open N more connections, read a reply from each and
 *			keep them open
 *	crowd:N:TEXT|T	open N more connections, print "crowded", send TEXT to
 *			each and then a byte of T every 200 ms, repeating T,
 *			until all of them are closed
 *	run:COMMAND	run a shell command, which is killed when smtpc exits;
 *			SMTPC_PID is the server's pid
 *	exit:N		close the connection; the server must exit with status N
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* pipe2 */
#endif

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_LINE_MAX	512	/* bytes with CRLF, RFC 5321 4.5.3.1.5 */
#define SPIN		200	/* times to yield before polling */

struct text {
	char *octets;
	size_t len;
};

struct peer {
	int in, out;		/* the same for a socket; -1 when closed */
	char *buf;		/* received and not yet printed */
	size_t len, size;
	char mask;		/* for each byte, in both directions */
	int closed;		/* end of file was read */
	int broken;		/* sending is no longer possible */
};

struct action {
	const char *name;
	void (*run)(struct peer *, const char *arg);
	enum { NO_ARG, ARG, OPT_ARG } arg;
};

static volatile pid_t child = -1;
static int failure = 1;			/* the exit status of one */
static struct sockaddr_storage server;	/* with -c */
static socklen_t server_len;
static struct sockaddr_storage source;	/* with -b */
static socklen_t source_len;

static void fail(const char *, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

static void
fail(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	fputs("smtpc: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	if (child > 0)
		kill(child, SIGKILL);
	exit(failure);
}

static void
too_late(int sig)
{
	static const char msg[] = "smtpc: timed out\n";

	(void)sig;
	if (write(STDERR_FILENO, msg, sizeof(msg) - 1) < 0)
		_exit(125);
	if (child > 0)
		kill(child, SIGKILL);
	_exit(124);
}

static int
hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decode the escapes.  The caller frees .octets. */
static struct text
decode(const char *s)
{
	struct text t = { malloc(strlen(s) + 3), 0 };
	int c, high, low;

	if (t.octets == NULL)
		fail("out of memory");
	while ((c = (unsigned char)*s++) != '\0') {
		if (c == '\\') {
			switch (c = (unsigned char)*s++) {
			case 'r': c = '\r'; break;
			case 'n': c = '\n'; break;
			case 't': c = '\t'; break;
			case '0': c = '\0'; break;
			case '\\': break;
			case 'x':
				high = hex(s[0]);
				low = high < 0 ? -1 : hex(s[1]);
				if (low < 0)
					fail("bad escape: \\x%s", s);
				c = high << 4 | low;
				s += 2;
				break;
			default:
				fail("bad escape: \\%c", c);
			}
		}
		t.octets[t.len++] = (char)c;
	}
	return t;
}

/* Parse the number of "N:rest"; *rest is set to the text after the colon. */
static unsigned long
number(const char *s, const char **rest)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(s, &end, 10);
	if (!isdigit((unsigned char)*s) || errno != 0 ||
	    *end != (rest == NULL ? '\0' : ':'))
		fail("bad number: %s", s);
	if (rest != NULL)
		*rest = end + 1;
	return n;
}

/* Read once into the buffer.  Returns 0 if nothing can be read now. */
static size_t
fill(struct peer *p)
{
	ssize_t i, n;

	if (p->size - p->len < 65536) {
		p->size = p->size * 2 + 65536;
		if ((p->buf = realloc(p->buf, p->size)) == NULL)
			fail("out of memory");
	}
	n = read(p->in, p->buf + p->len, p->size - p->len);
	for (i = 0; i < n; i++)
		p->buf[p->len++] ^= p->mask;
	if (n > 0)
		return (size_t)n;
	if (n == 0 || errno == ECONNRESET)
		p->closed = 1;
	else if (errno != EAGAIN && errno != EINTR)
		fail("read: %s", strerror(errno));
	return 0;
}

/* Wait until input arrives or, to send, until output is possible. */
static short
wait_io(struct peer *p, int sending, int ms)
{
	struct pollfd fds[2];

	fds[0].fd = p->closed ? -1 : p->in;
	fds[0].events = POLLIN;
	fds[1].fd = sending ? p->out : -1;
	fds[1].events = POLLOUT;
	fds[0].revents = fds[1].revents = 0;
	if (poll(fds, 2, ms) == -1 && errno != EINTR)
		fail("poll: %s", strerror(errno));
	if (fds[0].revents != 0)
		fill(p);
	return fds[1].revents;
}

/* Send, and buffer what arrives meanwhile.  A closed peer is not an error. */
static void
transmit(struct peer *p, const char *octets, size_t len)
{
	char *masked = malloc(len + 1);
	const char *buf = masked;
	size_t i;
	ssize_t n;

	if (masked == NULL)
		fail("out of memory");
	for (i = 0; i < len; i++)
		masked[i] = octets[i] ^ p->mask;

	while (len > 0 && !p->broken) {
		if (p->out == -1)
			fail("the sending side is closed");
		n = write(p->out, buf, len);
		if (n >= 0) {
			buf += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN)
			wait_io(p, 1, -1);
		else if (errno == EPIPE || errno == ECONNRESET)
			p->broken = 1;
		else if (errno != EINTR)
			fail("write: %s", strerror(errno));
	}
	free(masked);
}

/* Wait until the peer (with TCP: its kernel) has read all that was sent. */
static void
settle(struct peer *p)
{
	struct pollfd fd = { p->out, 0, 0 };
	int left, spins;

	for (spins = 0; !p->broken && p->out != -1; spins++) {
		if (ioctl(p->out, p->in == p->out ? TIOCOUTQ : FIONREAD,
		    &left) == -1)
			fail("ioctl: %s", strerror(errno));
		if (left == 0)
			return;
		if (poll(&fd, 1, 0) > 0)	/* error or hang-up only */
			return;
		if (spins < SPIN)
			sched_yield();
		else
			poll(NULL, 0, 1);
	}
}

/* Check the syntax of a reply line. */
static void
check_line(const char *line, size_t len)
{
	size_t i;

	if (len > REPLY_LINE_MAX)
		fail("a reply line of %zu octets", len);
	if (len < 2 || line[len - 2] != '\r')
		fail("a reply line that does not end in CR LF");
	if (len < 6 || line[0] < '2' || line[0] > '5' ||
	    !isdigit((unsigned char)line[1]) ||
	    !isdigit((unsigned char)line[2]) ||
	    (line[3] != ' ' && line[3] != '-'))
		fail("no reply line: %.*s", (int)len, line);
	for (i = 0; i < len - 2; i++)
		if (line[i] < ' ' || line[i] > '~')
			fail("octet %#x in a reply", (unsigned char)line[i]);
}

/*
 * Print a complete line from the buffer.  Returns its length, or 0 if there is
 * none; *last is set if it ends a reply.
 */
static size_t
print_line(struct peer *p, int *last)
{
	char *end;
	size_t len;

	if (p->len == 0 || (end = memchr(p->buf, '\n', p->len)) == NULL)
		return 0;
	len = (size_t)(end - p->buf) + 1;
	check_line(p->buf, len);
	*last = p->buf[3] == ' ';
	fwrite(p->buf, 1, len - 2, stdout);
	putchar('\n');
	return len;
}

static void
discard(struct peer *p, size_t len)
{
	memmove(p->buf, p->buf + len, p->len - len);
	p->len -= len;
}

/* Wait for a reply and print it. */
static void
await_reply(struct peer *p, const char *prefix)
{
	size_t len;
	int last = 0;

	while (!last) {
		while ((len = print_line(p, &last)) == 0) {
			if (p->closed)
				fail("the connection ended, no reply came");
			wait_io(p, 0, -1);
		}
		if (last && prefix != NULL &&
		    strncmp(p->buf, prefix, strlen(prefix)) != 0)
			fail("expected %s", prefix);
		discard(p, len);
	}
	fflush(stdout);
}

static void
act_send(struct peer *p, const char *arg)
{
	struct text t = decode(arg);

	transmit(p, t.octets, t.len);
	free(t.octets);
}

static void
act_say(struct peer *p, const char *arg)
{
	struct text t = decode(arg);

	memcpy(t.octets + t.len, "\r\n", 2);
	transmit(p, t.octets, t.len + 2);
	free(t.octets);
}

static void
act_file(struct peer *p, const char *arg)
{
	char buf[8192];
	size_t n;
	FILE *f;

	if ((f = fopen(arg, "r")) == NULL)
		fail("%s: %s", arg, strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		transmit(p, buf, n);
	fclose(f);
}

static void
act_repeat(struct peer *p, const char *arg)
{
	const char *rest;
	unsigned long n = number(arg, &rest);
	struct text t = decode(rest);
	char *all, *to;

	if ((to = all = malloc(t.len * n + 1)) == NULL)
		fail("out of memory");
	for (; n > 0; n--, to += t.len)
		memcpy(to, t.octets, t.len);
	transmit(p, all, (size_t)(to - all));
	free(all);
	free(t.octets);
}

static void
act_split(struct peer *p, const char *arg)
{
	const char *rest;
	unsigned long k = number(arg, &rest);
	struct text t = decode(rest);

	if (k > t.len)
		fail("split at %lu of %zu octets", k, t.len);
	settle(p);
	transmit(p, t.octets, k);
	settle(p);
	transmit(p, t.octets + k, t.len - k);
	free(t.octets);
}

static void
act_bytes(struct peer *p, const char *arg)
{
	struct text t = decode(arg);
	size_t i;

	for (i = 0; i < t.len; i++) {
		settle(p);
		transmit(p, t.octets + i, 1);
	}
	settle(p);
	free(t.octets);
}

static void
act_drip(struct peer *p, const char *arg)
{
	const char *rest;
	unsigned long ms = number(arg, &rest);
	struct text t = decode(rest);
	size_t i;

	for (i = 0; p->len == 0 && !p->closed && !p->broken; i++) {
		transmit(p, t.octets + i % t.len, 1);
		wait_io(p, 0, (int)ms);
	}
	free(t.octets);
}

static void
act_deaf(struct peer *p, const char *arg)
{
	struct text t = decode(arg);
	struct pollfd fd = { p->out, POLLOUT, 0 };
	ssize_t n;

	for (;;) {
		n = write(p->out, t.octets, t.len);
		if (n == -1 && errno == EAGAIN)
			poll(&fd, 1, -1);
		else if (n == -1)
			break;
	}
	p->broken = 1;
	free(t.octets);
}

/* Is the server that smtpc started asleep? */
static int
is_asleep(void)
{
	char name[64], state = '?';
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%ld/stat", (long)child);
	if ((f = fopen(name, "r")) == NULL || fscanf(f, "%*d (%*[^)]) %c",
	    &state) != 1)
		fail("%s: %s", name, strerror(errno));
	fclose(f);
	return state == 'S';
}

/*
 * The server is not waiting for input if its input buffer is full before and
 * after it is found asleep; so it waits for output.
 */
static void
act_choke(struct peer *p, const char *arg)
{
	struct text t = decode(arg);
	int full = 0, asleep = 0;

	if (child == -1)
		fail("choke needs a server of ours");
	while (!full || !asleep) {
		asleep = full && is_asleep();
		full = write(p->out, t.octets, t.len) == -1;
		if (full && errno != EAGAIN)
			fail("write: %s", strerror(errno));
		if (full && !asleep)
			sched_yield();
	}
	free(t.octets);
}

static void
act_reply(struct peer *p, const char *arg)
{
	await_reply(p, arg);
}

static void
act_packet(struct peer *p, const char *arg)
{
	size_t len;
	int last;

	(void)arg;
	if (p->len != 0)
		fail("replies came before they were waited for");
	wait_io(p, 0, -1);
	if (p->len == 0)
		fail("the connection ended, no reply came");
	while ((len = print_line(p, &last)) != 0)
		discard(p, len);
	if (p->len != 0)
		fail("a packet that does not end with a line");
	fflush(stdout);
}

static void
act_hello(struct peer *p, const char *arg)
{
	static const char welcome[] = "welcome\n";
	const size_t len = sizeof(welcome) - 1;
	size_t i;

	if (p->len != 0)
		fail("replies came before they were waited for");
	transmit(p, "hello ", 6);
	transmit(p, arg, strlen(arg));
	transmit(p, "\n", 1);
	while (p->len < len && !p->closed)
		wait_io(p, 0, -1);
	if (p->len < len || memcmp(p->buf, welcome, len) != 0)
		fail("no welcome: %.*s", (int)p->len, p->buf);
	p->mask = (char)0x80;
	discard(p, len);
	for (i = 0; i < p->len; i++)
		p->buf[i] ^= p->mask;
}

static void
act_settle(struct peer *p, const char *arg)
{
	(void)arg;
	settle(p);
}

static void
act_eof(struct peer *p, const char *arg)
{
	size_t len;
	int last = 1;

	(void)arg;
	while (!p->closed)
		wait_io(p, 0, -1);
	while ((len = print_line(p, &last)) != 0)
		discard(p, len);
	if (p->len != 0 || !last)
		fail("the connection ended within a reply");
	fflush(stdout);
}

static void
act_shut(struct peer *p, const char *arg)
{
	(void)arg;
	if (p->in == p->out)
		shutdown(p->out, SHUT_WR);
	else
		close(p->out);
	if (p->in != p->out)
		p->out = -1;
	p->broken = 1;
}

static void
act_close(struct peer *p, const char *arg)
{
	(void)arg;
	if (p->out != -1 && p->out != p->in)
		close(p->out);
	if (p->in != -1)
		close(p->in);
	p->in = p->out = -1;
	p->broken = p->closed = 1;
}

static void
act_reset(struct peer *p, const char *arg)
{
	struct linger now = { 1, 0 };

	if (p->in == p->out && setsockopt(p->in, SOL_SOCKET, SO_LINGER, &now,
	    sizeof(now)) == -1)
		fail("SO_LINGER: %s", strerror(errno));
	act_close(p, arg);
}

static int
dial(void)
{
	int fd = socket(server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		fail("socket: %s", strerror(errno));
	if (source_len != 0 &&
	    bind(fd, (struct sockaddr *)&source, source_len) == -1)
		fail("bind: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&server, server_len) == -1)
		fail("connect: %s", strerror(errno));
	return fd;
}

static void
act_idle(struct peer *p, const char *arg)
{
	unsigned long n = number(arg, NULL);
	char c;
	int fd;

	(void)p;
	if (server_len == 0)
		fail("idle needs -c");
	for (; n > 0; n--) {
		fd = dial();		/* open until smtpc exits */
		do
			if (read(fd, &c, 1) != 1)
				fail("an idle connection got no reply");
		while (c != '\n');
	}
}

/* Send a byte on a connection, and discard replies.  Returns 0 at its end. */
static int
nudge(int fd, const char *octet)
{
	char buf[4096];
	ssize_t n;

	if (octet != NULL)
		send(fd, octet, 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		;
	return n == -1 && (errno == EAGAIN || errno == EINTR);
}

static void
act_crowd(struct peer *p, const char *arg)
{
	const char *rest, *bar;
	unsigned long i, left, n = number(arg, &rest);
	int *fds = calloc(n, sizeof(*fds));
	struct text opening, drip;
	size_t turn;
	char *first;

	(void)p;
	if (server_len == 0 || fds == NULL || (bar = strchr(rest, '|')) == NULL)
		fail("crowd needs -c, and a bar");
	if ((first = strndup(rest, (size_t)(bar - rest))) == NULL)
		fail("out of memory");
	opening = decode(first);
	drip = decode(bar + 1);
	for (i = 0; i < n; i++) {
		fds[i] = dial();
		if (send(fds[i], opening.octets, opening.len,
		    MSG_NOSIGNAL) == -1 && opening.len > 0)
			fail("send: %s", strerror(errno));
	}
	printf("crowded\n");
	fflush(stdout);
	for (turn = 0, left = n; left > 0; turn++) {
		for (i = 0; i < n; i++)
			if (fds[i] != -1 && !nudge(fds[i], drip.len == 0 ?
			    NULL : drip.octets + turn % drip.len)) {
				close(fds[i]);
				fds[i] = -1;
				left--;
			}
		poll(NULL, 0, 200);
	}
	free(fds);
	free(first);
	free(opening.octets);
	free(drip.octets);
}

/* As system(3), but the shell is killed when smtpc exits. */
static int
run_shell(const char *command)
{
	const pid_t pid = fork();
	int status;

	if (pid == -1)
		fail("fork: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			fail("waitpid: %s", strerror(errno));
	return status;
}

static void
act_run(struct peer *p, const char *arg)
{
	char pid[32];
	int status;

	(void)p;
	fflush(stdout);
	snprintf(pid, sizeof(pid), "%ld", (long)child);
	setenv("SMTPC_PID", pid, 1);
	status = run_shell(arg);
	if (status != 0)
		fail("status %d: %s", WIFEXITED(status) ?
		    WEXITSTATUS(status) : status, arg);
}

/* Wait for the server, up to the alarm.  Returns its exit status. */
static int
reap(struct peer *p)
{
	int status;

	act_close(p, NULL);
	while (waitpid(child, &status, 0) == -1)
		if (errno != EINTR)
			fail("waitpid: %s", strerror(errno));
	child = -1;
	if (WIFSIGNALED(status))
		fail("the server died of signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void
act_exit(struct peer *p, const char *arg)
{
	unsigned long want = number(arg, NULL);
	int status;

	if (child == -1)
		fail("exit needs a server of ours");
	status = reap(p);
	if ((unsigned long)status != want)
		fail("the server's status is %d", status);
}

static const struct action actions[] = {
	{ "send", act_send, ARG },
	{ "say", act_say, ARG },
	{ "file", act_file, ARG },
	{ "repeat", act_repeat, ARG },
	{ "split", act_split, ARG },
	{ "bytes", act_bytes, ARG },
	{ "drip", act_drip, ARG },
	{ "deaf", act_deaf, ARG },
	{ "choke", act_choke, ARG },
	{ "reply", act_reply, OPT_ARG },
	{ "packet", act_packet, NO_ARG },
	{ "hello", act_hello, ARG },
	{ "settle", act_settle, NO_ARG },
	{ "eof", act_eof, NO_ARG },
	{ "shut", act_shut, NO_ARG },
	{ "close", act_close, NO_ARG },
	{ "reset", act_reset, NO_ARG },
	{ "idle", act_idle, ARG },
	{ "crowd", act_crowd, ARG },
	{ "run", act_run, ARG },
	{ "exit", act_exit, ARG },
};

static void
act(struct peer *p, const char *word)
{
	size_t i, len = strcspn(word, ":");
	const char *arg = word[len] == ':' ? word + len + 1 : NULL;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strlen(actions[i].name) == len &&
		    strncmp(actions[i].name, word, len) == 0)
			break;
	if (i == sizeof(actions) / sizeof(actions[0]) ||
	    (arg == NULL && actions[i].arg == ARG) ||
	    (arg != NULL && actions[i].arg == NO_ARG))
		fail("bad action: %s", word);
	actions[i].run(p, arg);
}

/* Parse HOST:PORT, [V6]:PORT or a path; the host must be numeric. */
static socklen_t
parse_address(const char *s, struct sockaddr_storage *ss)
{
	struct sockaddr_un *un = (struct sockaddr_un *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	char host[64];
	const char *port = strrchr(s, ':');
	size_t len;

	memset(ss, 0, sizeof(*ss));
	if (*s == '/' || port == NULL) {
		un->sun_family = AF_UNIX;
		if (strlen(s) >= sizeof(un->sun_path))
			fail("path too long: %s", s);
		memcpy(un->sun_path, s, strlen(s));
		return sizeof(*un);
	}
	len = (size_t)(port - s);
	if (len >= sizeof(host))
		fail("bad address: %s", s);
	memcpy(host, s, len);
	host[len] = '\0';
	if (*host == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((in_port_t)number(port + 1, NULL));
		if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1)
			return sizeof(*in6);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons((in_port_t)number(port + 1, NULL));
		if (inet_pton(AF_INET, host, &in->sin_addr) == 1)
			return sizeof(*in);
	}
	fail("bad address: %s", s);
}

/* Make both ends of a TCP connection over loopback. */
static void
tcp_pair(const char *address, int fds[2])
{
	socklen_t len;
	int l;

	server_len = parse_address(address, &server);
	len = server_len;
	l = socket(server.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (l == -1 ||
	    bind(l, (struct sockaddr *)&server, server_len) == -1 ||
	    listen(l, 1) == -1 ||
	    getsockname(l, (struct sockaddr *)&server, &len) == -1)
		fail("%s: %s", address, strerror(errno));
	fds[0] = dial();
	if ((fds[1] = accept(l, NULL, NULL)) == -1)
		fail("accept: %s", strerror(errno));
	close(l);
	server_len = 0;
}

static void
become(char **command, int in, int out, const char *log)
{
	int err;

	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1)
		_exit(126);
	if (log != NULL) {
		err = strcmp(log, "-") == 0 ? out :
		    open(log, O_WRONLY | O_CREAT | O_APPEND, 0666);
		if (err == -1 || dup2(err, STDERR_FILENO) == -1)
			_exit(126);
		if (err > STDERR_FILENO)
			close(err);
	}
	if (in > STDERR_FILENO)
		close(in);
	if (out > STDERR_FILENO && out != in)
		close(out);
	execvp(command[0], command);
	fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
	_exit(127);
}

static void
start(struct peer *p, int how, char **command, const char *log)
{
	int up[2], down[2], in, out;

	if (how == 'p') {
		if (pipe2(up, O_CLOEXEC) == -1 ||
		    pipe2(down, O_CLOEXEC | O_DIRECT) == -1)
			fail("pipe: %s", strerror(errno));
		in = up[0];
		p->out = up[1];
		p->in = down[0];
		out = down[1];
	} else {
		if (how == 't')
			tcp_pair("127.0.0.1:0", up);
		else if (how == '6')
			tcp_pair("[::1]:0", up);
		else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
		    up) == -1)
			fail("socketpair: %s", strerror(errno));
		p->in = p->out = up[0];
		in = out = up[1];
	}
	fflush(stdout);
	if ((child = fork()) == -1)
		fail("fork: %s", strerror(errno));
	if (child == 0)
		become(command, in, out, log);
	close(in);
	if (out != in)
		close(out);
}

static void
unblock(int fd)
{
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == -1)
		fail("fcntl: %s", strerror(errno));
}

static void
usage(void)
{
	fail("usage: smtpc [-x] [-T seconds] [-e log] -s|-p|-t|-6 command ... --"
	    " action ...\n       smtpc [-T seconds] [-b address] -c address --"
	    " action ...");
}

/* Cut argv at the first "--".  Returns what follows it. */
static char **
cut(char **argv)
{
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "--") == 0) {
			*argv = NULL;
			return argv + 1;
		}
	usage();
	return NULL;
}

int
main(int argc, char **argv)
{
	struct peer p = { .in = -1, .out = -1 };
	const char *log = NULL;
	char **words;
	unsigned int seconds = 60;
	int c, how = 0, one = 1, status = 0;

	while ((c = getopt(argc, argv, "+xT:e:b:c:spt6")) != -1)
		switch (c) {
		case 'x':
			failure = 125;
			break;
		case 'T':
			seconds = (unsigned int)number(optarg, NULL);
			break;
		case 'e':
			log = optarg;
			break;
		case 'b':
			source_len = parse_address(optarg, &source);
			break;
		case 'c':
			server_len = parse_address(optarg, &server);
			/* FALLTHROUGH */
		case 's': case 'p': case 't': case '6':
			how = c;
			break;
		default:
			usage();
		}
	/* getopt(3) skips the "--" if there is no command */
	words = how == 'c' ? argv + optind : cut(argv + optind);
	if (how == 0 || (how != 'c' && argv[optind] == NULL) || *words == NULL)
		usage();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, too_late);
	alarm(seconds);
	if (how == 'c')
		p.in = p.out = dial();
	else
		start(&p, how, argv + optind, log);
	setsockopt(p.out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	unblock(p.in);
	unblock(p.out);
	for (; *words != NULL; words++)
		act(&p, *words);
	if (child != -1)
		status = reap(&p);
	free(p.buf);
	return fflush(stdout) != 0 ? failure : failure == 1 ? 0 : status;
}
