/*
 * The start of the program: the options are read, sockets and directories are
 * opened, and privileges are dropped.  Then a pool of workers serves one
 * session at a time each; or, under inetd, this process serves one session.
 */
#include <sysexits.h>

#include "lib/proc/title.h"
#include "server/explain.h"
#include "server/inetd.h"
#include "server/service.h"
#include "server/show.h"
#include "server/startup.h"

int
main(int argc, char **argv)
{
	static struct settings settings;
	static struct server server;
	static struct handover handover;
	const struct user *user;
	bool pool;

	startup_fill_descriptors(&server);
	argv = title_init(argc, argv);
	restart_prepare(&server.restart, argv);
	settings_read(&settings, argc, argv);
	if (settings.show)
		return show_print(settings.show);
	startup_close_inherited(&settings);
	settings_check(&settings);
	startup_prepare(&server, &settings, &handover);
	if (settings.explain)
		explain_settings(&settings);
	user = startup_find_user(&settings);
	pool = startup_open_sockets(&server, user, &handover);
	startup_open_store(&server, user, &handover);
	startup_drop_privileges(&settings, user);
	startup_open_rest(&server, pool);
	if (settings.explain)
		return explain_server(&server, pool);
	if (handover.check)
		return handover_agree(&handover) == 0 ? EX_OK : EX_OSERR;
	return pool ? service_run(&server, &handover) : inetd_run(&server);
}
