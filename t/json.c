/*
 * A strict reader of JSON lines for the tests: every line of standard input
 * must be one flat JSON object (RFC 8259) in valid UTF-8, without nested
 * values and without duplicate names.  With an argument it prints the decoded
 * value of that name wherever it occurs, one per line; control characters are
 * printed as \xHH.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX	64
#define LINE_OCTETS	8192

struct value {
	char text[LINE_OCTETS];
	size_t len;
};

static unsigned long line_number;

static void fail(const char *) __attribute__((noreturn));

static void
fail(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "json: line %lu: %s\n", line_number, what);
	exit(1);
}

static void
put(struct value *v, unsigned long c)
{
	if (v->len + 4 >= sizeof(v->text))
		fail("value too long");
	if (c < 0x80)
		v->text[v->len++] = (char)c;
	else if (c < 0x800) {
		v->text[v->len++] = (char)(0xc0 | c >> 6);
		v->text[v->len++] = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		v->text[v->len++] = (char)(0xe0 | c >> 12);
		v->text[v->len++] = (char)(0x80 | (c >> 6 & 0x3f));
		v->text[v->len++] = (char)(0x80 | (c & 0x3f));
	} else {
		v->text[v->len++] = (char)(0xf0 | c >> 18);
		v->text[v->len++] = (char)(0x80 | (c >> 12 & 0x3f));
		v->text[v->len++] = (char)(0x80 | (c >> 6 & 0x3f));
		v->text[v->len++] = (char)(0x80 | (c & 0x3f));
	}
}

static unsigned long
hex4(const char **s)
{
	unsigned long c = 0;
	int i;

	for (i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)**s))
			fail("bad \\u");
		c = c * 16 + (unsigned long)(isdigit((unsigned char)**s) ?
		    **s - '0' : tolower((unsigned char)**s) - 'a' + 10);
		++*s;
	}
	return c;
}

static unsigned long
escape(const char **s)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	unsigned long c, low;

	if (**s == 'u') {
		++*s;
		c = hex4(s);
		if (c >= 0xdc00 && c <= 0xdfff)
			fail("lone surrogate");
		if (c < 0xd800 || c > 0xdfff)
			return c;
		if ((*s)[0] != '\\' || (*s)[1] != 'u')
			fail("lone surrogate");
		*s += 2;
		low = hex4(s);
		if (low < 0xdc00 || low > 0xdfff)
			fail("lone surrogate");
		return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	if (**s == '\0' || (at = strchr(from, **s)) == NULL)
		fail("bad escape");
	++*s;
	return (unsigned char)to[at - from];
}

/* One UTF-8 sequence, in its shortest form (RFC 3629). */
static unsigned long
utf8(const char **s)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)*s;
	unsigned long c;
	int i, len;

	len = *u < 0x80 ? 1 : *u < 0xc2 ? 0 : *u < 0xe0 ? 2 : *u < 0xf0 ? 3 :
	    *u < 0xf5 ? 4 : 0;
	if (len == 0)
		fail("no UTF-8");
	c = len == 1 ? *u : *u & (0x7fU >> len);
	for (i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			fail("no UTF-8");
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		fail("no UTF-8");
	*s += len;
	return c;
}

static void
string(const char **s, struct value *v)
{
	v->len = 0;
	if (*(*s)++ != '"')
		fail("no string");
	while (**s != '"') {
		if ((unsigned char)**s < ' ')
			fail("control octet or end of line in a string");
		if (**s == '\\') {
			++*s;
			put(v, escape(s));
		} else
			put(v, utf8(s));
	}
	++*s;
	v->text[v->len] = '\0';
}

static void
digits(const char **s)
{
	if (!isdigit((unsigned char)**s))
		fail("bad number");
	while (isdigit((unsigned char)**s))
		++*s;
}

/* A number, true, false or null, copied unchanged. */
static void
literal(const char **s, struct value *v)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *start = *s;
	size_t i;

	for (i = 0; i < 3; i++)
		if (strncmp(*s, words[i], strlen(words[i])) == 0)
			*s += strlen(words[i]);
	if (*s == start) {
		*s += **s == '-';
		if (**s == '0' && isdigit((unsigned char)(*s)[1]))
			fail("bad number");
		digits(s);
		if (**s == '.') {
			++*s;
			digits(s);
		}
		if (**s == 'e' || **s == 'E') {
			++*s;
			*s += **s == '-' || **s == '+';
			digits(s);
		}
	}
	v->len = (size_t)(*s - start);
	if (v->len >= sizeof(v->text))
		fail("value too long");
	memcpy(v->text, start, v->len);
}

static void
print(const struct value *v)
{
	size_t i;

	for (i = 0; i < v->len; i++)
		if ((unsigned char)v->text[i] < ' ' || v->text[i] == 0x7f)
			printf("\\x%02X", (unsigned)v->text[i]);
		else
			putchar(v->text[i]);
	putchar('\n');
}

static void
skip(const char **s)
{
	*s += strspn(*s, " \t\r");
}

static void
object(const char *s, const char *wanted)
{
	static char names[NAMES_MAX][64];
	static struct value v;
	int i, n = 0;

	skip(&s);
	if (*s++ != '{')
		fail("no object");
	do {
		skip(&s);
		string(&s, &v);
		if (n == NAMES_MAX || v.len >= sizeof(names[0]))
			fail("too many names, or one too long");
		memcpy(names[n], v.text, v.len + 1);
		for (i = 0; i < n; i++)
			if (strcmp(names[i], names[n]) == 0)
				fail("a name given twice");
		skip(&s);
		if (*s++ != ':')
			fail("no colon");
		skip(&s);
		if (*s == '"')
			string(&s, &v);
		else
			literal(&s, &v);
		if (wanted != NULL && strcmp(names[n], wanted) == 0)
			print(&v);
		n++;
		skip(&s);
	} while (*s++ == ',');
	if (s[-1] != '}')
		fail("no end of the object");
	skip(&s);
	if (*s != '\n' || s[1] != '\0')
		fail("more than an object");
}

int
main(int argc, char **argv)
{
	static char line[LINE_OCTETS];
	char *end;

	memset(line, 1, sizeof(line));
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line_number++;
		if ((end = memchr(line, '\n', sizeof(line))) == NULL ||
		    end[1] != '\0' || strlen(line) != (size_t)(end - line) + 1)
			fail("no whole line, or a NUL in it");
		object(line, argc > 1 ? argv[1] : NULL);
		memset(line, 1, sizeof(line));
	}
	if (line_number == 0)
		fail("nothing to read");
	return 0;
}
