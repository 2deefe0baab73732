/*
 * A connection as a pair of stdio streams.  The read function is the only place
 * that waits for the client: it sends the buffered replies, so that those to a
 * pipelined group go out in one write, waits until a deadline, then reads.
 *
 * Pressure means that nearly all workers are busy and other clients may need
 * one.  A client that is silent then is disconnected early, and so is one that
 * makes no progress.
 */
#ifndef STREAM_H
#define STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

enum {
	STREAM_BUFFER = 65536,		/* bytes of one read, at most */
	STREAM_REPLIES = 4096,		/* bytes; PIPE_BUF, so that a write
					   to a pipe that polls writable does
					   not block */
	STREAM_SMALL = 8192,		/* bytes of a session that has used
					   little memory, at most */
};

/* Why reading ended.  Reads return end of file after that. */
enum stream_state {
	STREAM_OPEN,
	STREAM_CLOSED,		/* by the peer, or the connection broke */
	STREAM_TIMEOUT,		/* no line or data within read_timeout, or
				   replies not read within write_timeout */
	STREAM_EXPIRED,		/* session_timeout has passed */
	STREAM_SLOW,		/* message data came slower than min_rate */
	STREAM_STOPPED,		/* *stop was set */
	STREAM_PRESSURE,	/* other clients needed the worker */
};

struct stream_limits {		/* milliseconds; 0: no limit */
	long long read_timeout;
	long long write_timeout;
	long long session_timeout;
	long long min_rate;	/* bytes per second of message data */
	long long stop_timeout;	/* for message data, once *stop is set */
	const volatile sig_atomic_t *stop;
	const sigset_t *wait_mask;	/* signals blocked while it waits */
	/*
	 * A descriptor that polls readable if there may be pressure; -1:
	 * never.  is_under_pressure() then returns whether there is.  If leave
	 * is set and it returns true, the client is disconnected and no longer
	 * counts.
	 */
	int pressure_fd;
	bool (*is_under_pressure)(void *ctx, bool leave);
	void *ctx;
};

struct stream {
	FILE *in, *out;
	enum stream_state state;
	unsigned long long received;	/* bytes */
	bool suspect;		/* under pressure, no wait for this client */
	bool secret;		/* wipe the input before the next wait */
	int in_fd, out_fd;
	const struct stream_limits *limits;
	/* Called with all that was sent; may be NULL. */
	void (*sent)(void *, const char *, size_t);
	void *sent_ctx;

	/* private */
	long long progress_at;	/* time of the last progress, see
				   progress_note() */
	long long pressure_since;	/* 0: there is no pressure */
	bool is_socket;		/* out_fd */
	bool more_expected;	/* the last read filled its buffer, so read
				   again without polling */
	bool broken;		/* nothing more can be written */
	bool block_mode, paused;
	bool line_due;		/* a command line is expected; its time starts
				   with the next wait */
	long long line_start;
	long long line_deadline, session_deadline, stop_deadline;
	long long final_deadline;	/* after the end of the session */
	bool in_data;
	long long credit;	/* of data above min_rate: bytes * ms */
	size_t pos, end;	/* bytes of back that are to be read again */
	size_t back_used;	/* bytes of back that were ever written */
	char buf[STREAM_BUFFER];	/* begins in the same page as the
					   fields above */
	char replies[STREAM_REPLIES];
	char back[2 * STREAM_BUFFER];
};

/*
 * Open streams on two descriptors, which may be the same and remain the
 * caller's.  Returns 0, or -1 with errno set.  limits must outlive the stream.
 */
int stream_open(struct stream *, int in, int out,
    const struct stream_limits *);

/*
 * The descriptor that polls POLLHUP when the peer is gone, or -1 if the
 * connection is a pipe.
 */
int stream_peer(const struct stream *);

/*
 * Wait for ms milliseconds, less under pressure, and return early if the client
 * sends something, which is not read.  Returns whether it did.
 */
bool stream_speaks(struct stream *, long long ms);

/*
 * Send the replies and wait for ms milliseconds, whatever the client sends.
 * The wait is shorter if the client is gone, when session_timeout has passed,
 * and under pressure.
 */
void stream_pause(struct stream *, long long ms);

/*
 * Wait for another descriptor on behalf of the client, with the same rules
 * under pressure as for the client itself, until the deadline of clock_ms().
 * Returns 1 if it polls readable; 0 at the deadline or under pressure, as state
 * says; -1 with errno set, EINTR after a signal.
 */
int stream_wait(struct stream *, int fd, long long deadline);

/*
 * Has the client sent more than was read, that is, without waiting for the
 * reply?  Does not block.
 */
bool stream_has_input(struct stream *);

/*
 * Continue with other descriptors for the same client, which remain the
 * caller's.  The buffers must be empty.
 */
void stream_switch(struct stream *, int in, int out);

/*
 * A command line is expected: the client has read_timeout from the next wait to
 * send all of it.
 */
void stream_expect_line(struct stream *);

/*
 * Message data begins or ends.  During data *stop takes effect after
 * stop_timeout only, and min_rate is enforced over the time spent waiting for
 * the client: with one minute of grace, and credit for at most five minutes of
 * faster data.
 */
void stream_begin_data(struct stream *);
void stream_end_data(struct stream *);

/*
 * Read the input that is available into buf, of at most STREAM_BUFFER bytes.
 * Waits for the first byte only.  Returns the number of bytes, or 0 if reading
 * ended; state says why.
 */
size_t stream_read_block(struct stream *, char *buf, size_t size);

/*
 * Put back the last n bytes of a block that was read with a size of
 * STREAM_BUFFER, to be read as lines.
 */
void stream_unread(struct stream *, const char *, size_t n);

/* Overwrite the input in all buffers, because it may hold a password. */
void stream_wipe(struct stream *);

/*
 * Send the replies, and shut down the sending side of a socket.  Blocks for
 * write_timeout at most.
 */
void stream_hang_up(struct stream *);

/*
 * Send the replies and free the streams; stream_wipe() may follow.  With linger
 * set, discard what the client still sends, for at most a second, so that no
 * reset destroys the last reply before the client has read it.
 */
void stream_close(struct stream *, bool linger);

#endif
