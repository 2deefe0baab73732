/* TLS by another program. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/net/tls.h"

/* The four that are known; a bare name has no value. */
static const struct {
	const char *name;
	size_t offset;
	bool word;		/* nothing but letters, digits, '.', '_', '-' */
} variables[] = {
	{ "SSL_PROTOCOL", offsetof(struct tls_result, protocol), true },
	{ "SSL_CIPHER", offsetof(struct tls_result, cipher), true },
	{ "SSL_PEER_CERT_SUBJECT", offsetof(struct tls_result, subject),
	    false },
	{ "SSL_TLS_SNI_SERVERNAME", offsetof(struct tls_result, server_name),
	    false },
};

static bool
is_clean(const char *value, bool word)
{
	static const char wordly[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *p;

	if (word)
		return value[strspn(value, wordly)] == '\0';
	for (p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

void
tls_set_variable(struct tls_result *result, const char *name, const char *value)
{
	size_t i;
	char *field;

	for (i = 0; i < sizeof variables / sizeof *variables; i++) {
		if (strcmp(variables[i].name, name) != 0)
			continue;
		field = (char *)result + variables[i].offset;
		if (value && strlen(value) < TLS_VALUE_MAX &&
		    is_clean(value, variables[i].word))
			strcpy(field, value);
		else
			*field = '\0';
	}
}

/* "NAME=value", NAME alone: each with a NUL; end is behind the last. */
static void
parse(struct tls_result *result, char *p, const char *end)
{
	char *next, *value;

	*result = (struct tls_result){ .encrypted = true };
	for (; p < end; p = next) {
		next = p + strlen(p) + 1;
		value = strchr(p, '=');
		if (value)
			*value++ = '\0';
		tls_set_variable(result, p, value);
	}
}

static void
close_if_open(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/*
 * What the command has on 3, 4 and 5, and what we have of it.  Numbers rise
 * from pair to pair, so that in the child none takes the place of a later one.
 */
static int
open_channels(struct tls_run *r, int *to, int *from, int *result, int *err)
{
	/* the last one's O_NONBLOCK is for both: it must not wait for us */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, from) < 0 ||
	    pipe2(result, O_CLOEXEC) < 0 ||
	    pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	r->clear_out = to[0];
	r->clear_in = from[0];
	r->control = result[0];
	r->err = err[0];
	return 0;
}

/* A handshake is small packets that wait for each other. */
static void
set_nodelay(int fd)
{
	const int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int
begin_command(struct tls_run *r)
{
	int to[2] = { -1, -1 }, from[2] = { -1, -1 };
	int result[2] = { -1, -1 }, err[2] = { -1, -1 };
	int error;

	if (open_channels(r, to, from, result, err) < 0) {
		error = errno;
	} else {
		const int fds[] = {
			r->in, r->out, err[1], to[1], from[1], result[1]
		};

		set_nodelay(r->out);
		error = process_start(&r->pid, r->config->argv,
		    r->environment, fds, 6);
	}
	close_if_open(&to[1]);
	close_if_open(&from[1]);
	close_if_open(&result[1]);
	close_if_open(&err[1]);
	if (!error)
		return 0;
	close_if_open(&to[0]);
	close_if_open(&from[0]);
	close_if_open(&result[0]);
	close_if_open(&err[0]);
	r->clear_in = r->clear_out = r->control = r->err = -1;
	r->pid = 0;
	r->failed = strerror(error);
	return -1;
}

int
tls_begin(struct tls_run *r)
{
	const struct tls_config *m = r->config;

	r->failed = NULL;
	r->status = 0;
	r->told = false;
	r->pid = 0;
	r->err = -1;
	if (m->argv)
		return begin_command(r);
	r->control = m->control;
	r->clear_in = m->in;
	r->clear_out = m->out;
	return 0;
}

/* Some of what it says: a flood must not keep us from the deadline. */
static void
take_err(struct tls_run *r)
{
	char buf[65536];
	ssize_t n;

	if (r->err < 0)
		return;
	n = read(r->err, buf, sizeof buf);
	if (n > 0)
		stderr_lines_add(&r->stderr_lines, buf, (size_t)n);
	else if (n == 0)
		close_if_open(&r->err);
}

/* Where the two NULs in a row are that end the result; NULL: not yet. */
static char *
find_end(char *buf, size_t n)
{
	char *p;

	for (p = buf; (p = memchr(p, '\0', n - (size_t)(p - buf))); p++)
		if (p + 1 < buf + n && p[1] == '\0')
			return p;
	return NULL;
}

/* Returns NULL, or what is wrong, in words. */
static const char *
read_result(struct tls_run *r, long long deadline)
{
	char buf[TLS_RESULT_MAX], *end = NULL;
	size_t n = 0;
	ssize_t got;
	int ready;

	while (!end) {
		if (r->stop && *r->stop)
			return "the server is shutting down";
		ready = r->wait(r->ctx, r->control, deadline);
		take_err(r);
		if (ready == 0)
			return "the handshake took too long";
		if (ready < 0)
			continue;
		if (n == sizeof buf)
			return "its result is too long";
		got = read(r->control, buf + n, sizeof buf - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return "the handshake failed";
		n += (size_t)got;
		end = find_end(buf, n);
	}
	parse(&r->result, buf, end);
	return NULL;
}

static void
tell_to_end(struct tls_run *r)
{
	if (!r->pid)
		return;
	r->told = true;
	process_signal(r->pid, SIGTERM);
}

int
tls_handshake(struct tls_run *r, long long timeout)
{
	const long long deadline = clock_ms() + timeout;

	if (!r->pid && file_write(r->control, "Y", 1) < 0)
		r->failed = "nobody is there to encrypt";
	else
		r->failed = read_result(r, deadline);
	close_if_open(&r->control);
	if (!r->failed)
		return 0;
	tell_to_end(r);
	return -1;
}

/* Wait for TLS_GRACE at most for the command to exit; take what it says. */
static bool
exits(struct tls_run *r)
{
	const long long deadline = clock_ms() + TLS_GRACE;
	struct pollfd p = { .events = POLLIN };
	long long left;

	while (!process_has_exited(r->pid)) {
		left = deadline - clock_ms();
		if (left <= 0)
			return false;
		p.fd = r->err;
		clock_poll(&p, 1, left, r->wait_mask);
		take_err(r);
	}
	return true;
}

void
tls_end(struct tls_run *r)
{
	close_if_open(&r->control);
	close_if_open(&r->clear_out);
	close_if_open(&r->clear_in);
	if (!r->pid)
		return;
	if (!exits(r)) {
		tell_to_end(r);
		exits(r);
	}
	process_signal(r->pid, SIGKILL);	/* its group, too */
	while (waitpid(r->pid, &r->status, 0) < 0 && errno == EINTR)
		;
	if (r->told && (!WIFSIGNALED(r->status) ||
	    WTERMSIG(r->status) == SIGTERM || WTERMSIG(r->status) == SIGKILL))
		r->status = 0;
	r->pid = 0;
	take_err(r);
	stderr_lines_finish(&r->stderr_lines);
	close_if_open(&r->err);
}
