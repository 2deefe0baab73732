/* What the command line asks for. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/text/idna.h"
#include "lib/text/utf8.h"
#include "server/settings.h"

enum { HOSTNAME_MAX = 255 };	/* bytes, RFC 1035 2.3.4 */

#define AT(field) offsetof(struct settings, field)

#define GROUP(title) { 0, "", OPTION_GROUP, 0, NULL, title }

static const struct option options[] = {
	GROUP("Listening"),
	{ 'l', "listen", OPTION_LIST, AT(listen), "ADDR",
	    "HOST:PORT, [V6]:PORT, :PORT, /path or - (:25)" },
	{ 'i', "inetd", OPTION_FLAG, AT(inetd), NULL,
	    "serve the socket on descriptor 0" },
	{ 0, "backlog", OPTION_NUMBER, AT(backlog), "N",
	    "connections that may wait for a worker (1024)" },
	GROUP("Identity"),
	{ 'H', "hostname", OPTION_STRING, AT(hostname), "NAME",
	    "the name to announce (the system's)" },
	{ 'u', "user", OPTION_STRING, AT(user), "USER[:GROUP]",
	    "run as this user once the sockets are bound" },
	{ 0, "umask", OPTION_MODE, AT(mask), "MODE",
	    "for files and directories (077)" },
	GROUP("Acceptance"),
	{ 'd', "domain", OPTION_LIST, AT(domains), "NAME",
	    "accept mail for this domain; * is any" },
	{ 0, "trust", OPTION_LIST, AT(trust), "NET",
	    "clients that may send to any domain" },
	{ 0, "resolve", OPTION_FLAG, AT(proto.resolve), NULL,
	    "look up the names of clients" },
	{ 0, "greet-delay", OPTION_TIME, AT(proto.greet_delay), "TIME",
	    "reject clients that speak before this (0)" },
	{ 0, "lenient-from", OPTION_LIST, AT(lenient_from), "NET",
	    "devices that end lines in LF" },
	{ 0, "disable", OPTION_LIST, AT(disable), "EXTENSION",
	    "do not offer it, as in EHLO" },
	{ 0, "strict", OPTION_FLAG, AT(proto.strict), NULL,
	    "follow RFC 5321 to the letter" },
	GROUP("Delivery"),
	{ 'm', "maildir", OPTION_STRING, AT(maildir), "DIR",
	    "store here; {mailbox}, {domain} (./Maildir)" },
	{ 0, "recipient-delimiter", OPTION_STRING, AT(delimiters), "CHARS",
	    "characters that end the mailbox (+)" },
	{ 0, "hardlink", OPTION_FLAG, AT(hardlink), NULL,
	    "one file for all Maildirs, no Delivered-To" },
	{ 0, "spool", OPTION_STRING, AT(spool), "DIR",
	    "temporary files of --maildir none (/var/tmp)" },
	GROUP("Hooks"),
	{ 0, "on-new-connection", OPTION_LIST, AT(commands[HOOK_CONNECTION]),
	    "CMD",
	    "may reject before the banner" },
	{ 0, "on-hello", OPTION_LIST, AT(commands[HOOK_HELLO]), "CMD",
	    "may reject at HELO and EHLO" },
	{ 0, "on-new-mail", OPTION_LIST, AT(commands[HOOK_MAIL]), "CMD",
	    "may reject at MAIL" },
	{ 0, "on-recipient", OPTION_LIST, AT(commands[HOOK_RECIPIENT]), "CMD",
	    "may reject at RCPT" },
	{ 0, "on-data", OPTION_LIST, AT(commands[HOOK_DATA]), "CMD",
	    "may reject at DATA or the first BDAT" },
	{ 0, "filter", OPTION_LIST, AT(commands[HOOK_FILTER]), "CMD",
	    "its output becomes the message" },
	{ 0, "on-message", OPTION_LIST, AT(commands[HOOK_MESSAGE]), "CMD",
	    "may reject the complete message" },
	{ 0, "deliver", OPTION_LIST, AT(commands[HOOK_DELIVER]), "CMD",
	    "gets the message, before 250" },
	{ 0, "mda", OPTION_LIST, AT(commands[HOOK_MDA]), "CMD",
	    "the same, once for each recipient" },
	{ 0, "on-delivered", OPTION_LIST, AT(commands[HOOK_DELIVERED]), "CMD",
	    "run after 250" },
	{ 0, "dsn", OPTION_LIST, AT(commands[HOOK_DSN]), "CMD",
	    "offer DSN; gets the reports of success" },
	{ 0, "on-disconnect", OPTION_LIST, AT(commands[HOOK_DISCONNECT]), "CMD",
	    "run when the session is over" },
	{ 0, "hook-timeout", OPTION_TIME, AT(hook_timeout), "TIME",
	    "for a hook; 5m for all after the dot (60s)" },
	{ 0, "soft-bounce", OPTION_FLAG, AT(soft_bounce), NULL,
	    "turn a hook's 5xx into 4xx" },
	{ 0, "allow-setuid", OPTION_FLAG, AT(allow_setuid), NULL,
	    "let hooks gain privileges by set-user-id" },
	GROUP("TLS and authentication"),
	{ 0, "tls", OPTION_STRING, AT(tls), "CMD",
	    "command that encrypts, such as smtpd-tls(8)" },
	{ 0, "require-tls", OPTION_FLAG, AT(proto.require_tls), NULL,
	    "reject mail that is not encrypted" },
	{ 0, "auth", OPTION_STRING, AT(auth), "CMD",
	    "checkpassword command for AUTH" },
	{ 0, "require-auth", OPTION_FLAG, AT(proto.require_auth), NULL,
	    "accept mail from authenticated clients only" },
	{ 0, "plain-auth", OPTION_FLAG, AT(proto.plain_auth), NULL,
	    "offer AUTH on unencrypted connections" },
	GROUP("Proxies"),
	{ 0, "proxy-from", OPTION_LIST, AT(proxy_from), "NET|unix",
	    "proxies that send a PROXY header" },
	{ 0, "xclient-from", OPTION_LIST, AT(xclient_from), "NET",
	    "proxies that may use XCLIENT" },
	GROUP("Limits"),
	{ 's', "max-size", OPTION_SIZE, AT(proto.max_size), "SIZE",
	    "bytes in a message (50M)" },
	{ 0, "max-recipients", OPTION_NUMBER, AT(proto.max_recipients), "N",
	    "recipients of a message (1000)" },
	{ 0, "max-mails", OPTION_NUMBER, AT(proto.max_mails), "N",
	    "messages in a session (1000)" },
	{ 0, "max-errors", OPTION_NUMBER, AT(proto.max_errors), "N",
	    "errors in a session (20)" },
	{ 0, "max-auth-errors", OPTION_NUMBER, AT(proto.max_auth_errors), "N",
	    "failed logins in a session (3)" },
	{ 0, "max-per-client", OPTION_NUMBER, AT(proto.max_per_client), "N",
	    "sessions of one address (half the pool)" },
	{ 0, "max-hops", OPTION_NUMBER, AT(max_hops), "N",
	    "Received fields in a message (100)" },
	{ 0, "min-free", OPTION_SIZE, AT(min_free), "SIZE",
	    "bytes to leave free on disk (2 x max-size)" },
	{ 0, "min-rate", OPTION_SIZE, AT(limits.min_rate), "SIZE",
	    "bytes a second of data, after a minute (500)" },
	GROUP("Timeouts"),
	{ 'r', "read-timeout", OPTION_TIME, AT(limits.read_timeout), "TIME",
	    "for a command, or a pause in the data (5m)" },
	{ 'w', "write-timeout", OPTION_TIME, AT(limits.write_timeout), "TIME",
	    "for sending a reply (5m)" },
	{ 0, "session-timeout", OPTION_TIME, AT(limits.session_timeout), "TIME",
	    "for a session (1h)" },
	{ 0, "drain-timeout", OPTION_TIME, AT(drain_timeout), "TIME",
	    "for messages in progress at SIGTERM (30s)" },
	GROUP("Workers"),
	{ 'n', "workers", OPTION_NUMBER, AT(workers), "N",
	    "processes, and so sessions at a time (100)" },
	{ 0, "recycle-after", OPTION_NUMBER, AT(recycle_after), "N",
	    "replace a worker after N sessions (1000)" },
	GROUP("Logging and monitoring"),
	{ 'v', "verbose", OPTION_FLAG, AT(log_options.verbose), NULL,
	    "log connections; --explain shows all settings" },
	{ 0, "log", OPTION_STRING, AT(log), "FORM",
	    "text or json (text)" },
	{ 0, "syslog", OPTION_FLAG, AT(log_options.syslog), NULL,
	    "log to syslog, not to standard error" },
	{ 0, "status", OPTION_STRING, AT(status), "FILE",
	    "write totals and sessions, for Prometheus" },
	{ 0, "show", OPTION_STRING, AT(show), "FILE",
	    "print a status file as a table" },
	{ 0, "transcript", OPTION_STRING, AT(transcript), "DIR",
	    "write the dialogue of each session to a file" },
	{ 0, "ready-fd", OPTION_NUMBER, AT(ready_fd), "N",
	    "write the addresses to it when ready" },
	GROUP("Other"),
	{ 0, "explain", OPTION_FLAG, AT(explain), NULL,
	    "show what a start would do, and exit" },
	{ 'h', "help", OPTION_FLAG, AT(help), NULL,
	    "print this help" },
	{ 'V', "version", OPTION_FLAG, AT(version), NULL,
	    "print the version" },
	{ 0, NULL, OPTION_FLAG, 0, NULL, NULL },
};

