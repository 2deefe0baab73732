/*
 * One session on descriptor 0, with a client of a super-server.  The variables
 * of tcpserver, sslserver and UCSPI-TLS say what the socket does not.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"
#include "server/commands.h"
#include "server/inetd.h"
#include "server/worker.h"

/* The port that a variable names; 0: none. */
static unsigned
read_port(const char *variable)
{
	const char *text = getenv(variable);
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n <= 65535 ? (unsigned)n : 0;
}

/* A super-server that encrypts sets these variables. */
static void
read_tls_result(struct tls_result *tls)
{
	const char *protocol = getenv("SSL_PROTOCOL");

	tls->encrypted = protocol && *protocol;
	tls_set_variable(tls, "SSL_PROTOCOL", protocol);
	tls_set_variable(tls, "SSL_CIPHER", getenv("SSL_CIPHER"));
	tls_set_variable(tls, "SSL_PEER_CERT_SUBJECT",
	    getenv("SSL_PEER_CERT_SUBJECT"));
	tls_set_variable(tls, "SSL_TLS_SNI_SERVERNAME",
	    getenv("SSL_TLS_SNI_SERVERNAME"));
}

int
inetd_descriptor(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	long n = text ? strtol(text, &end, 10) : -1;

	if (n <= STDERR_FILENO || n > INT_MAX || *end ||
	    fcntl((int)n, F_GETFD) < 0)
		return -1;
	return (int)n;
}

/* The descriptors of a super-server that can start TLS (UCSPI-TLS). */
static void
read_ucspi_tls(struct tls_config *m)
{
	m->control = inetd_descriptor("SSLCTLFD");
	m->in = inetd_descriptor("SSLREADFD");
	m->out = inetd_descriptor("SSLWRITEFD");
	if (m->in < 0 || m->out < 0 || m->control == m->in ||
	    m->control == m->out)
		m->control = -1;
}

static bool
is_stream(int fd)
{
	int type;
	socklen_t len = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM;
}

/* The client is the peer of the socket, or else what the variables say. */
static void
identify_client(struct client *client, bool is_socket)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	const char *ip;

	if (is_socket && !is_stream(STDIN_FILENO))
		fatal(EX_UNAVAILABLE, "descriptor 0 is not a stream socket; "
		    "SMTP uses tcp, not udp");
	if (is_socket && getpeername(STDIN_FILENO, (struct sockaddr *)&sa,
	    &len) < 0)
		exit(EX_OK);		/* the client has disconnected */
	endpoint_set(&client->remote, (struct sockaddr *)&sa);
	endpoint_set_local(&client->local, STDIN_FILENO);
	client->trusted = getenv("RELAYCLIENT") != NULL;
	read_tls_result(&client->tls);
	if (client->remote.family != AF_UNSPEC)
		return;
	if ((ip = getenv("TCPREMOTEIP")) || (ip = getenv("REMOTE_HOST"))) {
		client->remote_unknown = true;
		endpoint_parse(&client->remote, ip);
	}
	if ((ip = getenv("TCPLOCALIP")))
		endpoint_parse(&client->local, ip);
	if (client->remote.family != AF_UNSPEC) {
		client->remote.port = read_port("TCPREMOTEPORT");
		client->local.port = read_port("TCPLOCALPORT");
	}
}

int
inetd_run(struct server *server)
{
	struct client client = { .kind = server->inetd_kind };
	struct stat st;
	sigset_t waiting;
	bool is_socket;

	is_socket = fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
	identify_client(&client, is_socket);
	read_ucspi_tls(&server->options.tls);
	if (commands_launch(server, false) < 0)
		return EX_OSERR;
	worker_prepare_signals(server, &waiting);
	worker_sweep(server);
	if (worker_confine(server) < 0)
		return EX_OSERR;
	worker_serve(server, &client, STDIN_FILENO,
	    is_socket ? STDIN_FILENO : STDOUT_FILENO);
	return EX_OK;
}
