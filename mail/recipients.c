/*
 * The list of recipients.  Addresses are compared by their mailbox, never by
 * their spelling.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/memory.h"
#include "mail/header.h"
#include "mail/maildir.h"
#include "mail/recipients.h"
#include "mail/trace.h"

enum {
	LOOKUPS_MAX = 1000,	/* Delivered-To fields that are looked up */
	KEY_MAX = ADDRESS_MAX + IDNA_MAX + 2 + FOLDER_MAX + 1,	/* bytes with
								   the NUL */
	STRINGS = 4,		/* of a recipient */
};

static unsigned
hash_text(const char *s)
{
	unsigned h = 0;

	while (*s)
		h = h * 31 + (unsigned char)*s++;
	return h;
}

/* Is the canonical address, with this hash, that of the mailbox? */
static bool
is_mailbox(const struct recipient *r, const char *canonical, unsigned hash)
{
	char own[ADDRESS_CANONICAL_MAX];

	return r->mailbox_hash == hash &&
	    address_canonical(r->mailbox, own) == 0 &&
	    strcmp(own, canonical) == 0;
}

/* Computed at the first Delivered-To only, because few messages have one. */
static void
hash_mailboxes(struct recipients *to)
{
	char canonical[ADDRESS_CANONICAL_MAX];
	struct recipient *r;

	for (r = to->all; r < to->all + to->n; r++)
		if (address_canonical(r->mailbox, canonical) == 0)
			r->mailbox_hash = hash_text(canonical);
}

/* Index of the first recipient with the key of the i-th. */
static size_t
find_first(const struct recipients *to, size_t i)
{
	const struct recipient *r = &to->all[i];
	size_t j;

	for (j = 0; j < i; j++)
		if (!to->all[j].discard && to->all[j].hash == r->hash &&
		    strcmp(to->all[j].key, r->key) == 0)
			break;
	return j;
}

/* Copy strings into one block, which begins with the first of them. */
static int
copy_strings(char *copies[STRINGS], const char *const *strings)
{
	size_t i, size[STRINGS], all = 0;
	char *p;

	for (i = 0; i < STRINGS; i++)
		all += size[i] = strlen(strings[i]) + 1;
	p = malloc(all);
	if (!p)
		return -1;
	for (i = 0; i < STRINGS; i++, p += size[i - 1])
		copies[i] = memcpy(p, strings[i], size[i]);
	return 0;
}

struct recipient *
recipients_add(struct recipients *to, const struct address *email,
    const struct address *mailbox, const char *folder,
    const char *delimiters, const char *hostname, const char *original,
    unsigned notify)
{
	char key[KEY_MAX], *kept[STRINGS];
	struct recipient *r = memory_grow(&to->all, &to->n, sizeof *r);

	if (!r)
		return NULL;
	address_mailbox(mailbox->local, delimiters, key);
	stpcpy(stpcpy(stpcpy(stpcpy(strchr(key, '\0'), "@"),
	    *mailbox->domain ? mailbox->domain : hostname), "/"), folder);
	if (copy_strings(kept, (const char *[]){ email->email,
	    mailbox->email, key, original }) < 0) {
		to->n--;
		return NULL;
	}
	*r = (struct recipient){
		.email = kept[0], .mailbox = kept[1], .key = kept[2],
		.original = *original ? kept[3] : NULL, .notify = notify,
		.hash = hash_text(key),
		.folder = kept[2] + strlen(key) - strlen(folder),
	};
	r->first = find_first(to, to->n - 1);
	to->distinct += r->first == to->n - 1;
	to->bytes += strlen(email->email) + 1;
	to->original_bytes += strlen(original);
	return r;
}

static void
free_recipient(struct recipient *r)
{
	free(r->email);
	free(r->path);
	free(r->discard);
}

int
recipients_discard(struct recipients *to, struct recipient *r,
    const struct discard *d)
{
	const size_t i = (size_t)(r - to->all);

	r->discard = malloc(sizeof *d);
	if (!r->discard)
		return -1;
	*r->discard = *d;
	to->distinct -= r->first == i;
	r->first = i;
	return 0;
}

