/*
 * The status file as a table for people.  The file is not trusted: only
 * numbers and words of printable ASCII characters are printed.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/text/words.h"
#include "server/settings.h"
#include "server/show.h"
#include "server/status.h"

enum {
	LINE = 512,		/* bytes; smtpd writes no longer lines */
	WORD = 64,
	PER_LINE = 3,		/* counters */
	NEARLY_FULL = 90,	/* percent of the workers */
};

struct table {
	FILE *file;
	const char *bold, *red, *plain;		/* or "" */
	unsigned long long start, workers, busy;
	unsigned counters;
};

static void
choose_colours(struct table *t)
{
	const char *no = getenv("NO_COLOR");
	const bool colour = isatty(STDOUT_FILENO) && !(no && *no);

	t->bold = colour ? "\033[1m" : "";
	t->red = colour ? "\033[31m" : "";
	t->plain = colour ? "\033[0m" : "";
}

static void
open_status_file(struct table *t, const char *path)
{
	char line[LINE];

	t->file = fopen(path, "re");
	if (!t->file)
		fatal(EX_NOINPUT, "--show %s: %s", path, strerror(errno));
	if (!fgets(line, sizeof line, t->file) ||
	    strcmp(line, STATUS_MAGIC) != 0)
		fatal(EX_DATAERR, "--show %s: not a status file of smtpd",
		    path);
}

/* Format a number in at most five columns: 12345, 123k, 12M. */
static const char *
format_number(char *out, size_t n, unsigned long long value)
{
	static const char units[] = " kMGTPE";
	const char *unit = units;

	for (; value >= 100000 || (unit > units && value >= 10000); unit++)
		value /= 1000;
	snprintf(out, n, "%llu%.*s", value, unit > units, unit);
	return out;
}

static const char *
format_age(char *out, size_t n, unsigned long long since)
{
	const unsigned long long now = (unsigned long long)time(NULL);
	const unsigned long long s = now > since ? now - since : 0;

	if (s < 100)
		snprintf(out, n, "%llus", s);
	else if (s < 100 * 60)
		snprintf(out, n, "%llum", s / 60);
	else if (s < 100 * 60 * 60)
		snprintf(out, n, "%lluh", s / 60 / 60);
	else if (s < 1000 * 24 * 60 * 60)
		snprintf(out, n, "%llud", s / 60 / 60 / 24);
	else
		snprintf(out, n, "%lluy", s / 60 / 60 / 24 / 365);
	return out;
}

/* Replace what is not printable ASCII. */
static void
replace_unprintable(char *s)
{
	for (; *s; s++)
		if (*s <= ' ' || *s >= 0x7f)
			*s = '?';
}

/* Print smtpd_replies_total{class="2xx"} as "replies 2xx". */
static void
print_counter(struct table *t, char *name, unsigned long long value)
{
	char *label = strchr(name, '"'), *end = strstr(name, "_total");
	char both[2 * WORD], number[24];

	if (!end)
		return;
	*end = '\0';
	if (label)
		label[1 + strcspn(label + 1, "\"")] = '\0';
	snprintf(both, sizeof both, "%s%s%s", name + strlen("smtpd_"),
	    label ? " " : "", label ? label + 1 : "");
	printf("%-18.18s %5.5s%s", both,
	    format_number(number, sizeof number, value),
	    ++t->counters % PER_LINE ? "   " : "\n");
}

static void
print_heading(const struct table *t)
{
	char up[24];
	const bool full = t->busy * 100 >= t->workers * NEARLY_FULL;

	printf("%ssmtpd: %s%llu of %llu workers busy%s%s, up %s%s\n\n",
	    t->bold, full ? t->red : "", t->busy, t->workers, t->plain,
	    t->bold, format_age(up, sizeof up, t->start), t->plain);
}

/* Handle a line with a value. */
static void
show_value(struct table *t, char *line)
{
	unsigned long long value;
	char *word[2], *name;

	if (words_split(line, word, 2) != 2)
		return;
	name = word[0];
	value = words_number(word[1]);
	replace_unprintable(name);
	if (strcmp(name, "smtpd_start_time_seconds") == 0) {
		t->start = value;
	} else if (strcmp(name, "smtpd_workers") == 0) {
		t->workers = value;
	} else if (strcmp(name, "smtpd_workers_busy") == 0) {
		t->busy = value;
		print_heading(t);
	} else {
		print_counter(t, name, value);
	}
}

/* Handle a line about a worker. */
static void
show_worker(const struct table *t, char *line, bool first)
{
	/* "#", "worker", its number, pid, phase, client, since, bytes */
	char *word[8], *phase, *client, seconds[24], size[24];

	if (words_split(line, word, 8) != 8)
		return;
	phase = word[4];
	client = word[5];
	replace_unprintable(phase);
	replace_unprintable(client);
	if (first)
		printf("%s\n%s%5s %7s %5s %5s %-13s %s%s\n",
		    t->counters % PER_LINE ? "\n" : "", t->bold, "#", "PID",
		    "TIME", "SIZE", "PHASE", "CLIENT", t->plain);
	printf("%5llu %7llu %5s %5s %-13.13s %.39s\n", words_number(word[2]),
	    words_number(word[3]),
	    format_age(seconds, sizeof seconds, words_number(word[6])),
	    format_number(size, sizeof size, words_number(word[7])), phase,
	    client);
}

int
show_print(const char *path)
{
	struct table t = { .counters = 0 };
	char line[LINE];
	unsigned rows = 0;

	choose_colours(&t);
	open_status_file(&t, path);
	while (fgets(line, sizeof line, t.file)) {
		if (strncmp(line, "smtpd_", 6) == 0)
			show_value(&t, line);
		else if (strncmp(line, "# worker ", 9) == 0)
			show_worker(&t, line, rows++ == 0);
	}
	if (rows == 0 && t.counters % PER_LINE)
		printf("\n");
	if (rows == STATUS_ROWS)
		printf("(and perhaps more)\n");
	fclose(t.file);
	settings_flush();
	return EX_OK;
}
