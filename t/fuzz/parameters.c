/*
 * ESMTP parameters, their numbers, and the encodings of their values.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "lib/text/param.h"
#include "lib/text/utf8.h"
#include "lib/text/xtext.h"

/* A plain parser of decimal numbers, byte by byte. */
static void
check_number(const struct param *p)
{
	unsigned long long value = 7;
	unsigned __int128 expected = 0;
	bool good = p->value && p->len > 0 && p->len <= 20;
	size_t i;

	for (i = 0; good && i < p->len; i++) {
		good = p->value[i] >= '0' && p->value[i] <= '9';
		expected = 10 * expected + (unsigned)(p->value[i] - '0');
	}
	errno = 0;
	if (param_number(p, &value) == 0)
		CHECK(good && value == expected);
	else if (good)
		CHECK(errno == ERANGE && expected >> 64 != 0);
	else
		CHECK(errno == EINVAL);
}

static int
hex(char c)
{
	const char *digits = "0123456789ABCDEF";
	const char *p = c ? strchr(digits, toupper((unsigned char)c)) : NULL;

	return p ? (int)(p - digits) : -1;
}

static void
check_xtext(const struct param *p)
{
	char out[64], expected[PARAM_VALUE_MAX * 4];
	size_t i, n = 0;
	int c;
	const long strict = xtext_decode(p->value, p->len, true, out,
	    sizeof out);
	long len = xtext_decode(p->value, p->len, false, out, sizeof out);

	for (i = 0; i < p->len; i++) {
		c = (unsigned char)p->value[i];
		if (c == '+' && i + 2 < p->len && hex(p->value[i + 1]) >= 0 &&
		    hex(p->value[i + 2]) >= 0) {
			c = 16 * hex(p->value[i + 1]) + hex(p->value[i + 2]);
			i += 2;
		}
		if (n == sizeof expected)
			return;
		expected[n++] = (char)c;
	}
	CHECK(strict < 0 || strict == len);
	if (len >= 0) {
		CHECK((size_t)len == n && n < sizeof out);
		CHECK(memcmp(out, expected, n) == 0 && out[n] == '\0');
		CHECK(strlen(out) == n && !strpbrk(out, "\r\n"));
	}
	len = p->value ? unitext_decode(p->value, p->len, out, sizeof out) : -1;
	if (len >= 0)
		CHECK(strlen(out) == (size_t)len && utf8_is_text(out));
}

static void
check_param(const struct param *p)
{
	const char *c;
	size_t i;

	CHECK(*p->keyword && strlen(p->keyword) < sizeof p->keyword);
	for (c = p->keyword; *c; c++)
		CHECK(isupper((unsigned char)*c) || isdigit((unsigned char)*c)
		    || *c == '-');
	CHECK((p->value == NULL) == (p->len == 0));
	for (i = 0; i < p->len; i++)
		CHECK((unsigned char)p->value[i] > ' ' && p->value[i] != '=' &&
		    p->value[i] != 0x7f);
	check_number(p);
	check_xtext(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = fuzz_string(data, n);
	const char *p = text, *before = p;
	struct param param;
	int more;

	while ((more = param_next(&p, &param)) > 0) {
		CHECK(p > before && p <= text + strlen(text));
		CHECK(*p == '\0' || *p == ' ' || *p == '\t');
		before = p;
		check_param(&param);
	}
	CHECK(more < 0 || p[strspn(p, " \t")] == '\0');
	free(text);
	return 0;
}