void
recipients_drop_last(struct recipients *to)
{
	struct recipient *r = &to->all[--to->n];

	to->distinct -= r->first == to->n && !r->discard;
	to->bytes -= strlen(r->email) + 1;
	if (r->original)
		to->original_bytes -= strlen(r->original);
	free_recipient(r);
}

struct recipient *
recipients_first(const struct recipients *to, const struct recipient *r)
{
	return &to->all[r->first];
}

int
recipients_assign_copy(struct recipients *to, struct recipient *r,
    const char *path)
{
	const struct recipient *other;

	if (r != recipients_first(to, r)) {
		r->copy = recipients_first(to, r)->copy;
		return 0;
	}
	for (other = to->all; other < r; other++)
		if (other->path && strcmp(other->path, path) == 0 &&
		    strcmp(other->folder, r->folder) == 0) {
			r->copy = other->copy;
			return 0;
		}
	r->path = strdup(path);
	if (!r->path)
		return -1;
	r->copy = to->copies++;
	return 0;
}

const struct discard *
recipients_discarded(const struct recipients *to, const struct recipient *r)
{
	return recipients_first(to, r)->discard;
}

/* Is it discarded for the same reason, or not at all if d is NULL? */
static bool
has_discard(const struct recipients *to, const struct recipient *r,
    const struct discard *d)
{
	const struct discard *own = recipients_discarded(to, r);

	return !r->refused && (!d || !own ? d == own :
	    own->hook == d->hook && strcmp(own->reason, d->reason) == 0);
}

void
recipients_join(const struct recipients *to, const struct discard *d,
    char separator, char *buf, size_t size)
{
	const struct recipient *r;
	size_t len, n = 0;

	for (r = to->all; r < to->all + to->n; r++) {
		if (!has_discard(to, r, d))
			continue;
		if (n > 0 && n + 1 < size)
			buf[n++] = separator;
		len = strlen(r->email);
		if (len > size - n - 1)
			len = size - n - 1;
		memcpy(buf + n, r->email, len);
		n += len;
	}
	buf[n] = '\0';
}

size_t
recipients_count(const struct recipients *to)
{
	size_t i, n = 0;

	for (i = 0; i < to->n; i++)
		n += has_discard(to, &to->all[i], NULL);
	return n;
}

/*
 * The fields above were Delivered-To.  If we wrote them, their recipients are
 * mail loops.
 */
static void
mark_loops(struct recipients *to, bool by_us)
{
	struct recipient *r;

	for (r = to->all; r < to->all + to->n; r++) {
		if (r->above && by_us)
			recipients_first(to, r)->looped = true;
		r->above = false;
	}
	to->above = 0;
}

static void
note_delivered_to(struct recipients *to, const char *value)
{
	char canonical[ADDRESS_CANONICAL_MAX];
	struct recipient *r;
	unsigned hash;

	if (to->lookups == 0)
		hash_mailboxes(to);
	if (++to->lookups > LOOKUPS_MAX ||
	    address_canonical(value, canonical) < 0)
		return;
	hash = hash_text(canonical);
	for (r = to->all; r < to->all + to->n; r++)
		if (!r->discard && is_mailbox(r, canonical, hash)) {
			r->above = true;
			to->above++;
		}
}

void
recipients_check_field(struct recipients *to, const char *field,
    const char *hostname)
{
	const char *value = header_value(field, "Delivered-To");

	if (value) {
		note_delivered_to(to, value);
		return;
	}
	value = header_value(field, "Received");
	if (value)
		to->hops++;
	if (to->above)
		mark_loops(to, value && trace_is_by(value, hostname));
}

void
recipients_clear(struct recipients *to)
{
	size_t i;

	for (i = 0; i < to->n; i++)
		free_recipient(&to->all[i]);
	free(to->all);
	*to = (struct recipients){ .n = 0 };
}
