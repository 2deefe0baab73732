/* One command of the administrator's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/proc/hook.h"
#include "lib/proc/process.h"

#define PARAMETERS " \"$@\""	/* of sh -c, behind a command */

/* Its ends in this process, and what is being done about it. */
struct running {
	struct hook_run *run;
	pid_t pid;
	int out, err;		/* -1: at end of file */
	long long deadline;	/* 0: none */
	bool terminated;	/* SIGTERM was sent */
	long long passed;	/* octets, to run->output */
	struct stderr_lines stderr_lines;	/* to stderr */
};

/* A verdict, or a message, of which a part is missing is none. */
static const char unheard[] = "its output could not be read";

static bool
needs_shell(const char *command)
{
	const char *word = command + strspn(command, " \t");
	const char *equals = strchr(word, '=');

	if (strpbrk(command, "|&;<>()$`*?[]#~{}!\n\r"))
		return true;
	return equals && equals < word + strcspn(word, " \t\"'\\");
}

/* The next word, unquoted into out.  False where a quote has no end. */
static bool
take_word(const char **p, char **out)
{
	const char *s = *p;
	char quote = '\0';

	for (; *s && (quote || !strchr(" \t", *s)); s++) {
		if (quote ? *s == quote : *s == '"' || *s == '\'') {
			quote = quote ? '\0' : *s;
			continue;
		}
		if (*s == '\\' && quote != '\'' && s[1] &&
		    (!quote || strchr("\"\\", s[1])))
			s++;
		*(*out)++ = *s;
	}
	*(*out)++ = '\0';
	*p = s + strspn(s, " \t");
	return quote == '\0';
}

/*
 * Would sh(1) run anything that stands behind this?  It would not behind a
 * comment, and not as arguments of this command behind ; or &.
 */
static bool
takes_arguments(const char *command)
{
	const char *end = command + strlen(command), *p;

	while (end > command && strchr(" \t\n", end[-1]))
		end--;
	if (end == command || strchr(";&|", end[-1]))
		return false;
	for (p = command; (p = strchr(p, '#')); p++)
		if (p == command || strchr(" \t\n;&|(", p[-1]))
			return false;
	return true;
}

static const char *
split(struct hook *h)
{
	const size_t len = strlen(h->command);
	const char *p = h->command + strspn(h->command, " \t");
	char *words = h->words = malloc(len + 2);
	size_t n = 0;

	h->argv = calloc(len / 2 + 3, sizeof *h->argv);
	if (!words || !h->argv)
		return "out of memory";
	while (*p) {
		h->argv[n++] = words;
		if (!take_word(&p, &words))
			return "a quote has no end";
	}
	if (n == 0)
		return "there is no command";
	h->argv[n] = (char *)h->argument;
	return NULL;
}

static bool
is_executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    access(path, X_OK) == 0;
}

/* Replace the command's name by its path. */
static const char *
resolve(char **name)
{
	const char *dir = getenv("PATH"), *end;
	char path[4096];

	if (strchr(*name, '/'))
		return is_executable(*name) ? NULL :
		    "it is not there, or not executable";
	for (dir = dir ? dir : "/usr/bin:/bin"; dir; dir = end) {
		end = strchr(dir, ':');
		snprintf(path, sizeof path, "%.*s/%s",
		    end ? (int)(end - dir) : (int)strlen(dir), dir, *name);
		if (is_executable(path)) {
			*name = strdup(path);
			return *name ? NULL : "out of memory";
		}
		end = end ? end + 1 : NULL;
	}
	return "there is no such command in PATH";
}

const char *
hook_parse(struct hook *h, const char *command, const char *argument)
{
	const char *error;
	char *with;

	*h = (struct hook){ .command = command, .argument = argument };
	if (needs_shell(command)) {
		if (!argument)
			return NULL;
		if (!takes_arguments(command))
			return "it does not end in what takes an argument";
		with = malloc(strlen(command) + sizeof PARAMETERS);
		if (!with)
			return "out of memory";
		h->command = strcat(strcpy(with, command), PARAMETERS);
		return NULL;
	}
	error = split(h);
	return error ? error : resolve(&h->argv[0]);
}

