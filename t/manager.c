/*
 * A service manager for the tests: it passes sockets, and receives messages.
 *
 *	manager sockets SOCKET ... run command ...
 *
 * runs the command with sockets on descriptors from 3 on, as sd_listen_fds(3)
 * describes.  A SOCKET is one of these words, optionally followed by a comma
 * and its name: tcp and unix=PATH listen, udp does not, stdin is the original
 * descriptor 0, and file is not a socket.  MANAGER_PID, if set, becomes
 * LISTEN_PID.  When the file MANAGER_DEAFEN appears, it is removed, and the
 * first socket no longer listens, for all that share it.
 *
 *	manager listen SOCKET command ...
 *
 * runs it as inetd does with wait: the socket is descriptors 0, 1 and 2.  Its
 * address is printed first.  After the command has ended, it is run again for
 * the next connection; MANAGER_LOG gets a line for each start and each end.
 *
 *	manager journal FILE command ...
 *
 * runs it with a socket as descriptor 2, which JOURNAL_STREAM declares to be
 * the journal's, and copies its output to FILE.
 *
 *	manager state TEXT command ...
 *
 * runs it as if a server had handed TEXT over (handover.h), with the pid for
 * each @, and a listening socket as descriptor 3.
 *
 *	manager notify ADDRESS FILE
 *
 * appends each message sent to ADDRESS, a path or @NAME, to FILE: a line with
 * the sender's pid and the message, with spaces for its line ends.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST = 3, MESSAGE_MAX = 4096 };

static int
bind_unix(const char *path, int type)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	const size_t len = strlen(path);
	int fd = socket(AF_UNIX, type, 0);

	if (len >= sizeof sa.sun_path)
		errx(1, "%s: too long", path);
	memcpy(sa.sun_path, path, len);
	if (*path == '@')
		sa.sun_path[0] = '\0';
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, (socklen_t)
	    (offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		err(1, "%s", path);
	if (*path == '/' && chmod(path, 0777) < 0)
		err(1, "%s", path);
	return fd;
}

static int
bind_inet(int type)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type, 0), on = 1;

	if (fd >= 0)		/* as systemd has it */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) < 0)
		err(1, "127.0.0.1");
	return fd;
}

static int
open_socket(const char *word)
{
	const int is_unix = strncmp(word, "unix=", 5) == 0;
	int fd;

	if (strcmp(word, "stdin") == 0)
		return dup(0);
	if (strcmp(word, "file") == 0)
		return open("/dev/null", O_RDWR);
	if (strcmp(word, "udp") == 0)
		return bind_inet(SOCK_DGRAM);
	if (!is_unix && strcmp(word, "tcp") != 0)
		errx(1, "%s: unknown", word);
	fd = is_unix ? bind_unix(word + 5, SOCK_STREAM) :
	    bind_inet(SOCK_STREAM);
	if (listen(fd, 64) < 0)
		err(1, "listen");
	return fd;
}

/* Move a descriptor to this number. */
static void
place(int fd, int to)
{
	if (fd == to)
		return;
	if (dup2(fd, to) < 0)
		err(1, "dup2");
	close(fd);
}

static void
set_number(const char *name, long n)
{
	char text[24];

	snprintf(text, sizeof text, "%ld", n);
	setenv(name, text, 1);
}

/*
 * Leave a process behind that shuts a socket down when this file appears, and
 * that ends with this process.
 */
static void
deafen(int fd, const char *file)
{
	const pid_t self = getpid();
	int i;

	if (fork() == 0) {
		if (fork() != 0)
			_exit(0);
		for (i = 0; i < 64; i++)
			if (i != fd)
				close(i);
		while (access(file, F_OK) < 0 && kill(self, 0) == 0)
			poll(NULL, 0, 10);
		shutdown(fd, SHUT_RD);
		unlink(file);
		_exit(0);
	}
	wait(NULL);
}

static void
sockets(char **argv)
{
	const char *deaf = getenv("MANAGER_DEAFEN");
	const char *pid = getenv("MANAGER_PID");
	char names[4096] = "", *name;
	int fd = FIRST, named = 0;

	for (; *argv && strcmp(*argv, "run") != 0; argv++) {
		name = strchr(*argv, ',');
		if (name)
			*name++ = '\0';
		named |= name != NULL;
		snprintf(names + strlen(names), sizeof names - strlen(names),
		    "%s%s", fd > FIRST ? ":" : "", name ? name : "");
		place(open_socket(*argv), fd++);
		if (strcmp(argv[0], "stdin") == 0) {
			close(0);
			if (open("/dev/null", O_RDONLY) != 0)
				err(1, "/dev/null");
		}
	}
	set_number("LISTEN_PID", getpid());
	if (pid)
		setenv("LISTEN_PID", pid, 1);
	set_number("LISTEN_FDS", fd - FIRST);
	if (named)
		setenv("LISTEN_FDNAMES", names, 1);
	if (!*argv || !argv[1])
		errx(1, "there is no command");
	if (deaf)
		deafen(FIRST, deaf);
	execvp(argv[1], argv + 1);
	err(1, "%s", argv[1]);
}

