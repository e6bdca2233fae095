/* hob start */
#include "cli/job.h"
#include "cli/verb.h"

const struct option_info start_options[] = {
	{"settle", 0, "SPAN", "go on watching this long after it is ready (default 1s; 0: not)"},
	{"quiet", 'q', NULL, "say nothing but errors"},
	{0},
};

int verb_start(struct cli *cli, int argc, char **argv)
{
	struct job_verb verb = {.method = WIRE_START,
		.doing = "starting",
		.may_start_instance = true,
		.at_once = true,
		.quiet = cli_has(cli, "quiet"),
		.add = job_add_settle};

	return job_units(cli, &verb, argc, argv);
}
