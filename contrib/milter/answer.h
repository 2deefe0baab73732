/*
 * Answers of a milter to a step.
 */
#ifndef MILTER_ANSWER_H
#define MILTER_ANSWER_H

#include "contrib/milter/link.h"
#include "contrib/milter/verdict.h"

/*
 * Read the answer to a step, an SMFIC_*.  At SMFIC_BODYEOB the changes before
 * the verdict are made in the message, which is NULL at other steps.
 */
void answer_read(struct link *, char step, struct message *,
    struct verdict *);

#endif
