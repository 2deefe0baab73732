/* What the pool counts and does, for people and for their monitoring. */
#include <time.h>

#include "log.h"
#include "status.h"

static const char *const counted[COUNTS] = {
	[SCOREBOARD_DIED] = "died",
	[SCOREBOARD_RESTARTS] = "restarts",
	[COUNT_SESSIONS] = "sessions",
	[COUNT_MESSAGES] = "messages",
	[COUNT_OCTETS] = "octets",
	[COUNT_2YZ] = "replies_2yz",
	[COUNT_4YZ] = "replies_4yz",
	[COUNT_5YZ] = "replies_5yz",
	[COUNT_PRESSED] = "pressed",
	[COUNT_CROWDED] = "crowded",
	[COUNT_EARLY] = "early",
	[COUNT_AUTH_FAILED] = "auth_failed",
	[COUNT_HOOK_FAILED] = "hook_failed",
	[COUNT_TIMED_OUT] = "timed_out",
};

static bool
is_serving(const struct scoreboard_row *row)
{
	return row->state == SLOT_BUSY || row->state == SLOT_LEAVING ||
	    (row->state == SLOT_RETIRED && *row->client);
}

static void
log_worker(const struct scoreboard_row *row, long long now)
{
	struct log_line l;

	log_begin(&l, LEVEL_INFO, "worker");
	log_num(&l, "worker", row->worker);
	log_num(&l, "pid", row->pid);
	log_str(&l, "phase", row->phase);
	log_str(&l, "client", row->client);
	log_num(&l, "seconds", now < row->since ? 0 : now - row->since);
	log_num(&l, "octets", row->octets);
	log_num(&l, "mails", row->done);
	log_num(&l, "errors", row->errors);
	log_end(&l);
}

void
status_log(const struct scoreboard *board)
{
	const long long now = (long long)time(NULL);
	struct scoreboard_row row;
	struct log_line l;
	unsigned i;

	log_begin(&l, LEVEL_INFO, "status");
	log_num(&l, "workers", board->workers);
	log_num(&l, "busy", scoreboard_busy(board));
	for (i = 0; i < COUNTS; i++)
		log_num(&l, counted[i],
		    (long long)scoreboard_total(board, i));
	log_end(&l);
	for (i = 0; i < scoreboard_slots(board); i++)
		if (scoreboard_read(board, i, &row) && is_serving(&row))
			log_worker(&row, now);
}
