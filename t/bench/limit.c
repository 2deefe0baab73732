/*
 * What the machine gives at most, for the benchmarks to be measured against:
 * loops that do what a server must do for a message, and nothing else, in so
 * many processes side by side.
 *
 *	limit files processes messages octets directory
 *		each message is a file written in directory/tmp, fsynced, renamed
 *		into directory/new, and that is fsynced: a Maildir's delivery
 *	limit spawn processes times program
 *		each time the program is run and waited for: a hook's cost
 *
 * Prints a line: how many in all, in how many seconds, and how many a second.
 * Anything that fails ends it, with status 1 and without a figure.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* O_DIRECTORY */
#endif

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void
die(const char *what)
{
	fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned
number(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n == 0 || n > 1000000000) {
		errno = EINVAL;
		die(text);
	}
	return (unsigned)n;
}

static void
write_file(int fd, const char *buf, size_t left)
{
	while (left > 0) {
		ssize_t n = write(fd, buf, left);

		if (n < 0)
			die("write");
		buf += n;
		left -= (size_t)n;
	}
}

static void
keep_files(unsigned messages, size_t size, const char *directory)
{
	int dir = open(directory, O_RDONLY | O_DIRECTORY);
	int new = dir < 0 ? -1 : openat(dir, "new", O_RDONLY | O_DIRECTORY);
	char *buf = malloc(size), from[64], to[64];

	if (!buf)
		die("malloc");
	if (new < 0)
		die(directory);
	memset(buf, 'a', size);
	for (unsigned i = 0; i < messages; i++) {
		int fd;

		snprintf(from, sizeof from, "tmp/%ld.%u", (long)getpid(), i);
		snprintf(to, sizeof to, "new/%ld.%u", (long)getpid(), i);
		fd = openat(dir, from, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0)
			die(from);
		write_file(fd, buf, size);
		if (fsync(fd) < 0 || close(fd) < 0 ||
		    renameat(dir, from, dir, to) < 0 || fsync(new) < 0)
			die(to);
	}
}

static void
spawn_programs(unsigned times, char *program)
{
	char *argv[] = { program, NULL };
	int status;
	pid_t pid;

	for (unsigned i = 0; i < times; i++) {
		errno = posix_spawn(&pid, program, NULL, NULL, argv, environ);
		if (errno)
			die(program);
		if (waitpid(pid, &status, 0) < 0)
			die("waitpid");
		if (status != 0) {
			fprintf(stderr, "limit: %s failed\n", program);
			_exit(1);
		}
	}
}

int
main(int argc, char *argv[])
{
	int files = argc == 6 && strcmp(argv[1], "files") == 0, status;
	unsigned processes, times, failed = 0;
	double start, seconds;

	if (!files && (argc != 5 || strcmp(argv[1], "spawn") != 0)) {
		fputs("usage: limit files processes messages octets directory\n"
		    "       limit spawn processes times program\n", stderr);
		return 64;
	}
	processes = number(argv[2]);
	times = number(argv[3]);
	start = now();
	for (unsigned i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			if (files)
				keep_files(times, number(argv[4]), argv[5]);
			else
				spawn_programs(times, argv[4]);
			_exit(0);
		}
	}
	while (wait(&status) > 0)
		failed += status != 0;
	seconds = now() - start;
	if (failed)
		return 1;
	printf("done=%u seconds=%.3f rate=%.1f\n", processes * times, seconds,
	    processes * times / seconds);
	return 0;
}
