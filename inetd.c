/* One session on descriptor 0, that a super-server gave us. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "inetd.h"
#include "log.h"
#include "worker.h"

/* The port in a super-server's variable; 0 where there is none. */
static unsigned
port_from(const char *variable)
{
	const char *text = getenv(variable);
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n <= 65535 ? (unsigned)n : 0;
}

/* Who is it, by the socket or else by the super-server's variables? */
static void
identify_client(struct client *client, bool is_socket)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	const char *ip;

	if (is_socket && getpeername(STDIN_FILENO, (struct sockaddr *)&sa,
	    &len) < 0)
		exit(EX_OK);		/* the client has gone already */
	endpoint_set(&client->remote, (struct sockaddr *)&sa);
	endpoint_set_local(&client->local, STDIN_FILENO);
	client->trusted = getenv("RELAYCLIENT") != NULL;
	if (client->remote.family != AF_UNSPEC)
		return;
	if ((ip = getenv("TCPREMOTEIP")) || (ip = getenv("REMOTE_HOST"))) {
		client->remote_unknown = true;
		endpoint_parse(&client->remote, ip);
	}
	if ((ip = getenv("TCPLOCALIP")))
		endpoint_parse(&client->local, ip);
	if (client->remote.family != AF_UNSPEC) {
		client->remote.port = port_from("TCPREMOTEPORT");
		client->local.port = port_from("TCPLOCALPORT");
	}
}

/* A limit that tcpserver's rules set for this client. */
static void
take_limit(const char *variable, long long *limit)
{
	const char *text = getenv(variable);
	char *end;

	if (!text)
		return;
	errno = 0;
	*limit = strtoll(text, &end, 10);
	if (errno || *end || end == text || *limit < 0)
		fatal(EX_USAGE, "%s is a whole number, not '%s'", variable,
		    text);
}

int
inetd_run(struct server *server)
{
	struct settings *s = &server->settings;
	struct client client = { .kind = s->kinds[0] };
	struct stat st;
	sigset_t waiting;
	bool is_socket;

	is_socket = fstat(STDIN_FILENO, &st) == 0 && S_ISSOCK(st.st_mode);
	identify_client(&client, is_socket);
	take_limit("DATABYTES", &s->proto.max_size);
	take_limit("MAXRCPTS", &s->proto.max_recipients);
	worker_prepare_signals(server, &waiting);
	worker_sweep(server);
	worker_serve(server, &client, STDIN_FILENO,
	    is_socket ? STDIN_FILENO : STDOUT_FILENO);
	return EX_OK;
}
