/* Base64: text is accepted only if the result encodes to the same text. */
#include <string.h>

#include "lib/text/base64.h"
#include "fuzz.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
encode(const unsigned char *p, size_t n, struct gathered *text)
{
	unsigned long bits;
	char four[4];
	size_t i, left;

	for (i = 0; i < n; i += 3) {
		left = n - i;
		bits = (unsigned long)p[i] << 16 |
		    (left > 1 ? (unsigned long)p[i + 1] << 8 : 0) |
		    (left > 2 ? p[i + 2] : 0);
		four[0] = digits[bits >> 18 & 63];
		four[1] = digits[bits >> 12 & 63];
		four[2] = left > 1 ? digits[bits >> 6 & 63] : '=';
		four[3] = left > 2 ? digits[bits & 63] : '=';
		gather(text, four, 4);
	}
}

static void
check_decoded(const char *text)
{
	const size_t len = strlen(text);
	char *out = malloc(len / 4 * 3 + 1);
	struct gathered again = { .n = 0 };
	long n;

	CHECK(out != NULL);
	n = base64_decode(text, out);
	if (n >= 0) {
		CHECK((size_t)n <= len / 4 * 3 && out[n] == '\0');
		encode((unsigned char *)out, (size_t)n, &again);
		CHECK(again.n == len &&
		    (len == 0 || memcmp(again.p, text, len) == 0));
	}
	gather_free(&again);
	free(out);
}

static void
check_encoded(const uint8_t *data, size_t n)
{
	struct gathered text = { .n = 0 };
	char *out;

	encode(data, n, &text);
	gather(&text, "", 1);
	out = malloc(text.n);
	CHECK(out != NULL && base64_decode(text.p, out) == (long)n);
	CHECK(n == 0 || memcmp(out, data, n) == 0);
	gather_free(&text);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = fuzz_string(data, n);

	check_decoded(text);
	check_encoded(data, n);
	free(text);
	return 0;
}