_Static_assert(sizeof options / sizeof *options <= OPTION_ROWS,
    "OPTION_ROWS is too small");

const struct option *
settings_options(void)
{
	return options;
}

static void
set_defaults(struct settings *s)
{
	*s = (struct settings){
		.maildir = "./Maildir", .spool = "/var/tmp", .delimiters = "+",
		.log = "text",
		.workers = 100, .recycle_after = 1000, .backlog = 1024,
		.mask = 077, .ready_fd = -1, .max_hops = 100, .min_free = -1,
		.drain_timeout = 30 * 1000, .hook_timeout = -1,
		.proto = {
			.tls.control = -1, .transcripts = -1,
			.max_size = 50 * 1024 * 1024, .max_recipients = 1000,
			.max_mails = 1000, .max_errors = 20,
			.max_auth_errors = 3,
			.max_per_client = -1,
		},
		.limits = {
			.read_timeout = 5 * 60 * 1000,
			.write_timeout = 5 * 60 * 1000,
			.session_timeout = 60 * 60 * 1000,
			.min_rate = 500, .pressure_fd = -1,
		},
	};
}

void
settings_flush(void)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		fatal(EX_IOERR, "standard output: %s", strerror(errno));
}

static void
print_help(void)
{
	printf("usage: smtpd [option ...] [--explain [address ...]]\n"
	    "Receive mail by SMTP and store it in a Maildir.\n\n");
	option_help(options);
	printf("\nOptions with ... may be given more than once.  "
	    "SIZE is in bytes, or 64k, 10M,\n"
	    "1G; TIME is in seconds, or 30s, 5m, 1h; 0 means no limit.\n"
	    "As root, --user is required.  See smtpd(8).\n\n"
	    "Examples\n"
	    "  smtpd --listen 127.0.0.1:2525 --domain '*'\n"
	    "  smtpd --user smtpd --domain example.org --maildir /srv/mail\n");
}

