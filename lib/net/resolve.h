/*
 * The name of an address, as the system's resolver has it.  The resolver may
 * take its time and holds much memory, so it runs in a process of its own.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <signal.h>

#include "lib/net/net.h"

enum {
	RESOLVE_NAME_MAX = 256,	/* octets with the NUL, RFC 1035 2.3.4 */
	RESOLVE_TIMEOUT = 5000,	/* ms */
};

/*
 * Look up the name of an address, which counts if that name has the address
 * among its own.  Blocks for RESOLVE_TIMEOUT at most, or until *stop is set.
 * SIGCHLD must not be ignored.  Returns 0 and a domain name of letters,
 * digits, hyphens and dots; -1 if there is none, or it is not known in time.
 */
int resolve_name(const struct endpoint *, char name[RESOLVE_NAME_MAX],
    const volatile sig_atomic_t *stop, const sigset_t *wait_mask);

#endif
