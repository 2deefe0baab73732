/*
 * A connection as a pair of stdio streams.  All waits for the client are here,
 * and each has a deadline; the meaning of what it sends is not known here.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/memory.h"
#include "lib/net/progress.h"
#include "lib/net/stream.h"

enum {
	RATE_GRACE = 60 * 1000,		/* ms before min_rate counts */
	RATE_CREDIT = 5 * 60 * 1000,	/* ms of data at min_rate, at most */
	/* under pressure: */
	PATIENCE = 2 * 1000,		/* ms for a command line, or a reply */
	DATA_PATIENCE = 5 * 1000,	/* ms of silence in the data, and
					   before min_rate counts */
	LINGER_TIME = 1000,		/* ms */
	LINGER_BYTES = 4 * 1024 * 1024,
	BRIEF_WAIT = 1000,		/* ms until unused memory is released */
};

/* The earlier of two deadlines; 0: no deadline. */
static long long
earlier(long long a, long long b)
{
	if (!a || !b)
		return a ? a : b;
	return a < b ? a : b;
}

static long long
deadline_after(long long now, long long timeout)
{
	return timeout ? now + timeout : 0;
}

/* Account for data that was received, and for time spent waiting for it. */
static void
add_credit(struct stream *s, long long bytes, long long waited)
{
	const long long max = RATE_CREDIT * s->limits->min_rate;

	s->credit += bytes * 1000 - waited * s->limits->min_rate;
	if (s->credit > max)
		s->credit = max;
}

/* When the data so far is below min_rate, if the wait begins now. */
static long long
compute_rate_deadline(const struct stream *s, long long now, long long grace)
{
	if (!s->in_data || !s->limits->min_rate)
		return 0;
	return now + s->credit / s->limits->min_rate - RATE_GRACE + grace;
}

/* Wait for one of them.  Returns 1, 0 at the deadline, or -1 with errno set. */
static int
wait_fds(const struct stream *s, struct pollfd *p, nfds_t n,
    long long deadline)
{
	const long long left = deadline ? deadline - clock_ms() : 0;

	if (deadline && left <= 0)
		return 0;
	return clock_poll(p, n, deadline ? left : -1, s->limits->wait_mask);
}

static int
wait_fd(const struct stream *s, int fd, short events, long long deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	return wait_fds(s, &p, 1, deadline);
}

static bool
end_stream(struct stream *s, enum stream_state why)
{
	if (s->state == STREAM_OPEN)
		s->state = why;
	return false;
}

/*
 * As wait_fd(), for a descriptor of the client.  Under pressure it returns 0
 * with the state STREAM_PRESSURE at the time `patient`, or at any time if the
 * client has made no progress for too long.
 */
static int
wait_client(struct stream *s, int fd, short events, long long deadline,
    long long patient)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = events }, { .events = POLLIN },
	};
	bool check = progress_is_overdue(s);
	long long recheck;	/* time, or 0: when pressure_fd is readable */
	int ready;

	for (;; check = true) {
		recheck = check ? progress_check(s, patient) : 0;
		if (recheck < 0)
			return 0;
		p[1].fd = recheck || *s->limits->stop ? -1 :
		    s->limits->pressure_fd;
		ready = wait_fds(s, p, 2, earlier(deadline, recheck));
		if (ready < 0 || p[0].revents)
			return ready < 0 ? -1 : 1;
		if (ready == 0 && deadline && clock_ms() >= deadline)
			return 0;
	}
}

/*
 * The time for a command line starts with the first wait for it; a line that
 * was received with the one before needs none.
 */
static void
start_line_timer(struct stream *s, long long now)
{
	if (!s->line_due)
		return;
	s->line_due = false;
	s->line_start = now;
	s->line_deadline = deadline_after(now, s->limits->read_timeout);
}

/* Until when the client may be silent under pressure. */
static long long
compute_patience(const struct stream *s, long long now)
{
	if (s->suspect)
		return now;
	if (!s->in_data)
		return s->line_start + PATIENCE;
	return earlier(now + DATA_PATIENCE,
	    compute_rate_deadline(s, now, DATA_PATIENCE));
}