static void
parse(struct settings *s, int argc, char **argv)
{
	option_parse(options, s, &s->given, argc, argv);
	if (s->given.operands.n && !s->explain)
		fatal(EX_USAGE, "unexpected argument '%s'; see "
		    "smtpd --help", s->given.operands.values[0]);
	if (s->help)
		print_help();
	else if (s->version)
		printf("smtpd " VERSION "\n");
	else
		return;
	settings_flush();
	exit(EX_OK);
}

/* Which of two words is it?  True for the second one. */
static bool
choose(const char *option, const char *word, const char *first,
    const char *second)
{
	if (strcmp(word, first) != 0 && strcmp(word, second) != 0)
		fatal(EX_USAGE, "--%s is %s or %s, not '%s'", option, first,
		    second, word);
	return strcmp(word, second) == 0;
}

static void
check_number(const char *option, long long n, long long least, long long most)
{
	if (n < least || n > most)
		fatal(EX_USAGE, "--%s is a number from %lld to %lld", option,
		    least, most);
}

/* Another value is another option, not a comma. */
static void
check_single(const char *option, const char *value)
{
	if (strpbrk(value, ", \t"))
		fatal(EX_USAGE, "--%s '%s': only one value is allowed; give "
		    "--%s twice", option, value, option);
}