void
hook_hide_descriptors(void)
{
	DIR *d = opendir("/dev/fd");
	struct dirent *e;
	int fd;

	if (!d) {		/* those that a shell's user can name */
		for (fd = STDERR_FILENO + 1; fd < 256; fd++)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
		return;
	}
	while ((e = readdir(d)))
		if ((fd = atoi(e->d_name)) > STDERR_FILENO)
			fcntl(fd, F_SETFD, FD_CLOEXEC);
	closedir(d);
}

/* Start it.  Returns 0, or an error number. */
static int
spawn(struct running *r, int out, int err)
{
	const struct hook_run *run = r->run;
	const int fds[] = { run->input, out, err, run->credentials };
	char *sh[] = {
		"/bin/sh", "-c", (char *)run->hook->command,
		"sh", (char *)run->hook->argument, NULL
	};

	return process_start(&r->pid, run->hook->argv ? run->hook->argv : sh,
	    run->environment, fds, run->credentials < 0 ? 3 : 4);
}

static int
start(struct running *r)
{
	int out[2], err[2], error;

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0) {
		error = errno;
		close(out[0]);
		close(out[1]);
		return error;
	}
	/* O_NONBLOCK is our ends' alone: commands don't expect EAGAIN */
	fcntl(out[1], F_SETFL, 0);
	fcntl(err[1], F_SETFL, 0);
	error = spawn(r, out[1], err[1]);
	close(out[1]);
	close(err[1]);
	r->out = out[0];
	r->err = err[0];
	return error;
}

static void
take_stderr(struct running *r, const char *p, size_t n)
{
	r->run->complained = true;
	stderr_lines_add(&r->stderr_lines, p, n);
}

static void
give_up(struct running *r, const char *why)
{
	if (!r->run->failed)
		r->run->failed = why;
	if (!r->terminated) {
		r->terminated = true;
		r->deadline = clock_ms() + HOOK_GRACE;
		process_signal(r->pid, SIGTERM);
	} else {
		r->deadline = 0;
		process_signal(r->pid, SIGKILL);
	}
}

static void
take_stdout(struct running *r, const char *p, size_t n)
{
	struct hook_run *run = r->run;
	size_t room = HOOK_OUTPUT_MAX - run->n_out;

	r->passed += (long long)n;
	if (run->output >= 0 && !run->failed) {
		if (run->output_max && r->passed > run->output_max)
			give_up(r, "its output is too large");
		else if (file_write(run->output, p, n) < 0)
			give_up(r, "its output could not be written");
	}
	if (n > room)
		n = room;
	memcpy(run->out + run->n_out, p, n);
	run->n_out += n;
}

/*
 * Read some of what is there, so that a flood ends at its deadline.  The
 * descriptor is closed at end of file.  Returns how many octets it was.
 */
