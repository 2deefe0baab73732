/*
 * The parts of a running process.  The settings do not change once they are
 * read; what start-up completes, or a signal handler changes, is here.
 */
#ifndef SERVER_H
#define SERVER_H

#include "lib/net/listener.h"
#include "lib/net/notify.h"
#include "lib/proc/launch.h"
#include "lib/proc/relaunch.h"
#include "lib/proc/scoreboard.h"
#include "server/restart.h"
#include "server/settings.h"
#include "server/status.h"

/* With --explain: a listener that could not be opened. */
struct unopened {
	const char *spec;
	int kind;
	struct listener_error error;
};

/* With --explain: a reason why a start would fail. */
struct failure {
	int status;		/* sysexits(3) */
	char *text;
};

struct server {
	const struct settings *settings;
	struct proto_options options;	/* the settings', completed */
	struct stream_limits limits;	/* the settings', completed */
	bool inetd;			/* --inetd, or systemd's Accept=yes */
	enum listener_kind inetd_kind;	/* of descriptor 0 */
	int filled;			/* standard descriptors that were
					   closed, as bits from 1 << 0 on */
	int ready_fd;			/* --ready-fd; -1: none */
	struct store store;
	struct store spool;		/* with --dsn */
	struct basic_options basic;
	struct listeners listeners;
	struct unopened *unopened;
	unsigned n_unopened;
	struct failure *failures;
	unsigned n_failures;
	bool storeless;			/* opening store failed */
	struct hooks hooks;
	struct invocation tls;		/* --tls; argv is NULL without */
	struct launcher_table commands;	/* all of them */
	struct launch launch;
	struct relaunch relaunch;
	struct scoreboard board;
	struct status_file status;
	struct notify notify;
	struct restart restart;
	bool listener_lost;		/* and could not be reopened */
	char status_sent[256];		/* the last STATUS= */
	long long watchdog_at;		/* when WATCHDOG=1 is due */
};

#endif
