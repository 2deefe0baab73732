/*
 * A whole session: what the client sends must lead to the same replies and
 * messages in one segment and in many, and to those that a plain client
 * expects.  The first line of an input is the server's settings, a letter each:
 *
 *	l LMTP		s --strict	n --lenient-from
 *	m --max-size 64	d --dsn		h commands at each event
 *	x XCLIENT	a AUTH		b submission: AUTH is required
 *	p a Maildir each, k of one file
 *	o --domain d	f --soft-bounce	c a transcript
 *	r it is remote	t it stalls
 *	i the commands discard messages, and name folders
 *	A-Z the disk's n-th call fails
 */
#include <string.h>
#include <unistd.h>

#include "dialogue.h"
#include "smtp/hooks.h"
#include "machine.h"
#include "proto.h"
#include "lib/net/stream.h"
#include "watch.h"

/* The server of this input. */
struct world {
	struct proto_options options;
	struct basic_options basic;
	struct store store, spool;
	struct hooks *hooks;
	struct client client;
	struct stream_limits limits;
	struct network network;
};

static volatile sig_atomic_t never;

static bool
nobody_wants_it(void *ctx, bool leave)
{
	(void)ctx, (void)leave;
	return false;
}

static struct reply
new_envelope(void *ctx, struct mail *mail, unsigned long long size,
    struct envelope **e)
{
	return basic_envelope_new(ctx, mail, size, e);
}

/* The environment is read only once. */
static struct hooks *
make_hooks(const char *letters)
{
	static struct hooks hooks;
	static struct invocation one = { .command = "command" };
	static bool open;
	int i;

	if (!open)
		CHECK(hooks_open(&hooks, false) == 0);
	open = true;
	hooks.timeout = hooks.dot_timeout = 60000;
	for (i = 0; i < HOOK_EVENTS; i++) {
		hooks.list[i] = &one;
		hooks.n[i] = strchr(letters, 'h') != NULL;
	}
	hooks.n[HOOK_DSN] = strchr(letters, 'd') != NULL;
	hooks.auth.command = strpbrk(letters, "ab") ? "checkpassword" : NULL;
	hooks.soft_bounce = strchr(letters, 'f');
	return &hooks;
}

static void
make_client(struct client *c, const char *letters)
{
	*c = (struct client){ .kind = strchr(letters, 'l') ? KIND_LMTP :
	    strchr(letters, 'b') ? KIND_SUBMISSION : KIND_SMTP };
	if (!strpbrk(letters, "rxn"))
		return;
	endpoint_parse(&c->remote, "192.0.2.1");
	endpoint_parse(&c->local, "192.0.2.25");
	c->remote.port = 1025;
	c->local.port = 25;
}

static void
make_world(struct world *w, const char *letters)
{
	static struct scoreboard board;
	static const char *domain = "d";

	memset(w, 0, sizeof *w);
	w->store = (struct store){
		.path = "Maildir", .delimiters = "+", .below = "Maildir",
		.per_user = strpbrk(letters, "pk"),
	};
	CHECK(network_parse(&w->network, "192.0.2.0/24") == 0);
	w->hooks = make_hooks(letters);
	make_client(&w->client, letters);
	w->basic = (struct basic_options){
		.store = &w->store, .hardlink = strchr(letters, 'k'),
		.max_hops = 3,
	};
	w->limits = (struct stream_limits){
		.read_timeout = 300000, .write_timeout = 300000,
		.session_timeout = 3600000, .min_rate = 500,
		.stop = &never, .pressure_fd = -1, .is_under_pressure = nobody_wants_it,
	};
	w->options = (struct proto_options){
		.hostname = "mx.example", .delimiters = "+",
		.hooks = w->hooks, .spool = &w->spool, .board = &board,
		.max_size = strchr(letters, 'm') ? 64 : 10240000,
		.max_recipients = 10, .max_mails = 10, .max_errors = 20,
		.lenient = { &w->network, strchr(letters, 'n') != NULL },
		.domains = &domain, .n_domains = strchr(letters, 'o') != NULL,
		.strict = strchr(letters, 's'),
		.plain_auth = strpbrk(letters, "ab"),
		.xclients = { &w->network, strchr(letters, 'x') != NULL },
		.tls = { .control = -1 },
		.transcripts = strchr(letters, 'c') ? STDIN_FILENO : -1,
		.new_envelope = new_envelope, .ctx = &w->basic,
	};
}

