/*
 * Who holds an address, by /proc: the socket's inode first, then the process
 * with the lowest pid that has it open, which is the master of a pool.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/net/holder.h"
#include "lib/net/net.h"

enum {		/* of the kernel */
	LISTENING = 10,		/* TCP_LISTEN */
	ACCEPTS = 1 << 16,	/* __SO_ACCEPTCON */
};

/* Set an endpoint from words of 32 bits in hexadecimal; false: the wildcard. */
static bool
parse_hex_address(struct endpoint *e, const char *hex)
{
	unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
	char word[9] = "";
	unsigned value, any = 0;
	size_t n = 0;

	*e = (struct endpoint){ .family = AF_INET };
	for (; strlen(hex) >= 8 && n < sizeof e->addr; hex += 8, n += 4) {
		memcpy(word, hex, 8);
		value = (unsigned)strtoul(word, NULL, 16);
		any |= value;
		memcpy(e->addr + n, &value, 4);
	}
	if (n == 16 && memcmp(e->addr, mapped, sizeof mapped) == 0)
		memmove(e->addr, e->addr + 12, 4);
	else if (n == 16)
		e->family = AF_INET6;
	return any != 0;
}

/* Does a line of /proc/net/tcp have a listener at the address? */
static bool
is_inet_holder(const char *line, const struct endpoint *wanted,
    unsigned long *inode)
{
	static const unsigned char none[16];
	const size_t len = wanted->family == AF_INET ? 4 : 16;
	char hex[33];
	unsigned port, state;
	struct endpoint e;

	if (sscanf(line, "%*d: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s "
	    "%*u %*u %lu", hex, &port, &state, inode) != 4 ||
	    state != LISTENING || port != wanted->port)
		return false;
	return !parse_hex_address(&e, hex) || wanted->family == AF_UNSPEC ||
	    memcmp(wanted->addr, none, len) == 0 ||
	    (e.family == wanted->family &&
	    memcmp(e.addr, wanted->addr, len) == 0);
}

/*
 * Does a line of /proc/net/unix have a listener at the path, which ends before
 * a comma?
 */
static bool
is_unix_holder(const char *line, const char *path, unsigned long *inode)
{
	const size_t len = strcspn(path, ",");
	unsigned flags;
	int at = 0;

	return sscanf(line, "%*s %*s %*s %x %*s %*s %lu %n", &flags, inode,
	    &at) == 2 && flags & ACCEPTS && strlen(line + at) == len &&
	    strncmp(line + at, path, len) == 0;
}

/* A name, and the wildcard without a host, are no address. */
static void
parse_address(struct endpoint *e, const char *address)
{
	const char *colon = strrchr(address, ':');
	const int bracket = *address == '[';
	char host[256];

	snprintf(host, sizeof host, "%.*s", colon ?
	    (int)(colon - address) - 2 * bracket : 0, address + bracket);
	endpoint_parse(e, host);
	e->port = colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

/* The inode of the socket; 0: none. */
static unsigned long
find_inode(const char *table, const char *address)
{
	FILE *f = fopen(table, "re");
	struct endpoint wanted;
	unsigned long inode;
	char line[1024];
	bool found = false;

	parse_address(&wanted, address);
	while (f && !found && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		found = *address == '/' ?
		    is_unix_holder(line, address, &inode) :
		    is_inet_holder(line, &wanted, &inode);
	}
	if (f)
		fclose(f);
	return found ? inode : 0;
}

/* Does the process have the socket open? */
static bool
has_socket(const char *pid, const char *socket)
{
	char path[300], target[64];
	struct dirent *e;
	bool found = false;
	ssize_t n;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		n = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		found = strcmp(target, socket) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

/* The lowest pid that has the socket open; 0: none that can be seen. */
static long
find_process(unsigned long inode)
{
	char socket[64];
	struct dirent *e;
	long pid, lowest = 0;
	DIR *d = opendir("/proc");

	snprintf(socket, sizeof socket, "socket:[%lu]", inode);
	while (d && (e = readdir(d))) {
		pid = strtol(e->d_name, NULL, 10);
		if (pid > 0 && (!lowest || pid < lowest) &&
		    has_socket(e->d_name, socket))
			lowest = pid;
	}
	if (d)
		closedir(d);
	return lowest;
}

/* Its users choose the name of a program. */
static void
hide_control_characters(char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			*text = '?';
}

bool
holder_find(const char *address, char *text, size_t size)
{
	static const char *const tables[] = {
		"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/unix",
	};
	const size_t first = *address == '/' ? 2 : 0, end = *address == '/' ?
	    3 : 2;
	char link[64], program[256];
	unsigned long inode = 0;
	ssize_t n;
	long pid;
	size_t i;

	for (i = first; i < end && !inode; i++)
		inode = find_inode(tables[i], address);
	pid = inode ? find_process(inode) : 0;
	if (!pid)
		return false;
	snprintf(link, sizeof link, "/proc/%ld/exe", pid);
	n = readlinkat(AT_FDCWD, link, program, sizeof program - 1);
	program[n < 0 ? 0 : n] = '\0';
	hide_control_characters(program);
	snprintf(text, size, "%s (pid %ld)", *program ? program : "a process",
	    pid);
	return true;
}
