/*
 * The server's side of TLS for one connection, by OpenSSL.  Encrypted data is
 * read from descriptor 0 and written to 1; clear text is read from and written
 * to two other descriptors, and the result of the handshake is written to a
 * third.  The data itself is not interpreted.  See smtpd-tls(8).
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "contrib/tls/confine.h"

enum {
	RECORD = 16384,		/* bytes, RFC 8446 5.1 */
	SERVER_NAME_MAX = 253,	/* bytes of a domain, RFC 1035 2.3.4 */
};

struct options {
	const char *cert, *key, *authorities, *servers;
	int result, from, to;	/* descriptors */
	int oldest;		/* version of TLS */
};

/* One direction.  It is over when its end was passed on to the other side. */
struct flow {
	bool ended, over;
	size_t at, n;		/* bytes of buf that are still to be written */
	unsigned char buf[RECORD];
};

/* Write one line for the log.  OpenSSL's first error is the most useful. */
static void
complain(const char *what)
{
	const unsigned long e = ERR_get_error();
	const char *why = ERR_reason_error_string(e);

	if (ERR_SYSTEM_ERROR(e))
		why = strerror(ERR_GET_REASON(e));
	fprintf(stderr, "smtpd-tls: %s%s%s\n", what, e ? ": " : "",
	    e && why ? why : "");
	ERR_clear_error();
}

__attribute__((noreturn))
static void
fail(const char *what)
{
	complain(what);
	exit(1);
}

__attribute__((noreturn))
static void
usage(void)
{
	fputs("usage: smtpd-tls [-a authorities] [-c cert] [-d fd] [-k key] "
	    "[-m version] [-s dir] [fdr fdw]\n", stderr);
	exit(100);
}

static int
number(const char *text)
{
	char *end;
	const long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n > 65535)
		usage();
	return (int)n;
}

static int
parse_version(const char *text)
{
	static const struct {
		const char *name;
		int version;
	} versions[] = {
		{ "TLSv1", TLS1_VERSION },
		{ "TLSv1.1", TLS1_1_VERSION },
		{ "TLSv1.2", TLS1_2_VERSION },
		{ "TLSv1.3", TLS1_3_VERSION },
	};
	size_t i;

	for (i = 0; i < sizeof versions / sizeof *versions; i++)
		if (strcmp(text, versions[i].name) == 0)
			return versions[i].version;
	usage();
}

static void
read_options(struct options *o, int argc, char **argv)
{
	int c;

	*o = (struct options){
		.cert = getenv("CERTFILE"), .key = getenv("KEYFILE"),
		.result = 5, .from = 3, .to = 4, .oldest = TLS1_2_VERSION,
	};
	while ((c = getopt(argc, argv, "a:c:d:k:m:s:")) != -1)
		switch (c) {
		case 'a': o->authorities = optarg; break;
		case 'c': o->cert = optarg; break;
		case 'd': o->result = number(optarg); break;
		case 'k': o->key = optarg; break;
		case 'm': o->oldest = parse_version(optarg); break;
		case 's': o->servers = optarg; break;
		default: usage();
		}
	if (argc - optind == 2) {
		o->from = number(argv[optind]);
		o->to = number(argv[optind + 1]);
	} else if (argc != optind) {
		usage();
	}
	if (!o->cert)
		usage();
	if (!o->key)
		o->key = o->cert;
}

/* Make the path DIR/NAME.pem.  False: the name is not safe as a file name. */
static bool
server_path(const char *dir, const char *name, char *path, size_t size)
{
	char lower[SERVER_NAME_MAX + 1];
	size_t n;

	for (n = 0; name[n]; n++) {
		if (n == SERVER_NAME_MAX || (!isalnum((unsigned char)name[n]) &&
		    (n == 0 || !strchr(".-_", name[n]))))
			return false;
		lower[n] = (char)tolower((unsigned char)name[n]);
	}
	lower[n] = '\0';
	return n > 0 && snprintf(path, size, "%s/%s.pem", dir, lower) <
	    (int)size;
}

