/*
 * TLS by another program.  The result of the handshake is checked here before
 * anything else sees it; the clear text is not looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/net/tls.h"
#include "lib/proc/confine.h"

/* The variables of a result; all others are ignored. */
static const struct {
	const char *name;
	size_t offset;
	bool word;		/* letters, digits, '.', '_' and '-' only */
} variables[] = {
	{ "SSL_PROTOCOL", offsetof(struct tls_result, protocol), true },
	{ "SSL_CIPHER", offsetof(struct tls_result, cipher), true },
	{ "SSL_PEER_CERT_SUBJECT", offsetof(struct tls_result, subject),
	    false },
	{ "SSL_TLS_SNI_SERVERNAME", offsetof(struct tls_result, server_name),
	    false },
};

static bool
is_valid_value(const char *value, bool word)
{
	static const char word_bytes[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *p;

	if (word)
		return value[strspn(value, word_bytes)] == '\0';
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
		    is_valid_value(value, variables[i].word))
			strcpy(field, value);
		else
			*field = '\0';
	}
}

/*
 * Parse a result: "NAME=value" or "NAME", each followed by a NUL, up to end.
 */
static void
parse_result(struct tls_result *result, char *p, const char *end)
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
 * Open the channels: the command has one end of each as descriptors 3, 4, 5 and
 * 2, and we keep the other.  They are opened in an order in which their numbers
 * rise, so that in the child none is overwritten before it has been moved.
 */
static int
open_channels(struct tls_run *r, int *to, int *from, int *result, int *err)
{
	/* both ends of err are nonblocking: the command must not wait for us */
	if (confine_socketpair(SOCK_STREAM | SOCK_CLOEXEC, to) < 0 ||
	    confine_socketpair(SOCK_STREAM | SOCK_CLOEXEC, from) < 0 ||
	    pipe2(result, O_CLOEXEC) < 0 ||
	    pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	r->clear_out = to[0];
	r->clear_in = from[0];
	r->control = result[0];
	r->err = err[0];
	return 0;
}

/*
 * Start the command with these descriptors.  If the launcher dies, the command
 * may have the connection, so that is of no more use.  Returns 0, or an error
 * number.
 */
static int
launch_tls(struct tls_run *r, const int *fds)
{
	char *none = NULL;
	int status, error;

	error = launch_start(r->launch, r->config->row, JOB_TLS, &none, fds, 6);
	if (error)
		return error;
	launch_await_start(r->launch, JOB_TLS, r->wait_mask);
	r->running = !launch_has_ended(r->launch, JOB_TLS, &error, &status) ||
	    !error;
	if (error == LAUNCH_LOST) {
		shutdown(r->in, SHUT_RDWR);
		shutdown(r->out, SHUT_RDWR);
	}
	return error;
}

static int
start_tls_command(struct tls_run *r)
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

		error = launch_tls(r, fds);
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
	r->failed = launch_error(error);
	return -1;
}

int
tls_begin(struct tls_run *r)
{
	const struct tls_config *m = r->config;

	r->failed = NULL;
	r->status = 0;
	r->terminated = r->running = false;
	r->err = -1;
	if (m->argv)
		return start_tls_command(r);
	r->control = m->control;
	r->clear_in = m->in;
	r->clear_out = m->out;
	return 0;
}

/* Read one block only, so that a flood can't delay the deadline. */
void
tls_read_stderr(struct tls_run *r)
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

/* Find the two NULs that end the result, or return NULL. */
static char *
find_result_end(char *buf, size_t n)
{
	char *p;

	for (p = buf; (p = memchr(p, '\0', n - (size_t)(p - buf))); p++)
		if (p + 1 < buf + n && p[1] == '\0')
			return p;
	return NULL;
}

/*
 * What a missing result means.  If the command has decrypted something, the
 * handshake is done, and the command does not know of the descriptor.
 */
static const char *
explain_silence(const struct tls_run *r, const char *reason)
{
	int n = 0;

	return r->running && ioctl(r->clear_in, FIONREAD, &n) == 0 && n > 0 ?
	    "the --tls command wrote nothing on descriptor 5" : reason;
}

/* Returns NULL, or the reason of the failure. */
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
		tls_read_stderr(r);
		if (ready == 0)
			return explain_silence(r, "the handshake timed out");
		if (ready < 0)
			continue;
		if (n == sizeof buf)
			return "the result is too long";
		got = read(r->control, buf + n, sizeof buf - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return explain_silence(r, "the handshake failed");
		n += (size_t)got;
		end = find_result_end(buf, n);
	}
	parse_result(&r->result, buf, end);
	return NULL;
}

static void
terminate_tls_command(struct tls_run *r)
{
	if (!r->running)
		return;
	r->terminated = true;
	launch_signal(r->launch, JOB_TLS, SIGTERM);
}

int
tls_handshake(struct tls_run *r, long long timeout)
{
	const long long deadline = clock_ms() + timeout;

	if (!r->running && file_write(r->control, "Y", 1) < 0)
		r->failed = "the super-server does not answer";
	else
		r->failed = read_result(r, deadline);
	close_if_open(&r->control);
	if (!r->failed)
		return 0;
	terminate_tls_command(r);
	return -1;
}

/*
 * Wait for the command to exit, for at most ms (-1: no limit), and read its
 * stderr.
 */
static bool
wait_for_tls_exit(struct tls_run *r, long long ms)
{
	const long long deadline = clock_ms() + ms;
	struct pollfd p[] = {
		{ .events = POLLIN },
		{ .fd = r->launch->fd, .events = POLLIN },
	};
	long long left = -1;
	int error;

	while (!launch_has_ended(r->launch, JOB_TLS, &error, &r->status)) {
		if (ms >= 0)
			left = deadline - clock_ms();
		if (ms >= 0 && left <= 0)
			return false;
		p[0].fd = r->err;
		clock_poll(p, 2, left, r->wait_mask);
		tls_read_stderr(r);
	}
	return true;
}

void
tls_end(struct tls_run *r)
{
	close_if_open(&r->control);
	close_if_open(&r->clear_out);
	close_if_open(&r->clear_in);
	if (!r->running)
		return;
	if (!wait_for_tls_exit(r, TLS_GRACE)) {
		terminate_tls_command(r);
		if (!wait_for_tls_exit(r, TLS_GRACE)) {
			launch_signal(r->launch, JOB_TLS, SIGKILL);
			wait_for_tls_exit(r, -1);
		}
	}
	if (r->terminated && (!WIFSIGNALED(r->status) ||
	    WTERMSIG(r->status) == SIGTERM || WTERMSIG(r->status) == SIGKILL))
		r->status = 0;
	r->running = false;
	tls_read_stderr(r);
	stderr_lines_finish(&r->stderr_lines);
	close_if_open(&r->err);
}
