/*
 * What a worker may ask of its launcher, as bytes of one message.  A worker may
 * have been taken over by its client, so a message is checked here completely
 * before anything is done.  Nothing is allocated or called.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <stdint.h>

#include "lib/proc/environment.h"

enum {
	REQUEST_VARIABLES = 64,		/* of a command, at most */
	REQUEST_VALUE_MAX = 8192,	/* bytes of a variable */
	REQUEST_LIST_MAX = 130000,	/* bytes of one with several lines;
					   Linux allows 131071 with its name */
	REQUEST_LINE_MAX = 4096,	/* bytes of a line of the log */
	REQUEST_MAX = 160 * 1024,	/* bytes of a message */
	REQUEST_DESCRIPTORS = 6,	/* that a command can get */
};

enum request_kind {
	REQUEST_START,		/* number: row of the table */
	REQUEST_TERMINATE,	/* number: enum request_job */
	REQUEST_KILL,		/* the same */
	REQUEST_LOG,		/* number: priority of syslog(3) */
	REQUEST_KINDS
};

/* A worker has one command of each at a time, at most. */
enum request_job {
	JOB_HOOK,
	JOB_TLS,		/* lasts as long as the session */
	JOBS
};

/* How a message begins, in the byte order of the machine. */
struct request_header {
	uint32_t kind, number;
	uint32_t descriptors;	/* bit i: the command gets one as i */
};

struct request {
	enum request_kind kind;
	unsigned number, descriptors;
	unsigned n;			/* variables of REQUEST_START */
	char *variables[REQUEST_VARIABLES];	/* NAME=value, in the message */
	char *line;			/* of REQUEST_LOG, in the message */
};

/* What the answer to a request, or the end of a command, is told by. */
struct request_answer {
	uint32_t job;
	uint32_t ended;		/* 0: it was started, 1: it has ended */
	int32_t error;		/* it could not be started: errno */
	int32_t status;		/* of wait(2), if it has ended */
};

/*
 * Is this "NAME=value" with a name of the table, and a value that is short
 * enough and has no control characters?  Returns the index of the name, or -1.
 */
int request_check_variable(const char *, const struct environment_name *names);

/*
 * Parse a message of n bytes, which has room for one more.  rows is how many
 * there are in the table of commands.  Returns NULL, or what is wrong with it,
 * in words.
 */
const char *request_parse(struct request *, char *message, size_t n,
    unsigned rows, const struct environment_name *names);

#endif
