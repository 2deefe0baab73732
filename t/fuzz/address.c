/*
 * Paths.  An accepted address must be safe in a header, a log and an
 * environment variable, and must parse to the same address again.
 */
#include <string.h>

#include "lib/text/address.h"
#include "fuzz.h"
#include "lib/text/utf8.h"

static void
check_text(const char *s)
{
	for (; *s; s++)
		CHECK((unsigned char)*s >= ' ' && *s != 0x7f);
}

static void
check_canonical(const struct address *a)
{
	char once[ADDRESS_CANONICAL_MAX], twice[ADDRESS_CANONICAL_MAX];

	CHECK(address_canonical(a->email, once) == 0);
	address_canonical_of(a, twice);
	CHECK(strcmp(once, twice) == 0);
	if (strlen(once) <= ADDRESS_MAX) {
		CHECK(address_canonical(once, twice) == 0);
		CHECK(strcmp(once, twice) == 0);
	}
}

static void
check_mailbox(const struct address *a)
{
	char mailbox[ADDRESS_MAX + 1];
	const char *extension = address_mailbox(a->local, "+-", mailbox);
	const size_t len = strlen(mailbox);

	CHECK(strpbrk(mailbox, "+-") == NULL);
	CHECK(extension >= a->local &&
	    extension <= a->local + strlen(a->local));
	CHECK(a->local[len] == '\0' || strchr("+-", a->local[len]));
}

static void
check_address(const struct address *a, unsigned flags)
{
	char path[ADDRESS_MAX + 3];
	const char *p = path;
	struct address again;

	check_text(a->email);
	check_text(a->local);
	check_text(a->domain);
	CHECK(utf8_is_text(a->email));
	CHECK(!utf8_is_beyond_ascii(a->domain));
	CHECK(a->utf8 || !utf8_is_beyond_ascii(a->email));
	snprintf(path, sizeof path, "<%s>", a->email);
	CHECK(address_parse(&p, flags & ADDRESS_REVERSE, &again));
	CHECK(*p == '\0');
	CHECK(strcmp(a->email, again.email) == 0);
	CHECK(strcmp(a->local, again.local) == 0);
	CHECK(strcmp(a->domain, again.domain) == 0);
	if (*a->domain)
		check_canonical(a);
	if (*a->email)
		check_mailbox(a);
}

/* Returns how many bytes were parsed; 0: rejected. */
static size_t
try(const char *text, unsigned flags, struct address *a)
{
	const char *p = text;

	memset(a, 0xa5, sizeof *a);
	if (!address_parse(&p, flags, a))
		return 0;
	CHECK(p > text && p <= text + strlen(text));
	check_address(a, flags);
	return (size_t)(p - text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = fuzz_string(data, n);
	struct address lenient, strict;
	unsigned reverse;
	size_t len;

	for (reverse = 0; reverse <= ADDRESS_REVERSE;
	    reverse += ADDRESS_REVERSE) {
		len = try(text, reverse | ADDRESS_STRICT, &strict);
		if (len == 0) {
			try(text, reverse, &lenient);
			continue;
		}
		CHECK(try(text, reverse, &lenient) == len);
		CHECK(strcmp(lenient.email, strict.email) == 0);
		CHECK(strcmp(lenient.local, strict.local) == 0);
		CHECK(strcmp(lenient.domain, strict.domain) == 0);
	}
	if (address_is_host(text, true))
		CHECK(address_is_host(text, false));
	free(text);
	return 0;
}
