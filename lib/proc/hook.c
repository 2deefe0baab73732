/*
 * Run one command of the administrator's.  All of its output is read until it
 * exits, and every wait has an end: the timeout, a stop, the end of the
 * connection, or pressure.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/file.h"
#include "lib/proc/hook.h"
#include "lib/proc/process.h"

/* A command that is running. */
struct running {
	struct hook_run *run;
	int out, err;		/* our ends of its pipes; -1: closed */
	long long deadline;	/* 0: no limit */
	bool terminated;	/* SIGTERM was sent */
	long long copied;	/* bytes of stdout, for run->output_max */
	struct stderr_lines stderr_lines;
};

/* Output of which a part may be missing must not be used. */
static const char unreadable[] = "cannot read its output";

/* Returns 0, or an error number. */
static int
start_hook(struct running *r)
{
	const struct hook_run *run = r->run;
	int fds[] = { run->input, -1, -1, run->credentials };
	int out[2], err[2], error;

	if (pipe2(out, O_CLOEXEC | O_NONBLOCK) < 0)
		return errno;
	if (pipe2(err, O_CLOEXEC | O_NONBLOCK) < 0) {
		error = errno;
		close(out[0]);
		close(out[1]);
		return error;
	}
	/* the launcher makes the command's ends blocking again */
	fds[1] = out[1];
	fds[2] = err[1];
	error = launch_start(run->launch, run->program->row, JOB_HOOK,
	    run->variables, fds, run->credentials < 0 ? 3 : 4);
	close(out[1]);
	close(err[1]);
	r->out = out[0];
	r->err = err[0];
	return error;
}

static void
add_stderr(struct running *r, const char *p, size_t n)
{
	r->run->complained = true;
	stderr_lines_add(&r->stderr_lines, p, n);
}

static void
terminate_hook(struct running *r, const char *why)
{
	if (!r->run->failed)
		r->run->failed = why;
	if (!r->terminated) {
		r->terminated = true;
		r->deadline = clock_ms() + HOOK_GRACE;
		launch_signal(r->run->launch, JOB_HOOK, SIGTERM);
	} else {
		r->deadline = 0;
		launch_signal(r->run->launch, JOB_HOOK, SIGKILL);
	}
}

static void
add_stdout(struct running *r, const char *p, size_t n)
{
	struct hook_run *run = r->run;
	size_t room = HOOK_OUTPUT_MAX - run->n_out;

	r->copied += (long long)n;
	if (run->output >= 0 && !run->failed) {
		if (run->output_max && r->copied > run->output_max)
			terminate_hook(r, "its output is too large");
		else if (file_write(run->output, p, n) < 0)
			terminate_hook(r, "cannot store its output");
	}
	if (n > room)
		n = room;
	memcpy(run->out + run->n_out, p, n);
	run->n_out += n;
}

/*
 * Read one block only, so that a flood can't delay the deadline.  Closes the
 * descriptor at end of file.  Returns the number of bytes.
 */
static ssize_t
read_output(struct running *r, int *fd,
    void (*add)(struct running *, const char *, size_t))
{
	char buf[65536];
	ssize_t n;

	if (*fd < 0)
		return 0;
	n = read(*fd, buf, sizeof buf);
	if (n > 0) {
		add(r, buf, (size_t)n);
		return n;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		terminate_hook(r, unreadable);
	close(*fd);
	*fd = -1;
	return 0;
}

/*
 * Read what was in the pipe when the command exited, and no more: a process
 * that has left its group may still be writing.
 */
static void
read_remaining_output(struct running *r, int *fd,
    void (*add)(struct running *, const char *, size_t))
{
	int left = 0;

	if (*fd >= 0 && ioctl(*fd, FIONREAD, &left) < 0)
		terminate_hook(r, unreadable);
	while (left > 0 && *fd >= 0)
		left -= (int)read_output(r, fd, add);
}

/* Check for pressure.  Returns when to check again, as check_pressure does. */
static long long
check_hook_pressure(struct running *r)
{
	struct hook_run *run = r->run;
	long long at = 0;

	if (!r->terminated && run->check_pressure)
		at = run->check_pressure(run->ctx);
	if (at < 0)
		terminate_hook(r, "other clients need the worker");
	return at < 0 ? 0 : at;
}

/* Wait for output until the deadline, or until the time `recheck`. */
static int
wait_for_output(const struct running *r, struct pollfd *p, nfds_t n,
    long long recheck)
{
	const bool early = recheck && (!r->deadline || recheck < r->deadline);
	const long long until = early ? recheck : r->deadline;
	const long long left = until ? until - clock_ms() : -1;

	return clock_poll(p, n, until && left < 0 ? 0 : left,
	    r->run->wait_mask);
}

/* Wait for the next event, and handle it. */
static void
handle_next_event(struct running *r)
{
	struct hook_run *run = r->run;
	const long long recheck = check_hook_pressure(r);
	struct pollfd p[] = {
		{ .fd = r->out, .events = POLLIN },
		{ .fd = r->err, .events = POLLIN },
		{ .fd = r->terminated ? -1 : run->peer },
		{ .fd = r->terminated || !run->check_pressure || recheck ? -1 :
		    run->pressure_fd, .events = POLLIN },
		{ .fd = run->launch->fd, .events = POLLIN },
	};
	int ready;

	if (r->deadline && clock_ms() >= r->deadline) {
		terminate_hook(r, "timed out");
		return;
	}
	ready = wait_for_output(r, p, sizeof p / sizeof *p, recheck);
	if (ready > 0 && p[2].revents & (POLLHUP | POLLERR)) {
		run->lost = true;
		terminate_hook(r, "the connection was lost");
	} else if (!r->terminated && run->stop && *run->stop) {
		terminate_hook(r, "the server is shutting down");
	}
	read_output(r, &r->out, add_stdout);
	read_output(r, &r->err, add_stderr);
}

/*
 * The command has exited, and the rest of its group was killed: read the
 * remaining output.  A stop signal that arrived while signals were blocked, and
 * may have ended the command, is handled now.
 */
static void
finish_hook(struct running *r, int error, int status)
{
	read_remaining_output(r, &r->out, add_stdout);
	read_remaining_output(r, &r->err, add_stderr);
	stderr_lines_finish(&r->stderr_lines);
	clock_poll(NULL, 0, 0, r->run->wait_mask);
	if (error && !r->run->failed)
		r->run->failed = launch_error(error);
	else if (error)
		return;
	else if (WIFEXITED(status))
		r->run->status = WEXITSTATUS(status);
	else if (!r->run->failed) {
		r->run->failed = "killed by a signal";
		r->run->signal = WTERMSIG(status);
	}
}

/*
 * An incomplete line could be misread, so it is dropped; but if it is the only
 * one it is kept, because part of a rejection still rejects.
 */
static void
drop_partial_line(struct hook_run *run)
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
	int error, status;

	run->failed = NULL;
	run->lost = false;
	run->status = run->signal = 0;
	run->complained = false;
	run->n_out = 0;
	if (run->input >= 0)
		lseek(run->input, 0, SEEK_SET);
	error = start_hook(&r);
	if (error) {
		run->failed = launch_error(error);
	} else {
		while (!launch_has_ended(run->launch, JOB_HOOK, &error,
		    &status))
			handle_next_event(&r);
		finish_hook(&r, error, status);
	}
	if (r.out >= 0)
		close(r.out);
	if (r.err >= 0)
		close(r.err);
	run->out[run->n_out] = '\0';
	if (run->n_out == HOOK_OUTPUT_MAX)
		drop_partial_line(run);
}
