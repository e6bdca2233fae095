/* hob reload */
#include "cli/job.h"
#include "cli/verb.h"

int verb_reload(struct cli *cli, int argc, char **argv)
{
	struct job_verb verb = {.method = WIRE_RELOAD,
		.doing = "reloading",
		.done = "reloaded",
		.quiet = cli_has(cli, "quiet")};

	return job_units(cli, &verb, argc, argv);
}
