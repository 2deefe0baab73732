/*
 * A command of the command line: whether a shell is needed, its words, and the
 * file to execute.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proc/invocation.h"
#include "lib/proc/program.h"

#define PARAMETERS " \"$@\""	/* appended to the command of sh -c */

static bool
needs_shell(const char *command)
{
	const char *word = command + strspn(command, " \t");
	const char *equals = strchr(word, '=');

	if (strpbrk(command, "|&;<>()$`*?[]#~{}!\n\r"))
		return true;
	return equals && equals < word + strcspn(word, " \t\"'\\");
}

/* Append the next word, unquoted, to *out.  False: a quote has no end. */
static bool
unquote_word(const char **p, char **out)
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
 * Would sh(1) pass words that follow this command as arguments to it?  Not
 * after a comment, and not after a ; or & at the end.
 */
static bool
accepts_arguments(const char *command)
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
split_words(struct invocation *program)
{
	const size_t len = strlen(program->command);
	const char *p = program->command + strspn(program->command, " \t");
	char *words = program->words = malloc(len + 2);
	size_t n = 0;

	program->argv = calloc(len / 2 + 3, sizeof *program->argv);
	if (!words || !program->argv)
		return "out of memory";
	while (*p) {
		program->argv[n++] = words;
		if (!unquote_word(&p, &words))
			return "unterminated quote";
	}
	if (n == 0)
		return "the command is empty";
	program->argv[n] = (char *)program->argument;
	return NULL;
}

const char *
invocation_parse(struct invocation *program, const char *command,
    const char *argument)
{
	const char *error;
	char *with;

	*program = (struct invocation){
		.command = command, .argument = argument
	};
	if (needs_shell(command)) {
		if (!argument)
			return NULL;
		if (!accepts_arguments(command))
			return "no argument can be appended to it";
		with = malloc(strlen(command) + sizeof PARAMETERS);
		if (!with)
			return "out of memory";
		program->command = strcat(strcpy(with, command), PARAMETERS);
		return NULL;
	}
	error = split_words(program);
	return error ? error : program_find(&program->argv[0]);
}

char **
invocation_words(const struct invocation *program,
    char *shell[INVOCATION_SHELL])
{
	if (program->argv)
		return program->argv;
	shell[0] = "/bin/sh";
	shell[1] = "-c";
	shell[2] = (char *)program->command;
	shell[3] = "sh";
	shell[4] = (char *)program->argument;
	shell[5] = NULL;
	return shell;
}
