/*
 * The command AUTH, with the mechanisms PLAIN and LOGIN.  It keeps no
 * passwords: a checkpassword command verifies them.
 */
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "lib/file.h"
#include "lib/text/base64.h"
#include "smtp/auth.h"
#include "smtp/hooks.h"
#include "smtp/journal.h"
#include "smtp/transcript.h"

enum {
	PASSWORD_MAX = 3000,	/* bytes: with the name it fits into a pipe of
				   one page */
	DELAY = 1000,		/* ms, after the first failed login */
	DELAY_DOUBLES = 3,	/* times at most */
	DELAY_MAX = DELAY << DELAY_DOUBLES,
};

struct login {
	const char *mechanism;
	char *name, *password;
	char text[AUTH_LINE_MAX];	/* the first response, decoded */
	char more[AUTH_LINE_MAX];	/* the second one, of LOGIN */
};

static struct reply
bad_base64(void)
{
	return reply_make(501, "5.5.2 Invalid base64 data");
}

/* Decode a response into *len bytes.  Returns code 0 or an error reply. */
static struct reply
decode_response(const char *text, char *out, size_t *len)
{
	long n;

	if (strcmp(text, "*") == 0)
		return reply_make(501, "5.7.0 Authentication aborted");
	n = base64_decode(strcmp(text, "=") == 0 ? "" : text, out);
	if (n < 0)
		return bad_base64();
	*len = (size_t)n;
	return reply_none();
}

/* Send a 334 challenge, wait for the response and decode it. */
static struct reply
send_challenge(struct session *s, const char *text, char *out, size_t *len)
{
	char line[AUTH_LINE_MAX];
	enum line_status status;
	struct reply r;

	fprintf(s->stream->out, "334 %s\r\n", text);
	stream_expect_line(s->stream);
	status = line_read(&s->reader, line, sizeof line);
	transcript_line(s, 0);
	switch (status) {
	case LINE_OK:
		r = decode_response(line, out, len);
		break;
	case LINE_END:
		r = session_farewell(s);
		break;
	case LINE_FLOOD:
		r = reply_make(421, "4.7.0 Line too long");
		break;
	default:
		r = reply_make(500, "5.5.2 Line is malformed or too long");
	}
	explicit_bzero(line, sizeof line);
	return r;
}

/* Split [authzid] NUL authcid NUL passwd (RFC 4616); false if malformed. */
static bool
split_plain(struct login *l, size_t len)
{
	const char *end = l->text + len;
	char *nul;

	nul = memchr(l->text, '\0', len);
	if (!nul)
		return false;
	l->name = nul + 1;
	nul = memchr(l->name, '\0', (size_t)(end - l->name));
	if (!nul)
		return false;
	l->password = nul + 1;
	if (l->password + strlen(l->password) != end)
		return false;
	return true;
}

static struct reply
read_plain(struct session *s, const char *initial, struct login *l)
{
	struct reply r;
	size_t len = 0;

	r = *initial ? decode_response(initial, l->text, &len) :
	    send_challenge(s, "", l->text, &len);
	if (r.code || s->stream->state != STREAM_OPEN)
		return r;
	if (!split_plain(l, len))
		return reply_make(501, "5.5.2 Malformed PLAIN response");
	return reply_none();
}

/* The prompts "Username:" and "Password:" are those that clients expect. */
static struct reply
read_login(struct session *s, const char *initial, struct login *l)
{
	struct reply r;
	size_t len = 0, more = 0;

	r = *initial ? decode_response(initial, l->text, &len) :
	    send_challenge(s, "VXNlcm5hbWU6", l->text, &len);
	if (!r.code && s->stream->state == STREAM_OPEN)
		r = send_challenge(s, "UGFzc3dvcmQ6", l->more, &more);
	if (r.code || s->stream->state != STREAM_OPEN)
		return r;
	l->name = l->text;
	l->password = l->more;
	if (strlen(l->text) != len || strlen(l->more) != more)
		return bad_base64();
	return reply_none();
}

/* The input of checkpassword (descriptor 3), in a pipe that has room for it. */
static int
open_credentials(const struct login *l)
{
	char now[24];
	int fds[2], failed;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	snprintf(now, sizeof now, "%lld", (long long)time(NULL));
	failed = file_write(fds[1], l->name, strlen(l->name) + 1) < 0 ||
	    file_write(fds[1], l->password, strlen(l->password) + 1) < 0 ||
	    file_write(fds[1], now, strlen(now) + 1) < 0;
	close(fds[1]);
	if (!failed)
		return fds[0];
	close(fds[0]);
	return -1;
}

