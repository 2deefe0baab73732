/* What the command line asks for, and what holds where it says nothing. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <netdb.h>

#include "lib/log.h"
#include "lib/option.h"
#include "smtp/hooks.h"
#include "smtp/options.h"

struct settings {
	struct option_list listen, domains, trust, lenient_from, disable;
	struct option_list proxy_from, xclient_from;
	enum listener_kind *kinds;	/* of each of listen; the first is that
					   of descriptor 0, too */
	struct option_list commands[HOOK_EVENTS];
	bool soft_bounce, allow_setuid;
	long long hook_timeout;		/* -1: that of each kind */
	const char *auth, *tls;
	const char *hostname, *maildir, *spool, *delimiters, *user;
	const char *log;
	long long workers, recycle_after, backlog, mask;
	long long ready_fd;		/* -1: none */
	long long max_hops, min_free;	/* -1: twice max_size */
	const char *status, *show, *transcript;
	bool inetd, hardlink, help, version;
	bool explain;			/* the operands are addresses */
	struct option_given given;
	struct log_options log_options;
	struct proto_options proto;
	struct networks proxies;
	bool unix_proxies;		/* so are clients of Unix sockets */
	struct stream_limits limits;
	char system_name[NI_MAXHOST];	/* hostname, if not given */
	long long drain_timeout;
};

/*
 * Read the command line.  Prints what --help or --version asks for and exits;
 * exits by fatal() if an option is invalid.  With --show, nothing but that
 * option is looked at.  Otherwise the log is open afterwards.
 */
void settings_read(struct settings *, int argc, char **argv);

/* Open the log, and check the settings; fatal() if they don't fit together. */
void settings_check(struct settings *);

/*
 * Replace max_size and max_recipients by DATABYTES and MAXRCPTS, if they are
 * set, as tcpserver's rules do for one client.  Exits by fatal() if they are
 * not numbers.
 */
void settings_read_limits(struct proto_options *);

/* Flush standard output; fatal() if it can't be written. */
void settings_flush(void);

/* The table of options; the last has a NULL name. */
const struct option *settings_options(void);

/*
 * The name of an option that has something else run than this program, which
 * a confined process can't; NULL: none.
 */
const char *settings_command(const struct settings *);

/*
 * The kind of that name, of len bytes, or KINDS if there is none.  Calls
 * fatal(), naming option, if the kind needs --tls or --auth and lacks it.
 */
enum listener_kind settings_kind(const struct settings *, const char *option,
    const char *name, size_t len);

#endif