static void
check_singles(const char *option, const struct option_list *list)
{
	unsigned i;

	for (i = 0; i < list->n; i++)
		check_single(option, list->values[i]);
}

static struct networks
parse_networks(const char *option, const struct option_list *list)
{
	struct network *nets;
	unsigned i;

	nets = calloc(list->n + 1, sizeof *nets);
	if (!nets)
		fatal(EX_OSERR, "out of memory");
	for (i = 0; i < list->n; i++)
		if (network_parse(&nets[i], list->values[i]) < 0)
			fatal(EX_USAGE, "--%s requires a network such as "
			    "192.0.2.0/24 or 2001:db8::/32, not '%s'",
			    option, list->values[i]);
	return (struct networks){ nets, list->n };
}

static void
settle_extensions(struct settings *s)
{
	unsigned i;

	for (i = 0; i < s->disable.n; i++)
		if (!options_disable(&s->proto, s->disable.values[i]))
			fatal(EX_USAGE, "--disable requires an extension that "
			    "EHLO offers, such as CHUNKING, not '%s'",
			    s->disable.values[i]);
}

/* --proxy-from accepts networks, and "unix" for clients of Unix sockets. */
static void
settle_proxies(struct settings *s)
{
	const struct option_list *given = &s->proxy_from;
	struct network *nets = calloc(given->n + 1, sizeof *nets);
	unsigned i, n = 0;

	if (!nets)
		fatal(EX_OSERR, "out of memory");
	for (i = 0; i < given->n; i++)
		if (strcmp(given->values[i], "unix") == 0)
			s->unix_proxies = true;
		else if (network_parse(&nets[n++], given->values[i]) < 0)
			fatal(EX_USAGE, "--proxy-from requires a network such as "
			    "192.0.2.0/24 or 2001:db8::/32, or unix, not '%s'",
			    given->values[i]);
	s->proxies = (struct networks){ nets, n };
}

/* Can connections be encrypted: by --tls, a proxy or UCSPI-TLS? */
static bool
has_tls(const struct settings *s)
{
	return s->tls || s->proxy_from.n ||
	    (s->inetd && getenv("SSLCTLFD"));
}

/* The same, for those that begin in clear. */
static bool
has_starttls(const struct settings *s)
{
	return s->proxy_from.n ||
	    (has_tls(s) && options_enabled(&s->proto, "STARTTLS"));
}

const char *
settings_command(const struct settings *s)
{
	unsigned event;

	for (event = 0; event < HOOK_EVENTS; event++)
		if (s->commands[event].n)
			return hooks_event_name(event);
	if (s->auth || s->tls)
		return s->auth ? "auth" : "tls";
	return s->proto.resolve ? "resolve" : NULL;
}

enum listener_kind
settings_kind(const struct settings *s, const char *option, const char *name,
    size_t len)
{
	const struct listener_traits *kind;
	int i;

	for (i = 0; i < KINDS; i++)
		if (strlen(listener_kinds[i].name) == len &&
		    strncmp(listener_kinds[i].name, name, len) == 0)
			break;
	if (i == KINDS)
		return KINDS;
	kind = &listener_kinds[i];
	if (kind->tls && !has_tls(s))
		fatal(EX_USAGE, "%s: %s needs --tls", option, kind->name);
	if (kind->auth && !(s->auth && (has_tls(s) || s->proto.plain_auth)))
		fatal(EX_USAGE, "%s: %s needs --auth, and --tls or "
		    "--plain-auth", option, kind->name);
	if (kind->auth && !options_enabled(&s->proto, "AUTH"))
		fatal(EX_USAGE, "%s: %s refuses all mail with --disable AUTH",
		    option, kind->name);
	if (kind->auth && !kind->tls && !s->proto.plain_auth &&
	    !has_starttls(s))
		fatal(EX_USAGE, "%s: %s refuses all mail with --disable "
		    "STARTTLS, unless with --plain-auth", option, kind->name);
	return (enum listener_kind)i;
}

