/* Whom a message is for. */
#include <stdlib.h>
#include <string.h>

#include "lib/memory.h"
#include "mail/header.h"
#include "mail/recipients.h"
#include "mail/trace.h"

enum {
	LOOKUPS_MAX = 1000,	/* Delivered-To fields that are looked at */
};

static unsigned
hash(const char *s)
{
	unsigned h = 0;

	while (*s)
		h = h * 31 + (unsigned char)*s++;
	return h;
}

/* Each recipient is compared with all before him: by their hashes, at first. */
static struct recipient *
find(struct recipients *to, const char *canonical, unsigned h)
{
	size_t i;

	for (i = 0; i < to->n; i++)
		if (to->all[i].hash == h &&
		    strcmp(to->all[i].canonical, canonical) == 0)
			return &to->all[i];
	return NULL;
}

struct recipient *
recipients_find(struct recipients *to, const struct address *a)
{
	char canonical[ADDRESS_CANONICAL_MAX];

	address_canonical_of(a, canonical);
	return find(to, canonical, hash(canonical));
}

/* Returns 0, or -1 where there is no memory. */
static int
make(struct recipient *r, const char *email, const char *canonical,
    const char *path)
{
	char *kept[3];

	if (memory_keep(kept, email, canonical, path) < 0)
		return -1;
	*r = (struct recipient){ .email = kept[0], .canonical = kept[1],
	    .path = *path ? kept[2] : NULL };
	return 0;
}

int
recipients_add(struct recipients *to, const struct address *a,
    const char *path)
{
	char canonical[ADDRESS_CANONICAL_MAX];
	size_t *given = memory_grow(&to->given, &to->n_given, sizeof *given);
	struct recipient *r;
	unsigned h;

	if (!given)
		return -1;
	address_canonical_of(a, canonical);
	h = hash(canonical);
	r = find(to, canonical, h);
	if (!r) {
		r = memory_grow(&to->all, &to->n, sizeof *r);
		if (!r || make(r, a->email, canonical, path) < 0) {
			to->n -= r != NULL;
			to->n_given--;
			return -1;
		}
		r->hash = h;
		r->rcpt = to->n_given - 1;
	}
	*given = (size_t)(r - to->all);
	return 0;
}

/* A field that is no Delivered-To stands below some that were. */
static void
judge_above(struct recipients *to, bool by_us)
{
	struct recipient *r;

	for (r = to->all; r < to->all + to->n; r++) {
		if (r->above && by_us)
			r->looped = true;
		r->above = false;
	}
	to->above = 0;
}

void
recipients_look(struct recipients *to, const char *field,
    const char *hostname)
{
	char canonical[ADDRESS_CANONICAL_MAX];
	const char *value = header_value(field, "Delivered-To");
	struct recipient *r;

	if (value) {
		r = ++to->lookups > LOOKUPS_MAX ||
		    address_canonical(value, canonical) < 0 ? NULL :
		    find(to, canonical, hash(canonical));
		if (r) {
			r->above = true;
			to->above++;
		}
		return;
	}
	value = header_value(field, "Received");
	if (value)
		to->hops++;
	if (to->above)
		judge_above(to, value && trace_is_by(value, hostname));
}

void
recipients_free(struct recipients *to)
{
	size_t i;

	for (i = 0; i < to->n; i++)
		free(to->all[i].email);
	free(to->all);
	free(to->given);
}
