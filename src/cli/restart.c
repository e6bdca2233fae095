/* hob restart: what does not run is started. */
#include "cli/job.h"
#include "cli/verb.h"

int verb_restart(struct cli *cli, int argc, char **argv)
{
	struct job_verb verb = {.method = WIRE_RESTART,
		.doing = "restarting",
		.may_start_instance = true,
		.at_once = true,
		.quiet = cli_has(cli, "quiet"),
		.add = job_add_settle};

	return job_units(cli, &verb, argc, argv);
}
