/*
 * The steps of a start, in the order in which main takes them.  Each blocks on
 * the disk at most.  Each exits by fatal() if it fails; with --explain, most
 * failures are collected in the server instead.
 */
#ifndef STARTUP_H
#define STARTUP_H

#include "lib/proc/user.h"
#include "server/handover.h"
#include "server/server.h"

/* Open /dev/null on standard descriptors that are closed, and note which. */
void startup_fill_descriptors(struct server *);

/*
 * Close what the program that started this one left open, except standard
 * descriptors and what the settings and the environment name.
 */
void startup_close_inherited(const struct settings *);

/*
 * Fill in the server from the settings, which must outlive it, and read what a
 * former program handed over.  Set the umask, and ignore SIGPIPE and SIGXFSZ.
 */
void startup_prepare(struct server *, const struct settings *,
    struct handover *);

/*
 * Look up --user, and set HOME, USER and LOGNAME.  Returns the user to become,
 * which is static, or NULL if the process stays as it is.
 */
const struct user *startup_find_user(const struct settings *);

/*
 * Open the listeners of a pool, or take them from the service manager or the
 * former program; a pool has /dev/null as its standard input.  Returns false if
 * there is one client to serve instead.
 */
bool startup_open_sockets(struct server *, const struct user *,
    const struct handover *);

/*
 * Open the Maildir or the spool directory, and make it for the user if it is
 * missing.  The descriptors of the former program are used or closed.
 */
void startup_open_store(struct server *, const struct user *,
    const struct handover *);

/* Become the user for good, if there is one.  Nothing runs as root after it. */
void startup_drop_privileges(const struct settings *, const struct user *);

/*
 * As the user that serves: check the stores, and open the transcripts, the
 * hooks, --tls and, for a pool, the status file.
 */
void startup_open_rest(struct server *, bool pool);

#endif
