/*
 * The parameters RET, ENVID, NOTIFY and ORCPT.  A decoded value with a control
 * character is rejected, because it goes into a report.
 */
#include <string.h>

#include "lib/text/xtext.h"
#include "smtp/dsn.h"

static const struct {
	const char *word;
	enum dsn_notify notify;
} words[] = {
	{ "NEVER", DSN_NEVER },
	{ "SUCCESS", DSN_SUCCESS },
	{ "FAILURE", DSN_FAILURE },
	{ "DELAY", DSN_DELAY },
};

enum { WORDS = sizeof words / sizeof *words };

static bool
is_printable(const char *s)
{
	while (*s >= ' ' && *s < 0x7f)
		s++;
	return *s == '\0';
}

static bool
is_ascii(const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80)
			return false;
	return true;
}

bool
dsn_parse_ret(struct dsn *d, const struct param *p)
{
	d->ret = param_is(p, "FULL") ? "FULL" : param_is(p, "HDRS") ? "HDRS" :
	    NULL;
	return d->ret != NULL;
}

bool
dsn_parse_envid(struct dsn *d, const struct param *p, bool strict)
{
	return p->len <= ENVID_MAX &&
	    xtext_decode(p->value, p->len, strict, d->envelope_id,
	    sizeof d->envelope_id) > 0 && is_printable(d->envelope_id);
}

/* NEVER can't be combined; the others are a list. */
bool
dsn_parse_notify(struct dsn *d, const struct param *p)
{
	struct param word = { .value = p->value };
	const char *end;
	int i;

	d->notify = 0;
	if (p->len == 0)
		return false;
	end = p->value + p->len;
	for (;; word.value += word.len + 1) {
		word.len = 0;
		while (word.value + word.len < end &&
		    word.value[word.len] != ',')
			word.len++;
		for (i = 0; i < WORDS; i++)
			if (param_is(&word, words[i].word))
				break;
		if (i == WORDS)
			return false;
		d->notify |= words[i].notify;
		if (word.value + word.len == end)
			break;
	}
	return !(d->notify & DSN_NEVER) || d->notify == DSN_NEVER;
}

/* An address type and an address, in the encoding of that type. */
bool
dsn_parse_orcpt(struct dsn *d, const struct param *p, bool strict, bool utf8)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	struct param type = { .value = p->value };
	const char *text;
	char *out;
	size_t n, size;

	if (p->len == 0 || p->len > ORCPT_MAX)
		return false;
	type.len = strspn(p->value, letters);
	n = type.len + 1;
	if (type.len == 0 || p->len < n || p->value[type.len] != ';')
		return false;
	memcpy(d->original, p->value, n);
	text = p->value + n;
	out = d->original + n;
	size = sizeof d->original - n;
	n = p->len - n;
	if (!param_is(&type, "utf-8"))
		return xtext_decode(text, n, strict, out, size) > 0 &&
		    is_printable(out);
	return (utf8 || is_ascii(text, n)) &&
	    unitext_decode(text, n, out, size) > 0;
}

void
dsn_format_notify(unsigned notify, char *out)
{
	int i;

	*out = '\0';
	for (i = 0; i < WORDS; i++)
		if (notify & words[i].notify) {
			if (*out)
				strcat(out, ",");
			strcat(out, words[i].word);
		}
}