static ssize_t
take(struct running *r, int *fd,
    void (*with)(struct running *, const char *, size_t))
{
	char buf[65536];
	ssize_t n;

	if (*fd < 0)
		return 0;
	n = read(*fd, buf, sizeof buf);
	if (n > 0) {
		with(r, buf, (size_t)n);
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		give_up(r, unheard);
	close(*fd);
	*fd = -1;
	return 0;
}

/* Read what was there when it ended; who escaped may write for ever. */
static void
take_rest(struct running *r, int *fd,
    void (*with)(struct running *, const char *, size_t))
{
	int left = 0;

	if (*fd >= 0 && ioctl(*fd, FIONREAD, &left) < 0)
		give_up(r, unheard);
	while (left > 0 && *fd >= 0)
		left -= (int)take(r, fd, with);
}

/* When others may want its client's place; 0: when the rival polls readable. */
static long long
look_for_others(struct running *r)
{
	struct hook_run *run = r->run;
	long long at = 0;

	if (!r->terminated && run->check_pressure)
		at = run->check_pressure(run->ctx);
	if (at < 0)
		give_up(r, "others want the place of its client");
	return at < 0 ? 0 : at;
}

/* Wait for one of them, to the deadline at most, or until the time `look`. */
static int
wait_for(const struct running *r, struct pollfd *p, nfds_t n, long long look)
{
	const long long until = look && (!r->deadline || look < r->deadline) ?
	    look : r->deadline;
	const long long left = until ? until - clock_ms() : -1;

	return clock_poll(p, n, until && left < 0 ? 0 : left,
	    r->run->wait_mask);
}

/* Wait for the next thing to happen, and see to it. */
static void
attend(struct running *r)
{
	struct hook_run *run = r->run;
	const long long look = look_for_others(r);
	struct pollfd p[] = {
		{ .fd = r->out, .events = POLLIN },
		{ .fd = r->err, .events = POLLIN },
		{ .fd = r->terminated ? -1 : run->peer },
		{ .fd = r->terminated || !run->check_pressure || look ? -1 :
		    run->pressure_fd, .events = POLLIN },
	};
	int ready;

	if (r->deadline && clock_ms() >= r->deadline) {
		give_up(r, "it took too long");
		return;
	}
	ready = wait_for(r, p, sizeof p / sizeof *p, look);
	if (ready > 0 && p[2].revents & (POLLHUP | POLLERR)) {
		run->lost = true;
		give_up(r, "the connection is gone");
	} else if (!r->terminated && run->stop && *run->stop) {
		give_up(r, "the server is shutting down");
	}
	take(r, &r->out, take_stdout);
	take(r, &r->err, take_stderr);
}

/*
 * It has exited: end its children, take its last words, let it go.  A stop that
 * came while no signal was let in, and may have killed it, is noticed now.
 */
static void
reap(struct running *r)
{
	int status;

	kill(-r->pid, SIGKILL);
	take_rest(r, &r->out, take_stdout);
	take_rest(r, &r->err, take_stderr);
	stderr_lines_finish(&r->stderr_lines);
	while (waitpid(r->pid, &status, 0) < 0)
		if (errno != EINTR) {
			r->run->failed = strerror(errno);
			return;
		}
	clock_poll(NULL, 0, 0, r->run->wait_mask);
	if (WIFEXITED(status))
		r->run->status = WEXITSTATUS(status);
	else if (!r->run->failed)
		r->run->failed = "it was killed by a signal";
}

/* Half a line misleads; but half a refusal, if it is all, still refuses. */
static void
drop_cut_line(struct hook_run *run)
{
	const char *end = memrchr(run->out, '\n', run->n_out);

	if (!end)
		return;
	run->n_out = (size_t)(end + 1 - run->out);
	run->out[run->n_out] = '\0';
}

void
hook_run(struct hook_run *run)
{
	struct running r = {
		.run = run, .out = -1, .err = -1,
		.deadline = run->timeout ? clock_ms() + run->timeout : 0,
		.stderr_lines = { .report = run->complain, .ctx = run->ctx },
	};
	int error;

	run->failed = NULL;
	run->lost = false;
	run->status = 0;
	run->complained = false;
	run->n_out = 0;
	if (run->input >= 0)
		lseek(run->input, 0, SEEK_SET);
	error = start(&r);
	if (error) {
		run->failed = strerror(error);
	} else {
		while (!process_has_exited(r.pid))
			attend(&r);
		reap(&r);
	}
	if (r.out >= 0)
		close(r.out);
	if (r.err >= 0)
		close(r.err);
	run->out[run->n_out] = '\0';
	if (run->n_out == HOOK_OUTPUT_MAX)
		drop_cut_line(run);
}
