/*
 * The variables that a TLS program reports after a handshake, in segments,
 * compared with a plain reader that has all of them at once.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/net/tls.h"

ssize_t machine_writev(int, const struct iovec *, int);

/* lib/log.c calls it; nothing is logged here. */
ssize_t
machine_writev(int fd, const struct iovec *v, int n)
{
	(void)fd, (void)v, (void)n;
	fuzz_fail(__FILE__, __LINE__, "a line of the log");
}

/* The program's end of the connection, and what it has yet to send. */
struct teller {
	int fd;
	const uint8_t *p;
	size_t n;
	struct cuts cuts;
};

/* While the server waits, the program sends another segment or closes. */
static int
tell(void *ctx, int fd, long long deadline)
{
	struct teller *t = ctx;
	size_t n;

	(void)fd, (void)deadline;
	if (fuzz_chance(&t->cuts, 8) == 1)
		return -1;	/* as if interrupted by a signal */
	if (t->n == 0) {
		shutdown(t->fd, SHUT_WR);
		return 1;
	}
	n = fuzz_cut(&t->cuts, t->n);
	CHECK(write(t->fd, t->p, n) == (ssize_t)n);
	t->p += n;
	t->n -= n;
	return 1;
}

static bool
is_good(const char *value, bool word)
{
	const char *p;

	for (p = value; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f ||
		    (word && !((*p >= '0' && *p <= '9') ||
		    (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
		    strchr("._-", *p))))
			return false;
	return p - value < TLS_VALUE_MAX;
}

/* The last value of a name; "" if it is invalid. */
static void
expect(const char *records, size_t n, const char *name, bool word,
    const char *got)
{
	const size_t len = strlen(name);
	const char *p, *value = "";

	for (p = records; p < records + n; p += strlen(p) + 1) {
		if (strcmp(p, name) == 0)
			value = "";
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			value = p + len + 1;
	}
	CHECK(strcmp(is_good(value, word) ? value : "", got) == 0);
}

static void
check_result(const struct tls_result *r, const uint8_t *data, size_t n)
{
	char *records = fuzz_copy(data, n);

	CHECK(r->encrypted);
	expect(records, n, "SSL_PROTOCOL", true, r->protocol);
	expect(records, n, "SSL_CIPHER", true, r->cipher);
	expect(records, n, "SSL_PEER_CERT_SUBJECT", false, r->subject);
	expect(records, n, "SSL_TLS_SNI_SERVERNAME", false, r->server_name);
	free(records);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char nuls[2];
	const uint8_t *end = n ? memmem(data, n, nuls, 2) : NULL;
	struct tls_config config = { .argv = NULL };
	struct tls_run run = { .config = &config, .wait = tell };
	struct teller teller = { .p = data, .n = n,
	    .cuts = fuzz_cuts(data, n) };
	int fds[2];
	bool good;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	teller.fd = fds[1];
	run.ctx = &teller;
	config.control = fds[0];
	config.in = config.out = -1;
	CHECK(tls_begin(&run) == 0);
	good = tls_handshake(&run, 60000) == 0;
	CHECK(good == (run.failed == NULL));
	if (!end)
		CHECK(!good);
	else if ((size_t)(end - data) + 2 <= TLS_RESULT_MAX / 2)
		CHECK(good);
	if (good)
		check_result(&run.result, data, (size_t)(end - data) + 1);
	tls_end(&run);
	close(fds[1]);
	return 0;
}
