/*
 * Requests of a worker to its launcher: any bytes.  What is accepted is compared
 * with a plain reader, and must be the message again when it is put together.
 */
#include <string.h>

#include "fuzz.h"
#include "lib/proc/request.h"

#define ROWS 5

static const struct environment_name names[] = {
	{ "SENDER", false }, { "SENDER_DOMAIN", false }, { "ENVID", false },
	{ "SMTP_RECIPIENTS", true }, { NULL, false },
};

static bool
is_clean(const uint8_t *p, size_t n, bool lines)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] == 0x7f || (p[i] < 0x20 && !(p[i] == 0x0a && lines)))
			return false;
	return true;
}

/* Which name does the variable of n bytes have?  -1: it is not valid. */
static int
find_name(const uint8_t *p, size_t n)
{
	size_t len, max;
	int i;

	for (i = 0; names[i].name; i++) {
		len = strlen(names[i].name);
		max = names[i].lines ? REQUEST_LIST_MAX : REQUEST_VALUE_MAX;
		if (n > len && memcmp(p, names[i].name, len) == 0 &&
		    p[len] == '=')
			return n - len - 1 <= max &&
			    is_clean(p + len + 1, n - len - 1, names[i].lines) ?
			    i : -1;
	}
	return -1;
}

/* Are these variables, each with a NUL, and none twice? */
static bool
are_variables(const uint8_t *p, size_t n)
{
	bool seen[sizeof names / sizeof *names] = { false };
	size_t len;
	int i;

	while (n > 0) {
		for (len = 0; len < n && p[len]; len++)
			;
		if (len == n || (i = find_name(p, len)) < 0 || seen[i])
			return false;
		seen[i] = true;
		p += len + 1;
		n -= len + 1;
	}
	return true;
}

static bool
is_valid(const uint8_t *data, size_t n)
{
	struct request_header h;

	if (n < sizeof h || n > REQUEST_MAX)
		return false;
	memcpy(&h, data, sizeof h);
	data += sizeof h;
	n -= sizeof h;
	switch (h.kind) {
	case REQUEST_START:
		return h.number < ROWS && h.descriptors < 64 &&
		    are_variables(data, n);
	case REQUEST_TERMINATE:
	case REQUEST_KILL:
		return h.number < JOBS && h.descriptors == 0 && n == 0;
	case REQUEST_LOG:
		return h.number < 8 && h.descriptors == 0 &&
		    n <= REQUEST_LINE_MAX && is_clean(data, n, false);
	default:
		return false;
	}
}

/* Put together, its parts are the message. */
static void
check_parts(const struct request *r, const uint8_t *data, size_t n)
{
	const struct request_header h = { r->kind, r->number, r->descriptors };
	struct gathered whole = { NULL, 0, 0 };
	unsigned i;

	gather(&whole, &h, sizeof h);
	for (i = 0; i < r->n; i++)
		gather(&whole, r->variables[i], strlen(r->variables[i]) + 1);
	if (r->kind == REQUEST_LOG)
		gather(&whole, r->line, strlen(r->line));
	CHECK(whole.n == n && memcmp(whole.p, data, n) == 0);
	gather_free(&whole);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct request r;
	char *message = malloc(n + 1);
	const char *wrong;

	CHECK(message);
	if (n)
		memcpy(message, data, n);
	message[n] = 'x';	/* no NUL that was not sent */
	wrong = request_parse(&r, message, n, ROWS, names);
	CHECK((wrong == NULL) == is_valid(data, n));
	if (!wrong)
		check_parts(&r, data, n);
	free(message);
	return 0;
}
