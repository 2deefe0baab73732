/*
 * A command of the command line, parsed once at the start: how it is executed.
 */
#ifndef INVOCATION_H
#define INVOCATION_H

enum { INVOCATION_SHELL = 6 };	/* words of sh -c, with the NULL */

struct invocation {
	const char *command;
	const char *argument;	/* appended to its own; may be NULL */
	char **argv;		/* run by exec; NULL: by /bin/sh -c */
	unsigned row;		/* of the launcher's table; the caller's */

	/* private */
	char *words;		/* argv points into this */
};

/*
 * Parse a command.  Without shell metacharacters it is split into words, with
 * quotes and backslashes as in sh(1), and found in PATH; otherwise /bin/sh runs
 * it.  Returns NULL, or the reason of the failure in words.  command and
 * argument must outlive the program.
 */
const char *invocation_parse(struct invocation *, const char *command,
    const char *argument);

/* Its words for exec, which are argv or are put into shell. */
char **invocation_words(const struct invocation *,
    char *shell[INVOCATION_SHELL]);

#endif