static void
run(struct machine *m, const char *letters)
{
	static struct stream stream;
	struct world w;

	make_world(&w, letters);
	machine_enter(m);
	if (!w.store.per_user)
		store_reopen(&w.store);
	CHECK(stream_open(&stream, MACHINE_FD, MACHINE_FD, &w.limits) == 0);
	proto_serve(&w.options, &w.client, &stream);
	machine_leave();
}

static bool
ends_with(const struct gathered *a, const struct gathered *b)
{
	return a->n >= b->n &&
	    (b->n == 0 || memcmp(a->p + a->n - b->n, b->p, b->n) == 0);
}

/* The server replaces Return-Path, which a plain client does not know. */
static bool
has_return_path(const struct gathered *a)
{
	char *text = fuzz_string((const uint8_t *)a->p, a->n);
	const bool has = strcasestr(text, "return-path") != NULL ||
	    strlen(text) != a->n;

	free(text);
	return has;
}

static bool
is_of(const struct gathered *kept, const struct watched *a)
{
	return ends_with(kept, &a->text) || ends_with(kept, &a->raw) ||
	    has_return_path(&a->text);
}

/*
 * Check that the stored messages are those that were accepted; if commands
 * discard some, that each of those is stored or in the log.
 */
static void
check_kept(const struct machine *m, const struct watch *w, bool one)
{
	size_t i, j;

	CHECK(m->n_logged >= w->n_accepted);
	if (one && !m->discards)
		CHECK(m->n_kept == w->n_accepted);
	for (i = 0; i < m->n_kept; i++) {
		for (j = 0; j < w->n_accepted; j++)
			if (is_of(&m->kept[i], &w->accepted[j]))
				break;
		CHECK(j < w->n_accepted);
	}
	for (j = 0; j < w->n_accepted && !m->discards; j++) {
		for (i = 0; i < m->n_kept; i++)
			if (is_of(&m->kept[i], &w->accepted[j]))
				break;
		CHECK(i < m->n_kept);
	}
}

static void
check_alike(const struct machine *a, const struct machine *b)
{
	size_t i;

	CHECK(gathered_same(&a->out, &b->out));
	CHECK(a->n_kept == b->n_kept);
	for (i = 0; i < a->n_kept; i++)
		CHECK(gathered_same(&a->kept[i], &b->kept[i]));
}

static void
check_client(const struct machine *m, const char *sent, size_t n,
    const char *letters)
{
	struct watch w = {
		.in = sent, .n_in = n, .out = m->out.p, .n_out = m->out.n,
		.lf_ends = strchr(letters, 'n'), .lmtp = strchr(letters, 'l'),
	};

	watch(&w);
	check_kept(m, &w, !strpbrk(letters, "pk"));
	watch_free(&w);
}

/* Check that the transcripts do not depend on the segments. */
static void
check_transcripts(const struct machine *a, const struct machine *b,
    const char *sent, size_t n)
{
	struct dialogue whole = { .in = sent, .n_in = n }, cut = whole;

	dialogue_read(&whole, &a->transcript);
	dialogue_read(&cut, &b->transcript);
	CHECK(gathered_same(&whole.replies, &a->out));
	CHECK(gathered_same(&cut.replies, &b->out));
	CHECK(gathered_same(&whole.client, &cut.client));
	gather_free(&whole.replies);
	gather_free(&whole.client);
	gather_free(&cut.replies);
	gather_free(&cut.client);
}

static void
converse(const char *sent, size_t n, const char *letters, struct cuts cuts)
{
	const char *disk = strpbrk(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	struct machine whole = {
		.in = sent, .n_in = n, .stalls = strchr(letters, 't'),
		.answers = cuts, .discards = strchr(letters, 'i'),
		.fail_at = disk ? *disk - 'A' + 1 : 0,
	};
	struct machine cut = whole;

	cut.cuts = cuts;
	run(&whole, letters);
	run(&cut, letters);
	check_alike(&whole, &cut);
	/* XCLIENT decides who is lenient */
	if (!strchr(letters, 'n') || !strchr(letters, 'x'))
		check_client(&whole, sent, n, letters);
	if (strchr(letters, 'c'))
		check_transcripts(&whole, &cut, sent, n);
	machine_free(&whole);
	machine_free(&cut);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *newline = n ? memchr(data, '\n', n) : NULL;
	char *letters, *sent;

	if (!newline)
		return 0;
	letters = fuzz_string(data, (size_t)(newline - data));
	n -= (size_t)(newline + 1 - data);
	sent = fuzz_copy(newline + 1, n);
	converse(sent, n, letters, fuzz_cuts(newline + 1, n));
	free(sent);
	free(letters);
	return 0;
}