/* A listener is [KIND@]ADDRESS.  Returns the address. */
static const char *
take_kind(struct settings *s, const char *spec, enum listener_kind *kind)
{
	const size_t len = strcspn(spec, "@:/");
	const char *address = spec[len] == '@' ? spec + len + 1 : spec;

	if (strcmp(address, "-") == 0)
		s->inetd = true;
	if (*address != '/')
		check_single("listen", address);
	*kind = KIND_SMTP;
	if (address == spec)
		return spec;
	*kind = settings_kind(s, "--listen", spec, len);
	if (*kind == KINDS)
		fatal(EX_USAGE, "--listen %s: unknown kind '%.*s'; there are "
		    "smtp, smtps, submission, submissions and lmtp", spec,
		    (int)len, spec);
	return address;
}

/* Those that are open already may, too; their kinds are read later. */
static bool
begins_with_tls(const struct settings *s)
{
	unsigned i;

	if (getenv("LISTEN_FDS") || getenv("SMTPD_STATE"))
		return true;
	for (i = 0; i < s->listen.n; i++)
		if (listener_kinds[s->kinds[i]].tls)
			return true;
	return false;
}

/* What is to be listened on, less the kinds; "-" is descriptor 0. */
static void
settle_listeners(struct settings *s)
{
	unsigned i;

	s->kinds = calloc(s->listen.n + 1, sizeof *s->kinds);
	if (!s->kinds)
		fatal(EX_OSERR, "out of memory");
	for (i = 0; i < s->listen.n; i++)
		s->listen.values[i] = take_kind(s, s->listen.values[i],
		    &s->kinds[i]);
	if (s->inetd && (s->listen.n > 1 ||
	    (s->listen.n == 1 && strcmp(s->listen.values[0], "-") != 0)))
		fatal(EX_USAGE, "--inetd and --listen - serve descriptor 0 "
		    "and nothing else");
	if (s->proto.require_tls && !has_tls(s))
		fatal(EX_USAGE, "--require-tls refuses everything without "
		    "--tls");
	if (s->proto.require_tls && !has_starttls(s) && !begins_with_tls(s))
		fatal(EX_USAGE, "--require-tls refuses everything with "
		    "--disable STARTTLS");
}

/* A client must be able to authenticate, or XCLIENT to do it for it. */
static void
check_required_auth(const struct settings *s)
{
	const bool xclient = s->xclient_from.n &&
	    options_enabled(&s->proto, "XCLIENT");

	if (!s->proto.require_auth || xclient)
		return;
	if (!s->auth)
		fatal(EX_USAGE, "--require-auth refuses all mail without "
		    "--auth");
	if (!options_enabled(&s->proto, "AUTH"))
		fatal(EX_USAGE, "--require-auth refuses all mail with "
		    "--disable AUTH");
}

/* Relative paths begin in systemd's directory for us (systemd.exec(5)). */
static const char *
settle_path(const char *path)
{
	const char *state = getenv("STATE_DIRECTORY");
	size_t len, size;
	char *whole;

	if (!state || !*state || *path == '/' || strcmp(path, "none") == 0)
		return path;
	len = strcspn(state, ":");
	size = len + strlen(path) + 2;
	whole = malloc(size);
	if (!whole)
		fatal(EX_OSERR, "out of memory");
	snprintf(whole, size, "%.*s/%s", (int)len, state, path);
	return whole;
}

static void
settle_hostname(struct settings *s)
{
	if (!s->hostname) {
		if (gethostname(s->system_name, sizeof s->system_name - 1) < 0)
			fatal(EX_OSERR, "gethostname: %s", strerror(errno));
		s->hostname = s->system_name;
	}
	if (!address_is_host(s->hostname, false) ||
	    strlen(s->hostname) > HOSTNAME_MAX ||
	    utf8_is_beyond_ascii(s->hostname))
		fatal(EX_USAGE, "the hostname '%s' is no domain name; give "
		    "one with --hostname", s->hostname);
	s->proto.hostname = s->hostname;
}

