/* A transcript, read back into the dialogue that it records. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "dialogue.h"

/* Parse the seconds, the speaker (into *who) and a space.  Returns the text. */
static const char *
take_heading(const char *s, char *who)
{
	while (isdigit((unsigned char)*s))
		s++;
	CHECK(*s++ == '.');
	CHECK(strspn(s, "0123456789") == 6 && s[6] == ' ');
	CHECK(s[7] && strchr("SCc#", s[7]) && s[8] == ' ');
	*who = s[7];
	return s + 9;
}

/* Decode one byte. */
static char
take_octet(const char **s)
{
	static const char names[] = "rnt\\", octets[] = "\r\n\t\\";
	const char *p = *s, *name;
	char digits[3];

	if (*p != '\\') {
		*s = p + 1;
		return *p;
	}
	if (p[1] != 'x') {
		CHECK(p[1] && (name = strchr(names, p[1])));
		*s = p + 2;
		return octets[name - names];
	}
	CHECK(isxdigit((unsigned char)p[2]) && isxdigit((unsigned char)p[3]));
	memcpy(digits, p + 2, 2);
	digits[2] = '\0';
	*s = p + 4;
	return (char)strtoul(digits, NULL, 16);
}

/* Check that the client has sent this. */
static void
match(struct dialogue *d, const char *octets, size_t n)
{
	CHECK(n <= d->n_in && (!octets || memcmp(octets, d->in, n) == 0));
	d->in += n;
	d->n_in -= n;
}

/* Parse "\[3 bytes, ...]", which stands for bytes that are not shown. */
static void
take_client(struct dialogue *d, const char *s)
{
	unsigned long long n;
	char *end, c;

	while (*s) {
		if (strncmp(s, "\\[", 2) == 0) {
			n = strtoull(s + 2, &end, 10);
			CHECK(strncmp(end, " bytes", 6) == 0);
			match(d, NULL, n);
			s = strchr(end, ']');
			CHECK(s++ != NULL);
		} else {
			c = take_octet(&s);
			match(d, &c, 1);
		}
	}
}

static void
take_reply(struct dialogue *d, const char *s)
{
	char c;

	while (*s) {
		c = take_octet(&s);
		gather(&d->replies, &c, 1);
	}
	gather(&d->replies, "\r\n", 2);
}

static const char *
skip_blanks(const char *s)
{
	static const char *const blanks[] = { " ", "\\t", "\\x20" };
	size_t i = 0, n;

	while (i < sizeof blanks / sizeof *blanks) {
		n = strlen(blanks[i]);
		if (strncmp(s, blanks[i], n) == 0)
			s += n, i = 0;
		else
			i++;
	}
	return s;
}

/* Check that no more of AUTH than a mechanism is shown. */
static void
check_secret(const char *s)
{
	const char *word;

	if (strncasecmp(s, "AUTH", 4) != 0)
		return;
	word = skip_blanks(s + 4);
	if (word == s + 4)
		return;
	if (strncasecmp(word, "PLAIN", 5) == 0 ||
	    strncasecmp(word, "LOGIN", 5) == 0)
		word = skip_blanks(word + 5);
	CHECK(!*word || strncmp(word, "\\[", 2) == 0);
}

static void
take_record(struct dialogue *d, const char *line)
{
	const char *p;
	char who;

	for (p = line; *p; p++)
		CHECK(*p >= ' ' && *p < 0x7f);
	line = take_heading(line, &who);
	if (who == 'S')
		take_reply(d, line);
	if (who != 'C' && who != 'c')
		return;
	check_secret(line);
	take_client(d, line);
	if (who == 'C')
		match(d, "\r\n", 2);
	gather(&d->client, line - 2, strlen(line - 2));
	gather(&d->client, "\n", 1);
}

void
dialogue_read(struct dialogue *d, const struct gathered *transcript)
{
	const char *s = transcript->p, *end = s + transcript->n, *newline;
	char *line;

	for (; s < end; s = newline + 1) {
		newline = memchr(s, '\n', (size_t)(end - s));
		CHECK(newline != NULL);
		line = fuzz_string((const uint8_t *)s, (size_t)(newline - s));
		take_record(d, line);
		free(line);
	}
}
