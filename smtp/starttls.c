/*
 * TLS of a session: when it is allowed, when the handshake is done, and what is
 * forgotten after it.  No key and no TLS is in this process.
 */
#include <string.h>
#include <sys/wait.h>

#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/starttls.h"
#include "smtp/transcript.h"

enum {
	HANDSHAKE_TIMEOUT = 30 * 1000,	/* ms, or read_timeout if less */
	EXIT_BROKEN = 100,		/* and above, as in ucspi-tcp */
};

bool
starttls_offered(const struct session *s)
{
	return session_can_encrypt(s) && !s->client.tls.encrypted;
}

static void
log_tls_stderr(void *ctx, const char *line)
{
	struct log_line l;

	journal_begin(ctx, &l, LEVEL_WARNING, "tls-said");
	log_str(&l, "text", line);
	log_end(&l);
}

static void
log_tls_result(const struct session *s)
{
	const struct tls_result *tls = &s->client.tls;
	struct log_line l;

	journal_begin(s, &l, LEVEL_DEBUG, "encrypted");
	log_str(&l, "protocol", tls->protocol);
	log_str(&l, "cipher", tls->cipher);
	if (*tls->server_name)
		log_str(&l, "server", tls->server_name);
	if (*tls->subject)
		log_str(&l, "subject", tls->subject);
	log_end(&l);
}

static void
log_tls_failure(const struct session *s)
{
	struct log_line l;

	journal_begin(s, &l, LEVEL_INFO, "tls-failed");
	log_str(&l, "error", s->tls.run.failed);
	log_end(&l);
	transcript_note(s, "not encrypted: %s", s->tls.run.failed);
}

static int
wait_for_tls_client(void *ctx, int fd, long long deadline)
{
	return stream_wait(ctx, fd, deadline);
}

/* The handshake has failed; no reply can be sent any more. */
static void
fail_handshake(struct session *s)
{
	struct stream *stream = s->stream;

	if (stream->state == STREAM_PRESSURE)
		s->tls.run.failed = "disconnected to make room for others";
	else if (stream->state == STREAM_OPEN)
		stream->state = *s->tls.run.stop ? STREAM_STOPPED :
		    STREAM_CLOSED;
	log_tls_failure(s);
}

/* Start the TLS process.  Returns 0, or -1 if it could not be started. */
static int
start_tls(struct session *s)
{
	s->tls.run = (struct tls_run){
		.config = &s->options->tls, .launch = s->options->launch,
		.in = s->stream->in_fd, .out = s->stream->out_fd,
		.stop = s->stream->limits->stop,
		.wait_mask = s->stream->limits->wait_mask,
		.wait = wait_for_tls_client, .ctx = s->stream,
		.stderr_lines = { .report = log_tls_stderr, .ctx = s },
	};
	if (tls_begin(&s->tls.run) < 0) {
		log_tls_failure(s);
		s->tls.run.failed = NULL;	/* the session can go on */
		return -1;
	}
	s->tls.begun = s->tls.handshake_due = true;
	return 0;
}

struct reply
starttls_command(struct session *s, const char *arg)
{
	(void)arg;
	if (!session_can_encrypt(s))
		return reply_make(502, "5.5.1 TLS is not enabled");
	if (s->client.tls.encrypted)
		return reply_make(503, "5.5.1 TLS already active");
	if (stream_has_input(s->stream)) {
		s->closing = true;
		return reply_make(554, "5.7.0 Data received after STARTTLS "
		    "and before the TLS handshake");
	}
	if (start_tls(s) < 0)
		return reply_make(454, "4.7.0 TLS not available due to "
		    "temporary reason");
	return reply_make(220, "2.0.0 Ready to start TLS");
}

void
starttls_handshake(struct session *s)
{
	const long long limit = s->stream->limits->read_timeout;

	if (!s->tls.handshake_due)
		return;
	s->tls.handshake_due = false;
	fflush(s->stream->out);
	if (s->stream->state != STREAM_OPEN)
		return;
	stream_expect_line(s->stream);	/* restart the timeout */
	if (tls_handshake(&s->tls.run,
	    limit && limit < HANDSHAKE_TIMEOUT ? limit :
	    HANDSHAKE_TIMEOUT) < 0) {
		fail_handshake(s);
		return;
	}
	stream_switch(s->stream, s->tls.run.clear_in, s->tls.run.clear_out);
	s->client.tls = s->tls.run.result;
	session_forget(s);	/* RFC 3207 4.2 */
	transcript_note(s, "encrypted, %s %s", s->client.tls.protocol,
	    s->client.tls.cipher);
	log_tls_result(s);
}

void
starttls_begin_session(struct session *s)
{
	if (!session_begins_with_tls(s))
		return;
	if (session_can_encrypt(s)) {
		if (start_tls(s) < 0)
			s->stream->state = STREAM_CLOSED;
		starttls_handshake(s);
	} else {
		s->tls.run.failed = "the proxy did not use TLS";
		log_tls_failure(s);
		s->stream->state = STREAM_CLOSED;
	}
}

/*
 * A status below 100 is usual for a client that disconnects without closing
 * TLS, and so is a SIGPIPE.  Other results are failures of the TLS process.
 */
static void
log_tls_exit(const struct session *s, int status)
{
	const bool broken = WIFSIGNALED(status) ?
	    WTERMSIG(status) != SIGPIPE : WEXITSTATUS(status) >= EXIT_BROKEN;
	struct log_line l;

	if (broken)
		journal_begin(s, &l, LEVEL_WARNING, "tls-ended");
	else
		journal_begin(s, &l, LEVEL_DEBUG, "tls-ended");
	if (WIFSIGNALED(status)) {
		log_num(&l, "signal", WTERMSIG(status));
		log_str(&l, "name", strsignal(WTERMSIG(status)));
	} else {
		log_num(&l, "status", WEXITSTATUS(status));
	}
	log_end(&l);
}

void
starttls_end(struct session *s)
{
	if (!s->tls.begun)
		return;
	tls_end(&s->tls.run);
	if (s->tls.run.status)
		log_tls_exit(s, s->tls.run.status);
}