/* All input in the buffers was read, and all replies in them were sent. */
static void
release_memory(struct stream *s)
{
	memory_release(s->buf, sizeof *s - offsetof(struct stream, buf));
	memory_release_stack();
	if (s->received > STREAM_SMALL)
		memory_release_heap();
}

/* Wait as wait_client() does, without unused memory if it takes longer. */
static int
wait_lean(struct stream *s, long long now, long long deadline)
{
	const long long patient = compute_patience(s, now);
	int ready = wait_client(s, s->in_fd, POLLIN,
	    earlier(deadline, now + BRIEF_WAIT), patient);

	if (ready != 0 || s->state != STREAM_OPEN ||
	    (deadline && clock_ms() >= deadline))
		return ready;
	release_memory(s);
	return wait_client(s, s->in_fd, POLLIN, deadline, patient);
}

/*
 * Wait for input from the client.  Returns false if none came; s->state says
 * why.
 */
static bool
wait_input(struct stream *s)
{
	const struct stream_limits *l = s->limits;
	const long long now = clock_ms();
	long long rate, silence, deadline;
	int ready;

	start_line_timer(s, now);
	silence = s->block_mode ? deadline_after(now, l->read_timeout) :
	    s->line_deadline;
	rate = compute_rate_deadline(s, now, RATE_GRACE);
	for (;;) {
		if (*l->stop && !s->in_data)
			return end_stream(s, STREAM_STOPPED);
		if (*l->stop && !s->stop_deadline)
			s->stop_deadline = deadline_after(clock_ms(),
			    l->stop_timeout);
		deadline = earlier(earlier(silence, rate),
		    earlier(s->session_deadline, s->stop_deadline));
		if (s->more_expected && !progress_is_overdue(s) &&
		    (!deadline || clock_ms() < deadline))
			return true;
		ready = wait_lean(s, now, deadline);
		if (ready > 0 && s->in_data)
			add_credit(s, 0, clock_ms() - now);
		if (ready > 0)
			return true;
		if (ready == 0)
			break;
		if (errno != EINTR)
			return end_stream(s, STREAM_CLOSED);
	}
	if (s->state == STREAM_PRESSURE)
		return false;
	if (deadline == s->stop_deadline)
		return end_stream(s, STREAM_STOPPED);
	if (deadline == s->session_deadline)
		return end_stream(s, STREAM_EXPIRED);
	return end_stream(s, deadline == rate ? STREAM_SLOW : STREAM_TIMEOUT);
}

/*
 * Read input.  If more was only expected, wait_input() has not polled; the
 * call must not block then, and returns -1 with EAGAIN if there is none.
 */
static ssize_t
read_input(struct stream *s, char *buf, size_t n)
{
	ssize_t got = s->more_expected ? recv(s->in_fd, buf, n, MSG_DONTWAIT) :
	    read(s->in_fd, buf, n);

	s->more_expected = s->is_socket && s->in_fd == s->out_fd &&
	    got == (ssize_t)n;
	return got;
}

void
stream_wipe(struct stream *s)
{
	const size_t n = s->received < sizeof s->buf ? (size_t)s->received :
	    sizeof s->buf;

	explicit_bzero(s->buf, n);
	explicit_bzero(s->back, s->back_used);
	s->back_used = 0;
	s->secret = false;
}

/* Send the replies, wait, and read.  Returns 0 if reading ended. */
static size_t
receive_input(struct stream *s, char *buf, size_t n)
{
	ssize_t got;

	fflush(s->out);
	if (s->secret)
		stream_wipe(s);
	do {
		if (s->state != STREAM_OPEN || !wait_input(s))
			return 0;
		got = read_input(s, buf, n);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got <= 0) {
		end_stream(s, STREAM_CLOSED);
		return 0;
	}
	s->received += (unsigned long long)got;
	if (s->in_data) {
		add_credit(s, got, 0);
		progress_add_data(s, got);
	}
	return (size_t)got;
}

/*
 * The cookie stream's read function.  In block mode it returns end of file
 * instead of waiting a second time, so that fread(3) returns what is available.
 */
static ssize_t
cookie_read(void *cookie, char *buf, size_t n)
{
	struct stream *s = cookie;

	if (s->block_mode && s->paused)
		return 0;
	s->paused = true;
	if (s->pos == s->end)
		return (ssize_t)receive_input(s, buf, n);
	if (n > s->end - s->pos)
		n = s->end - s->pos;
	memcpy(buf, s->back + s->pos, n);
	s->pos += n;
	return (ssize_t)n;
}

