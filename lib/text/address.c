/*
 * The grammar of paths and domains.  It is lenient where mail software in use
 * is, unless ADDRESS_STRICT is set; control characters and bad UTF-8 are
 * always rejected.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/text/address.h"
#include "lib/text/utf8.h"

enum { LABEL_MAX = 63 };	/* bytes, RFC 1035 2.3.4 */

static bool
is_non_ascii(unsigned char c)
{
	return c >= 0x80;
}

static bool
is_ascii_alnum(unsigned char c)
{
	return c < 0x80 && isalnum(c);
}

/* RFC 5322 3.2.3, RFC 6531 3.3 */
static bool
is_atext(unsigned char c)
{
	return is_ascii_alnum(c) || is_non_ascii(c) ||
	    (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Set a->utf8 if needed.  Returns false at a character that is not allowed. */
static bool
check_characters(const char *s, const char *end, struct address *a)
{
	while (s < end) {
		if (*s >= ' ' && *s < 0x7f) {
			s++;
			continue;
		}
		if (is_non_ascii((unsigned char)*s))
			a->utf8 = true;
		if (!utf8_is_harmless(utf8_next(&s)))
			return false;
	}
	return true;
}

/* The length of [1.2.3.4] or [IPv6:::1] with its brackets; 0 if neither. */
static size_t
literal_length(const char *s)
{
	static const char tag[] = "IPv6:";
	unsigned char addr[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];
	const char *end;
	int family = AF_INET;
	size_t len;

	if (*s != '[' || !(end = strchr(s, ']')))
		return 0;
	len = (size_t)(end + 1 - s);
	if (strncasecmp(++s, tag, sizeof tag - 1) == 0) {
		family = AF_INET6;
		s += sizeof tag - 1;
	}
	if ((size_t)(end - s) >= sizeof text)
		return 0;
	memcpy(text, s, (size_t)(end - s));
	text[end - s] = '\0';
	return inet_pton(family, text, addr) == 1 ? len : 0;
}

/* The limit of a U-label is that of its A-label, which may be shorter. */
static bool
has_non_ascii(const char *label, const char *end)
{
	while (label < end && !is_non_ascii((unsigned char)*label))
		label++;
	return label < end;
}

/* The length of the domain at s, without a trailing dot; 0 if there is none. */
static size_t
domain_length(const char *s, bool strict)
{
	const char *p = s, *label;

	for (;;) {
		label = p;
		while (is_ascii_alnum((unsigned char)*p) || *p == '-' ||
		    is_non_ascii((unsigned char)*p) || (*p == '_' && !strict))
			p++;
		if (p == label || (p - label > LABEL_MAX &&
		    !has_non_ascii(label, p)))
			return 0;
		if (strict && (*label == '-' || p[-1] == '-'))
			return 0;
		if (*p != '.' || p[1] == '\0' || strchr("> \t:,", p[1]))
			return (size_t)(p - s);
		p++;
	}
}

static size_t
host_length(const char *s, bool strict)
{
	return *s == '[' ? literal_length(s) : domain_length(s, strict);
}

bool
address_is_host(const char *s, bool strict)
{
	size_t len = host_length(s, strict);

	return len > 0 && s[len] == '\0';
}

/* Quoted-string, RFC 5321 4.1.2.  Advances *p and *out. */
static bool
parse_quoted_string(const char **p, char **out)
{
	const char *s = *p + 1;

	for (; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		if (*s == '\0' || *s == '\t')
			return false;
		*(*out)++ = *s;
	}
	*p = s + 1;
	return true;
}

static bool
parse_dot_string(const char **p, char **out, bool strict)
{
	const char *s = *p;

	for (; is_atext((unsigned char)*s) || *s == '.'; s++) {
		if (strict && *s == '.' && (s == *p || s[-1] == '.'))
			return false;
		*(*out)++ = *s;
	}
	if (s == *p || (strict && s[-1] == '.'))
		return false;
	*p = s;
	return true;
}

/* A source route, which is to be ignored (RFC 5321 4.1.1.3). */
static bool
skip_route(const char **p)
{
	const char *s = *p;
	size_t len;

	while (*s == '@') {
		len = host_length(s + 1, false);
		if (len == 0)
			return false;
		s += 1 + len;
		if (*s == ':') {
			*p = s + 1;
			return true;
		}
		if (*s++ != ',')
			return false;
	}
	return false;
}

/* "@" Domain.  Advances *s past it; *end excludes a trailing dot. */
static bool
parse_domain(const char **s, const char **end, bool strict, struct address *a)
{
	const char *host = *s + 1;
	size_t len = host_length(host, strict);

	if (len == 0 || idna_to_ascii(host, len, a->domain) < 0)
		return false;
	*s = *end = host + len;
	if (**s == '.' && *host != '[') {
		if (strict)
			return false;
		(*s)++;
	}
	return true;
}

static bool
parse_mailbox(const char **p, unsigned flags, struct address *a)
{
	const bool strict = flags & ADDRESS_STRICT;
	const char *s = *p, *end;
	char *out = a->local;

	if (!(*s == '"' ? parse_quoted_string(&s, &out) :
	    parse_dot_string(&s, &out, strict)))
		return false;
	*out = '\0';
	end = s;
	if (*s == '@') {
		if (!parse_domain(&s, &end, strict, a))
			return false;
	} else if (flags & ADDRESS_REVERSE ? strict :
	    strcasecmp(a->local, "postmaster") != 0) {
		return false;
	}
	memcpy(a->email, *p, (size_t)(end - *p));
	a->email[end - *p] = '\0';
	*p = s;
	return true;
}

/* Could a part of the path at s overflow an array of struct address? */
static bool
is_too_long(const char *s)
{
	size_t n = 0;
	bool quoted = false;

	for (; *s && (quoted || (*s != '>' && *s != ' ' && *s != '\t'));
	    s++, n++) {
		if (*s == '\\' && quoted && s[1])
			s++, n++;
		else if (*s == '"')
			quoted = !quoted;
	}
	return n > ADDRESS_MAX;
}

/*
 * The path in "Name <a@b>>", of clients that put a whole From field between
 * brackets; NULL if s is something else.  The name may have any characters.
 */
static const char *
find_inner_path(const char *s)
{
	const char *name = s;

	for (; *s && *s != '<' && *s != '>'; s++)
		if (*s == '"')
			for (s++; *s != '"'; s++) {
				if (*s == '\\' && s[1])
					s++;
				if (*s == '\0')
					return NULL;
			}
	return *s == '<' && s > name ? s : NULL;
}

/* Parse a path, or the inner one, and advance *p past its bracket. */
static bool
parse_one_path(const char **p, unsigned flags, struct address *a)
{
	const char *begin = *p, *s = begin;
	const bool bracket = *s == '<';

	s += bracket;
	if (is_too_long(s))
		return false;
	if (bracket && *s == '>' && flags & ADDRESS_REVERSE) {
		*p = s + 1;
		return true;
	}
	if (*s == '@' && !skip_route(&s))
		return false;
	if (!parse_mailbox(&s, flags, a))
		return false;
	if (bracket && *s++ != '>')
		return false;
	*p = s;
	return check_characters(begin, s, a);
}

bool
address_parse(const char **p, unsigned flags, struct address *a)
{
	const bool bracket = **p == '<', strict = flags & ADDRESS_STRICT;
	const char *inner = bracket && !strict ? find_inner_path(*p + 1) : NULL;

	a->email[0] = a->local[0] = a->domain[0] = '\0';
	a->utf8 = false;
	if (strict && !bracket)
		return false;
	if (!inner)
		return parse_one_path(p, flags, a);
	if (!parse_one_path(&inner, flags, a))
		return false;
	inner += strspn(inner, " \t");
	*p = inner + 1;
	return *inner == '>';
}

const char *
address_mailbox(const char *local, const char *delimiters, char *out)
{
	const size_t cut = strcspn(local, delimiters);
	size_t i;

	for (i = 0; i < cut && i < ADDRESS_MAX; i++)
		out[i] = (char)(is_non_ascii((unsigned char)local[i]) ? local[i] :
		    tolower((unsigned char)local[i]));
	out[i] = '\0';
	return local + cut + (local[cut] != '\0');
}

void
address_canonical_of(const struct address *a, char *out)
{
	const char *at = strrchr(a->email, '@');
	const size_t local = at ? (size_t)(at + 1 - a->email) :
	    strlen(a->email);

	memcpy(out, a->email, local);
	strcpy(out + local, a->domain);
}

int
address_canonical(const char *email, char *out)
{
	const char *at = strrchr(email, '@');
	size_t local = at ? (size_t)(at + 1 - email) : strlen(email);

	if (local > ADDRESS_MAX)
		return -1;
	memcpy(out, email, local);
	out[local] = '\0';
	return at ? idna_to_ascii(at + 1, strlen(at + 1), out + local) : 0;
}