static void
hand_over(const char *text, char **argv)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	int fd;

	place(open_socket("tcp"), FIRST);
	fd = memfd_create("state", MFD_ALLOW_SEALING);
	for (; *text; text++)
		if (*text == '@')
			dprintf(fd, "%ld", (long)getpid());
		else
			dprintf(fd, "%c", *text);
	if (fd < 0 || fcntl(fd, F_ADD_SEALS, seals) < 0)
		err(1, "memfd");
	set_number("SMTPD_STATE", fd);
	execvp(*argv, argv);
	err(1, "%s", *argv);
}

static void
note(const char *what, int status)
{
	const char *path = getenv("MANAGER_LOG");
	FILE *f = path ? fopen(path, "a") : NULL;

	if (f) {
		fprintf(f, "%s %d\n", what, status);
		fclose(f);
	}
}

static void
listen_and_wait(char **argv)
{
	const char *word = *argv++;
	const int fd = open_socket(word);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct sockaddr_in sa = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof sa;
	int status, i;
	pid_t pid;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0 &&
	    sa.sin_family == AF_INET)
		printf("127.0.0.1:%d\n", ntohs(sa.sin_port));
	else
		printf("%s\n", word + strlen("unix="));
	fflush(stdout);
	for (;;) {
		if (poll(&p, 1, -1) < 0)
			err(1, "poll");
		pid = fork();
		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			for (i = 0; i < FIRST; i++)
				dup2(fd, i);
			close(fd);
			execvp(*argv, argv);
			_exit(127);
		}
		note("started", pid);
		if (waitpid(pid, &status, 0) != pid)
			err(1, "waitpid");
		note("ended", status);
	}
}

/* Copy up to end of file, with no other descriptors open. */
static void
copy(int from, int to)
{
	char text[MESSAGE_MAX];
	ssize_t got;
	int i;

	place(from, 0);
	place(to, 1);
	for (i = 2; i < 64; i++)
		close(i);
	while ((got = read(0, text, sizeof text)) > 0)
		if (write(1, text, (size_t)got) != got)
			_exit(1);
	_exit(0);
}

/* A grandchild copies, so that the command has no unknown child. */
static void
journal(const char *path, char **argv)
{
	char text[64];
	struct stat st;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 ||
	    fstat(pair[0], &st) < 0)
		err(1, "socketpair");
	if (fork() == 0) {
		if (fork() != 0)
			_exit(0);
		copy(pair[1],
		    open(path, O_WRONLY | O_CREAT | O_APPEND, 0600));
	}
	wait(NULL);
	close(pair[1]);
	place(pair[0], 2);
	snprintf(text, sizeof text, "%llu:%llu",
	    (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	execvp(*argv, argv);
	err(1, "%s", *argv);
}

static void
take_messages(const char *address, const char *path)
{
	const int fd = bind_unix(address, SOCK_DGRAM), on = 1;
	FILE *f = fopen(path, "a");
	char text[MESSAGE_MAX], *p;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec part = { text, sizeof text - 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	struct ucred *from;
	ssize_t got;

	if (!f || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
		err(1, "%s", path);
	for (;;) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control;
		got = recvmsg(fd, &m, 0);
		if (got < 0)
			err(1, "recvmsg");
		text[got] = '\0';
		while ((p = strchr(text, '\n')))
			*p = ' ';
		from = (struct ucred *)(void *)CMSG_DATA(&control.header);
		fprintf(f, "%ld %s\n", (long)from->pid, text);
		fflush(f);
	}
}

int
main(int argc, char **argv)
{
	if (argc > 2 && strcmp(argv[1], "sockets") == 0)
		sockets(argv + 2);
	else if (argc > 3 && strcmp(argv[1], "listen") == 0)
		listen_and_wait(argv + 2);
	else if (argc > 3 && strcmp(argv[1], "journal") == 0)
		journal(argv[2], argv + 3);
	else if (argc > 3 && strcmp(argv[1], "state") == 0)
		hand_over(argv[2], argv + 3);
	else if (argc == 4 && strcmp(argv[1], "notify") == 0)
		take_messages(argv[2], argv[3]);
	errx(1, "usage: see the head of the source");
}
