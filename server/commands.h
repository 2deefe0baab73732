/*
 * The table of all commands that the settings name, and the launcher that
 * starts them.
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "server/server.h"

/*
 * Make the table, after the hooks and --tls are parsed.  Exits by fatal() if
 * out of memory.
 */
void commands_open(struct server *);

/*
 * In the master: be ready to replace launchers.  Exits by fatal() on failure.
 */
void commands_prepare(struct server *);

/*
 * Fork the launcher of this process, unless nothing needs it: no command is
 * configured, and the log does not go to syslog(3) or this is not a worker of
 * the pool.  Returns 0, or -1 after logging the error.
 */
int commands_launch(struct server *, bool in_pool);

#endif
