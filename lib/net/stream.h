/*
 * A connection as a pair of stdio streams.  Its read function is the one
 * place that waits: it sends what was written, so that a pipelined group has
 * its replies in one write, then waits under the deadlines, then reads.
 */
#ifndef STREAM_H
#define STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

enum {
	STREAM_BUFFER = 65536,		/* octets read at a time, at most */
	STREAM_REPLIES = 4096,		/* octets; PIPE_BUF, so that a pipe
					   that polls writable takes them */
};

/* Why reading ended; reads return end of file from then on. */
enum stream_state {
	STREAM_OPEN,
	STREAM_CLOSED,		/* by the peer, or the connection broke */
	STREAM_TIMEOUT,		/* silence for read_timeout, or a line that
				   took longer; or nobody read our replies */
	STREAM_EXPIRED,		/* session_timeout is over */
	STREAM_SLOW,		/* message data slower than min_rate */
	STREAM_STOPPED,		/* *stop was set */
	STREAM_PRESSURE,		/* others wanted its place */
};

struct stream_limits {		/* milliseconds; 0 is none */
	long long read_timeout;
	long long write_timeout;
	long long session_timeout;
	long long min_rate;	/* octets a second of message data */
	long long stop_timeout;	/* for message data, once *stop is set */
	const volatile sig_atomic_t *stop;
	const sigset_t *wait_mask;	/* signals blocked while it waits */
	/*
	 * A descriptor that polls readable when others may want the place of
	 * this client; -1: nobody ever does.  Then is_under_pressure() says whether
	 * they do; if it is asked with leave set, and they do, the client has
	 * to go, and may be counted as gone.
	 */
	int pressure_fd;
	bool (*is_under_pressure)(void *ctx, bool leave);
	void *ctx;
};

struct stream {
	FILE *in, *out;
	enum stream_state state;
	unsigned long long received;	/* bytes */
	bool suspect;		/* others need not wait for this client */
	bool secret;		/* what was read is wiped before the next
				   wait */
	int in_fd, out_fd;
	const struct stream_limits *limits;
	/* Told what was sent, each time; NULL: nobody wants to know. */
	void (*sent)(void *, const char *, size_t);
	void *sent_ctx;

	/* private */
	long long earned;	/* when the client last earned its place */
	long long wanted_since;	/* others want it; 0: nobody does */
	bool is_socket;		/* out_fd */
	bool eager;		/* there is more: the last read got all that
				   it asked for, from a socket */
	bool broken;		/* nothing more can be written */
	bool block_mode, paused;
	bool line_due;		/* a command line, which begins with the next
				   wait */
	long long line_start;
	long long line_deadline, session_deadline, stop_deadline;
	long long last_words;	/* deadline of what is said at the end */
	bool in_data;
	long long credit;	/* of data, at min_rate: octets * ms */
	size_t pos, end;	/* what of back is to be read again */
	size_t back_used;	/* how much of it may hold something */
	char buf[STREAM_BUFFER];	/* its beginning is in the page above */
	char replies[STREAM_REPLIES];
	char back[2 * STREAM_BUFFER];
};

/*
 * Wrap two descriptors, which may be the same one; they stay the caller's.
 * Returns 0, or -1 with errno set.  limits must outlive the stream.
 */
int stream_open(struct stream *, int in, int out,
    const struct stream_limits *);

/* What to watch for the peer's end: a socket; -1 where it is a pipe. */
int stream_peer(const struct stream *);

/*
 * Wait for so many ms for the client to say nothing, or less if others want
 * its place.  Returns whether it spoke; what it said is still to be read.
 */
bool stream_speaks(struct stream *, long long ms);

/*
 * Send what was written and wait for so many ms, whatever the client says; less
 * if it has gone, the session's time is over, or others want its place.
 */
void stream_pause(struct stream *, long long ms);

/*
 * While others want its place, a client that is silent has to go soon, and one
 * that speaks has ten seconds to earn it: by a message that is accepted, or
 * while it sends data, 16 kB of which count as a second.  Those that earned it
 * least recently go first.  It has earned it; and for so many ms it was we who
 * kept it waiting.
 */
void stream_note_progress(struct stream *);
void stream_add_progress(struct stream *, long long ms);

/*
 * Has the client to go now, in a wait that is not one for the client?  -1 where
 * it has, which state tells.  Else when to ask again, by clock_ms(); or 0, when
 * pressure_fd polls readable.
 */
long long stream_check_pressure(struct stream *);

/*
 * Wait for a descriptor that will tell of the client, as patiently as for the
 * client itself, to the deadline of clock_ms().  1 where it polls readable, 0
 * at the deadline, or where others want the place, which state tells; -1 where
 * a signal came.
 */
int stream_wait(struct stream *, int fd, long long deadline);

/*
 * Has the peer sent something that was not read, as one does that did not wait
 * for our reply?
 */
bool stream_has_input(struct stream *);

/*
 * Go on with other descriptors for the same peer, which stay the caller's.
 * Nothing is to be in the buffers.
 */
void stream_switch(struct stream *, int in, int out);

/* The client has read_timeout from now for its next command line. */
void stream_expect_line(struct stream *);

/*
 * Message data begins: *stop has to wait, and min_rate counts, for the time
 * that is spent in waiting.  The client has a minute in advance, and what comes
 * faster counts for five minutes at most.
 */
void stream_begin_data(struct stream *);
void stream_end_data(struct stream *);

/*
 * Read what there is into buf, of at most STREAM_BUFFER octets, waiting for
 * the first only.  Returns how many; 0 when reading ended, and state says why.
 */
size_t stream_read_block(struct stream *, char *buf, size_t size);

/*
 * Put back the last n octets of a block that was read with a size of
 * STREAM_BUFFER, to be read as lines.
 */
void stream_unread(struct stream *, const char *, size_t n);

/* Overwrite what was read: there may be a password in it. */
void stream_wipe(struct stream *);

/* Send what was written; the peer of a socket sees the end of file. */
void stream_hang_up(struct stream *);

/*
 * Send what was written and free the streams; stream_wipe() may follow.  With
 * linger set, read away what the peer still sends, for a second at most, so
 * that the kernel does not take our last reply back with a reset.
 */
void stream_close(struct stream *, bool linger);

#endif