/* Clients that verify the certificate will refuse it. */
static void
warn_if_expired(const char *path, const X509 *cert)
{
	if (cert && X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		fprintf(stderr, "smtpd-tls: %s: the certificate has expired; "
		    "renew it\n", path);
}

/* An unknown server name gets the default certificate. */
static int
choose_server(SSL *ssl, int *alert, void *ctx)
{
	const struct options *o = ctx;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char path[4096];

	(void)alert;
	if (!name || !server_path(o->servers, name, path, sizeof path) ||
	    access(path, F_OK) < 0)
		return SSL_TLSEXT_ERR_OK;
	SSL_certs_clear(ssl);	/* or one with another type of key remains */
	if (SSL_use_certificate_chain_file(ssl, path) == 1 &&
	    SSL_use_PrivateKey_file(ssl, path, SSL_FILETYPE_PEM) == 1) {
		warn_if_expired(path, SSL_get_certificate(ssl));
		return SSL_TLSEXT_ERR_OK;
	}
	complain(path);
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Accept any client certificate; the result says whether it was verified. */
static int
accept_all(int verified, X509_STORE_CTX *store)
{
	(void)verified, (void)store;
	return 1;
}

/* Never ask for a passphrase. */
static int
no_passphrase(char *buf, int size, int writing, void *ctx)
{
	(void)buf, (void)size, (void)writing, (void)ctx;
	return -1;
}

static void
load_files(SSL_CTX *ctx, struct options *o)
{
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1)
		fail(o->cert);
	warn_if_expired(o->cert, SSL_CTX_get0_certificate(ctx));
	if (SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1)
		fail(o->key);
	if (o->authorities) {
		if (SSL_CTX_load_verify_file(ctx, o->authorities) != 1)
			fail(o->authorities);
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, accept_all);
	}
	if (o->servers) {
		SSL_CTX_set_tlsext_servername_callback(ctx, choose_server);
		SSL_CTX_set_tlsext_servername_arg(ctx, o);
	}
}

static SSL *
open_tls(struct options *o)
{
	SSL_CTX *ctx;
	SSL *ssl;

	/* no openssl.cnf and no cleanup: each connection would pay for them */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_NO_ATEXIT, NULL);
	ctx = SSL_CTX_new(TLS_server_method());
	if (!ctx)
		fail("OpenSSL");
	SSL_CTX_set_min_proto_version(ctx, o->oldest);
	if (o->oldest < TLS1_2_VERSION)	/* they sign with SHA-1 */
		SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
	    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
	    SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_num_tickets(ctx, 0);	/* useless: each process ends */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_dh_auto(ctx, 1);
	load_files(ctx, o);
	ssl = SSL_new(ctx);
	if (!ssl || SSL_set_rfd(ssl, STDIN_FILENO) != 1 ||
	    SSL_set_wfd(ssl, STDOUT_FILENO) != 1)
		fail("OpenSSL");
	return ssl;
}

/* The poll(2) event that a call of OpenSSL waits for; 0: it failed. */
static short
wants(SSL *ssl, int ret)
{
	switch (SSL_get_error(ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	}
	return 0;
}

/* No timeout here: the parent process has one. */
static void
shake_hands(SSL *ssl, const struct options *o)
{
	struct pollfd p[2] = { { .fd = -1 }, { .fd = o->from } };
	int ret;

	while ((ret = SSL_accept(ssl)) != 1) {
		p[0].events = wants(ssl, ret);
		if (!p[0].events)
			fail(ERR_peek_error() ? "handshake" :
			    "handshake: the client is gone");
		p[0].fd = p[0].events == POLLIN ? STDIN_FILENO : STDOUT_FILENO;
		if (poll(p, 2, -1) < 0 || p[1].revents & (POLLHUP | POLLERR))
			exit(1);
	}
}

static void
put(FILE *f, const char *name, const char *value)
{
	fputs(name, f);
	if (value)
		fprintf(f, "=%s", value);
	fputc('\0', f);
}

/* The subject of a verified certificate (RFC 4514). */
static char *
verified_subject(SSL *ssl)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	BIO *memory = BIO_new(BIO_s_mem());
	char *text;
	long n;

	if (!cert || !memory || SSL_get_verify_result(ssl) != X509_V_OK)
		return NULL;
	X509_NAME_print_ex(memory, X509_get_subject_name(cert), 0,
	    XN_FLAG_RFC2253);
	n = BIO_get_mem_data(memory, &text);
	return strndup(text, (size_t)n);
}

