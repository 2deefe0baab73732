/*
 * The host name of an address, from the system's resolver.  The resolver may
 * be slow and uses much memory, so it runs in a process of its own.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <signal.h>

#include "lib/net/net.h"
#include "lib/proc/launch.h"

enum {
	RESOLVE_NAME_MAX = 256,	/* bytes with the NUL, RFC 1035 2.3.4 */
	RESOLVE_TIMEOUT = 5000,	/* ms */
};

/*
 * In a child of the launcher: write the name of the address in a variable
 * TCPREMOTEIP to standard output.  Returns an exit status.
 */
int resolve_run(char *const *variables, unsigned n);

/*
 * Look up the name of an address, by the row of the launcher's table that has
 * resolve_run().  The name is valid only if it resolves to the address.  Blocks
 * for at most RESOLVE_TIMEOUT, or until *stop is set; wait_mask is the signal
 * mask during the wait, which must not block the signals that set *stop.
 * It has letters, digits, hyphens and dots; it is "" if there is none or the
 * lookup takes too long.
 */
void resolve_name(struct launch *, unsigned row, const struct endpoint *,
    char name[RESOLVE_NAME_MAX], const volatile sig_atomic_t *stop,
    const sigset_t *wait_mask);

#endif
