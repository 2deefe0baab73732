/*
 * The connection to a milter.  A frame has to arrive as a whole within the
 * timeout: a byte now and then is not enough.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "contrib/milter/link.h"
#include "contrib/milter/peer.h"

static void
set_error(struct link *l, const char *error)
{
	if (!l->error)
		l->error = error;
}

static void
note_close(struct link *l)
{
	set_error(l, "it has closed the connection");
	l->closed = true;
}

int
link_flush(struct link *l)
{
	const long long deadline = peer_clock() + l->timeout;
	size_t done = 0;
	ssize_t n;

	while (!l->error && done < l->n_out) {
		n = send(l->fd, l->out + done, l->n_out - done, MSG_NOSIGNAL);
		if (n > 0)
			done += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			set_error(l, strerror(errno));
		else if (peer_wait(l->fd, POLLOUT, deadline) < 0)
			set_error(l, "it does not read, timeout");
	}
	l->n_out = l->begun = 0;
	return l->error ? -1 : 0;
}

void
link_begin(struct link *l, char command)
{
	if (sizeof l->out - l->n_out < LINK_DATA_MAX + 5)
		link_flush(l);
	l->begun = l->n_out;
	l->n_out += sizeof (uint32_t);
	l->out[l->n_out++] = command;
}

void
link_put(struct link *l, const void *data, size_t n)
{
	if (n > LINK_DATA_MAX - (l->n_out - l->begun - 5)) {
		set_error(l, "too much data for a frame");
		return;
	}
	memcpy(l->out + l->n_out, data, n);
	l->n_out += n;
}

void
link_put_number(struct link *l, uint32_t number)
{
	number = htonl(number);
	link_put(l, &number, sizeof number);
}

void
link_put_string(struct link *l, const char *s)
{
	link_put(l, s, strlen(s) + 1);
}

void
link_end(struct link *l)
{
	const uint32_t len = htonl((uint32_t)(l->n_out - l->begun -
	    sizeof len));

	memcpy(l->out + l->begun, &len, sizeof len);
}

int
link_receive(struct link *l, struct frame *f)
{
	const long long deadline = peer_clock() + l->timeout;
	char buf[16384];
	ssize_t n;
	int got;

	link_flush(l);
	while (!l->error && (got = frame_next(&l->in, f)) <= 0) {
		if (got < 0)
			set_error(l, "a frame of invalid length");
		else if (peer_wait(l->fd, POLLIN, deadline) < 0)
			set_error(l, "no answer, timeout");
		else if ((n = recv(l->fd, buf, sizeof buf, 0)) == 0)
			note_close(l);
		else if (n < 0 && errno != EAGAIN && errno != EINTR)
			set_error(l, strerror(errno));
		else if (n > 0 && frame_feed(&l->in, buf, (size_t)n) < 0)
			set_error(l, "out of memory");
	}
	return l->error ? -1 : 0;
}

void
link_open(struct link *l, int fd, long long timeout)
{
	l->fd = fd;
	l->timeout = timeout;
	l->in = (struct frame_reader){ .buf = NULL };
	l->error = NULL;
	l->closed = false;
	l->n_out = l->begun = 0;
}

void
link_close(struct link *l)
{
	close(l->fd);
	frame_free(&l->in);
}
