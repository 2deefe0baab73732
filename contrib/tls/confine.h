/*
 * Confine smtpd-tls after it has read its key and before it reads from the
 * network: it may read, write, poll, allocate memory and exit.  This can't be
 * undone.
 */
#ifndef TLS_CONFINE_H
#define TLS_CONFINE_H

/*
 * Other system calls kill the process (seccomp).  Files can be opened only if
 * servers is not NULL, for reading only, and only those that are now in this
 * directory as NAME.pem, or that such a link leads to (Landlock).  Does nothing
 * if the kernel or this build does not support it.  Returns 0, or -1 with errno
 * set.
 */
int confine_self(const char *servers);

#endif