/* As wait_client(), but for at most LINGER_TIME after the session's end. */
static int
wait_output(struct stream *s, long long deadline, long long patient)
{
	const long long now = clock_ms();
	long long over = s->session_deadline;

	if (*s->limits->stop && !s->in_data)
		over = now;
	if (over && over < now + LINGER_TIME)
		over = s->final_deadline = earlier(s->final_deadline,
		    now + LINGER_TIME);
	return wait_client(s, s->out_fd, POLLOUT, earlier(deadline, over),
	    patient);
}

/* Send n bytes; if that fails the stream is broken.  Returns the bytes sent. */
static size_t
send_all(struct stream *s, const char *buf, size_t n)
{
	const long long start = clock_ms(), patient = start + PATIENCE;
	const long long deadline = deadline_after(start,
	    s->limits->write_timeout);
	ssize_t sent;
	size_t done = 0;
	int ready = 1;

	while (done < n) {
		if (s->is_socket) {
			sent = send(s->out_fd, buf + done, n - done,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
		} else {
			ready = wait_output(s, deadline, patient);
			sent = ready > 0 ? write(s->out_fd, buf + done,
			    n - done < PIPE_BUF ? n - done : PIPE_BUF) : -1;
		}
		if (sent > 0) {
			done += (size_t)sent;
			continue;
		}
		if (s->is_socket && (errno == EAGAIN || errno == EWOULDBLOCK))
			ready = wait_output(s, deadline, patient);
		else if (ready > 0 && errno != EINTR && errno != EAGAIN)
			ready = -2;
		if (ready == 0 || ready == -2 ||
		    (ready < 0 && errno != EINTR)) {
			s->broken = true;
			end_stream(s, ready == 0 ? STREAM_TIMEOUT :
			    STREAM_CLOSED);
			break;
		}
	}
	return done;
}

/* The cookie stream's write function. */
static ssize_t
cookie_write(void *cookie, const char *buf, size_t n)
{
	struct stream *s = cookie;
	const size_t done = s->broken ? 0 : send_all(s, buf, n);

	if (done && s->sent)
		s->sent(s->sent_ctx, buf, done);
	return s->broken ? 0 : (ssize_t)n;
}

void
stream_switch(struct stream *s, int in, int out)
{
	struct stat st;

	s->in_fd = in;
	s->out_fd = out;
	s->is_socket = in == out ||	/* a pipe has two descriptors */
	    (fstat(out, &st) == 0 && S_ISSOCK(st.st_mode));
	s->more_expected = false;
}

int
stream_open(struct stream *s, int in, int out,
    const struct stream_limits *limits)
{
	s->limits = limits;
	s->sent = NULL;
	s->state = STREAM_OPEN;
	s->received = 0;
	stream_switch(s, in, out);
	s->broken = s->block_mode = s->paused = false;
	s->suspect = s->secret = false;
	s->session_deadline = deadline_after(clock_ms(),
	    limits->session_timeout);
	s->progress_at = clock_ms();
	s->pressure_since = 0;
	s->final_deadline = s->stop_deadline = 0;
	s->in_data = false;
	s->credit = 0;
	s->pos = s->end = s->back_used = 0;
	s->in = fopencookie(s, "r",
	    (cookie_io_functions_t){ .read = cookie_read });
	if (!s->in)
		return -1;
	s->out = fopencookie(s, "w",
	    (cookie_io_functions_t){ .write = cookie_write });
	if (!s->out) {
		fclose(s->in);
		return -1;
	}
	setvbuf(s->in, s->buf, _IOFBF, sizeof s->buf);
	setvbuf(s->out, s->replies, _IOFBF, sizeof s->replies);
	stream_expect_line(s);
	return 0;
}

int
stream_peer(const struct stream *s)
{
	return s->is_socket ? s->out_fd : -1;
}

/*
 * Wait until a time, until the peer's descriptor is ready, until there is
 * pressure, which is checked once, or until *stop is set.  Returns false if the
 * time has passed.
 */
static bool
wait_for_peer(struct stream *s, struct pollfd peer, long long until)
{
	struct pollfd p[2] = {
		peer, { .fd = s->limits->pressure_fd, .events = POLLIN },
	};
	int ready;

	while (!*s->limits->stop) {
		ready = wait_fds(s, p, 2, until);
		if (ready == 0)
			return false;
		if (ready > 0 && p[0].revents)
			break;
		if (ready > 0 && progress_is_under_pressure(s))
			break;
		if (ready > 0)
			p[1].fd = -1;
	}
	return true;
}

bool
stream_speaks(struct stream *s, long long ms)
{
	const struct pollfd peer = { .fd = s->in_fd, .events = POLLIN };
	int n = 0;

	wait_for_peer(s, peer, clock_ms() + (ms ? ms : 1));
	return ioctl(s->in_fd, FIONREAD, &n) == 0 && n > 0;
}

void
stream_pause(struct stream *s, long long ms)
{
	const struct pollfd peer = { .fd = stream_peer(s) };	/* POLLHUP */
	const long long now = clock_ms();
	const long long end = earlier(now + ms, s->session_deadline);
	long long until = now;

	fflush(s->out);
	do
		until = earlier(until + PROGRESS_RECHECK, end);
	while (!wait_for_peer(s, peer, until) && until < end);
}

void
stream_expect_line(struct stream *s)
{
	s->line_due = true;
}

void
stream_begin_data(struct stream *s)
{
	s->in_data = true;
	s->credit = RATE_GRACE * s->limits->min_rate;
}

void
stream_end_data(struct stream *s)
{
	s->in_data = false;
}

/*
 * Input in stdio's buffer comes first, then what was put back; only then may
 * the client be waited for.  Further input bypasses stdio's buffer.
 */
size_t
stream_read_block(struct stream *s, char *buf, size_t size)
{
	size_t got;

	s->block_mode = s->paused = true;
	got = fread(buf, 1, size, s->in);
	clearerr(s->in);
	if (got == 0) {
		s->paused = false;
		got = (size_t)cookie_read(s, buf, size);
	}
	s->block_mode = false;
	return got;
}

int
stream_wait(struct stream *s, int fd, long long deadline)
{
	const long long now = clock_ms();
	int ready;

	start_line_timer(s, now);
	ready = wait_client(s, fd, POLLIN, deadline, compute_patience(s, now));
	if (ready == 0)
		end_stream(s, STREAM_TIMEOUT);
	return ready;
}

/* Look in the buffers, then in the kernel. */
bool
stream_has_input(struct stream *s)
{
	int waiting = 0, c;

	s->paused = s->block_mode = true;
	c = getc_unlocked(s->in);
	clearerr(s->in);
	s->block_mode = false;
	if (c != EOF) {
		ungetc(c, s->in);
		return true;
	}
	return s->pos != s->end ||
	    (ioctl(s->in_fd, FIONREAD, &waiting) == 0 && waiting > 0);
}

/* stdio's buffer is empty after a block, so these bytes are read next. */
void
stream_unread(struct stream *s, const char *p, size_t n)
{
	const size_t rest = s->end - s->pos;

	memmove(s->back + n, s->back + s->pos, rest);
	memcpy(s->back, p, n);
	s->pos = 0;
	s->end = n + rest;
	if (s->end > s->back_used)
		s->back_used = s->end;
}

void
stream_hang_up(struct stream *s)
{
	fflush(s->out);
	if (s->is_socket)
		shutdown(s->out_fd, SHUT_WR);
}

/* Closing a socket with unread input would send a reset to the client. */
static void
discard_input(struct stream *s)
{
	long long deadline = clock_ms() + LINGER_TIME;
	ssize_t got;
	size_t total = 0;

	while (total < LINGER_BYTES &&
	    wait_fd(s, s->in_fd, POLLIN, deadline) > 0) {
		got = read(s->in_fd, s->buf, sizeof s->buf);
		if (got <= 0)
			return;
		total += (size_t)got;
	}
}

void
stream_close(struct stream *s, bool lingering)
{
	if (lingering && !s->broken && s->is_socket) {
		stream_hang_up(s);
		discard_input(s);
	}
	fclose(s->in);
	fclose(s->out);
}
