/* hob wait */
#include "cli/job.h"
#include "cli/verb.h"

int verb_wait(struct cli *cli, int argc, char **argv)
{
	struct job_verb verb = {.method = WIRE_WAIT,
		.doing = "waiting for its end",
		.failed_is_failure = true,
		.quiet = cli_has(cli, "quiet")};

	return job_units(cli, &verb, argc, argv);
}
