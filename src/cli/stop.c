/* hob stop: what does not run is stopped already. */
#include "cli/job.h"
#include "cli/verb.h"

int verb_stop(struct cli *cli, int argc, char **argv)
{
	struct job_verb verb = {.method = WIRE_STOP,
		.doing = "stopping",
		.done = "stopped",
		.absent_is_done = true,
		.at_once = true,
		.quiet = cli_has(cli, "quiet")};

	return job_units(cli, &verb, argc, argv);
}
