/*
 * What smtpd-tls may still do once its key is in memory and the network is
 * about to be read: move octets, poll, allocate, end.  There is no way back.
 */
#ifndef TLS_CONFINE_H
#define TLS_CONFINE_H

/*
 * Another system call kills the process (seccomp); files can be opened only if
 * servers is not NULL, to read, and only those that this directory, or a link
 * in it, has now as NAME.pem (Landlock).  Where the kernel or this build has no
 * such means nothing happens.  Returns 0, or -1 with errno set.
 */
int confine_self(const char *servers);

#endif
