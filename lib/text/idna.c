/* Punycode, the encoder only.  Nothing decodes A-labels. */
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "lib/text/idna.h"
#include "lib/text/utf8.h"

/* RFC 3492 5 */
enum {
	BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700,
	INITIAL_BIAS = 72, INITIAL_N = 0x80,
};

#define PREFIX "xn--"

enum { LABEL_MAX = 63 };	/* bytes, RFC 1035 2.3.4 */

/* A label that is being written. */
struct label {
	char text[LABEL_MAX];
	size_t n;
	bool overflow;		/* it did not fit */
};

static void
append_char(struct label *l, char c)
{
	if (l->n == sizeof l->text)
		l->overflow = true;
	else
		l->text[l->n++] = c;
}

/* RFC 3492 6.1 */
static long
adapt_bias(long delta, long points, bool first)
{
	long k;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (k = 0; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

/* Generalized variable-length integers, RFC 3492 3.3. */
static void
append_number(struct label *l, long q, long bias)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	long k, t;

	for (k = BASE;; k += BASE) {
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (q < t)
			break;
		append_char(l, digits[t + (q - t) % (BASE - t)]);
		q = (q - t) / (BASE - t);
	}
	append_char(l, digits[q]);
}

/* The smallest code point that is at least n. */
static long
next_code_point(const long *c, size_t len, long n)
{
	long least = 0x10ffff + 1;
	size_t i;

	for (i = 0; i < len; i++)
		if (c[i] >= n && c[i] < least)
			least = c[i];
	return least;
}

/* RFC 3492 6.3 */
static void
append_punycode(struct label *l, const long *c, size_t len)
{
	long n = INITIAL_N, delta = 0, bias = INITIAL_BIAS, next;
	size_t i, basic, done;

	for (i = done = 0; i < len; i++)
		if (c[i] < INITIAL_N) {
			append_char(l, (char)c[i]);
			done++;
		}
	basic = done;
	if (basic)
		append_char(l, '-');
	for (; done < len; delta++, n++) {
		next = next_code_point(c, len, n);
		delta += (next - n) * (long)(done + 1);
		n = next;
		for (i = 0; i < len; i++) {
			delta += c[i] < n;
			if (c[i] != n)
				continue;
			append_number(l, delta, bias);
			bias = adapt_bias(delta, (long)done + 1, done == basic);
			done++;
			delta = 0;
		}
	}
}

/* Copy an ASCII label in lower case.  Returns false if it is not ASCII. */
static bool
copy_ascii_label(const char *s, size_t len, struct label *l)
{
	if (len > sizeof l->text)
		return false;
	for (l->n = 0; l->n < len && *s >= ' ' && *s < 0x7f; s++)
		l->text[l->n++] = (char)(*s >= 'A' && *s <= 'Z' ?
		    *s - 'A' + 'a' : *s);
	return l->n == len;
}

/* Encode the label at s.  Returns false if it is invalid or too long. */
static bool
encode_label(const char *s, size_t len, struct label *l)
{
	const char *end = s + len;
	long c[LABEL_MAX];	/* an A-label has at least a byte for each */
	size_t n;

	if (copy_ascii_label(s, len, l))
		return true;
	for (n = 0; s < end && n < LABEL_MAX; n++) {
		c[n] = utf8_next(&s);
		if (!utf8_is_harmless(c[n]))
			return false;
		if (c[n] < INITIAL_N)
			c[n] = tolower((int)c[n]);
	}
	if (s < end)
		return false;
	l->overflow = false;
	memcpy(l->text, PREFIX, l->n = sizeof PREFIX - 1);
	append_punycode(l, c, n);
	return !l->overflow;
}

int
idna_to_ascii(const char *domain, size_t len, char *out)
{
	const char *end = domain + len, *dot;
	struct label l;
	size_t n = 0;

	for (;;) {
		dot = memchr(domain, '.', (size_t)(end - domain));
		if (!dot)
			dot = end;
		if (!encode_label(domain, (size_t)(dot - domain), &l) ||
		    n + l.n + 1 >= IDNA_MAX)
			return -1;
		memcpy(out + n, l.text, l.n);
		n += l.n;
		out[n] = '\0';
		if (dot == end)
			return 0;
		out[n++] = '.';
		domain = dot + 1;
	}
}