/* The domains, in the form that those of addresses have. */
static void
settle_domains(struct settings *s)
{
	const char **name, *given;
	char ascii[IDNA_MAX];
	unsigned i;

	for (i = 0; i < s->domains.n; i++) {
		name = &s->domains.values[i];
		given = *name;
		if (strcmp(given, "*") == 0)
			continue;
		if (!address_is_host(given, false) ||
		    idna_to_ascii(given, strlen(given), ascii) < 0)
			fatal(EX_USAGE, "--domain requires a domain such as "
			    "example.org, or *, not '%s'", given);
		*name = strdup(ascii);
		if (!*name)
			fatal(EX_OSERR, "out of memory");
	}
	s->proto.domains = s->domains.values;
	s->proto.n_domains = s->domains.n;
}

/* A limit that tcpserver's rules set for this client. */
static void
read_limit(const char *variable, long long *limit)
{
	const char *text = getenv(variable);
	char *end;

	if (!text)
		return;
	errno = 0;
	*limit = strtoll(text, &end, 10);
	if (errno || *end || end == text || *limit < 0)
		fatal(EX_USAGE, "%s is a whole number, not '%s'", variable,
		    text);
}

void
settings_read_limits(struct proto_options *o)
{
	read_limit("DATABYTES", &o->max_size);
	read_limit("MAXRCPTS", &o->max_recipients);
}

/* In a Maildir's path, a brace begins one of two words. */
static void
check_template(const char *path)
{
	if (*path == '\0')
		fatal(EX_USAGE, "--maildir needs a directory");
	for (; (path = strchr(path, '{')); path++)
		if (strncmp(path, "{mailbox}", 9) != 0 &&
		    strncmp(path, "{domain}", 8) != 0)
			fatal(EX_USAGE, "--maildir: '%s': there are {mailbox} "
			    "and {domain}", path);
}

void
settings_read(struct settings *s, int argc, char **argv)
{
	set_defaults(s);
	parse(s, argc, argv);
}

void
settings_check(struct settings *s)
{
	s->log_options.json = choose("log", s->log, "text", "json");
	log_open(&s->log_options);
	check_number("workers", s->workers, 1, 100000);
	check_number("backlog", s->backlog, 1, 65535);
	check_number("umask", s->mask, 0, 0777);
	check_number("min-rate", s->limits.min_rate, 0, 1LL << 40);
	check_template(s->maildir);
	if (strcmp(s->maildir, "none") == 0 &&
	    !s->commands[HOOK_DELIVER].n && !s->commands[HOOK_MDA].n)
		fatal(EX_USAGE, "--maildir none keeps nothing: it needs "
		    "--deliver or --mda");
	check_singles("domain", &s->domains);
	check_singles("trust", &s->trust);
	check_singles("lenient-from", &s->lenient_from);
	check_singles("proxy-from", &s->proxy_from);
	check_singles("xclient-from", &s->xclient_from);
	s->maildir = settle_path(s->maildir);
	s->spool = settle_path(s->spool);
	if (s->transcript)
		s->transcript = settle_path(s->transcript);
	settle_domains(s);
	settle_extensions(s);
	check_required_auth(s);
	settle_listeners(s);
	settle_hostname(s);
	s->proto.trusted = parse_networks("trust", &s->trust);
	s->proto.lenient = parse_networks("lenient-from", &s->lenient_from);
	settle_proxies(s);
	s->proto.xclients = parse_networks("xclient-from", &s->xclient_from);
	s->proto.delimiters = s->delimiters;
	if (s->proto.max_per_client < 0)
		s->proto.max_per_client = (s->workers + 1) / 2;
	if (s->min_free < 0)
		s->min_free = 2 * s->proto.max_size;
	s->proto.transcript_room = s->min_free;
	s->limits.stop_timeout = s->drain_timeout;
}