static void
tell(SSL *ssl, int fd)
{
	FILE *f = fdopen(fd, "w");
	char *subject;

	if (!f)
		fail("-d: that descriptor is not open");
	put(f, "SSL_PROTOCOL", SSL_get_version(ssl));
	put(f, "SSL_CIPHER", SSL_get_cipher_name(ssl));
	put(f, "SSL_TLS_SNI_SERVERNAME",
	    SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
	subject = verified_subject(ssl);
	put(f, "SSL_PEER_CERT_SUBJECT", subject);
	free(subject);
	fputc('\0', f);
	fclose(f);
}

static bool
waits(ssize_t ret)
{
	return ret < 0 && (errno == EAGAIN || errno == EINTR);
}

/* A read or write failed: poll for what it needs, or end the connection. */
static void
await(SSL *ssl, struct pollfd *p)
{
	const short events = wants(ssl, 0);

	if (!events) {
		if (ERR_peek_error())
			complain("connection");
		exit(1);
	}
	p[events == POLLOUT].events |= events;
}

static void
take_away(struct flow *f, size_t n)
{
	OPENSSL_cleanse(f->buf + f->at, n);
	f->at += n;
	f->n -= n;
}

/* Copy from the client to the server.  Returns true if any data was copied. */
static bool
move_down(SSL *ssl, struct flow *f, struct pollfd *p, const struct options *o)
{
	ssize_t written;

	if (f->n == 0 && !f->ended) {
		f->at = 0;
		if (SSL_read_ex(ssl, f->buf, sizeof f->buf, &f->n) != 1) {
			f->ended = SSL_get_error(ssl, 0) ==
			    SSL_ERROR_ZERO_RETURN;
			if (!f->ended)
				await(ssl, p);
		}
	}
	if (f->n > 0) {
		written = write(o->to, f->buf + f->at, f->n);
		if (written > 0)
			take_away(f, (size_t)written);
		else if (waits(written))
			p[3].events = POLLOUT;
		else
			f->over = true;		/* the server has closed */
		return written > 0;
	}
	if (f->ended) {
		close(o->to);
		f->over = true;
	}
	return f->over;
}

/* Copy from the server to the client.  Returns true if any data was copied. */
static bool
move_up(SSL *ssl, struct flow *f, struct pollfd *p, const struct options *o)
{
	size_t written = 0;
	ssize_t got;
	int ret;

	if (f->n == 0 && !f->ended) {
		f->at = 0;
		got = read(o->from, f->buf, sizeof f->buf);
		if (got > 0)
			f->n = (size_t)got;
		else if (waits(got))
			p[2].events = POLLIN;
		else
			f->ended = true;
	}
	if (f->n > 0) {
		if (SSL_write_ex(ssl, f->buf + f->at, f->n, &written) != 1) {
			await(ssl, p);
		}
		take_away(f, written);
		return written > 0;
	}
	if (f->ended) {
		ret = SSL_shutdown(ssl);	/* close_notify */
		if (ret < 0 && wants(ssl, ret) == POLLOUT) {
			p[1].events |= POLLOUT;
			return false;
		}
		shutdown(STDOUT_FILENO, SHUT_WR);
		f->over = true;
	}
	return f->over;
}

/*
 * Copy in both directions until both are over.  Each ends by itself, so that no
 * data is lost if only one side has closed (RFC 8446 6.1).
 */
static void
pump(SSL *ssl, const struct options *o)
{
	static struct flow down, up;
	struct pollfd p[4];	/* the connection in, out; the server's two */
	bool moved;

	while (!down.over || !up.over) {
		p[0] = (struct pollfd){ .fd = STDIN_FILENO };
		p[1] = (struct pollfd){ .fd = STDOUT_FILENO };
		p[2] = (struct pollfd){ .fd = o->from };
		p[3] = (struct pollfd){ .fd = o->to };
		moved = !down.over && move_down(ssl, &down, p, o);
		moved |= !up.over && move_up(ssl, &up, p, o);
		if (moved)
			continue;
		/* poll the other side, too, for its end */
		if (!p[0].events)
			p[0].fd = -1;
		if (!p[1].events && up.over)
			p[1].fd = -1;
		if (!p[2].events)
			p[2].fd = -1;
		if (down.over)
			p[3].fd = -1;
		if (poll(p, 4, -1) < 0 && errno != EINTR)
			fail("poll");
		if (p[1].revents & (POLLHUP | POLLERR) && !up.over)
			exit(1);		/* a reset */
		if (p[3].revents & (POLLHUP | POLLERR))
			down.over = true;	/* the reader is gone */
	}
}

static void
set_nonblocking(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
		fprintf(stderr, "smtpd-tls: descriptor %d: %s\n", fd,
		    strerror(errno));
		exit(100);
	}
}

int
main(int argc, char **argv)
{
	struct options o;
	SSL *ssl;

	read_options(&o, argc, argv);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	set_nonblocking(STDIN_FILENO);
	set_nonblocking(STDOUT_FILENO);
	set_nonblocking(o.from);
	set_nonblocking(o.to);
	ssl = open_tls(&o);
	if (confine_self(o.servers) < 0)
		fail("confinement");
	shake_hands(ssl, &o);
	tell(ssl, o.result);
	pump(ssl, &o);
	return 0;
}
