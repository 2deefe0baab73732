/*
 * Answers.  One that is not allowed at its step is a failure, and so are
 * changes that were not offered.
 */
#include <stddef.h>

#include "contrib/milter/answer.h"
#include "contrib/milter/protocol.h"

static const char unreadable[] = "an answer without all of its parts";

/* Make a change.  Returns NULL, or what is wrong. */
static const char *
change_field(struct frame *f, struct message *m)
{
	const bool add = f->command == SMFIR_ADDHEADER;
	const char *name, *value;
	uint32_t number = 0;
	int rc;

	if (!add && !frame_number(f, &number))
		return unreadable;
	name = frame_string(f);
	value = name ? frame_string(f) : NULL;
	if (!value)
		return unreadable;
	rc = add ? message_add(m, name, value) :
	    f->command == SMFIR_INSHEADER ?
	    message_insert(m, number, name, value) :
	    message_replace(m, number, name, value);
	return rc < 0 ? m->error : NULL;
}

static const char *
change_message(struct frame *f, struct message *m)
{
	switch (f->command) {
	case SMFIR_ADDHEADER:
	case SMFIR_INSHEADER:
	case SMFIR_CHGHEADER:
		return change_field(f, m);
	case SMFIR_REPLBODY:
		return message_put_body(m, f->data, f->len) < 0 ?
		    m->error : NULL;
	case SMFIR_ADDRCPT:
	case SMFIR_ADDRCPT_PAR:
	case SMFIR_DELRCPT:
	case SMFIR_CHGFROM:
	case SMFIR_QUARANTINE:
		return "it wants to change the envelope or to quarantine, "
		    "which is unsupported";
	}
	return "an answer out of order";
}

/* A rejection without words. */
static const char *
default_reply(char step)
{
	switch (step) {
	case SMFIC_CONNECT:
		return "554 5.7.1 Client rejected";
	case SMFIC_HELO:
	case SMFIC_MAIL:
	case SMFIC_RCPT:
		return "550 5.7.1 Command rejected";
	}
	return "554 5.7.1 Message rejected";
}

/* Set the verdict of this answer.  Returns false if it is none. */
static bool
read_verdict(struct frame *f, char step, struct verdict *v)
{
	const char *text;

	switch (f->command) {
	case SMFIR_CONTINUE:
		return true;
	case SMFIR_ACCEPT:
		v->kind = VERDICT_ACCEPT;
		return true;
	case SMFIR_DISCARD:
		v->kind = VERDICT_DISCARD;
		return true;
	case SMFIR_SKIP:
		v->kind = VERDICT_SKIP;
		return step == SMFIC_BODY;
	case SMFIR_REJECT:
		verdict_refuse(v, default_reply(step));
		return true;
	case SMFIR_TEMPFAIL:
		verdict_refuse(v, "451 4.7.1 Try again later");
		return true;
	case SMFIR_SHUTDOWN:
	case SMFIR_CONN_FAIL:
		verdict_refuse(v, "421 4.7.0 Closing the connection");
		return true;
	case SMFIR_REPLYCODE:
		text = frame_string(f);
		if (text)
			verdict_read(v, text);
		else
			verdict_fail(v, unreadable);
		return true;
	}
	return false;
}

void
answer_read(struct link *l, char step, struct message *m, struct verdict *v)
{
	const char *error = NULL;
	struct frame f;

	while (!error) {
		if (link_receive(l, &f) < 0)
			error = l->error;
		else if (read_verdict(&f, step, v))
			return;
		else if (f.command != SMFIR_PROGRESS)
			error = m ? change_message(&f, m) :
			    "an answer out of order";
	}
	verdict_fail(v, error);
}