static void
log_auth_failure(const struct session *s, const struct login *l,
    const struct reply *r)
{
	struct log_line line;
	char text[REPLY_TEXT_MAX + 8];

	scoreboard_count(s->options->board, COUNT_AUTH_FAILURES, 1);
	journal_begin(s, &line, LEVEL_INFO, "auth-failed");
	snprintf(text, sizeof text, "%d %s", r->code, r->text);
	log_str(&line, "mechanism", l->mechanism);
	log_str(&line, "user", l->name);
	log_str(&line, "reply", text);
	log_end(&line);
}

/* May the name appear in an environment variable, a header and the log? */
static bool
is_valid_user(const char *name)
{
	size_t n;

	for (n = 0; name[n]; n++)
		if ((unsigned char)name[n] < ' ' || name[n] == 0x7f)
			return false;
	return n > 0 && n <= USER_MAX;
}

/* PLAIN's authzid must be the user itself; acting for others is rejected. */
static bool
has_own_authzid(const struct login *l)
{
	return strcmp(l->mechanism, "PLAIN") != 0 || *l->text == '\0' ||
	    strcmp(l->text, l->name) == 0;
}

static struct reply
verify_login(struct session *s, struct login *l)
{
	struct reply r;
	int fd;

	/* NOLINTNEXTLINE(*-core.NullDereference): code 0 means both are set */
	if (!is_valid_user(l->name) || *l->password == '\0' ||
	    strlen(l->password) > PASSWORD_MAX || !has_own_authzid(l))
		return reply_make(535, "5.7.8 Authentication failed");
	fd = open_credentials(l);
	if (fd < 0)
		return reply_make(454, "4.7.0 Temporary authentication "
		    "failure");
	r = hooks_authenticate(s, fd);
	close(fd);
	if (r.code != 235)
		return r;
	strcpy(s->auth.user, l->name);
	s->auth.mechanism = l->mechanism;
	session_set_protocol(s);
	return r;
}

/*
 * Delay the reply after a failed login, longer each time; under pressure the
 * delay is cut short.  Too many failed logins end the session.
 */
static struct reply
delay_failed_login(struct session *s, struct reply r)
{
	const long long limit = s->options->max_auth_errors;
	const long long n = s->auth.errors++;

	stream_pause(s->stream, n < DELAY_DOUBLES ? DELAY << n : DELAY_MAX);
	if (limit && s->auth.errors >= limit)
		return reply_make(421, "4.7.0 Too many failed logins");
	return r;
}

static struct reply
authenticate(struct session *s, struct login *l, const char *initial)
{
	struct reply r;

	r = strcmp(l->mechanism, "PLAIN") == 0 ? read_plain(s, initial, l) :
	    read_login(s, initial, l);
	if (r.code || s->stream->state != STREAM_OPEN)
		return r;
	r = verify_login(s, l);
	if (r.code != 535)	/* 454 is not the client's fault */
		return r;
	log_auth_failure(s, l, &r);
	explicit_bzero(l, sizeof *l);	/* do not keep it during the delay */
	return delay_failed_login(s, r);
}

/* A word that is not a known mechanism may be a password. */
size_t
auth_public(const char *arg)
{
	const size_t len = strcspn(arg, " \t");

	if (len != 5 || (strncasecmp(arg, "PLAIN", 5) != 0 &&
	    strncasecmp(arg, "LOGIN", 5) != 0))
		return 0;
	return len + strspn(arg + len, " \t");
}

bool
auth_is_meant(const char *line)
{
	static const char *const words[] = {
		"AUTH", "PLAIN", "LOGIN", "USER", "PASS",
	};
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasestr(line, words[i]))
			return true;
	return false;
}

bool
auth_offered(const struct session *s)
{
	return s->options->hooks->auth.command && !*s->auth.user &&
	    (s->options->plain_auth || s->client.tls.encrypted);
}

struct reply
auth_command(struct session *s, const char *arg)
{
	const size_t len = strcspn(arg, " \t");
	const char *initial = arg + len + strspn(arg + len, " \t");
	struct login login = { .mechanism = NULL };
	struct reply r;

	if (!s->options->hooks->auth.command)
		return reply_make(502, "5.5.1 AUTH is not enabled");
	if (!s->hello.extended && s->options->strict)
		return reply_make(503, "5.5.1 Send EHLO first");
	if (*s->auth.user)
		return reply_make(503, "5.5.1 Already authenticated");
	if (!s->options->plain_auth && !s->client.tls.encrypted)
		return reply_make(538, "5.7.11 Encryption required for "
		    "authentication");
	if (len == 5 && strncasecmp(arg, "PLAIN", 5) == 0)
		login.mechanism = "PLAIN";
	else if (len == 5 && strncasecmp(arg, "LOGIN", 5) == 0)
		login.mechanism = "LOGIN";
	else
		return reply_make(504, "5.5.4 Unsupported authentication "
		    "mechanism; use PLAIN or LOGIN");
	r = authenticate(s, &login, initial);
	explicit_bzero(&login, sizeof login);
	return r;
}
